// Whether a number is the first of the largest ones of its window.
fn is_first_largest(batch: u32, row: u32, column: u32, channel: u32) -> bool {
    let own = x[place_of(batch, row, column, channel)];
    let at = row % SIZE * SIZE + column % SIZE;
    for (var pixel = 0u; pixel < SIZE * SIZE; pixel++) {
        let y = row / SIZE * SIZE + pixel / SIZE;
        let value = x[place_of(batch, y, column / SIZE * SIZE + pixel % SIZE, channel)];
        if value > own || (value == own && pixel < at) {
            return false;
        }
    }
    return true;
}
