// sums[0, c] = sum over chunks of partial[chunk, 0, c], sums[SLOT + 1, c] = that of
// partial[chunk, 1, c]; always in the same order.
const CHANNELS: u32 = {{ channels }}u;
const CHUNKS: u32 = {{ chunks }}u;
const SLOT: u32 = {{ slot }}u;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    var sum = 0.0;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        sum += partial[chunk * COUNT + index];
    }
    let row = select(0u, SLOT + 1u, index >= CHANNELS);
    sums[row * CHANNELS + index % CHANNELS] = sum;
}
