// out[activation] = scale * sum over its candidates of weights[k] * (gradient[target] - mean(gradient[target])
// - standard(x) * mean(gradient[target] * standard(x))); without the means where the moments are constants,
// without the scale where there is no batch norm.
@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let places = places_of(index);
    let activation = index / (CHANNELS * BLOCKS);
    {{ start }}
    var sum = vec4(0.0);
{{ sums }}    sum *= {{ factor }};
    let all = activation * LENGTH + places;
    out[all.x] = sum.x;
    out[all.y] = sum.y;
    out[all.z] = sum.z;
    out[all.w] = sum.w;
}
