// partial[chunk, 0, c] = sum of the gradient over the pixels of a chunk, partial[chunk, 1, c] = sum
// of gradient * y.
const CHANNELS: u32 = {{ channels }}u;
const PIXELS: u32 = {{ pixels }}u;
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding(0) var<storage, {{ access }}> y: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let chunk = index / CHANNELS;
    let last = min((chunk + 1u) * CHUNK, PIXELS);
    var sum = 0.0;
    var product = 0.0;
    for (var pixel = chunk * CHUNK; pixel < last; pixel++) {
        let value = gradient[pixel * CHANNELS + channel];
        sum += value;
        product += value * y[pixel * CHANNELS + channel];
    }
    partial[2u * chunk * CHANNELS + channel] = sum;
    partial[(2u * chunk + 1u) * CHANNELS + channel] = product;
}
