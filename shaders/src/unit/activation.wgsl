// Whether the ReLU lets a value pass.
fn live(value: f32) -> bool {
    return {{ live }};
}

// What the convolutions see at this column of a row of pixels, which begins at `row`: 0 outside of the
// image. Left of it the column wraps around to a huge number, so one comparison does.
fn activation(row: u32, column: u32, channel: u32, norm: Norm) -> f32 {
    let value = normed(x[(row + min(column, WIDTH - 1u)) * CHANNELS + channel], norm);
    return select(0.0, value, column < WIDTH && live(value));
}

