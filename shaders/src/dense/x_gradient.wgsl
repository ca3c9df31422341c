// out[n, y, x, c] = sum over o, i, j of weight[o, c, i, j] * gradient[n, (y + P - i - B) / S, (x + P - j - B) / S, o],
// B the bank of o, where these are whole and in the image, and the ReLU let x pass. One thread for
// each element of the input.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let input = index % INPUTS;
    let in_x = index / INPUTS % WIDTH;
    let in_y = index / (INPUTS * WIDTH) % HEIGHT;
    let image = index / (INPUTS * WIDTH * HEIGHT);
    var sum = 0.0;
    for (var bank = 0u; bank < OUTPUTS / BANK; bank++) {
        for (var i = bank; i < SIZE + bank; i++) {
            if in_y + PADDING < i || (in_y + PADDING - i) % STRIDE != 0u {
                continue;
            }
            let out_y = (in_y + PADDING - i) / STRIDE;
            if out_y >= OUT_HEIGHT {
                continue;
            }
            for (var j = bank; j < SIZE + bank; j++) {
                if in_x + PADDING < j || (in_x + PADDING - j) % STRIDE != 0u {
                    continue;
                }
                let out_x = (in_x + PADDING - j) / STRIDE;
                if out_x >= OUT_WIDTH {
                    continue;
                }
                let start = ((image * OUT_HEIGHT + out_y) * OUT_WIDTH + out_x) * OUTPUTS + bank * BANK;
                let tap = (i - bank) * SIZE + j - bank;
                let first = (bank * BANK * INPUTS + input) * SIZE * SIZE + tap;
                for (var output = 0u; output < BANK; output++) {
                    sum += weight[first + output * INPUTS * SIZE * SIZE] * gradient[start + output];
                }
            }
        }
    }
    out[index] = select(0.0, sum, live(x[index]));
}
