// Of the image, of the output and of the depthwise kernel.
const HEIGHT: u32 = {{ height }}u;
const WIDTH: u32 = {{ width }}u;
const OUT_HEIGHT: u32 = {{ out_height }}u;
const OUT_WIDTH: u32 = {{ out_width }}u;
const SIZE: u32 = {{ size }}u;
const STRIDE: u32 = {{ stride }}u;
const DILATION: u32 = {{ dilation }}u;
const PADDING: u32 = {{ padding }}u;

