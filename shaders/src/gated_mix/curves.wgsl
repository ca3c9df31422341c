
// Sizes of a batch of states, and of a row of products.
const BATCH: u32 = {{ batch }}u;
const HIDDEN: u32 = {{ hidden }}u;
const STATES: u32 = {{ states }}u;

// An implementation may overflow on its way; tanh is 1 in float32 from 10 on.
fn bounded_tanh(x: f32) -> f32 {
    return tanh(clamp(x, -10.0, 10.0));
}

fn sigmoid(x: f32) -> f32 {
    return 0.5 * bounded_tanh(0.5 * x) + 0.5;
}

// tanh, relu, sigmoid, identity.
fn options(z: f32) -> vec4<f32> {
    return vec4<f32>(bounded_tanh(z), max(z, 0.0), sigmoid(z), z);
}
