//! The validation landscape that `sdarts landscape` leaves in a run directory, drawn from its
//! numbers.

use std::path::Path;

use smoothdarts::draw::csv;
use smoothdarts::draw::landscape::{Frame, Quantity, View, about, contour, surface};
use smoothdarts::measure::landscape::{Flatness, Landscape};

use super::figure::{Figure, Table, data_uri};
use super::read::text;
use super::words::quoted;
use crate::output;

/// Reads landscape.csv of a run; `None` where there is none. One that cannot be understood is left
/// out with a warning: it can be measured again, and no report should fail for it.
///
/// # Errors
/// If the file is there and cannot be read.
pub(crate) fn read(run: &Path) -> anyhow::Result<Option<Landscape>> {
    let file = run.join("landscape.csv");
    let Some(text) = text(&file)? else { return Ok(None) };
    let landscape = csv::read_landscape(&text);
    if let Err(error) = &landscape {
        output::note(&format!(
            "warning: {} is left out, {error}; measure it again: sdarts landscape {}",
            file.display(),
            quoted(&run.display().to_string()),
        ));
    }
    Ok(landscape.ok())
}

/// The view of a landscape in a frame of its own.
pub(crate) fn alone(landscape: &Landscape) -> View<'_> {
    let quantity = Quantity::Accuracy;
    View { landscape, name: "", quantity, frame: Frame::over([landscape], quantity) }
}

/// The pictures of a view with the ends of the names of their files.
pub(crate) fn pictures(view: View) -> [(&'static str, String); 2] {
    [("contour", contour(view)), ("surface", surface(view))]
}

/// The pictures of a view as figures.
pub(crate) fn figures(view: View, command: &str) -> Vec<Figure> {
    let name = if view.name.is_empty() { String::new() } else { format!("{}: ", view.name) };
    let figure = |(_, picture)| Figure {
        picture,
        caption: format!("{name}{}", about(view)),
        file: "landscape.csv".to_owned(),
        data: data_uri("text/csv", &csv::landscape(view.landscape)),
        table: None,
        command: command.to_owned(),
    };
    pictures(view).map(figure).into()
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
