// partial[workgroup, INDEX] = sum of x * gradient over the numbers of a workgroup: every thread takes
// each COUNT-th number, then the threads are summed up as a tree.
const LENGTH: u32 = {{ length }}u;
const INDEX: u32 = {{ index }}u;
const CANDIDATES: u32 = {{ candidates }}u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;

var<workgroup> sums: array<f32, WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var sum = 0.0;
    for (var index = thread(workgroup, local); index < LENGTH; index += COUNT) {
        sum += x[index] * gradient[index];
    }
    sums[local] = sum;
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            sums[local] += sums[local + half];
        }
    }
    if local == 0u {
        partial[workgroup.x * CANDIDATES + INDEX] = sums[0];
    }
}
