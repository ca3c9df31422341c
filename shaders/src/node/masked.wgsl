// out = mask * gradient: the way back where there is no batch norm.
@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> masks: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    out[index] = masks[index / {{ numbers }}u] * gradient[index];
}
