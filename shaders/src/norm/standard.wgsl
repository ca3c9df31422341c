// x, and where a batch norm is pending its moments, and γ, then β, of all columns.
@group(0) @binding(0) var<storage, {{ access }}> x: array<Number>;
{{ norm_buffers }}
struct Norm {
    mean: Number,
    scale: Number,
    // γ and β.
    gain: Number,
    shift: Number,
}

// Of a column: read once, since a compiler must not assume that buffers stay as they are.
fn norm_of(column: u32) -> Norm {
    return {{ norm }};
}

// The value after the batch norm, without γ and β.
fn standard(value: Number, norm: Norm) -> Number {
    return {{ standard }};
}

// With them.
fn normed(value: Number, norm: Norm) -> Number {
    return {{ normed }};
}

