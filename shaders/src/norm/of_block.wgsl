// The moments of what a workgroup has computed and still has in registers: SIDE vectors of a block of pixels, which
// its lanes share. A thread has the vector `local % SIDE` of its pixels.
const SIDE: u32 = {{ side }}u;
const SIDE_LANES: u32 = WORKGROUP / SIDE;
const BLOCK: u32 = {{ block }}u;
// Pixels and vectors of all blocks.
const ALL_PIXELS: u32 = {{ all_pixels }}u;
const ALL_VECTORS: u32 = {{ all_vectors }}u;

// As moments.wgsl has them: of every block the means, then the variances.
@group(0) @binding({{ found }}) var<storage, read_write> found: array<vec4<f32>>;

fn pixels_of(block: u32) -> f32 {
    return f32(min(BLOCK, ALL_PIXELS - block * BLOCK));
}

// The sum over all lanes, two by two, always in the same order. All threads of a workgroup call it.
fn over_side(value: vec4<f32>, local: u32) -> vec4<f32> {
    // What was staged is done with, and so is the sum before.
    workgroupBarrier();
    staged[local] = value;
    for (var half = {{ half }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half * SIDE && local + half * SIDE < SIDE_LANES * SIDE {
            staged[local] += staged[local + half * SIDE];
        }
    }
    workgroupBarrier();
    return staged[local % SIDE];
}

fn put_moments(block: u32, vector: u32, mean: vec4<f32>, variance: vec4<f32>) {
    found[2u * block * ALL_VECTORS + vector] = mean;
    found[(2u * block + 1u) * ALL_VECTORS + vector] = variance;
}

