// x, and its moments where a batch norm is pending.
const CHANNELS: u32 = {{ channels }}u;

@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
{{ moments }}

// The value after the batch norm.
fn standard(value: f32, channel: u32) -> f32 {
    return {{ standard }};
}

// Derivative of `standard`, where the moments are constants.
fn scale(channel: u32) -> f32 {
    return {{ scale }};
}

