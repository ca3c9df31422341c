// out = the sum of the gradients of all 3x3 windows whose largest number is this pixel, the first
// one of equals. One thread for each pixel and channel of the input; it looks through up to nine
// windows again, which is less memory to read than stored places would be.
@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> x: array<f32>;

// Row-major place in the image of the largest number of a window.
fn place(image: u32, out_y: u32, out_x: u32, channel: u32) -> u32 {
    let last_y = min(out_y * STRIDE + 2u, HEIGHT);
    let last_x = min(out_x * STRIDE + 2u, WIDTH);
    let first_x = max(out_x * STRIDE, 1u) - 1u;
    var in_y = max(out_y * STRIDE, 1u) - 1u;
    var place = in_y * WIDTH + first_x;
    var best = x[(image * HEIGHT * WIDTH + place) * CHANNELS + channel];
    for (; in_y < last_y; in_y++) {
        for (var in_x = first_x; in_x < last_x; in_x++) {
            let value = x[((image * HEIGHT + in_y) * WIDTH + in_x) * CHANNELS + channel];
            if value > best || value != value {
                best = value;
                place = in_y * WIDTH + in_x;
            }
        }
    }
    return place;
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
            if place(image, out_y, out_x, channel) == in_y * WIDTH + in_x {
                sum += gradient[((image * OUT_HEIGHT + out_y) * OUT_WIDTH + out_x) * CHANNELS + channel];
            }
        }
    }
    out[index] = sum;
}
