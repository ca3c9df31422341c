// What for_pointwise.wgsl has, for channels and outputs in fours. Of four pixels no load waits for another.
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<vec4<f32>>;
@group(0) @binding({{ third }}) var<storage, {{ access }}> u: array<vec4<f32>>;

// The gradient of 4 outputs of a pixel; past the last one nothing.
fn gradient_of(pixel: u32, last: u32, four: u32) -> vec4<f32> {
    let value = gradient[min(pixel, last - 1u) * (OUTPUTS / 4u) + four];
    return select(vec4(0.0), value, pixel < last);
}

fn for_pointwise(place: u32, number: u32, rows: Rows, start: u32) {
    let blocks = CHANNELS / 4u;
    let channel = place % blocks;
    let output = place / blocks;
    var sums = array<vec4<f32>, 4>();
    let first = number * OUT_PIXELS + rows.first * OUT_WIDTH;
    let last = number * OUT_PIXELS + rows.last * OUT_WIDTH;
    for (var pixel = first; pixel < last; pixel += 4u) {
        let u0 = u[min(pixel + 0u, last - 1u) * blocks + channel];
        let g0 = gradient_of(pixel + 0u, last, output);
        let u1 = u[min(pixel + 1u, last - 1u) * blocks + channel];
        let g1 = gradient_of(pixel + 1u, last, output);
        let u2 = u[min(pixel + 2u, last - 1u) * blocks + channel];
        let g2 = gradient_of(pixel + 2u, last, output);
        let u3 = u[min(pixel + 3u, last - 1u) * blocks + channel];
        let g3 = gradient_of(pixel + 3u, last, output);
        sums[0] += g0.x * u0;
        sums[1] += g0.y * u0;
        sums[2] += g0.z * u0;
        sums[3] += g0.w * u0;
        sums[0] += g1.x * u1;
        sums[1] += g1.y * u1;
        sums[2] += g1.z * u1;
        sums[3] += g1.w * u1;
        sums[0] += g2.x * u2;
        sums[1] += g2.y * u2;
        sums[2] += g2.z * u2;
        sums[3] += g2.w * u2;
        sums[0] += g3.x * u3;
        sums[1] += g3.y * u3;
        sums[2] += g3.z * u3;
        sums[3] += g3.w * u3;
    }
    put(start, 4u * output + 0u, 4u * channel, sums[0]);
    put(start, 4u * output + 1u, 4u * channel, sums[1]);
    put(start, 4u * output + 2u, 4u * channel, sums[2]);
    put(start, 4u * output + 3u, 4u * channel, sums[3]);
}

