//! What a search has said, and the pictures of it: of a search that runs here, or of the file
//! events.jsonl of one that ran elsewhere.

use std::fmt::Write as _;

use serde::Serialize;
use smoothdarts::cell::{Cell, Choice, Genotype, Rows};
use smoothdarts::draw::history::History;
use smoothdarts::draw::landscape::{Frame, Quantity, Range, View, contour};
use smoothdarts::draw::{cell, chart, csv, figures, heatmap, mixture, perturbation};
use smoothdarts::event::{Event, Hessian};
use smoothdarts::measure::landscape::Landscape;
use smoothdarts::run::search::Watched;

/// The choice that is watched, and its cell: the normal cell, which decides the fate of a search, or
/// the only one of a space.
const WATCHED: usize = 0;

/// A search as far as it went.
#[derive(Clone, Debug, Default)]
pub struct Story {
    history: History,
    /// Epoch that started last, and its ε.
    epoch: (usize, f64),
    /// p now; between the ends of epochs no event tells it.
    live: Option<Vec<Rows>>,
    /// The perturbation that was watched last.
    perturbed: Option<Watched>,
    /// The landscape that was measured last, as far as it is known, and where the search stood.
    landscape: Option<(Landscape, String)>,
    /// Accuracies that its colours have to hold besides its own.
    scale: Option<Range>,
}

/// One figure of the page.
pub struct Figure {
    /// Its name in messages and in the page.
    pub name: &'static str,
    /// Draws it as SVG; `None` while there is nothing to draw.
    pub draw: fn(&Story) -> Option<String>,
    /// Its numbers as CSV.
    pub table: fn(&Story) -> Option<String>,
}

/// All figures.
pub static FIGURES: &[Figure] = &[
    Figure { name: "cell", draw: Story::draw_mixture, table: Story::table_of_mixture },
    Figure {
        name: "share",
        draw: |story| story.chart(figures::parameter_free),
        table: |story| story.numbers(figures::parameter_free),
    },
    Figure {
        name: "loss",
        draw: |story| story.chart(figures::steps),
        table: |story| story.numbers(figures::steps),
    },
    Figure {
        name: "accuracy",
        draw: |story| story.chart(figures::accuracy),
        table: |story| story.numbers(figures::accuracy),
    },
    Figure {
        name: "heatmap",
        draw: |story| heatmap::draw(&story.history, &story.choice()?.name, heatmap::Scale::One),
        table: |story| csv::probabilities(&story.history, &story.choice()?.name),
    },
    Figure {
        name: "epsilon",
        draw: |story| story.chart(figures::epsilon),
        table: |story| story.numbers(figures::epsilon),
    },
    Figure {
        name: "derived",
        draw: Story::draw_derived,
        table: |story| Some(csv::cell(story.history.genotype()?.cells.get(WATCHED)?)),
    },
    Figure {
        name: "perturbation",
        draw: Story::draw_perturbation,
        table: Story::table_of_perturbation,
    },
    Figure {
        name: "hessian",
        draw: |story| figures::hessian(&story.history).map(|figure| chart::draw(&figure)),
        table: |story| figures::hessian(&story.history).map(|figure| csv::chart(&figure)),
    },
    Figure {
        name: "landscape",
        draw: Story::draw_landscape,
        table: |story| story.landscape.as_ref().map(|(landscape, _)| csv::landscape(landscape)),
    },
];

/// Where a search stands, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Method and space.
    pub method: String,
    /// Space.
    pub space: String,
    /// The device in words.
    pub device: String,
    /// 0-based epoch.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Steps done in this epoch.
    pub step: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Weights of the supernet.
    pub parameters: usize,
    /// Radius of the perturbation.
    pub epsilon: f64,
    /// Share of parameter-free operations in the watched cell that would be derived now.
    pub parameter_free: Option<f32>,
    /// Skip connections of that cell, and all of its operations.
    pub skips: Option<(usize, usize)>,
    /// Validation accuracy after the last epoch.
    pub valid_accuracy: Option<f64>,
    /// The last alarm.
    pub warning: Option<String>,
    /// Spectral norm of the Hessian that was measured last.
    pub hessian: Option<f64>,
    /// The landscape that was measured last.
    pub landscape: Option<Measured>,
    /// Whether the search is over.
    pub finished: bool,
}

/// How far a landscape is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Points so far.
    pub points: usize,
    /// Points in all.
    pub of: usize,
    /// Smallest accuracy so far.
    pub low: f64,
    /// Largest accuracy so far.
    pub high: f64,
    /// Mean drop of the accuracy around the middle; known when all points are.
    pub mean_drop: Option<f64>,
}

/// Why a text is not a stream of events.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    /// A line is no event.
    #[error("line {line} is no event of a search ({reason}); drop the file events.jsonl of a run")]
    Line {
        /// Counts from 1.
        line: usize,
        /// What the parser says.
        reason: serde_json::Error,
    },
    /// There is no first event.
    #[error("this file does not begin with the start of a search; drop a whole events.jsonl")]
    NoStart,
}

impl Story {
    /// Reads the text of events.jsonl. A last line without an end is what a running process has not
    /// finished, and is left out.
    ///
    /// # Errors
    /// [`StoryError`].
    pub fn from_text(text: &str) -> Result<Self, StoryError> {
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut story = Self::default();
        for (index, line) in complete.lines().enumerate() {
            let event = serde_json::from_str(line)
                .map_err(|reason| StoryError::Line { line: index + 1, reason })?;
            story.push(event);
        }
        match story.history.started {
            Some(_) => Ok(story),
            None => Err(StoryError::NoStart),
        }
    }

    /// Adds the next event.
    pub fn push(&mut self, event: Event) {
        if let Event::EpochStarted(epoch) = &event {
            self.epoch = (epoch.epoch, epoch.epsilon);
        }
        self.history.push(event);
    }

    /// Tells p as it is now.
    pub fn set_live(&mut self, probabilities: Vec<Rows>) {
        self.live = Some(probabilities);
    }

    /// Keeps a perturbation for its figure.
    pub fn set_perturbed(&mut self, part: Watched) {
        self.perturbed = Some(part);
    }

    /// Shows a landscape, whose search stood at `position` (in words) when it began.
    pub fn set_landscape(&mut self, landscape: Landscape, position: String) {
        self.landscape = Some((landscape, position));
    }

    /// Replaces the landscape by one with more points.
    pub fn extend_landscape(&mut self, more: Landscape) {
        if let Some((landscape, _)) = &mut self.landscape {
            *landscape = more;
        }
    }

    /// Tells which accuracies the colours of a landscape have to hold besides its own.
    pub fn set_scale(&mut self, scale: Range) {
        self.scale = Some(scale);
    }

    /// Numbers for the page.
    pub fn status(&self) -> Status {
        let Some(started) = &self.history.started else { return Status::default() };
        let cell = self.derived();
        let skips = cell.as_ref().map(|cell| {
            let skips = cell.operations().filter(|operation| *operation == "skip_connect");
            (skips.count(), cell.operations().count())
        });
        let (epoch, epsilon) = self.epoch;
        let last = self.history.steps.last().filter(|step| step.epoch == epoch);
        Status {
            method: started.config.search.method.clone(),
            space: started.config.search.space.clone(),
            device: started.device.clone(),
            epoch,
            epochs: started.config.search.epochs,
            step: last.map_or(0, |step| step.step + 1),
            steps_per_epoch: started.steps_per_epoch,
            parameters: started.parameters,
            epsilon,
            parameter_free: cell.as_ref().map(Cell::parameter_free),
            skips,
            valid_accuracy: self.history.epochs.last().map(|epoch| epoch.valid_accuracy),
            warning: self.history.warnings.last().map(|warning| warning.message.clone()),
            hessian: self.history.hessians.last().map(Hessian::spectral_norm),
            landscape: self.measured(),
            finished: self.history.finished.is_some(),
        }
    }

    /// The genotype as the file genotype.json holds it.
    pub fn genotype(&self) -> Option<String> {
        serde_json::to_string_pretty(self.history.genotype()?).ok()
    }

    /// p of all tensors: now, or after the last epoch.
    fn probabilities(&self) -> Option<&Vec<Rows>> {
        self.live.as_ref().or_else(|| Some(&self.history.epochs.last()?.probabilities))
    }

    /// The choice that is watched.
    fn choice(&self) -> Option<&Choice> {
        self.history.choices().get(WATCHED)
    }

    /// The cell that is derived from p as it is now.
    fn derived(&self) -> Option<Cell> {
        let genotype: Genotype = self.history.space()?.derive(self.probabilities()?);
        genotype.cells.into_iter().nth(WATCHED)
    }

    fn chart(&self, figure: fn(&History) -> chart::Chart) -> Option<String> {
        self.history.started.as_ref().map(|_| chart::draw(&figure(&self.history)))
    }

    fn numbers(&self, figure: fn(&History) -> chart::Chart) -> Option<String> {
        self.history.started.as_ref().map(|_| csv::chart(&figure(&self.history)))
    }

    fn draw_mixture(&self) -> Option<String> {
        let rows = self.probabilities()?.get(WATCHED)?;
        Some(mixture::draw(self.choice()?, rows, &self.derived()?))
    }

    fn table_of_mixture(&self) -> Option<String> {
        let rows = self.probabilities()?.get(WATCHED)?;
        let mut table = String::from("node,source,operation,p\n");
        for (edge, row) in self.choice()?.rows.iter().zip(rows) {
            for (operation, p) in edge.options.iter().zip(row) {
                let _ = writeln!(table, "{},{},{operation},{p}", edge.node, edge.source);
            }
        }
        Some(table)
    }

    fn draw_derived(&self) -> Option<String> {
        let cell = self.history.genotype()?.cells.get(WATCHED)?;
        Some(cell::draw(cell, self.history.latest(WATCHED)))
    }

    fn draw_landscape(&self) -> Option<String> {
        let (landscape, position) = self.landscape.as_ref()?;
        let own = Range::over([landscape], Quantity::Accuracy);
        let range = match self.scale {
            Some(scale) if landscape.samples.is_empty() => scale,
            Some(scale) => scale.union(own),
            None => own,
        };
        let frame = Frame { range, reach: landscape.settings.range };
        Some(contour(View { landscape, name: position, quantity: Quantity::Accuracy, frame }))
    }

    fn measured(&self) -> Option<Measured> {
        let (landscape, _) = self.landscape.as_ref()?;
        let Range(low, high) = Range::over([landscape], Quantity::Accuracy);
        let mean_drop = landscape.is_complete().then(|| landscape.flatness().mean_drop);
        let (points, of) = (landscape.samples.len(), landscape.settings.points());
        Some(Measured { points, of, low, high, mean_drop })
    }

    fn draw_perturbation(&self) -> Option<String> {
        let Some(Watched::Perturb { epsilon, p, displaced, perturbed, loss_before, loss_after }) =
            &self.perturbed
        else {
            return None;
        };
        perturbation::draw(&perturbation::Perturbed {
            choice: self.choice()?,
            cell: &self.history.cell(WATCHED),
            p: p.get(WATCHED)?,
            displaced: displaced.get(WATCHED)?,
            perturbed: perturbed.get(WATCHED)?,
            epsilon: *epsilon,
            losses: (*loss_before, *loss_after),
        })
    }

    fn table_of_perturbation(&self) -> Option<String> {
        let Some(Watched::Perturb { p, displaced, perturbed, .. }) = &self.perturbed else {
            return None;
        };
        let mut table = String::from("node,source,operation,p,displaced,perturbed\n");
        for (row, edge) in self.choice()?.rows.iter().enumerate() {
            for (column, operation) in edge.options.iter().enumerate() {
                let at = |rows: &Vec<Rows>| rows.get(WATCHED)?.get(row)?.get(column).copied();
                let (p, displaced, perturbed) = (at(p)?, at(displaced)?, at(perturbed)?);
                let (node, source) = (edge.node, edge.source);
                let _ = writeln!(table, "{node},{source},{operation},{p},{displaced},{perturbed}");
            }
        }
        Some(table)
    }
}

/// The figure of this name.
pub fn figure(name: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|figure| figure.name == name)
}
