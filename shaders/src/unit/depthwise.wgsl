// y[n, oy, ox, c] = sum over i, j of weight[c, i, j] * a[n, oy * S + i * D - P, ox * S + j * D - P, c].
// One thread for each element of y; neighbours differ in the channel, so reads are contiguous.
@group(0) @binding({{ next }}) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> y: array<f32>;

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
    var sum = 0.0;
    for (var i = 0u; i < SIZE; i++) {
        // Left of or above the image these wrap around to huge numbers, so one comparison does.
        let in_y = out_y * STRIDE + i * DILATION - PADDING;
        if in_y >= HEIGHT {
            continue;
        }
        for (var j = 0u; j < SIZE; j++) {
            let in_x = out_x * STRIDE + j * DILATION - PADDING;
            if in_x >= WIDTH {
                continue;
            }
            let place = ((image * HEIGHT + in_y) * WIDTH + in_x) * CHANNELS + channel;
            sum += weight[(channel * SIZE + i) * SIZE + j] * activation(place, channel);
        }
    }
    y[index] = sum;
}
