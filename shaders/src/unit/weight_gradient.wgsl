// partial[chunk, weight] = the part of a weight's gradient that the output rows (n, oy) of a chunk give:
// for D[c, i, j] the sum of middle[unit, n, oy, ox, c] * a[n, oy * S + i * dilation - padding, ox * S + j *
// dilation - padding, c], for P[o, c] the sum of gradient[unit, n, oy, ox, o] * u[unit, n, oy, ox, c]. One
// thread for a chunk and a row of D, or 4 rows and columns of P. The chunks are summed up by another
// kernel: no atomics, the same result in every run.
const UNITS: u32 = {{ unit_count }}u;
const THREADS: u32 = {{ threads }}u;
const WEIGHTS: u32 = {{ weight_count }}u;
const CHUNK_ROWS: u32 = {{ chunk_rows }}u;

// Of u. The gradient of z, and u, are declared where they are read.
@group(0) @binding({{ next }}) var<storage, {{ access }}> middle: array<f32>;
@group(0) @binding({{ fourth }}) var<storage, read_write> partial: array<f32>;

// The unit that a thread works on.
fn number_of(thread: u32) -> u32 {
    var number = 0u;
    while number + 1u < UNITS && unit_at(number + 1u).thread <= thread {
        number++;
    }
    return number;
}

struct Rows {
    first: u32,
    last: u32,
    // Pixels of a row; 0 where there are no rows. Not a constant, so that no loop over it is unrolled (tiles.rs).
    width: u32,
}

{{ kinds }}fn put(start: u32, output: u32, channel: u32, sums: vec4<f32>) {
    if output >= OUTPUTS {
        return;
    }
    let place = start + output * CHANNELS + channel;
    if channel + 0u < CHANNELS { partial[place + 0u] = sums[0]; }
    if channel + 1u < CHANNELS { partial[place + 1u] = sums[1]; }
    if channel + 2u < CHANNELS { partial[place + 2u] = sums[2]; }
    if channel + 3u < CHANNELS { partial[place + 3u] = sums[3]; }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let chunk = index / THREADS;
    let first = min(chunk * CHUNK_ROWS, BATCH * OUT_HEIGHT);
    let last = min(first + CHUNK_ROWS, BATCH * OUT_HEIGHT);
    let rows = Rows(first, last, select(0u, OUT_WIDTH, first < last));
    let number = number_of(index % THREADS);
    let unit = unit_at(number);
    let place = index % THREADS - unit.thread;
    if place >= unit.size * CHANNELS {
        let start = chunk * WEIGHTS + unit.pointwise;
        for_pointwise(place - unit.size * CHANNELS, number, rows, start);
        return;
    }
    let channel = place % CHANNELS;
    let i = place / CHANNELS;
    let start = chunk * WEIGHTS + unit.depthwise + (channel * unit.size + i) * unit.size;
    switch number {
{{ calls }}    }
}
