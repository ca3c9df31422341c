// A workgroup computes for one unit or source, and for WIDE neighbours of its fours of channels: it stages the
// weights that all its threads need, tap after tap, so that threads side by side read vectors side by side.
// 16 KiB are what a browser grants. A channel is here four of them, a number a vector.
const WIDE: u32 = {{ wide }}u;
// Numbers of a row that a thread computes, threads for a row, and rows.
const TILE: u32 = {{ tile }}u;
const TILES: u32 = {{ tiles }}u;
const ROWS: u32 = {{ rows }}u;
const BLOCKS: u32 = (CHANNELS + WIDE - 1u) / WIDE;
const LANES: u32 = WORKGROUP / WIDE;
// Threads for a channel of an activation.
const PLACES: u32 = TILES * ROWS * BATCH;
const PLACE_BLOCKS: u32 = (PLACES + LANES - 1u) / LANES;

@group(0) @binding({{ next }}) var<storage, {{ access }}> weights: array<f32>;

var<workgroup> staged: array<Number, {{ staged }}u>;

fn group_of(workgroup: vec3<u32>) -> u32 {
    return workgroup.y * COLUMNS + workgroup.x;
}

// The unit or source of a workgroup. A grid may have a few workgroups too many, which take the last one again.
fn activation_of(workgroup: vec3<u32>) -> u32 {
    return min(group_of(workgroup) / (BLOCKS * PLACE_BLOCKS), {{ last }}u);
}

struct Place {
    channel: u32,
    column: u32,
    row: u32,
    image: u32,
    // Whether there is such a place.
    live: bool,
}

fn place_of(workgroup: vec3<u32>, local: u32) -> Place {
    let group = group_of(workgroup);
    let lane = local / WIDE;
    let channel = group % BLOCKS * WIDE + local % WIDE;
    let place = group / BLOCKS % PLACE_BLOCKS * LANES + lane;
    let live = lane < LANES && place < PLACES && channel < CHANNELS && group * WORKGROUP < COUNT;
    return Place(channel, place % TILES * TILE, place / TILES % ROWS, place / (TILES * ROWS), live);
}

// Stages the depthwise weights of a unit.
fn stage(unit: Unit, workgroup: vec3<u32>, local: u32) {
    let taps = unit.size * unit.size;
    for (var at = local; at < taps * WIDE; at += WORKGROUP) {
        // Past the last channel the last one again.
        let channel = min(group_of(workgroup) % BLOCKS * WIDE + at / taps, CHANNELS - 1u);
        let place = unit.depthwise + 4u * channel * taps + at % taps;
        staged[at % taps * WIDE + at / taps] =
            vec4(weights[place], weights[place + taps], weights[place + 2u * taps], weights[place + 3u * taps]);
    }
}

