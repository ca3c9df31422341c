// partial[chunk, 0, column] = mean of the pixels of a chunk, partial[chunk, 1, column] = sum of their
// squared distances from it. Twice through the chunk, so that nothing is lost where the mean is far
// from 0.
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = index % COLUMNS_OF_ALL;
    let chunk = index / COLUMNS_OF_ALL;
    let start = column / CHANNELS * PIXELS * CHANNELS + column % CHANNELS;
    // The last chunks may be short or empty.
    let first = min(chunk * CHUNK, PIXELS);
    let last = min(first + CHUNK, PIXELS);
    var sum = 0.0;
    for (var pixel = first; pixel < last; pixel++) {
        sum += x[start + pixel * CHANNELS];
    }
    let mean = sum / f32(max(last - first, 1u));
    var squares = 0.0;
    for (var pixel = first; pixel < last; pixel++) {
        let distance = x[start + pixel * CHANNELS] - mean;
        squares += distance * distance;
    }
    partial[2u * chunk * COLUMNS_OF_ALL + column] = mean;
    partial[(2u * chunk + 1u) * COLUMNS_OF_ALL + column] = squares;
}
