// sums[chunk, 0, column] = sum of mask * gradient * standard(x) over the pixels of a chunk, sums[chunk, 1,
// column] = sum of mask * gradient.
{{ buffers }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let norm = norm_of(min(lane.column, COLUMNS_OF_ALL - 1u));
    // Of the product, and of the gradient.
    var sum = Pair();
    for (var pixel = lane.first; pixel < lane.last; pixel += STEP) {
        let place = pixel * CHANNELS + lane.column;
        let value = mask_of(pixel) * gradient[place];
        sum += Pair(value * standard(x[place], norm), value);
    }
    sum = over_lanes(sum, local);
    if lane.writes {
        sums[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = sum[0];
        sums[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = sum[1];
    }
}
