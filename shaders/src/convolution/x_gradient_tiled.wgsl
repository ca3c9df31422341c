@group(0) @binding(0) var<storage, {{ access }}> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> gradient: array<Number>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

// From the weight of an input to that of the next one.
const NEXT: u32 = TAPS;

fn weight_place(output: u32, input: u32, bank: u32, tap: u32) -> u32 {
    return ((bank * BANK + output) * INPUTS + input) * TAPS + tap;
}

// Where the gradients of a bank begin at the output pixel that an input pixel meets with a tap.
fn start_of(pixel: u32, bank: u32, tap: u32) -> u32 {
    // Before the first pixel these wrap around to huge numbers, so one comparison does.
    let y = pixel / WIDTH % HEIGHT + PADDING - tap / SIZE - bank;
    let x = pixel % WIDTH + PADDING - tap % SIZE - bank;
    let row = pixel / (WIDTH * HEIGHT) * OUT_HEIGHT + y / STRIDE;
    let start = ((row * OUT_WIDTH + x / STRIDE) * (OUTPUTS / BANK) + bank) * FROM;
    let whole = y % STRIDE == 0u && x % STRIDE == 0u;
    return select(NOWHERE, start, whole && y / STRIDE < OUT_HEIGHT && x / STRIDE < OUT_WIDTH);
}

fn value_at(start: u32, number: u32) -> Number {
    let value = gradient[select(start, 0u, start == NOWHERE) + number];
    return select(value, Number(), start == NOWHERE);
}

fn put(pixel: u32, part: u32, four: u32, sum: vec4<f32>) {
    let place = (pixel * PARTS + part) * PART + four;
    let value = x[place];
    out[place] = {{ passed }};
}

