// partial[chunk, 0, column] = sum of the gradient over the pixels of a chunk, partial[chunk, 1, column]
// = sum of gradient * standard(x).
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = index % COLUMNS_OF_ALL;
    let chunk = index / COLUMNS_OF_ALL;
    let start = column / CHANNELS * PIXELS * CHANNELS + column % CHANNELS;
    let last = min((chunk + 1u) * CHUNK, PIXELS);
    let norm = norm_of(column);
    var sum = 0.0;
    var product = 0.0;
    for (var pixel = chunk * CHUNK; pixel < last; pixel++) {
        let place = start + pixel * CHANNELS;
        let value = gradient[place];
        sum += value;
        product += value * standard(x[place], norm);
    }
    partial[2u * chunk * COLUMNS_OF_ALL + column] = sum;
    partial[(2u * chunk + 1u) * COLUMNS_OF_ALL + column] = product;
}
