// y[target] = start + sum over the candidates of a launch of weights[k] * standard(x_k).
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
    let places = places_of(index);
    let node = index / (CHANNELS * BLOCKS);
    let all = node * LENGTH + places;
    var sum = {{ start }};
{{ sums }}    y[all.x] = sum.x;
    y[all.y] = sum.y;
    y[all.z] = sum.z;
    y[all.w] = sum.w;
}
