//! The alarm for the failure that the paper is about: skip connections crowd out everything that
//! has weights.

use serde_json::Value;

use super::{Entry, MeasureError, Observed, Observer, Subject};
use crate::arrays::Later;
use crate::cell::{Cell, Choice, Rows};
use crate::event::{Event, Warning, WarningCode};
use crate::ops::SKIP;

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "collapse",
    help: "warns where skip connections take over",
    new: |_| Some(Box::new(Alarm::default())),
};

/// Above this share of the operations of the normal cell, or of the only one, skip connections
/// have taken over.
const SHARE: f64 = 0.5;

/// How far the mean p of skip connections must stand above its uniform share: at the start of a
/// search, when all p are alike, a majority of skips is chance.
const EXCESS: f64 = 1.1;

/// Whether more than half of the operations are skip connections.
fn has_happened(cell: &Cell) -> bool {
    skips(cell) as f64 > SHARE * cell.operations().count() as f64
}

/// What to tell the user, if skip connections have taken over the cell.
fn message(cell: &Cell, choice: &Choice, probabilities: &Rows) -> Option<String> {
    let (mean, uniform) = mean_probability(choice, probabilities)?;
    (has_happened(cell) && mean > EXCESS * uniform).then(|| {
        format!(
            "skip connections take over: {} of {} operations of the {}, mean p {mean:.2} \
             where {uniform:.2} would be even; the search is collapsing (try sdarts-adv, or a \
             larger perturbation.epsilon_max)",
            skips(cell),
            cell.operations().count(),
            cell.words(),
        )
    })
}

/// Whether the collapse of a search was announced. One announcement lasts until the cell recovers.
#[derive(Default)]
struct Alarm {
    announced: bool,
}

impl Observer for Alarm {
    fn after_epoch<'a>(
        &'a mut self,
        subject: &'a mut dyn Subject,
    ) -> Later<'a, Result<Observed, MeasureError>> {
        Box::pin(async move {
            let rows = subject.probabilities().await?;
            let genotype = subject.derive(&rows);
            let watched = genotype.cells.first();
            let message = match (watched, subject.choices().first(), rows.first()) {
                (Some(cell), Some(choice), Some(rows)) => message(cell, choice, rows),
                _ => None,
            };
            let news = message.filter(|_| !self.announced);
            self.announced =
                watched.is_some_and(has_happened) && (self.announced || news.is_some());
            let epoch = subject.epoch();
            let warning = |message| Warning { epoch, code: WarningCode::Collapse, message };
            Ok(news.map(|message| Event::Warning(warning(message))).into())
        })
    }

    fn saved(&self) -> Value {
        Value::Bool(self.announced)
    }

    fn restore(&mut self, saved: &Value) -> Result<(), serde_json::Error> {
        self.announced = serde_json::from_value(saved.clone())?;
        Ok(())
    }
}

fn skips(cell: &Cell) -> usize {
    cell.operations().filter(|operation| *operation == SKIP).count()
}

/// Mean p of skip connections over the edges that offer them, and its value for even rows.
fn mean_probability(choice: &Choice, probabilities: &Rows) -> Option<(f64, f64)> {
    let (mut mean, mut uniform, mut edges) = (0.0, 0.0, 0.0);
    for (edge, row) in choice.rows.iter().zip(probabilities) {
        if let Some(column) = edge.options.iter().position(|name| name == SKIP) {
            mean += f64::from(row[column]);
            uniform += 1.0 / row.len() as f64;
            edges += 1.0;
        }
    }
    (edges > 0.0).then(|| (mean / edges, uniform / edges))
}
