// A term: the activation of its stack, the node that it goes to, its weight, and its row among the sums.
struct Term {
    activation: u32,
    node: u32,
    weight: u32,
    row: u32,
}

const NO_TERM: Term = Term(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu);

// What differs from term to term comes out of a table, so that all threads go through the same text: a software
// Vulkan goes through every case of a switch with every thread. With the terms written out as cases, `mix`, its
// sums and its gradients took 136 ms of a step instead of 78 (4 cells, 8 channels, batch 8, 16x16;
// `sdarts bench --device wgpu --profile`).
{{ terms }}
