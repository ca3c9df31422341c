// out[activation] = scale * sum over its candidates of weights[k] * (gradient[target] - mean(gradient[target])
// - standard(x) * mean(gradient[target] * standard(x))); without the means where the moments are constants,
// without the scale where there is no batch norm. A row is an activation of one of the stacks of the launch.
@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weights: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let places = places_of(index);
    let row = index / (CHANNELS * BLOCKS);
{{ cases }}}
