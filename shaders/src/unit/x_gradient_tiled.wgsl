// What x_gradient.wgsl computes, for channels in fours.
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<Number>;
@group(0) @binding({{ third }}) var<storage, read_write> out: array<Number>;

// The first unit of a source, and that behind its last one.
fn units_of(source: u32) -> vec2<u32> {
    switch source {
{{ sources }}    }
}

// The gradient at this column of a row of pixels, which begins at `row`: 0 outside of the image. Left of it
// the column wraps around to a huge number, so one comparison does.
fn gradient_at(row: u32, column: u32, channel: u32) -> Number {
    let value = gradient[(row + min(column, OUT_WIDTH - 1u)) * CHANNELS + channel];
    return select(Number(), value, column < OUT_WIDTH);
}

{{ kinds }}fn put(row: u32, in_x: u32, channel: u32, norm: Norm, sums: ptr<function, array<Number, TILE>>) {
{{ stores }}}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let source = activation_of(workgroup);
    let units = units_of(source);
    let place = place_of(workgroup, local);
    let channel = place.channel;
    let live = place.live && place.row < HEIGHT;
    var sums = array<Number, TILE>();
    for (var number = units.x; number < units.y; number++) {
        let unit = unit_at(number);
        let first = (number * BATCH + place.image) * OUT_HEIGHT;
        // The unit before is done with.
        workgroupBarrier();
        stage(unit, workgroup, local);
        workgroupBarrier();
        if live {
            switch number {
{{ calls }}            }
        }
    }
    if !live {
        return;
    }
    let norm = norm_of(source * CHANNELS + channel);
    let row = ((source * BATCH + place.image) * HEIGHT + place.row) * WIDTH;
    put(row, place.column, channel, norm, &sums);
}
