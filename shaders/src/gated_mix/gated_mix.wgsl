
@group(0) @binding(0) var<storage, {{ access }}> states: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> products: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> p: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// One thread for each number of the node.
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let row = index / HIDDEN;
    let column = index % HIDDEN;
    var sum = 0.0;
    for (var state = 0u; state < STATES; state++) {
        let first = (state * BATCH + row) * 2u * HIDDEN + column;
        let weights = vec4<f32>(p[5u * state + 1u], p[5u * state + 2u], p[5u * state + 3u], p[5u * state + 4u]);
        let kept = dot(weights, vec4<f32>(1.0)) * states[state * COUNT + index];
        let given = dot(weights, options(products[first + HIDDEN]));
        sum += kept + sigmoid(products[first]) * (given - kept);
    }
    out[index] = sum;
}
