// What lanes.wgsl has, for columns in fours: a column is here four of them. Threads side by side read vectors
// side by side, and lanes take turns with pixels.
// From a pixel of a lane to its next one.
const STEP: u32 = LANES;

fn lane_of(workgroup: vec3<u32>, local: u32) -> Lane {
    let block = workgroup.y * COLUMNS + workgroup.x;
    let column = block % BLOCKS * WIDE + local % WIDE;
    let chunk = block / BLOCKS;
    let live = column < SUMMED && chunk < CHUNKS && local < LANES * WIDE;
    let end = select(0u, min((chunk + 1u) * CHUNK, PIXELS), live);
    return Lane(column, chunk, min(chunk * CHUNK + local / WIDE, end), end, live && local < WIDE);
}

// Two sums at once.
alias Pair = mat2x4<f32>;

var<workgroup> parts: array<Pair, WORKGROUP>;

// The sums over all lanes of a column, always in the same order, for the thread that writes them. All threads
// of a workgroup call it, once.
fn over_lanes(value: Pair, local: u32) -> Pair {
    parts[local] = value;
    for (var half = {{ half }}u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half * WIDE && local + half * WIDE < LANES * WIDE {
            parts[local] += parts[local + half * WIDE];
        }
    }
    return parts[local];
}

