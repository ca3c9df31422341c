// x, and its moments where a batch norm is pending.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
{{ moments }}

struct Norm {
    mean: f32,
    scale: f32,
}

// Of a column: read once, since a compiler must not assume that buffers stay as they are.
fn norm_of(column: u32) -> Norm {
    return {{ norm }};
}

// The value after the batch norm.
fn standard(value: f32, norm: Norm) -> f32 {
    return {{ standard }};
}

