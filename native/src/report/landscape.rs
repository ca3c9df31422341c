//! The validation landscape of a run in words and numbers.

use smoothdarts::draw::history::History;
use smoothdarts::draw::landscape::{Frame, Quantity, View};
use smoothdarts::draw::table::Table;
use smoothdarts::measure::landscape::{Flatness, Landscape};

/// The view of a landscape in a frame of its own; of text its loss.
pub(crate) fn alone<'a>(landscape: &'a Landscape, history: &History) -> View<'a> {
    let quantity = Quantity::of_run(history);
    View { landscape, name: "", quantity, frame: Frame::over([landscape], quantity) }
}

/// What the numbers of [`flatness`] mean.
pub(crate) const FLATNESS: [&str; 4] =
    ["accuracy in the middle", "mean drop", "largest drop", "grid with 0.9 of the middle"];

/// How flat a landscape is, in words: in the order of [`FLATNESS`]. Drops are in percentage points.
pub(crate) fn flatness(flatness: &Flatness) -> [String; 4] {
    let Flatness { centre, mean_drop, largest_drop, flat_share } = flatness;
    [
        format!("{:.2} %", 100.0 * centre),
        format!("{:.2}", 100.0 * mean_drop),
        format!("{:.2}", 100.0 * largest_drop),
        format!("{:.1} %", 100.0 * flat_share),
    ]
}

/// [`flatness`] as a table of one row.
pub(crate) fn flatness_table(landscape: &Landscape) -> Table {
    let header = FLATNESS.map(str::to_owned).to_vec();
    Table { header, rows: vec![flatness(&landscape.flatness()).to_vec()] }
}
