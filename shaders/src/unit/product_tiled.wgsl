// What product.wgsl computes, for numbers of channels that fours divide. A workgroup takes a block of pixels
// and a block of outputs, a thread {{ pixels_each }} pixels, LANES apart, and 4 outputs. Threads side by side write vectors
// side by side, and read the same vectors or those of the next pixel. The weights of the block are staged, an
// input's after another's, since all threads need all of them. 16 KiB are what a browser grants.

// Fours of the numbers of a pixel of x and of out.
const FROM: u32 = {{ from }}u;
const TO: u32 = {{ to }}u;
// Fours of a block of outputs, and of inputs whose weights are staged at once.
const WIDE: u32 = {{ wide }}u;
const SLICE: u32 = {{ slice }}u;
const BLOCKS: u32 = (TO + WIDE - 1u) / WIDE;
const LANES: u32 = WORKGROUP / WIDE;
const PIXELS: u32 = LANES * {{ pixels_each }}u;
const PIXEL_BLOCKS: u32 = (OUT_PIXELS + PIXELS - 1u) / PIXELS;

@group(0) @binding(0) var<storage, {{ access }}> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

// Of an input, the weights of 4 outputs.
var<workgroup> staged: array<vec4<f32>, 4u * SLICE * WIDE>;

// Stages the weights of a slice of inputs, 4 inputs and 4 outputs at a time.
fn stage(first: u32, local: u32, pointwise: u32, block: u32) {
    for (var at = local; at < SLICE * WIDE; at += WORKGROUP) {
        // Past the last input or output the last ones are staged again.
        let input = min(first + at / WIDE, FROM - 1u);
        let output = min(block * WIDE + at % WIDE, TO - 1u);
        let place = pointwise + {{ place }};
        let rows = mat4x4(
            weights[place],
            weights[place + {{ step }}],
            weights[place + 2u * {{ step }}],
            weights[place + 3u * {{ step }}],
        );
        let turned = {{ turned }};
        let start = at / WIDE * 4u * WIDE + at % WIDE;
        staged[start] = turned[0];
        staged[start + WIDE] = turned[1];
        staged[start + 2u * WIDE] = turned[2];
        staged[start + 3u * WIDE] = turned[3];
    }
}

// Where the inputs of a pixel begin; past the last one those of the last one.
fn start_of(number: u32, pixel: u32) -> u32 {
    return (number * OUT_PIXELS + min(pixel, OUT_PIXELS - 1u)) * FROM;
}

fn put(number: u32, pixel: u32, output: u32, sum: vec4<f32>) {
    if pixel < OUT_PIXELS {
        out[(number * OUT_PIXELS + pixel) * TO + output] = sum;
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = workgroup.y * COLUMNS + workgroup.x;
    let block = group % BLOCKS;
    // A grid may have a few workgroups too many: they compute the last unit again and write nothing.
    let number = min(group / (BLOCKS * PIXEL_BLOCKS), {{ last_unit }}u);
    let lane = local / WIDE;
    let pixel = group / BLOCKS % PIXEL_BLOCKS * PIXELS + lane;
    let output = block * WIDE + local % WIDE;
    let pointwise = unit_at(number).pointwise / 4u;
{{ starts }}
    for (var first = 0u; first < FROM; first += SLICE) {
        // The slice before is done with.
        workgroupBarrier();
        stage(first, local, pointwise, block);
        workgroupBarrier();
        for (var input = 0u; input < min(SLICE, FROM - first); input++) {
            let at = input * 4u * WIDE + local % WIDE;
            let w0 = staged[at];
            let w1 = staged[at + WIDE];
            let w2 = staged[at + 2u * WIDE];
            let w3 = staged[at + 3u * WIDE];
{{ products }}        }
    }
    if lane < LANES && output < TO && group * WORKGROUP < COUNT {
{{ puts }}    }
}
