// out[unit, pixel, o] = sum over i of P * x[unit, pixel, i]: with u for x the way forward, with the gradient
// of z for x, and P transposed, the way back to u. One thread for 8 pixels and 8 outputs.
const FROM: u32 = {{ from }}u;
const TO: u32 = {{ to }}u;
const BLOCKS: u32 = (TO + 7u) / 8u;
const PIXEL_BLOCKS: u32 = (OUT_PIXELS + 7u) / 8u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// Where the weights of an output begin; past the last one those of the last one.
fn row_of(number: u32, output: u32) -> u32 {
    return unit_at(number).pointwise + min(output, TO - 1u) * {{ to_step }}u;
}

// Where a pixel begins; past the last one the last one.
fn start_of(number: u32, pixel: u32) -> u32 {
    return (number * OUT_PIXELS + min(pixel, OUT_PIXELS - 1u)) * FROM;
}

fn put(pixel: u32, number: u32, output: u32, low: vec4<f32>, high: vec4<f32>) {
    if pixel >= OUT_PIXELS {
        return;
    }
    let place = (number * OUT_PIXELS + pixel) * TO + output;
    if output + 0u < TO { out[place + 0u] = low[0]; }
    if output + 1u < TO { out[place + 1u] = low[1]; }
    if output + 2u < TO { out[place + 2u] = low[2]; }
    if output + 3u < TO { out[place + 3u] = low[3]; }
    if output + 4u < TO { out[place + 4u] = high[0]; }
    if output + 5u < TO { out[place + 5u] = high[1]; }
    if output + 6u < TO { out[place + 6u] = high[2]; }
    if output + 7u < TO { out[place + 7u] = high[3]; }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let output = index % BLOCKS * 8u;
    let number = index / (BLOCKS * PIXEL_BLOCKS);
    let first = index / BLOCKS % PIXEL_BLOCKS * 8u;
    let s0 = start_of(number, first + 0u);
    let r0 = row_of(number, output + 0u);
    let s1 = start_of(number, first + 1u);
    let r1 = row_of(number, output + 1u);
    let s2 = start_of(number, first + 2u);
    let r2 = row_of(number, output + 2u);
    let s3 = start_of(number, first + 3u);
    let r3 = row_of(number, output + 3u);
    let s4 = start_of(number, first + 4u);
    let r4 = row_of(number, output + 4u);
    let s5 = start_of(number, first + 5u);
    let r5 = row_of(number, output + 5u);
    let s6 = start_of(number, first + 6u);
    let r6 = row_of(number, output + 6u);
    let s7 = start_of(number, first + 7u);
    let r7 = row_of(number, output + 7u);
    var low = array<vec4<f32>, 8>();
    var high = array<vec4<f32>, 8>();
    for (var i = 0u; i < FROM; i++) {
        let step = i * {{ from_step }}u;
        let first_half = vec4(weights[r0 + step], weights[r1 + step], weights[r2 + step], weights[r3 + step]);
        let second_half = vec4(weights[r4 + step], weights[r5 + step], weights[r6 + step], weights[r7 + step]);
        let v0 = x[s0 + i];
        low[0] += v0 * first_half;
        high[0] += v0 * second_half;
        let v1 = x[s1 + i];
        low[1] += v1 * first_half;
        high[1] += v1 * second_half;
        let v2 = x[s2 + i];
        low[2] += v2 * first_half;
        high[2] += v2 * second_half;
        let v3 = x[s3 + i];
        low[3] += v3 * first_half;
        high[3] += v3 * second_half;
        let v4 = x[s4 + i];
        low[4] += v4 * first_half;
        high[4] += v4 * second_half;
        let v5 = x[s5 + i];
        low[5] += v5 * first_half;
        high[5] += v5 * second_half;
        let v6 = x[s6 + i];
        low[6] += v6 * first_half;
        high[6] += v6 * second_half;
        let v7 = x[s7 + i];
        low[7] += v7 * first_half;
        high[7] += v7 * second_half;
    }
    put(first + 0u, number, output, low[0], high[0]);
    put(first + 1u, number, output, low[1], high[1]);
    put(first + 2u, number, output, low[2], high[2]);
    put(first + 3u, number, output, low[3], high[3]);
    put(first + 4u, number, output, low[4], high[4]);
    put(first + 5u, number, output, low[5], high[5]);
    put(first + 6u, number, output, low[6], high[6]);
    put(first + 7u, number, output, low[7], high[7]);
}
