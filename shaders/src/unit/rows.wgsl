// Numbers of a row that a thread computes, and threads for a row.
const TILE: u32 = {{ tile }}u;
const TILES: u32 = {{ tiles }}u;
// Threads for a column, and how far below its row the other one lies that a thread computes: as far as the
// taps are apart, so that both meet the same inputs; 0 where there is none.
const ROWS: u32 = {{ rows }}u;
const BELOW: u32 = {{ below }}u;

// The first row of a thread.
fn first_row(number: u32) -> u32 {
    let size = max(BELOW, 1u);
    return select(number, number / size * 2u * size + number % size, BELOW > 0u);
}

