// out[activation] = scale * sum over its candidates of weights[k] * (gradient[target] - mean(gradient[target])
// - standard(x) * mean(gradient[target] * standard(x))); without the means where the moments are constants,
// without the scale where there is no batch norm.
const CHANNELS: u32 = {{ channels }}u;
// Numbers and pixels of an activation.
const LENGTH: u32 = {{ length }}u;
const PIXELS: u32 = LENGTH / CHANNELS;
// Threads for a channel of an activation: each takes four pixels.
const BLOCKS: u32 = (PIXELS + 3u) / 4u;

// The places of the four pixels of a thread in an activation; past the last pixel that again.
fn places_of(index: u32) -> vec4<u32> {
    let pixels = index / CHANNELS % BLOCKS * 4u + vec4(0u, 1u, 2u, 3u);
    return min(pixels, vec4(PIXELS - 1u)) * CHANNELS + index % CHANNELS;
}

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
    var sum = vec4(0.0);
    switch activation {
{{ groups }}    }
    let all = activation * LENGTH + places;
    out[all.x] = sum.x;
    out[all.y] = sum.y;
    out[all.z] = sum.z;
    out[all.w] = sum.w;
}
