// Whether the ReLU lets a value pass.
fn live(value: f32) -> bool {
    return {{ live }};
}

// What the convolutions see of x[index].
fn activation(index: u32, channel: u32) -> f32 {
    let value = standard(x[index], channel);
    return select(0.0, value, live(value));
}

