// out = scale * (gradient - mean(gradient) - standard(x) * mean(gradient * standard(x))), the means
// over all pixels of a channel: sums hold their sums, first of the gradient.
const PIXELS: u32 = {{ pixels }}u;

@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding({{ third }}) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let product = standard(x[index], channel) * sums[CHANNELS + channel];
    out[index] = scale(channel) * (gradient[index] - (sums[channel] + product) / f32(PIXELS));
}
