// y = the largest number and the mean of every 3x3 window, over the pixels that lie in the image, whichever is
// wanted. NaN counts as the largest. One thread for each window and channel.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{{ places }}
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
    var place = place_in(out_y, first_y) * 3u + place_in(out_x, first_x);
    var best = x[((image * HEIGHT + first_y) * WIDTH + first_x) * CHANNELS + channel];
    var sum = 0.0;
    for (var in_y = first_y; in_y < last_y; in_y++) {
        for (var in_x = first_x; in_x < last_x; in_x++) {
            let value = x[((image * HEIGHT + in_y) * WIDTH + in_x) * CHANNELS + channel];
            sum += value;
            if value > best || value != value {
                best = value;
                place = place_in(out_y, in_y) * 3u + place_in(out_x, in_x);
            }
        }
    }
    let mean = sum / f32((last_y - first_y) * (last_x - first_x));
{{ stores }}}
