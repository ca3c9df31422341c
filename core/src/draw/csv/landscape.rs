//! The points of a landscape as CSV, and back. Every record says how it was measured, so that the
//! one file is all that a picture needs.

use super::table;
use crate::measure::landscape::{Coordinates, Landscape, Sample, Settings};

const COLUMNS: [&str; 7] = ["x", "y", "accuracy", "loss", "space", "images", "seed"];

/// Why a text is no landscape.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LandscapeCsvError {
    /// The first line is another one, e.g. that of an earlier version.
    #[error("its first line is not `{}`", COLUMNS.join(","))]
    Header,
    /// The points are no square with a middle.
    #[error("it has {points} points, which are no square with a point in its middle")]
    Square {
        /// How many there are.
        points: usize,
    },
    /// A record cannot be read, or does not belong where it stands.
    #[error("line {line}: {problem}")]
    Record {
        /// Its line, from 1 on.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// The points of a landscape: x along the gradient, y along the random direction; then what moves,
/// the images, and the seed of the random direction, which are the same in every record.
pub fn landscape(landscape: &Landscape) -> String {
    let Landscape { settings, images, samples } = landscape;
    let rows = samples.iter().map(|sample| {
        let numbers = [sample.x, sample.y, sample.accuracy, sample.loss];
        let mut row = numbers.map(|number| number.to_string()).to_vec();
        row.extend([settings.space.name().to_owned(), images.to_string()]);
        row.push(settings.seed.to_string());
        row
    });
    table([COLUMNS.map(str::to_owned).to_vec()].into_iter().chain(rows))
}

/// Reads what [`landscape()`] wrote: numbers and one word, of which none can stand in quotes.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read_landscape(text: &str) -> Result<Landscape, LandscapeCsvError> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    if lines.next().is_none_or(|(_, header)| header != COLUMNS.join(",")) {
        return Err(LandscapeCsvError::Header);
    }
    let records = lines.map(|(line, text)| record(line, text)).collect::<Result<Vec<_>, _>>()?;
    let grid = records.len().isqrt();
    let Some(&(_, measured)) =
        records.last().filter(|_| grid * grid == records.len() && grid % 2 == 1 && grid >= 3)
    else {
        return Err(LandscapeCsvError::Square { points: records.len() });
    };
    // The last point is the corner that is farthest along both axes.
    let range = records.last().map_or(1.0, |(sample, _)| sample.x);
    let settings = Settings { space: measured.0, range, grid, seed: measured.2 };
    let axis = settings.axis();
    for (index, (sample, told)) in records.iter().enumerate() {
        let refused = |problem: &str| {
            Err(LandscapeCsvError::Record { line: index + 2, problem: problem.to_owned() })
        };
        if (sample.x, sample.y) != (axis[index % grid], axis[index / grid]) {
            return refused("the point is not at its place on the grid");
        }
        if *told != measured {
            return refused("it was measured in another way than the last point");
        }
    }
    let samples = records.into_iter().map(|(sample, _)| sample).collect();
    Ok(Landscape { settings, images: measured.1, samples })
}

/// What moves, the images, and the seed.
type Told = (Coordinates, usize, u64);

fn record(line: usize, text: &str) -> Result<(Sample, Told), LandscapeCsvError> {
    let refused = |problem: String| LandscapeCsvError::Record { line, problem };
    let fields: Vec<&str> = text.split(',').collect();
    let [x, y, accuracy, loss, space, images, seed] = fields[..] else {
        let problem = format!("{} fields where {} belong", fields.len(), COLUMNS.len());
        return Err(refused(problem));
    };
    fn parse<T: std::str::FromStr>(field: &str) -> Result<T, String> {
        field.parse().map_err(|_| format!("`{field}` is no number"))
    }
    let number = |field| parse::<f64>(field).map_err(refused);
    let sample =
        Sample { x: number(x)?, y: number(y)?, accuracy: number(accuracy)?, loss: number(loss)? };
    let space = Coordinates::ALL.into_iter().find(|known| known.name() == space);
    let space = space.ok_or_else(|| refused("no such space".to_owned()))?;
    Ok((sample, (space, parse(images).map_err(refused)?, parse(seed).map_err(refused)?)))
}
