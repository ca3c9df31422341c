// out[n, y, x, c] = sum over o, i, j of weight[o, c, i, j] * gradient[n, (y + P - i - B) / S, (x + P - j - B) / S, o],
// B the bank of o, where these are whole and in the image, and the ReLU let x pass. One thread for 4
// channels of a pixel of the input.
const BLOCKS: u32 = (INPUTS + 3u) / 4u;

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
    let input = index % BLOCKS * 4u;
    let inputs = min(input + FOUR, vec4(INPUTS - 1u));
    let pixel = index / BLOCKS;
    let in_x = pixel % WIDTH;
    let in_y = pixel / WIDTH % HEIGHT;
    let image = pixel / (WIDTH * HEIGHT);
    var sums = vec4(0.0);
    for (var bank = 0u; bank < OUTPUTS / BANK; bank++) {
        for (var tap = 0u; tap < TAPS; tap++) {
            // Before the first pixel these wrap around to huge numbers, so one comparison does.
            let y = in_y + PADDING - tap / SIZE - bank;
            let x = in_x + PADDING - tap % SIZE - bank;
            if y % STRIDE != 0u || x % STRIDE != 0u || y / STRIDE >= OUT_HEIGHT || x / STRIDE >= OUT_WIDTH {
                continue;
            }
            let start = ((image * OUT_HEIGHT + y / STRIDE) * OUT_WIDTH + x / STRIDE) * OUTPUTS + bank * BANK;
            let first = (bank * BANK * INPUTS + inputs) * TAPS + tap;
            for (var output = 0u; output < BANK; output++) {
                let at = first + output * INPUTS * TAPS;
                let w = vec4(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
                sums += w * gradient[start + output];
            }
        }
    }
    for (var c = 0u; c < min(INPUTS - input, 4u); c++) {
        let place = pixel * INPUTS + input + c;
        out[place] = select(0.0, sums[c], live(x[place]));
    }
}
