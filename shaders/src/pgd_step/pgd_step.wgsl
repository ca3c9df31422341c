// One thread for each row: a step along the sign, into the ball around p, into the simplex.
const COLUMNS_OF_ROW: u32 = {{ operations }}u;
const LENGTH: f32 = {{ length }};
const EPSILON: f32 = {{ epsilon }};

@group(0) @binding(0) var<storage, {{ access }}> p: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> current: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> displaced: array<f32>;
@group(0) @binding(4) var<storage, read_write> clipped: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = thread(workgroup, local);
    if row >= COUNT {
        return;
    }
    let first = row * COLUMNS_OF_ROW;
    var sum = 0.0;
    var largest = first;
    for (var index = first; index < first + COLUMNS_OF_ROW; index++) {
        let moved = current[index] + LENGTH * sign(gradient[index]);
        let value = p[index] + clamp(moved - p[index], -EPSILON, EPSILON);
        displaced[index] = value;
        if value > displaced[largest] {
            largest = index;
        }
        sum += clamp(value, 0.0, 1.0);
    }
    let empty = sum == 0.0;
    for (var index = first; index < first + COLUMNS_OF_ROW; index++) {
        let only = select(0.0, 1.0, index == largest);
        clipped[index] = select(clamp(displaced[index], 0.0, 1.0) / sum, only, empty);
    }
}
