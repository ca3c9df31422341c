// partial[chunk, c, i, j] = sum over the output rows (n, oy) of a chunk and over ox of
//     gradient[n, oy, ox, c] * a[n, oy * S + i * D - P, ox * S + j * D - P, c].
// One thread for each weight and chunk; neighbours differ in the channel, so reads are contiguous.
// The chunks are summed up by another kernel: no atomics, the same result in every run.
const BATCH: u32 = {{ batch }}u;
const CHUNK_ROWS: u32 = {{ chunk_rows }}u;

@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let weight = index / CHANNELS % (SIZE * SIZE);
    let chunk = index / (CHANNELS * SIZE * SIZE);
    let i = weight / SIZE;
    let j = weight % SIZE;
    let last = min((chunk + 1u) * CHUNK_ROWS, BATCH * OUT_HEIGHT);
    var sum = 0.0;
    for (var row = chunk * CHUNK_ROWS; row < last; row++) {
        let image = row / OUT_HEIGHT;
        // Left of or above the image these wrap around to huge numbers, so one comparison does.
        let in_y = row % OUT_HEIGHT * STRIDE + i * DILATION - PADDING;
        if in_y >= HEIGHT {
            continue;
        }
        for (var out_x = 0u; out_x < OUT_WIDTH; out_x++) {
            let in_x = out_x * STRIDE + j * DILATION - PADDING;
            if in_x >= WIDTH {
                continue;
            }
            let place = ((image * HEIGHT + in_y) * WIDTH + in_x) * CHANNELS + channel;
            sum += gradient[(row * OUT_WIDTH + out_x) * CHANNELS + channel] * activation(place, channel);
        }
    }
    partial[(chunk * CHANNELS + channel) * SIZE * SIZE + weight] = sum;
}
