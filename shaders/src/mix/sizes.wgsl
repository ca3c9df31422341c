// A number: one, or those of four channels side by side; then channels and lengths are of such, too.
alias Number = {{ number }};

const CHANNELS: u32 = {{ channels }}u;
// Numbers and pixels of an activation.
const LENGTH: u32 = {{ length }}u;
const PIXELS: u32 = LENGTH / CHANNELS;

