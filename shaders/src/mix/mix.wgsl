// y[target] = start + sum over the candidates of a launch of weights[k] * standard(x_k).
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
    switch node {
{{ targets }}    }
    y[all.x] = sum.x;
    y[all.y] = sum.y;
    y[all.z] = sum.z;
    y[all.w] = sum.w;
}
