// Of the image, of the output and of the windows. A bank is so many outputs that read from one place.
const HEIGHT: u32 = {{ height }}u;
const WIDTH: u32 = {{ width }}u;
const INPUTS: u32 = {{ inputs }}u;
const OUTPUTS: u32 = {{ outputs }}u;
const BANK: u32 = {{ bank }}u;
const OUT_HEIGHT: u32 = {{ out_height }}u;
const OUT_WIDTH: u32 = {{ out_width }}u;
const SIZE: u32 = {{ size }}u;
const STRIDE: u32 = {{ stride }}u;
const PADDING: u32 = {{ padding }}u;
const TAPS: u32 = SIZE * SIZE;
const FOUR: vec4<u32> = vec4(0u, 1u, 2u, 3u);

// Whether the ReLU lets a value pass.
fn live(value: f32) -> bool {
    return {{ live }};
}

fn activation(value: f32) -> f32 {
    return select(0.0, value, live(value));
}

