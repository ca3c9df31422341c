// u[unit, n, oy, ox, c] = sum over i, j of D[c, i, j] * a[n, oy * S + i * dilation - padding, ox * S + j *
// dilation - padding, c]. One thread for TILE neighbours of a row and those BELOW; threads side by
// side differ in the channel, so reads are contiguous.
@group(0) @binding({{ next }}) var<storage, {{ access }}> weights: array<f32>;
@group(0) @binding({{ second }}) var<storage, read_write> u: array<f32>;

{{ kinds }}fn put(row: u32, out_x: u32, channel: u32, sums: ptr<function, array<Number, TILE>>) {
{{ stores }}}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let out_x = index / CHANNELS % TILES * TILE;
    let out_y = first_row(index / (CHANNELS * TILES) % ROWS);
    if out_y >= OUT_HEIGHT {
        return;
    }
    let image = index / (CHANNELS * TILES * ROWS) % BATCH;
    let number = index / (CHANNELS * TILES * ROWS * BATCH);
    let unit = unit_at(number);
    var sums = array<Number, TILE>();
    var below = array<Number, TILE>();
    switch number {
{{ calls }}    }
    let row = ((number * BATCH + image) * OUT_HEIGHT + out_y) * OUT_WIDTH;
    put(row, out_x, channel, &sums);
    if BELOW > 0u && out_y + BELOW < OUT_HEIGHT {
        put(row + BELOW * OUT_WIDTH, out_x, channel, &below);
    }
}
