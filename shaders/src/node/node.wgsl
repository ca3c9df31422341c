// y = start + mask * normed(x): an edge, added to what the node is so far.
{{ buffers }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let norm = norm_of(index % CHANNELS);
    y[index] = {{ start }} + mask_of(index / CHANNELS) * normed(x[index], norm);
}
