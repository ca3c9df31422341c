// Of the images of an activation, of the outputs and of the convolutions.
const BATCH: u32 = {{ batch }}u;
const HEIGHT: u32 = {{ height }}u;
const WIDTH: u32 = {{ width }}u;
const OUTPUTS: u32 = {{ outputs }}u;
const OUT_HEIGHT: u32 = {{ out_height }}u;
const OUT_WIDTH: u32 = {{ out_width }}u;
const OUT_PIXELS: u32 = BATCH * OUT_HEIGHT * OUT_WIDTH;
const STRIDE: u32 = {{ stride }}u;

struct Unit {
    // The activation that it reads.
    source: u32,
    // Of its depthwise kernel.
    size: u32,
    dilation: u32,
    padding: u32,
    // Where its weights begin: depthwise, then pointwise.
    depthwise: u32,
    pointwise: u32,
    // The first thread of a chunk that computes gradients of them.
    thread: u32,
}

fn unit_at(index: u32) -> Unit {
    switch index {
{{ units }}    }
}

