// What activation.wgsl has, for four channels side by side.
fn live(value: Number) -> vec4<bool> {
    return {{ live }};
}

fn activation(row: u32, column: u32, channel: u32, norm: Norm) -> Number {
    let value = normed(x[(row + min(column, WIDTH - 1u)) * CHANNELS + channel], norm);
    return select(Number(), select(Number(), value, live(value)), column < WIDTH);
}

