//! The edges of space S1 (spec §6): on every edge the two operations that a preliminary search
//! of the original space favoured there. The order of the columns matters.

const MAX: &str = "max_pool_3x3";
const AVG: &str = "avg_pool_3x3";
const SKIP: &str = "skip_connect";
const SEP3: &str = "sep_conv_3x3";
const DIL3: &str = "dil_conv_3x3";
const DIL5: &str = "dil_conv_5x5";

pub(super) static NORMAL: [[&str; 2]; 14] = [
    [SKIP, DIL3],
    [SKIP, DIL5],
    [SKIP, DIL5],
    [SKIP, SEP3],
    [SKIP, DIL3],
    [MAX, SKIP],
    [SKIP, SEP3],
    [SKIP, SEP3],
    [SKIP, DIL3],
    [SKIP, SEP3],
    [MAX, SKIP],
    [SKIP, DIL3],
    [DIL3, DIL5],
    [DIL3, DIL5],
];

pub(super) static REDUCE: [[&str; 2]; 14] = [
    [MAX, AVG],
    [MAX, DIL3],
    [MAX, AVG],
    [MAX, AVG],
    [SKIP, DIL5],
    [MAX, AVG],
    [MAX, SEP3],
    [SKIP, DIL3],
    [SKIP, DIL5],
    [MAX, AVG],
    [MAX, AVG],
    [SKIP, DIL5],
    [SKIP, DIL5],
    [SKIP, DIL5],
];
