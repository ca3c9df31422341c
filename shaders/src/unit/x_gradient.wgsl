// out[n, y, x, c] = sum over i, j of weight[c, i, j] * gradient[n, (y + P - i * D) / S, (x + P - j * D) / S, c]
// where these are whole and in the image, and the ReLU let x pass. One thread for each element of the input.
@group(0) @binding({{ next }}) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ third }}) var<storage, read_write> out: array<f32>;

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
    var sum = 0.0;
    for (var i = 0u; i < SIZE; i++) {
        if in_y + PADDING < i * DILATION {
            continue;
        }
        let y = in_y + PADDING - i * DILATION;
        if y % STRIDE != 0u || y / STRIDE >= OUT_HEIGHT {
            continue;
        }
        for (var j = 0u; j < SIZE; j++) {
            if in_x + PADDING < j * DILATION {
                continue;
            }
            let x = in_x + PADDING - j * DILATION;
            if x % STRIDE != 0u || x / STRIDE >= OUT_WIDTH {
                continue;
            }
            let row = image * OUT_HEIGHT + y / STRIDE;
            let value = gradient[(row * OUT_WIDTH + x / STRIDE) * CHANNELS + channel];
            sum += weight[(channel * SIZE + i) * SIZE + j] * value;
        }
    }
    let passes = live(standard(x[index], channel));
    out[index] = select(0.0, sum * {{ factor }}, passes);
}
