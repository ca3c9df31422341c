// What merge.wgsl computes. A workgroup takes WIDE columns side by side; the lanes of a column share its chunks.
const WIDE: u32 = {{ wide }}u;
const LANES: u32 = WORKGROUP / WIDE;
const CHUNK: u32 = {{ chunk }}u;
const CHUNKS: u32 = (PIXELS + CHUNK - 1u) / CHUNK;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<Number>;
@group(0) @binding(1) var<storage, read_write> moments: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (workgroup.y * COLUMNS + workgroup.x) * WIDE + local % WIDE;
    let column = min(index, COLUMNS_OF_ALL - 1u);
    var own = Moments(0.0, Number(), Number());
    for (var chunk = local / WIDE; chunk < CHUNKS; chunk += LANES) {
        let pixels = f32(min(CHUNK, PIXELS - chunk * CHUNK));
        let mean = 2u * chunk * COLUMNS_OF_ALL + column;
        own = merged(own, Moments(pixels, partial[mean], partial[mean + COLUMNS_OF_ALL] * pixels));
    }
    let all = merged_lanes(own, local);
    if local < WIDE && index < COLUMNS_OF_ALL {
        moments[column] = all.mean;
        moments[COLUMNS_OF_ALL + column] = all.squares / f32(PIXELS);
    }
}
