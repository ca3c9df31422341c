// Mean and biased variance of all pixels from those of the chunks (Chan's formula). One thread for
// each column.
const CHUNK: u32 = {{ chunk }}u;
const CHUNKS: u32 = {{ chunks }}u;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = thread(workgroup, local);
    if column >= COUNT {
        return;
    }
    var seen = 0.0;
    var mean = 0.0;
    var squares = 0.0;
    for (var chunk = 0u; chunk < CHUNKS; chunk++) {
        let first = min(chunk * CHUNK, PIXELS);
        let count = f32(min(first + CHUNK, PIXELS) - first);
        if count == 0.0 {
            break;
        }
        let distance = partial[2u * chunk * COLUMNS_OF_ALL + column] - mean;
        let share = count / (seen + count);
        mean += distance * share;
        squares += partial[(2u * chunk + 1u) * COLUMNS_OF_ALL + column] + distance * distance * seen * share;
        seen += count;
    }
    moments[column] = mean;
    moments[COLUMNS_OF_ALL + column] = squares / f32(PIXELS);
}
