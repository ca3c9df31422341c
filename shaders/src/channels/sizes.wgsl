// Of the activation, and of its windows; and which channels of it the part has.
const HEIGHT: u32 = {{ height }}u;
const WIDTH: u32 = {{ width }}u;
const CHANNELS: u32 = {{ channels }}u;
const FIRST: u32 = {{ first }}u;
const PART: u32 = {{ part }}u;
const SIZE: u32 = {{ size }}u;

// Where a number of the activation lies.
fn place_of(batch: u32, row: u32, column: u32, channel: u32) -> u32 {
    return ((batch * HEIGHT + row) * WIDTH + column) * CHANNELS + channel;
}
