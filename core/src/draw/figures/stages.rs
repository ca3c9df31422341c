//! Which operations fell from which edge, and when: of a search in stages.

use super::picture::{Picture, Pictures, Scene};
use crate::cell::{Cell, Choice, Row};
use crate::draw::colour::{self, Palette};
use crate::draw::csv;
use crate::draw::history::History;
use crate::draw::svg::{Anchor, Rect, Svg, shorten};
use crate::draw::table::Table;

/// Width of the names of edges, size of a field, and where fields begin.
const NAMES: f64 = 52.0;
const FIELD: (f64, f64) = (88.0, 18.0);
const TOP: f64 = 66.0;
const LEFT: f64 = 16.0;

/// The colours of fields, as shares of the scale: of what fell first, last, of what is left, of what is taken.
const SHARES: [f64; 4] = [0.0, 0.12, 0.28, 0.42];

/// A picture for every cell of a search that has had a change of stage.
pub(super) fn pictures(scene: Scene) -> Pictures {
    let history = scene.history;
    if history.stages.is_empty() {
        return Vec::new();
    }
    let picture = |index: usize| {
        let choice = history.choices().get(index)?;
        Some(Box::new(Fallen { history, index, choice }) as Box<dyn Picture>)
    };
    history.cell_choices().filter_map(picture).collect()
}

struct Fallen<'a> {
    history: &'a History,
    index: usize,
    choice: &'a Choice,
}

/// What became of an operation of an edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It fell after this stage, counted from 1.
    Fell(usize),
    /// It is still there.
    Left,
    /// The genotype takes it.
    Taken,
}

impl Fate {
    fn words(self) -> String {
        match self {
            Self::Fell(stage) => format!("after stage {stage}"),
            Self::Left => "left".to_owned(),
            Self::Taken => "taken".to_owned(),
        }
    }
}

impl Fallen<'_> {
    fn cell(&self) -> Cell {
        self.history.cell(self.index)
    }

    fn fate(&self, cell: &Cell, number: usize, row: &Row, option: &str) -> Fate {
        let is_taken = || cell.kept(self.choice.kind, row).contains(&option);
        match self.history.fell(self.index, number, option) {
            // The stage that started without it comes after the one that it was lost in.
            Some(stage) => Fate::Fell(stage),
            None if is_taken() => Fate::Taken,
            None => Fate::Left,
        }
    }

    /// Every edge with what became of its operations.
    fn fates(&self) -> Vec<(&Row, Vec<Fate>)> {
        let cell = self.cell();
        let row = |(number, row)| {
            let of = |option: &String| self.fate(&cell, number, row, option);
            (row, row.options.iter().map(of).collect())
        };
        self.choice.rows.iter().enumerate().map(row).collect()
    }

    fn class(&self, fate: Fate) -> String {
        let stages = self.history.stages.len().max(1) as f64;
        let share = match fate {
            Fate::Fell(stage) => {
                SHARES[0] + (SHARES[1] - SHARES[0]) * (stage as f64 - 1.0) / stages
            }
            Fate::Left => SHARES[2],
            Fate::Taken => SHARES[3],
        };
        format!("sd-fill {}", colour::level(share))
    }
}

impl Picture for Fallen<'_> {
    fn part(&self) -> &str {
        &self.choice.name
    }

    fn subject(&self) -> String {
        self.cell().words()
    }

    fn caption(&self) -> String {
        format!(
            "Every edge and its operations: after which stage an operation fell, which are left, and which the \
             genotype takes. Names are node←source, counted as states: {}.",
            self.cell().numbering()
        )
    }

    fn svg(&self) -> String {
        let fates = self.fates();
        let columns = fates.iter().map(|(_, fates)| fates.len()).max().unwrap_or(0) as f64;
        let size =
            (2.0 * LEFT + NAMES + columns * FIELD.0, TOP + fates.len() as f64 * FIELD.1 + 16.0);
        let title = format!("What fell in the {}", self.cell().words());
        let mut svg = Svg::new(size, &title, &self.caption(), &colour::style(Palette::Scale));
        svg.text("sd-ink sd-large sd-strong", (LEFT, 24.0), Anchor::Start, &title);
        let x = |column: usize| LEFT + NAMES + column as f64 * FIELD.0;
        if let Some((row, _)) = fates.first() {
            for (column, option) in row.options.iter().enumerate() {
                let at = (x(column) + FIELD.0 / 2.0, TOP - 8.0);
                svg.text("sd-ink sd-small sd-strong", at, Anchor::Middle, &shorten(option, 14));
            }
        }
        for (number, (row, fates)) in fates.iter().enumerate() {
            let y = TOP + number as f64 * FIELD.1;
            svg.text("sd-ink", (LEFT, y + 13.0), Anchor::Start, &row.name());
            for (column, (fate, option)) in fates.iter().zip(&row.options).enumerate() {
                let (words, is_taken) = (fate.words(), *fate == Fate::Taken);
                let place = Rect { x: x(column), y, width: FIELD.0 - 2.0, height: FIELD.1 - 2.0 };
                let about = format!("{} {option}: {words}", row.name());
                svg.rect(&self.class(*fate), place, 2.0, &about);
                let class = if is_taken { "sd-ink sd-small sd-strong" } else { "sd-ink sd-small" };
                let at = (place.x + place.width / 2.0, y + 12.0);
                svg.text(class, at, Anchor::Middle, &words);
            }
        }
        svg.finish()
    }

    fn csv(&self) -> String {
        let header = ["node", "source", "operation", "fate"].map(str::to_owned).to_vec();
        let rows = self.fates().into_iter().flat_map(|(row, fates)| {
            let of = |(option, fate): (&String, Fate)| {
                vec![row.node.to_string(), row.source.to_string(), option.clone(), fate.words()]
            };
            row.options.iter().zip(fates).map(of).collect::<Vec<_>>()
        });
        csv::table([header].into_iter().chain(rows))
    }

    /// An edge a row: what fell after each stage, and what is left.
    fn table(&self) -> Option<Table> {
        let stages = 1..=self.history.stages.len();
        let mut header = vec!["edge".to_owned()];
        header.extend(stages.clone().map(|stage| Fate::Fell(stage).words()));
        header.extend(["left".to_owned(), "taken".to_owned()]);
        let row = |(row, fates): (&Row, Vec<Fate>)| {
            let wanted = stages.clone().map(Fate::Fell).chain([Fate::Left, Fate::Taken]);
            let of = |wanted: Fate| {
                let options = row.options.iter().zip(&fates).filter(|(_, fate)| **fate == wanted);
                options.map(|(option, _)| option.as_str()).collect::<Vec<_>>().join(", ")
            };
            [row.name()].into_iter().chain(wanted.map(of)).collect()
        };
        Some(Table { header, rows: self.fates().into_iter().map(row).collect() })
    }
}
