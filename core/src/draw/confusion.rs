//! Which class is taken for which, as a picture and as CSV.

use super::colour::{self, Palette};
use super::csv;
use super::svg::{Anchor, Rect, Svg, shorten};
use super::table::Table;
use crate::measure::confusion::{ClassScore, Matrix};

const LEFT: f64 = 110.0;
const TOP: f64 = 64.0;
/// Side of the whole matrix; with few classes a square is at most 40 wide.
const SIDE: f64 = 480.0;
/// With more classes, squares are too small for names, and too many to draw those that are empty.
const NAMED: usize = 30;

/// A square for every pair of classes: rows are the classes of the images, columns what they were taken
/// for, the colour is the share of its row.
pub fn draw(matrix: &Matrix, names: &[String]) -> String {
    let classes = matrix.rows().len().max(1);
    let cell = (SIDE / classes as f64).min(40.0);
    let side = cell * classes as f64;
    let title = format!("Confusion of {} images", matrix.images());
    let about = format!(
        "{classes} classes: each row is a class, each column what its images were taken for. {:.2} % \
         are on the diagonal.",
        100.0 * matrix.accuracy()
    );
    let size = (LEFT + side + 24.0, TOP + side + 24.0);
    let mut svg = Svg::new(size, &title, &about, &colour::style(Palette::Scale));
    svg.text("sd-ink sd-large sd-strong", (16.0, 24.0), Anchor::Start, &title);
    let unnamed = String::new();
    let name = |class: usize| names.get(class).unwrap_or(&unnamed);
    if classes > NAMED {
        let whole = Rect { x: LEFT, y: TOP, width: side, height: side };
        svg.rect(&format!("sd-fill {}", colour::level(0.0)), whole, 0.0, "");
    }
    for (row, counts) in matrix.rows().iter().enumerate() {
        let images: u64 = counts.iter().sum();
        let y = TOP + cell * row as f64;
        let middle = y + 0.5 * cell + 4.0;
        if classes <= NAMED {
            let place = (LEFT - 8.0, middle);
            svg.text("sd-ink", place, Anchor::End, &shorten(name(row), 14));
            let x = LEFT + cell * (row as f64 + 0.5);
            svg.text("sd-ink", (x, TOP - 8.0), Anchor::Middle, &shorten(name(row), 5));
        }
        let drawn = |count: u64| classes <= NAMED || count > 0;
        for (column, &count) in counts.iter().enumerate().filter(|(_, count)| drawn(**count)) {
            let share = count as f64 / images.max(1) as f64;
            let x = LEFT + cell * column as f64;
            let told = format!("{} taken for {}: {count} of {images}", name(row), name(column));
            let class = format!("sd-fill {}", colour::level(share));
            svg.rect(&class, Rect { x, y, width: cell, height: cell }, 0.0, &told);
        }
    }
    let caption = "rows: class; columns: taken for; darker: a larger share of the row";
    svg.text("sd-muted", (16.0, TOP + side + 16.0), Anchor::Start, caption);
    svg.finish()
}

/// A record for every class: its images, recall and precision, then how many were taken for each class.
pub fn csv(matrix: &Matrix, names: &[String]) -> String {
    let mut header = ["class", "images", "recall", "precision"].map(str::to_owned).to_vec();
    header.extend_from_slice(names);
    let classes = matrix.classes().into_iter().zip(matrix.rows()).zip(names);
    let rows = classes.map(|((scores, counts), name)| {
        let share = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
        let mut record = vec![name.clone(), scores.images.to_string()];
        record.extend([share(scores.recall), share(scores.precision)]);
        record.extend(counts.iter().map(u64::to_string));
        record
    });
    csv::table([header].into_iter().chain(rows))
}

/// A row for every class: its images, recall and precision.
pub fn table(matrix: &Matrix, names: &[String]) -> Table {
    let percent = |share: f64| match share.is_nan() {
        true => "–".to_owned(),
        false => format!("{:.2} %", 100.0 * share),
    };
    let row = |(scores, name): (&ClassScore, &String)| {
        let ClassScore { images, recall, precision } = *scores;
        vec![name.clone(), images.to_string(), percent(recall), percent(precision)]
    };
    Table {
        header: ["class", "images", "recall", "precision"].map(str::to_owned).to_vec(),
        rows: matrix.classes().iter().zip(names).map(row).collect(),
    }
}
