// The largest number of a window, added to what there is. One thread for each.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
{{ bindings }}
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = thread(workgroup, local);
    if index >= COUNT {
        return;
    }
    let channel = FIRST + index % PART;
    let column = index / PART % (WIDTH / SIZE) * SIZE;
    let row = index / PART / (WIDTH / SIZE) % (HEIGHT / SIZE) * SIZE;
    let batch = index / PART / (WIDTH / SIZE) / (HEIGHT / SIZE);
    var largest = x[place_of(batch, row, column, channel)];
    for (var pixel = 1u; pixel < SIZE * SIZE; pixel++) {
        let value = x[place_of(batch, row + pixel / SIZE, column + pixel % SIZE, channel)];
        largest = max(largest, value);
    }
    out[index] = {{ base }}largest;
}
