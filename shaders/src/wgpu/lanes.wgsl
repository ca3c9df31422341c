// Pixels of a lane, at most: one after another, which leaves a CPU's cache in use and costs a GPU nothing, as
// WIDE numbers are what it reads at once.
const SHARE: u32 = (min(CHUNK, PIXELS) + LANES - 1u) / LANES;
// From a pixel of a lane to its next one.
const STEP: u32 = 1u;

fn lane_of(workgroup: vec3<u32>, local: u32) -> Lane {
    let block = workgroup.y * COLUMNS + workgroup.x;
    let column = block % BLOCKS * WIDE + local % WIDE;
    let chunk = block / BLOCKS;
    let live = column < SUMMED && chunk < CHUNKS;
    let end = select(0u, min((chunk + 1u) * CHUNK, PIXELS), live);
    let first = min(chunk * CHUNK + local / WIDE * SHARE, end);
    return Lane(column, chunk, first, min(first + SHARE, end), live && local < WIDE);
}

// Two sums at once.
alias Pair = vec2<f32>;

// What every thread has of its column.
var<workgroup> parts: array<Pair, WORKGROUP>;

// The sums over all lanes of a column, always in the same order, for the thread that writes them. All threads
// of a workgroup call it, once.
fn over_lanes(value: Pair, local: u32) -> Pair {
    parts[local] = value;
    workgroupBarrier();
    var sum = value;
    if local < WIDE {
        for (var other = local + WIDE; other < WORKGROUP; other += WIDE) {
            sum += parts[other];
        }
    }
    return sum;
}

