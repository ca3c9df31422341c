// out[n, y, x, c] = sum over the units of the source and over i, j of D[c, i, j] * gradient[unit, n, (y +
// padding - i * dilation) / S, (x + padding - j * dilation) / S, c] where these are whole and in the image,
// and the ReLU let x pass. The gradient is that of u. One thread for TILE neighbours of a row of the input
// and those BELOW.
@group(0) @binding({{ next }}) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ third }}) var<storage, read_write> out: array<f32>;

// The first unit of a source, and that behind its last one.
fn units_of(source: u32) -> vec2<u32> {
    switch source {
{{ sources }}    }
}

// The gradient at this column of a row of pixels, which begins at `row`: 0 outside of the image. Left of it
// the column wraps around to a huge number, so one comparison does.
fn gradient_at(row: u32, column: u32, channel: u32) -> f32 {
    let value = gradient[(row + min(column, OUT_WIDTH - 1u)) * CHANNELS + channel];
    return select(0.0, value, column < OUT_WIDTH);
}

{{ kinds }}fn put(row: u32, in_x: u32, channel: u32, norm: Norm, sums: ptr<function, array<Number, TILE>>) {
{{ stores }}}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let in_x = index / CHANNELS % TILES * TILE;
    let in_y = first_row(index / (CHANNELS * TILES) % ROWS);
    if in_y >= HEIGHT {
        return;
    }
    let image = index / (CHANNELS * TILES * ROWS) % BATCH;
    let source = index / (CHANNELS * TILES * ROWS * BATCH);
    let units = units_of(source);
    var sums = array<Number, TILE>();
    var below = array<Number, TILE>();
    for (var number = units.x; number < units.y; number++) {
        let unit = unit_at(number);
        let first = (number * BATCH + image) * OUT_HEIGHT;
        switch number {
{{ calls }}        }
    }
    let norm = norm_of(source * CHANNELS + channel);
    let row = ((source * BATCH + image) * HEIGHT + in_y) * WIDTH;
    put(row, in_x, channel, norm, &sums);
    if BELOW > 0u && in_y + BELOW < HEIGHT {
        put(row + BELOW * WIDTH, in_x, channel, norm, &below);
    }
}
