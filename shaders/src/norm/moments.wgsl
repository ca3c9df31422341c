// partial[chunk, 0, c] = mean of the pixels of a chunk, partial[chunk, 1, c] = sum of their squared
// distances from it. Twice through the chunk, so that nothing is lost where the mean is far from 0.
const CHANNELS: u32 = {{ channels }}u;
const PIXELS: u32 = {{ pixels }}u;
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let chunk = index / CHANNELS;
    // The last chunks may be short or empty.
    let first = min(chunk * CHUNK, PIXELS);
    let last = min(first + CHUNK, PIXELS);
    var sum = 0.0;
    for (var pixel = first; pixel < last; pixel++) {
        sum += x[pixel * CHANNELS + channel];
    }
    let mean = sum / f32(max(last - first, 1u));
    var squares = 0.0;
    for (var pixel = first; pixel < last; pixel++) {
        let distance = x[pixel * CHANNELS + channel] - mean;
        squares += distance * distance;
    }
    partial[2u * chunk * CHANNELS + channel] = mean;
    partial[(2u * chunk + 1u) * CHANNELS + channel] = squares;
}
