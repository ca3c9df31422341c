// Sizes of the images and of the outputs; windows are 3x3 with padding 1.
const HEIGHT: u32 = {{ height }}u;
const WIDTH: u32 = {{ width }}u;
const CHANNELS: u32 = {{ channels }}u;
const OUT_HEIGHT: u32 = {{ out_height }}u;
const OUT_WIDTH: u32 = {{ out_width }}u;
const STRIDE: u32 = {{ stride }}u;

// The first window that reaches this pixel, in one direction.
fn first_window(pixel: u32) -> u32 {
    return (max(pixel, 1u) + STRIDE - 2u) / STRIDE;
}

// The row or column of a window in which this pixel lies.
fn place_in(window: u32, pixel: u32) -> u32 {
    return pixel + 1u - window * STRIDE;
}

