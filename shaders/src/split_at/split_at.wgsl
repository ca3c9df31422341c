// out = known, or 0, and in the place of the part its gradient, added. One thread for each number.
const FIRST: u32 = {{ first }}u;
const LAST: u32 = {{ last }}u;

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
{{ binding }}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    var value = {{ known }};
    if index >= FIRST && index < LAST {
        value += gradient[index - FIRST];
    }
    out[index] = value;
}
