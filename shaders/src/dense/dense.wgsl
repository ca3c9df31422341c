// z[n, oy, ox, o] = sum over c, i, j of weight[o, c, i, j] * a[n, oy * S + i - P + B, ox * S + j - P + B, c], B
// the bank of o. One thread for each element of z; neighbours differ in o, so x is the same for all of
// them.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let output = index % OUTPUTS;
    let bank = output / BANK;
    let out_x = index / OUTPUTS % OUT_WIDTH;
    let out_y = index / (OUTPUTS * OUT_WIDTH) % OUT_HEIGHT;
    let image = index / (OUTPUTS * OUT_WIDTH * OUT_HEIGHT);
    var sum = 0.0;
    for (var i = 0u; i < SIZE; i++) {
        // Left of or above the image these wrap around to huge numbers, so one comparison does.
        let in_y = out_y * STRIDE + i + bank - PADDING;
        if in_y >= HEIGHT {
            continue;
        }
        for (var j = 0u; j < SIZE; j++) {
            let in_x = out_x * STRIDE + j + bank - PADDING;
            if in_x >= WIDTH {
                continue;
            }
            let start = ((image * HEIGHT + in_y) * WIDTH + in_x) * INPUTS;
            let first = output * INPUTS * SIZE * SIZE + i * SIZE + j;
            for (var input = 0u; input < INPUTS; input++) {
                let value = x[start + input];
                sum += weight[first + input * SIZE * SIZE] * select(0.0, value, live(value));
            }
        }
    }
    z[index] = sum;
}
