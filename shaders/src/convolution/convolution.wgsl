// z[n, oy, ox, o] = sum over c, i, j of weight[o, c, i, j] * a[n, oy * S + i - P + B, ox * S + j - P + B, c], B
// the bank of o. One thread for 4 pixels and 4 outputs of a bank.
const OUT_PIXELS: u32 = {{ out_pixels }}u;
const BANK_BLOCKS: u32 = (BANK + 3u) / 4u;
const BLOCKS: u32 = OUTPUTS / BANK * BANK_BLOCKS;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<f32>;

fn put(pixel: u32, output: u32, count: u32, values: vec4<f32>) {
    for (var o = 0u; o < count; o++) {
        z[pixel * OUTPUTS + output + o] = values[o];
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let bank = index % BLOCKS / BANK_BLOCKS;
    let output = bank * BANK + index % BANK_BLOCKS * 4u;
    let count = min((bank + 1u) * BANK - output, 4u);
    // Past the last pixel or output the last one is computed again.
    let outputs = min(output + FOUR, vec4(output + count - 1u));
    let pixels = min(index / BLOCKS * 4u + FOUR, vec4(OUT_PIXELS - 1u));
    let images = pixels / (OUT_WIDTH * OUT_HEIGHT);
    let out_y = pixels / OUT_WIDTH % OUT_HEIGHT;
    let out_x = pixels % OUT_WIDTH;
    var sums = array<vec4<f32>, 4>();
    for (var tap = 0u; tap < TAPS; tap++) {
        // Left of or above the image these wrap around to huge numbers, so one comparison does.
        let in_y = out_y * STRIDE + tap / SIZE + bank - PADDING;
        let in_x = out_x * STRIDE + tap % SIZE + bank - PADDING;
        let inside = (in_y < vec4(HEIGHT)) & (in_x < vec4(WIDTH));
        let rows = images * HEIGHT + min(in_y, vec4(HEIGHT - 1u));
        let starts = (rows * WIDTH + min(in_x, vec4(WIDTH - 1u))) * INPUTS;
        let first = outputs * INPUTS * TAPS + tap;
        for (var input = 0u; input < INPUTS; input++) {
            let at = first + input * TAPS;
            let w = vec4(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
            let all = starts + input;
            let values = select(vec4(0.0), vec4(x[all.x], x[all.y], x[all.z], x[all.w]), inside);
            sums[0] += activation(values.x) * w;
            sums[1] += activation(values.y) * w;
            sums[2] += activation(values.z) * w;
            sums[3] += activation(values.w) * w;
        }
    }
    put(pixels.x, output, count, sums[0]);
    put(pixels.y, output, count, sums[1]);
    put(pixels.z, output, count, sums[2]);
    put(pixels.w, output, count, sums[3]);
}
