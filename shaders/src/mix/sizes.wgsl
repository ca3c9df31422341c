const CHANNELS: u32 = {{ channels }}u;
// Numbers and pixels of an activation.
const LENGTH: u32 = {{ length }}u;
const PIXELS: u32 = LENGTH / CHANNELS;

