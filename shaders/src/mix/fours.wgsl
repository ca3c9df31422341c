// Threads for a channel of an activation: each takes four pixels.
const BLOCKS: u32 = (PIXELS + 3u) / 4u;

// The places of the four pixels of a thread in an activation; past the last pixel that again.
fn places_of(index: u32) -> vec4<u32> {
    let pixels = index / CHANNELS % BLOCKS * 4u + vec4(0u, 1u, 2u, 3u);
    return min(pixels, vec4(PIXELS - 1u)) * CHANNELS + index % CHANNELS;
}

