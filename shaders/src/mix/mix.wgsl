// y = start + sum over the candidates of a launch of weights[k] * standard(x_k).
const CHANNELS: u32 = {{ channels }}u;

@group(0) @binding(0) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    var sum = {{ start }};
{{ terms }}    y[index] = sum;
}
