// A number of x, of a column and of what comes out: one, or four side by side, and then channels are fours too.
alias Number = {{ number }};

// A stack: activations one after another, each with channels and moments of its own. A column is a
// channel of a group; columns of all groups lie one after another.
const CHANNELS: u32 = {{ channels }}u;
const GROUPS: u32 = {{ groups }}u;
// Pixels of a group.
const PIXELS: u32 = {{ pixels }}u;
const COLUMNS_OF_ALL: u32 = GROUPS * CHANNELS;

// The column of the number at this index of the stack.
fn column_of(index: u32) -> u32 {
    return index / (PIXELS * CHANNELS) * CHANNELS + index % CHANNELS;
}

// Where the first number of a column is.
fn first_of(column: u32) -> u32 {
    return column / CHANNELS * PIXELS * CHANNELS + column % CHANNELS;
}

