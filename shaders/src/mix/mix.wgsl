// y = sum over k < LIVE of weights[FIRST + k] * x_k, added to y unless FIRST is 0. The buffers past
// LIVE are any others, and not read.
const FIRST: u32 = {{ first }}u;
const LIVE: u32 = {{ live }}u;

@group(0) @binding(0) var<storage, {{ access }}> x0: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> x1: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> x2: array<f32>;
@group(0) @binding(3) var<storage, {{ access }}> x3: array<f32>;
@group(0) @binding(4) var<storage, {{ access }}> x4: array<f32>;
@group(0) @binding(5) var<storage, {{ access }}> x5: array<f32>;
@group(0) @binding(6) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    var sum = weights[FIRST] * x0[index];
    if LIVE > 1u {
        sum += weights[FIRST + 1u] * x1[index];
    }
    if LIVE > 2u {
        sum += weights[FIRST + 2u] * x2[index];
    }
    if LIVE > 3u {
        sum += weights[FIRST + 3u] * x3[index];
    }
    if LIVE > 4u {
        sum += weights[FIRST + 4u] * x4[index];
    }
    if LIVE > 5u {
        sum += weights[FIRST + 5u] * x5[index];
    }
    if FIRST > 0u {
        sum += y[index];
    }
    y[index] = sum;
}
