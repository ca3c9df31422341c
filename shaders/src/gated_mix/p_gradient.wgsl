
@group(0) @binding(0) var<storage, {{ access }}> states: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> products: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

// One thread for each column of each state, over all rows of the batch: sums[column, state, option].
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let state = index / HIDDEN;
    let column = index % HIDDEN;
    var past = 0.0;
    var through = vec4<f32>(0.0);
    for (var row = 0u; row < BATCH; row++) {
        let place = (state * BATCH + row) * HIDDEN + column;
        let first = (state * BATCH + row) * 2u * HIDDEN + column;
        let gate = sigmoid(products[first]);
        let d = gradient[row * HIDDEN + column];
        past += d * (1.0 - gate) * states[place];
        through += d * gate * options(products[first + HIDDEN]);
    }
    let out = (column * STATES + state) * 5u;
    sums[out] = 0.0;
    sums[out + 1u] = past + through.x;
    sums[out + 2u] = past + through.y;
    sums[out + 3u] = past + through.z;
    sums[out + 4u] = past + through.w;
}
