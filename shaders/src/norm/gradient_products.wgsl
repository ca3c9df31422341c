// partial[chunk, 0, c] = sum of the gradient over the pixels of a chunk, partial[chunk, 1, c] = sum
// of gradient * standard(x).
const PIXELS: u32 = {{ pixels }}u;
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> partial: array<f32>;

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
        let place = pixel * CHANNELS + channel;
        sum += gradient[place];
        product += gradient[place] * standard(x[place], channel);
    }
    partial[2u * chunk * CHANNELS + channel] = sum;
    partial[(2u * chunk + 1u) * CHANNELS + channel] = product;
}
