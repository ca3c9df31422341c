// sums[chunk, row, c] = the sum over the pixels of a chunk that belongs to a row: of the gradient of a
// target, or of its product with a candidate of a stack. A column is a channel of a row.

// The first row of a launch, and the rows of all launches.
const FIRST_ROW: u32 = {{ first_row }}u;
const ALL_ROWS: u32 = {{ all_rows }}u;

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let channel = lane.column % CHANNELS;
    let first = lane.first * CHANNELS + channel;
    let last = lane.last * CHANNELS;
    var sum = 0.0;
    switch lane.column / CHANNELS {
{{ rows }}    }
    sum = over_lanes(vec2(sum, 0.0), local).x;
    if lane.writes {
        sums[(lane.chunk * ALL_ROWS + FIRST_ROW) * CHANNELS + lane.column] = sum;
    }
}
