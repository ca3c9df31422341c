//! The landscapes of several runs: one frame for all pictures, and how flat each is.

use serde::Serialize;

use super::Run;
use crate::draw::csv;
use crate::draw::landscape::{Frame, Quantity, View};
use crate::measure::landscape::{Coordinates, Flatness};

/// How flat the landscape of a run is, and how it was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunFlatness {
    /// Name of the run.
    pub run: String,
    /// What moves.
    pub space: Coordinates,
    /// Largest distance along an axis.
    pub range: f64,
    /// Points along an axis.
    pub grid: usize,
    /// Images of every point.
    pub images: usize,
    /// The numbers.
    #[serde(flatten)]
    pub flatness: Flatness,
}

/// Every run that has a landscape: its index, and its view in the frame of all that show the same.
pub fn landscapes(runs: &[Run]) -> Vec<(usize, View<'_>)> {
    let mut views = Vec::new();
    for (index, Run { name, landscape, history }) in runs.iter().enumerate() {
        let quantity = Quantity::of_run(history);
        let alike = runs.iter().filter(|run| Quantity::of_run(&run.history) == quantity);
        let frame = Frame::over(alike.filter_map(|run| run.landscape.as_ref()), quantity);
        let view = |landscape| View { landscape, name, quantity, frame };
        views.extend(landscape.as_ref().map(|landscape| (index, view(landscape))));
    }
    views
}

/// A row for every run that has a landscape.
pub fn flatness<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Vec<RunFlatness> {
    let row = |run: &Run| {
        let landscape = run.landscape.as_ref()?;
        let settings = landscape.settings;
        Some(RunFlatness {
            run: run.name.clone(),
            space: settings.space,
            range: settings.range,
            grid: settings.grid,
            images: landscape.images,
            flatness: landscape.flatness(),
        })
    };
    runs.into_iter().filter_map(row).collect()
}

/// Whether all landscapes were measured in the same way, so that their flatness compares.
pub fn comparable(rows: &[RunFlatness]) -> bool {
    let how = |row: &RunFlatness| (row.space, row.range, row.grid, row.images);
    rows.windows(2).all(|pair| how(&pair[0]) == how(&pair[1]))
}

/// One record for each run that has a landscape; accuracies and drops as shares.
pub fn flatness_csv(rows: &[RunFlatness]) -> String {
    let header = [
        "run",
        "space",
        "range",
        "grid",
        "images",
        "centre",
        "mean_drop",
        "largest_drop",
        "flat_share",
    ];
    let record = |row: &RunFlatness| {
        let Flatness { centre, mean_drop, largest_drop, flat_share } = row.flatness;
        let mut record = vec![row.run.clone(), row.space.name().to_owned(), row.range.to_string()];
        record.extend([row.grid, row.images].map(|count| count.to_string()));
        record.extend([centre, mean_drop, largest_drop, flat_share].map(|it| it.to_string()));
        record
    };
    csv::table([header.map(str::to_owned).to_vec()].into_iter().chain(rows.iter().map(record)))
}
