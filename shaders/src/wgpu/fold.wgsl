// out[i] = sum over chunks of partial[chunk, i]; always in the same order.
const CHUNKS: u32 = {{ chunks }}u;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

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
    out[index] = sum;
}
