// out = (gradient - mean(gradient) - y * mean(gradient * y)) / sqrt(variance + eps), the means over
// all pixels of a column: sums hold their sums, first of the gradient, then of gradient * y.
const EPS: f32 = {{ eps }};

@group(0) @binding(0) var<storage, {{ access }}> y: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> moments: array<f32>;
@group(0) @binding(3) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = column_of(index);
    let means = (sums[column] + y[index] * sums[COLUMNS_OF_ALL + column]) / f32(PIXELS);
    out[index] = (gradient[index] - means) / sqrt(moments[COLUMNS_OF_ALL + column] + EPS);
}
