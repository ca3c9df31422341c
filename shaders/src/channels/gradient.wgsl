// out = known, or 0, plus the gradient of the first channels, and for the largest number of every window of the
// others that of the window. One thread for each number of the activation.
@group(0) @binding(0) var<storage, read_write> out: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = index % CHANNELS;
    let column = index / CHANNELS % WIDTH;
    let row = index / CHANNELS / WIDTH % HEIGHT;
    let batch = index / CHANNELS / WIDTH / HEIGHT;
    var value = {{ known }};
    if channel < FIRST {
        {{ add_first }}
    } else if {{ is_first }} {
        let window = (batch * (HEIGHT / SIZE) + row / SIZE) * (WIDTH / SIZE) + column / SIZE;
        {{ add_others }}
    }
    out[index] = value;
}
