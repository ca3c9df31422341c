// What moments.wgsl computes, for columns in fours.
@group(0) @binding(0) var<storage, {{ access }}> x: array<Number>;
@group(0) @binding(1) var<storage, read_write> moments: array<Number>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let start = first_of(lane.column);
    var count = 0.0;
    var sum = Number();
    for (var pixel = lane.first; pixel < lane.last; pixel += STEP) {
        sum += x[start + pixel * CHANNELS];
        count += 1.0;
    }
    let mean = sum / max(count, 1.0);
    var squares = Number();
    for (var pixel = lane.first; pixel < lane.last; pixel += STEP) {
        let distance = x[start + pixel * CHANNELS] - mean;
        squares += distance * distance;
    }
    let all = merged_lanes(Moments(count, mean, squares), local);
    if lane.writes {
        moments[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = all.mean;
        moments[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = all.squares / all.count;
    }
}
