@group(0) @binding(0) var<storage, {{ access }}> x: array<Number>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4<f32>>;

// From the weight of an output to that of the next one.
const NEXT: u32 = INPUTS * TAPS;

fn weight_place(input: u32, output: u32, bank: u32, tap: u32) -> u32 {
    return ((bank * BANK + output) * INPUTS + input) * TAPS + tap;
}

// Where the numbers of the input pixel begin that an output pixel meets with a tap.
fn start_of(pixel: u32, bank: u32, tap: u32) -> u32 {
    // Left of or above the image these wrap around to huge numbers, so one comparison does.
    let in_y = pixel / OUT_WIDTH % OUT_HEIGHT * STRIDE + tap / SIZE + bank - PADDING;
    let in_x = pixel % OUT_WIDTH * STRIDE + tap % SIZE + bank - PADDING;
    let start = ((pixel / (OUT_WIDTH * OUT_HEIGHT) * HEIGHT + in_y) * WIDTH + in_x) * FROM;
    return select(NOWHERE, start, in_y < HEIGHT && in_x < WIDTH);
}

fn value_at(start: u32, number: u32) -> Number {
    let value = x[select(start, 0u, start == NOWHERE) + number];
    return select({{ activated }}, Number(), start == NOWHERE);
}

fn put(pixel: u32, part: u32, four: u32, sum: vec4<f32>) {
    z[(pixel * PARTS + part) * PART + four] = sum;
}

