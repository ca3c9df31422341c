
// z of a unit, all of it in one launch. A workgroup computes all channels of u for a block of pixels, which stay in
// its memory, and then the outputs of these pixels: u is neither written nor read. A thread takes TILE numbers of
// a row of u, and then 4 outputs of pixels that are OUT_LANES apart.

// Fours of outputs, and of inputs whose pointwise weights are staged at once.
const TO: u32 = OUTPUTS / 4u;
const SLICE: u32 = {{ slice }}u;
const BLOCK_PIXELS: u32 = LANES * TILE;
const OUT_LANES: u32 = WORKGROUP / TO;

@group(0) @binding({{ second }}) var<storage, read_write> z: array<Number>;

// u of the block: the first number of every thread's row, then the second ones. So threads side by side write
// vectors side by side.
var<workgroup> middle: array<Number, BLOCK_PIXELS * CHANNELS>;

{{ kinds }}fn keep(lane: u32, channel: u32, sums: ptr<function, array<Number, TILE>>) {
{{ keeps }}}

fn weights_of(place: u32) -> Number {
    return vec4(weights[place], weights[place + 1u], weights[place + 2u], weights[place + 3u]);
}

// Stages the pointwise weights of a slice of inputs, 4 inputs and 4 outputs at a time: of an input, those of 4
// outputs.
fn stage_pointwise(unit: Unit, first: u32, local: u32) {
    for (var at = local; at < SLICE * TO; at += WORKGROUP) {
        // Past the last input the last one is staged again.
        let input = min(first + at / TO, CHANNELS - 1u);
        let place = unit.pointwise + 4u * (at % TO * 4u * CHANNELS + input);
        let turned = transpose(mat4x4(
            weights_of(place),
            weights_of(place + 4u * CHANNELS),
            weights_of(place + 8u * CHANNELS),
            weights_of(place + 12u * CHANNELS),
        ));
        let start = at / TO * 4u * TO + at % TO;
        staged[start] = turned[0];
        staged[start + TO] = turned[1];
        staged[start + 2u * TO] = turned[2];
        staged[start + 3u * TO] = turned[3];
    }
}

// Where u of a pixel of the block begins; past the last one that of the last one.
fn start_of(pixel: u32) -> u32 {
    return min(pixel, BLOCK_PIXELS - 1u) * CHANNELS;
}

// The place and the column of a pixel of a block.
fn place_and_column(block: u32, pixel: u32) -> vec2<u32> {
    let place = block * LANES + pixel % LANES;
    return vec2(place, place % TILES * TILE + pixel / LANES);
}

fn is_there(block: u32, pixel: u32) -> bool {
    let at = place_and_column(block, pixel);
    return pixel < BLOCK_PIXELS && at.x < PLACES && at.y < OUT_WIDTH;
}

fn put(block: u32, number: u32, pixel: u32, output: u32, sum: Number) {
    let at = place_and_column(block, pixel);
    let row = number * BATCH * OUT_HEIGHT + at.x / TILES;
    z[(row * OUT_WIDTH + at.y) * TO + output] = sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let number = activation_of(workgroup);
    let unit = unit_at(number);
    stage(unit, workgroup, local);
    workgroupBarrier();
    let place = place_of(workgroup, local);
    let lane = local / WIDE;
    let channel = local % WIDE;
    if lane < LANES {
        var sums = array<Number, TILE>();
        if place.live {
            switch number {
{{ calls }}            }
        }
        keep(lane, channel, &sums);
    }
    let pixel = local / TO;
    let output = local % TO;
{{ starts }}    for (var first = 0u; first < CHANNELS; first += SLICE) {
        // All of u is there, and what was staged before is done with.
        workgroupBarrier();
        stage_pointwise(unit, first, local);
        workgroupBarrier();
        for (var input = 0u; input < min(SLICE, CHANNELS - first); input++) {
            let at = input * 4u * TO + output;
            let w0 = staged[at];
            let w1 = staged[at + TO];
            let w2 = staged[at + 2u * TO];
            let w3 = staged[at + 3u * TO];
{{ products }}        }
    }
    let pixel_block = group_of(workgroup) % PLACE_BLOCKS;
    let vector = number * TO + output;
    // A thread that is left over, or of a workgroup too many, has none of the pixels.
    let works = pixel < OUT_LANES && group_of(workgroup) * WORKGROUP < COUNT;
    let writes = works && pixel == 0u;
{{ puts }}{{ moments }}}
