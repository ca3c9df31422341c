// sums[chunk, row, c] = the sum over the pixels of a chunk that belongs to a row: of the gradient of a
// target, or of its product with a candidate of a stack. A column is a channel of a row.

// Rows of gradients among those of a launch, its first row, and the rows of all launches.
const GRADIENTS: u32 = {{ gradients }}u;
const FIRST_ROW: u32 = {{ first_row }}u;
const ALL_ROWS: u32 = {{ all_rows }}u;

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<Number>;
@group(0) @binding(1) var<storage, read_write> sums: array<Number>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let row = lane.column / CHANNELS;
    let channel = lane.column % CHANNELS;
    let term = term_of(row);
    let start = select(term.node, row, row < GRADIENTS) * LENGTH;
    let first = lane.first * CHANNELS + channel;
    let last = lane.last * CHANNELS;
    var sum = Number();
    if row < GRADIENTS {
        for (var place = first; place < last; place += STEP * CHANNELS) { sum += gradient[start + place]; }
{{ cases }}    }
    sum = over_lanes(Pair(sum, Number()), local)[0];
    if lane.writes {
        sums[(lane.chunk * ALL_ROWS + FIRST_ROW) * CHANNELS + lane.column] = sum;
    }
}
