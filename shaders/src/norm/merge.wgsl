// Mean and biased variance of all pixels from those of the chunks. One thread for each column.
const CHUNK: u32 = {{ chunk }}u;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = thread(workgroup, local);
    if column >= COUNT {
        return;
    }
    var all = Moments(0.0, 0.0, 0.0);
    for (var first = 0u; first < PIXELS; first += CHUNK) {
        let pixels = f32(min(CHUNK, PIXELS - first));
        let mean = 2u * first / CHUNK * COLUMNS_OF_ALL + column;
        let variance = partial[mean + COLUMNS_OF_ALL];
        all = merged(all, Moments(pixels, partial[mean], variance * pixels));
    }
    moments[column] = all.mean;
    moments[COLUMNS_OF_ALL + column] = all.squares / f32(PIXELS);
}
