// out = (gradient - mean(gradient) - y * mean(gradient * y)) / sqrt(variance + eps), the means over
// all pixels of a channel: sums hold their sums, first of the gradient, then of gradient * y.
const CHANNELS: u32 = {{ channels }}u;
const PIXELS: u32 = {{ pixels }}u;
const EPS: f32 = {{ eps }};

@group(0) @binding(0) var<storage, {{ access }}> y: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> moments: array<f32>;
@group(0) @binding(3) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let means = (sums[channel] + y[index] * sums[CHANNELS + channel]) / f32(PIXELS);
    out[index] = (gradient[index] - means) / sqrt(moments[CHANNELS + channel] + EPS);
}
