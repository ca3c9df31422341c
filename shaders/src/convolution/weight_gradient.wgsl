// partial[chunk, o, c, i, j] = sum over the output rows (n, oy) of a chunk and over ox of
//     gradient[n, oy, ox, o] * a[n, oy * S + i - P + B, ox * S + j - P + B, c], B the bank of o.
// One thread for each weight and chunk; neighbours differ in o, so gradients are read contiguously.
// The chunks are summed up by another kernel: no atomics, the same result in every run.
const ROWS: u32 = {{ rows }}u;
const CHUNK_ROWS: u32 = {{ chunk_rows }}u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let output = index % OUTPUTS;
    let bank = output / BANK;
    let input = index / OUTPUTS % INPUTS;
    let tap = index / (OUTPUTS * INPUTS) % (SIZE * SIZE);
    let chunk = index / (OUTPUTS * INPUTS * SIZE * SIZE);
    let last = min((chunk + 1u) * CHUNK_ROWS, ROWS);
    var sum = 0.0;
    for (var row = chunk * CHUNK_ROWS; row < last; row++) {
        let image = row / OUT_HEIGHT;
        // Left of or above the image these wrap around to huge numbers, so one comparison does.
        let in_y = row % OUT_HEIGHT * STRIDE + tap / SIZE + bank - PADDING;
        if in_y >= HEIGHT {
            continue;
        }
        for (var out_x = 0u; out_x < OUT_WIDTH; out_x++) {
            let in_x = out_x * STRIDE + tap % SIZE + bank - PADDING;
            if in_x >= WIDTH {
                continue;
            }
            let value = x[((image * HEIGHT + in_y) * WIDTH + in_x) * INPUTS + input];
            sum += gradient[(row * OUT_WIDTH + out_x) * OUTPUTS + output] * activation(value);
        }
    }
    partial[((chunk * OUTPUTS + output) * INPUTS + input) * SIZE * SIZE + tap] = sum;
}
