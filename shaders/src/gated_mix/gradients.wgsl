
@group(0) @binding(0) var<storage, {{ access }}> states: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> products: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> p: array<f32>;
@group(0) @binding(3) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> of_states: array<f32>;
@group(0) @binding(5) var<storage, read_write> of_products: array<f32>;

// One thread for each number of the states.
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let state = index / (BATCH * HIDDEN);
    let first = index / HIDDEN * 2u * HIDDEN + index % HIDDEN;
    let weights = vec4<f32>(p[5u * state + 1u], p[5u * state + 2u], p[5u * state + 3u], p[5u * state + 4u]);
    let all = dot(weights, vec4<f32>(1.0));
    let gate = sigmoid(products[first]);
    let z = products[first + HIDDEN];
    let f = options(z);
    let slopes = vec4<f32>(1.0 - f.x * f.x, select(0.0, 1.0, z > 0.0), f.z * (1.0 - f.z), 1.0);
    let d = gradient[index % (BATCH * HIDDEN)];
    let difference = dot(weights, f) - all * states[index];
    of_products[first] = d * difference * gate * (1.0 - gate);
    of_products[first + HIDDEN] = d * gate * dot(weights, slopes);
    of_states[index] = d * all * (1.0 - gate);
}
