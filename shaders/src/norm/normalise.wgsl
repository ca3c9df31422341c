// y = (x - mean) / sqrt(variance + eps); moments hold the means of the columns, then the variances.
const EPS: f32 = {{ eps }};

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = column_of(index);
    y[index] = (x[index] - moments[column]) / sqrt(moments[COLUMNS_OF_ALL + column] + EPS);
}
