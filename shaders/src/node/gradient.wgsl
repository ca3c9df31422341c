// out = gain * scale * (mask * gradient - mean(mask * gradient) - standard(x) * mean(mask * gradient *
// standard(x))); without the means where the moments are given.
{{ buffers }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let column = index % CHANNELS;
    let norm = norm_of(column);
    let pulled = mask_of(index / CHANNELS) * gradient[index] - {{ means }};
    out[index] = norm.gain * norm.scale * pulled;
}
