// out = weights[INDEX] * scale * (gradient - mean(gradient) - standard(x) * mean(gradient *
// standard(x))), the means over all pixels of a channel: sums hold their sums, the second one in row
// INDEX + 1.
const INDEX: u32 = {{ index }}u;
const PIXELS: u32 = {{ pixels }}u;

@group(0) @binding({{ next }}) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ third }}) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding({{ fourth }}) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let product = standard(x[index], channel) * sums[(INDEX + 1u) * CHANNELS + channel];
    let centred = gradient[index] - (sums[channel] + product) / f32(PIXELS);
    out[index] = weights[INDEX] * scale(channel) * centred;
}
