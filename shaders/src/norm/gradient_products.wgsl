// sums[chunk, 0, column] = sum of the gradient over the pixels of a chunk, sums[chunk, 1, column] = sum of
// gradient * standard(x).
@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let start = first_of(lane.column);
    let norm = norm_of(min(lane.column, COLUMNS_OF_ALL - 1u));
    // Of the gradient, and of the product.
    var sum = vec2(0.0);
    for (var pixel = lane.first; pixel < lane.last; pixel++) {
        let place = start + pixel * CHANNELS;
        sum += gradient[place] * vec2(1.0, standard(x[place], norm));
    }
    sum = over_lanes(sum, local);
    if lane.writes {
        sums[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = sum.x;
        sums[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = sum.y;
    }
}
