// The gradients of 4 rows and columns of P.
@group(0) @binding({{ second }}) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding({{ third }}) var<storage, {{ access }}> u: array<f32>;

fn for_pointwise(place: u32, number: u32, rows: Rows, start: u32) {
    let blocks = (CHANNELS + 3u) / 4u;
    let channel = place % blocks * 4u;
    let output = place / blocks * 4u;
    // Past the last channel or output the last one is computed again.
    let channels = min(channel + vec4(0u, 1u, 2u, 3u), vec4(CHANNELS - 1u));
    let outputs = min(output + vec4(0u, 1u, 2u, 3u), vec4(OUTPUTS - 1u));
    var sums = array<vec4<f32>, 4>();
    let first = number * OUT_PIXELS + rows.first * OUT_WIDTH;
    let last = number * OUT_PIXELS + rows.last * OUT_WIDTH;
    for (var pixel = first; pixel < last; pixel++) {
        let at = pixel * CHANNELS + channels;
        let values = vec4(u[at.x], u[at.y], u[at.z], u[at.w]);
        let z = pixel * OUTPUTS + outputs;
        sums[0] += gradient[z.x] * values;
        sums[1] += gradient[z.y] * values;
        sums[2] += gradient[z.z] * values;
        sums[3] += gradient[z.w] * values;
    }
    put(start, output + 0u, channel, sums[0]);
    put(start, output + 1u, channel, sums[1]);
    put(start, output + 2u, channel, sums[2]);
    put(start, output + 3u, channel, sums[3]);
}

