// Mean and biased variance of all pixels from those of the chunks (Chan's formula). One thread for
// each channel.
const CHANNELS: u32 = COUNT;
const PIXELS: u32 = {{ pixels }}u;
const CHUNK: u32 = {{ chunk }}u;
const CHUNKS: u32 = {{ chunks }}u;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = thread(workgroup, local);
    if channel >= COUNT {
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
        let distance = partial[2u * chunk * CHANNELS + channel] - mean;
        let share = count / (seen + count);
        mean += distance * share;
        squares += partial[(2u * chunk + 1u) * CHANNELS + channel] + distance * distance * seen * share;
        seen += count;
    }
    moments[channel] = mean;
    moments[CHANNELS + channel] = squares / f32(PIXELS);
}
