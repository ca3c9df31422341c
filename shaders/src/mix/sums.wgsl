// partial[chunk, row, c] = the sum over the pixels of a chunk that belongs to a row: of the gradient of a
// target, or of its product with a candidate of a stack.
const CHANNELS: u32 = {{ channels }}u;
// Numbers and pixels of an activation, and pixels of a chunk.
const LENGTH: u32 = {{ length }}u;
const PIXELS: u32 = LENGTH / CHANNELS;
const CHUNK: u32 = {{ chunk }}u;
// Rows that a launch writes, from the first one on, and those of all launches.
const ROWS: u32 = {{ rows }}u;
const FIRST_ROW: u32 = {{ first_row }}u;
const ALL_ROWS: u32 = {{ all_rows }}u;

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let row = index / CHANNELS % ROWS;
    let chunk = index / (CHANNELS * ROWS);
    let first = chunk * CHUNK * CHANNELS + channel;
    let last = min((chunk + 1u) * CHUNK, PIXELS) * CHANNELS;
    var sum = 0.0;
{{ sum }}    partial[(chunk * ALL_ROWS + FIRST_ROW + row) * CHANNELS + channel] = sum;
}
