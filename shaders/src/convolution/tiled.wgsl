// A convolution, or its way back to x, by workgroups. A workgroup takes a block of pixels and a block of the
// numbers that come out for a pixel, a thread {{ each }} pixels, LANES apart, and 4 numbers. Threads side by side write
// vectors side by side. The weights of a tap, or a slice of them, are staged: 16 KiB are what a browser grants.

// A number of what is read: one, or four channels side by side.
alias Number = {{ number }};

// Numbers that are read for a pixel, of which so many are staged at once, and channels of a number.
const FROM: u32 = {{ from }}u;
const SLICE: u32 = {{ slice }}u;
const DEEP: u32 = {{ deep }}u;
// Fours that come out of a part, and fours of a block. On the way forward a part is a bank.
const PART: u32 = {{ part }}u;
const PARTS: u32 = {{ parts }}u;
const WIDE: u32 = {{ wide }}u;
const BLOCKS: u32 = (PART + WIDE - 1u) / WIDE;
const LANES: u32 = WORKGROUP / WIDE;
const PIXELS: u32 = {{ pixels }}u;
const PIXELS_OF_BLOCK: u32 = LANES * {{ each }}u;
const STEPS: u32 = {{ steps }}u;
const NOWHERE: u32 = 0xffffffffu;

// Of a channel that is read, the weights of four that come out.
var<workgroup> staged: array<vec4<f32>, max(SLICE * DEEP * WIDE, WORKGROUP)>;

fn stage(first: u32, bank: u32, tap: u32, block: u32, local: u32) {
    for (var at = local; at < SLICE * DEEP * WIDE; at += WORKGROUP) {
        // Past the last one the last one is staged again.
        let channel = min(first * DEEP + at % (SLICE * DEEP), FROM * DEEP - 1u);
        let four = min(block * WIDE + at / (SLICE * DEEP), PART - 1u);
        let place = weight_place(channel, 4u * four, bank, tap);
        staged[at % (SLICE * DEEP) * WIDE + at / (SLICE * DEEP)] =
            vec4(weight[place], weight[place + NEXT], weight[place + 2u * NEXT], weight[place + 3u * NEXT]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let group = workgroup.y * COLUMNS + workgroup.x;
    let block = group % BLOCKS;
    let part = group / BLOCKS % PARTS;
    let four = block * WIDE + local % WIDE;
    let pixel_block = group / (BLOCKS * PARTS);
    let pixel = pixel_block * PIXELS_OF_BLOCK + local / WIDE;
{{ sums }}    for (var step = 0u; step < STEPS; step++) {
        let bank = part + step / TAPS;
        let tap = step % TAPS;
{{ starts }}        for (var first = 0u; first < FROM; first += SLICE) {
            // The slice before is done with.
            workgroupBarrier();
            stage(first, bank, tap, block, local);
            workgroupBarrier();
            for (var number = 0u; number < min(SLICE, FROM - first); number++) {
{{ products }}            }
        }
    }
    let vector = part * PART + four;
    // A thread that is left over, or of a workgroup too many, has none of the pixels.
    let works = local < LANES * WIDE && four < PART && group * WORKGROUP < COUNT;
    let writes = works && local < WIDE;
{{ puts }}{{ moments }}}
