// A workgroup takes WIDE columns side by side and a chunk of their PIXELS. The threads that have a column
// in common are its lanes: they share the pixels of the chunk.
const WIDE: u32 = {{ wide }}u;
const LANES: u32 = WORKGROUP / WIDE;
const SUMMED: u32 = {{ summed }}u;
const BLOCKS: u32 = (SUMMED + WIDE - 1u) / WIDE;
const CHUNK: u32 = {{ chunk }}u;
const CHUNKS: u32 = (PIXELS + CHUNK - 1u) / CHUNK;

struct Lane {
    column: u32,
    chunk: u32,
    // Its pixels are from the first to before the last, if any.
    first: u32,
    last: u32,
    // Whether it writes what all lanes of its column have summed.
    writes: bool,
}

