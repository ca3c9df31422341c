// What fold.wgsl computes. A workgroup takes WIDE numbers side by side. The threads that have a number in
// common are its lanes: they share its chunks, so that few loads wait for each other. Their sums are added
// two by two, always in the same order.
const NUMBERS: u32 = {{ numbers }}u;
const CHUNKS: u32 = {{ chunks }}u;
const LANES: u32 = {{ lanes }}u;
const WIDE: u32 = WORKGROUP / LANES;

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

var<workgroup> sums: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (workgroup.y * COLUMNS + workgroup.x) * WIDE + local % WIDE;
    let number = min(index, NUMBERS - 1u);
    let lane = local / WIDE;
    var sum = 0.0;
    for (var first = 0u; first < CHUNKS; first += LANES) {
        let chunk = first + lane;
        let value = partial[min(chunk, CHUNKS - 1u) * NUMBERS + number];
        sum += select(0.0, value, chunk < CHUNKS);
    }
    sums[local] = sum;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            sums[local] += sums[local + half * WIDE];
        }
    }
    if lane == 0u && index < NUMBERS {
        out[index] = sums[local];
    }
}
