// y = the mean of every 3x3 window, over the pixels that lie in the image. One thread for each.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let out_x = index / CHANNELS % OUT_WIDTH;
    let out_y = index / (CHANNELS * OUT_WIDTH) % OUT_HEIGHT;
    let image = index / (CHANNELS * OUT_WIDTH * OUT_HEIGHT);
    let last_y = min(out_y * STRIDE + 2u, HEIGHT);
    let last_x = min(out_x * STRIDE + 2u, WIDTH);
    let first_y = max(out_y * STRIDE, 1u) - 1u;
    let first_x = max(out_x * STRIDE, 1u) - 1u;
    var sum = 0.0;
    for (var in_y = first_y; in_y < last_y; in_y++) {
        for (var in_x = first_x; in_x < last_x; in_x++) {
            sum += x[((image * HEIGHT + in_y) * WIDTH + in_x) * CHANNELS + channel];
        }
    }
    y[index] = sum / f32((last_y - first_y) * (last_x - first_x));
}
