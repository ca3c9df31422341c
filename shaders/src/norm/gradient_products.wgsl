// sums[chunk, 0, column] = sum of the gradient over the pixels of a chunk, sums[chunk, 1, column] = sum of
// gradient * standard(x).
@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<Number>;
@group(0) @binding({{ second }}) var<storage, read_write> sums: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let start = first_of(lane.column);
    let norm = norm_of(min(lane.column, COLUMNS_OF_ALL - 1u));
    // Of the gradient, and of the product.
    var sum = Pair();
    for (var pixel = lane.first; pixel < lane.last; pixel += STEP) {
        let place = start + pixel * CHANNELS;
        let value = gradient[place];
        sum += Pair(value, value * standard(x[place], norm));
    }
    sum = over_lanes(sum, local);
    if lane.writes {
        sums[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = sum[0];
        sums[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = sum[1];
    }
}
