// whole[row, first + column] = part[row, column], or the opposite, for parts side by side, of which the columns
// of the whole may be shuffled in groups. One thread for each number that is moved.

// Widths of all parts, and of the whole.
const WIDTH: u32 = {{ width }}u;
const ALL: u32 = {{ all }}u;
const GROUPS: u32 = {{ groups }}u;
const EACH: u32 = WIDTH / GROUPS;

@group(0) @binding(0) var<storage, {{ whole_access }}> whole: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let row = index / WIDTH;
    let column = index % WIDTH;
    let place = row * ALL + {{ first }}u + column % EACH * GROUPS + column / EACH;
{{ cases }}}
