// x, and where a batch norm is pending its moments, and γ, then β, of all columns.
@group(0) @binding(0) var<storage, {{ access }}> x: array<f32>;
{{ norm_buffers }}
struct Norm {
    mean: f32,
    scale: f32,
    // γ and β.
    gain: f32,
    shift: f32,
}

// Of a column: read once, since a compiler must not assume that buffers stay as they are.
fn norm_of(column: u32) -> Norm {
    return {{ norm }};
}

// The value after the batch norm, without γ and β.
fn standard(value: f32, norm: Norm) -> f32 {
    return {{ standard }};
}

// With them.
fn normed(value: f32, norm: Norm) -> f32 {
    return {{ normed }};
}

