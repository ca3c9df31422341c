// out = the sum over all 3x3 windows that hold this pixel: of the gradient of the maximum where it was the
// first of the largest, and of that of the mean divided by the size of the window. One thread for each pixel
// and channel of the input.
@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
{{ places }}
// Windows of an output, for all channels.
const WINDOWS: u32 = COUNT / (HEIGHT * WIDTH) * OUT_HEIGHT * OUT_WIDTH;

// Pixels of a window that lie in the image, in one direction.
fn pixels(window: u32, size: u32) -> u32 {
    return min(window * STRIDE + 2u, size) - (max(window * STRIDE, 1u) - 1u);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let in_x = index / CHANNELS % WIDTH;
    let in_y = index / (CHANNELS * WIDTH) % HEIGHT;
    let image = index / (CHANNELS * WIDTH * HEIGHT);
    let last_y = min((in_y + 1u) / STRIDE + 1u, OUT_HEIGHT);
    let last_x = min((in_x + 1u) / STRIDE + 1u, OUT_WIDTH);
    var sum = 0.0;
    for (var out_y = first_window(in_y); out_y < last_y; out_y++) {
        for (var out_x = first_window(in_x); out_x < last_x; out_x++) {
            let window = ((image * OUT_HEIGHT + out_y) * OUT_WIDTH + out_x) * CHANNELS + channel;
            let place = place_in(out_y, in_y) * 3u + place_in(out_x, in_x);
            let size = pixels(out_y, HEIGHT) * pixels(out_x, WIDTH);
{{ sums }}        }
    }
    out[index] = sum;
}
