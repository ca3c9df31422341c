// sums[chunk, 0, column] = sum of mask * gradient * standard(x) over the pixels of a chunk, sums[chunk, 1,
// column] = sum of mask * gradient.
{{ buffers }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let norm = norm_of(min(lane.column, COLUMNS_OF_ALL - 1u));
    // Of the product, and of the gradient.
    var sum = vec2(0.0);
    for (var pixel = lane.first; pixel < lane.last; pixel++) {
        let place = pixel * CHANNELS + lane.column;
        sum += mask_of(pixel) * gradient[place] * vec2(standard(x[place], norm), 1.0);
    }
    sum = over_lanes(sum, local);
    if lane.writes {
        sums[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = sum.x;
        sums[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = sum.y;
    }
}
