// out = gain * scale * (gradient - mean(gradient) - standard(x) * mean(gradient * standard(x))), the means
// over all pixels of a column: sums hold their sums, first of the gradient.
@group(0) @binding({{ next }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ second }}) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding({{ third }}) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = column_of(index);
    let norm = norm_of(column);
    let product = standard(x[index], norm) * sums[COLUMNS_OF_ALL + column];
    out[index] = norm.gain * norm.scale * (gradient[index] - {{ means }});
}
