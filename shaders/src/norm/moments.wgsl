// moments[chunk, 0, column] = mean of the pixels of a chunk, moments[chunk, 1, column] = their biased
// variance. Every lane goes twice through its pixels, so that nothing is lost where the mean is far from 0.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let lane = lane_of(workgroup, local);
    let start = first_of(lane.column);
    var sum = 0.0;
    for (var pixel = lane.first; pixel < lane.last; pixel++) {
        sum += x[start + pixel * CHANNELS];
    }
    let mean = sum / f32(max(lane.last - lane.first, 1u));
    var squares = 0.0;
    for (var pixel = lane.first; pixel < lane.last; pixel++) {
        let distance = x[start + pixel * CHANNELS] - mean;
        squares += distance * distance;
    }
    parts[local] = vec2(mean, squares);
    workgroupBarrier();
    if lane.writes {
        let end = min((lane.chunk + 1u) * CHUNK, PIXELS);
        var all = Moments(0.0, 0.0, 0.0);
        for (var first = lane.first; first < end; first += SHARE) {
            let part = parts[(first - lane.first) / SHARE * WIDE + local];
            all = merged(all, Moments(f32(min(SHARE, end - first)), part.x, part.y));
        }
        moments[2u * lane.chunk * COLUMNS_OF_ALL + lane.column] = all.mean;
        moments[(2u * lane.chunk + 1u) * COLUMNS_OF_ALL + lane.column] = all.squares / all.count;
    }
}
