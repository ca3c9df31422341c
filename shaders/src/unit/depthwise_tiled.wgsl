// What depthwise.wgsl computes, for channels in fours.
@group(0) @binding({{ second }}) var<storage, read_write> u: array<Number>;

{{ kinds }}fn put(row: u32, out_x: u32, channel: u32, sums: ptr<function, array<Number, TILE>>) {
{{ stores }}}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let number = activation_of(workgroup);
    let unit = unit_at(number);
    stage(unit, workgroup, local);
    workgroupBarrier();
    let place = place_of(workgroup, local);
    if !place.live || place.row >= OUT_HEIGHT {
        return;
    }
    let channel = place.channel;
    var sums = array<Number, TILE>();
    switch number {
{{ calls }}    }
    let row = ((number * BATCH + place.image) * OUT_HEIGHT + place.row) * OUT_WIDTH;
    put(row, place.column, channel, &sums);
}
