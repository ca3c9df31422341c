// partial[chunk, target, c] = sum over the pixels of a chunk of gradient[target, pixel, c].
const CHANNELS: u32 = {{ channels }}u;
const LENGTH: u32 = {{ length }}u;
const PIXELS: u32 = {{ pixels }}u;
const CHUNK: u32 = {{ chunk }}u;
const TARGETS: u32 = {{ targets }}u;
const ALL_ROWS: u32 = {{ all_rows }}u;

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let target_node = index / CHANNELS % TARGETS;
    let chunk = index / (CHANNELS * TARGETS);
    let first = chunk * CHUNK * CHANNELS + channel;
    let last = min((chunk + 1u) * CHUNK, PIXELS) * CHANNELS;
    var sum = 0.0;
    for (var place = first; place < last; place += CHANNELS) {
        sum += gradient[target_node * LENGTH + place];
    }
    partial[(chunk * ALL_ROWS + target_node) * CHANNELS + channel] = sum;
}
