// out[weight] = sum over the channels of the products of its candidates.
const CHANNELS: u32 = {{ channels }}u;

@group(0) @binding(0) var<storage, {{ access }}> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

fn row(number: u32) -> f32 {
    var sum = 0.0;
    for (var channel = 0u; channel < CHANNELS; channel++) {
        sum += sums[number * CHANNELS + channel];
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    var sum = 0.0;
{{ sums }}    out[index] = sum;
}
