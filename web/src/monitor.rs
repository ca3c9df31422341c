//! What a search has said, and the pictures of it: of a search that runs here, or of the file
//! events.jsonl of one that ran elsewhere.

use serde::Serialize;
use smoothdarts::cell::{Cell, Rows};
use smoothdarts::draw::figures::{self, Picture, Scene};
use smoothdarts::draw::history::History;
use smoothdarts::draw::landscape::{Frame, Quantity, Range, View};
use smoothdarts::draw::perturbation::Perturbed;
use smoothdarts::event::line::{LineError, Lines};
use smoothdarts::event::{Eigenvalues, Event, WarningCode};
use smoothdarts::measure::landscape::Landscape;
use smoothdarts::method;
use smoothdarts::run::search::Watched;

use crate::settings::title;

/// A search as far as it went.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    history: History,
    /// Epoch that started last, and its ε.
    epoch: (usize, f64),
    /// p now; between the ends of epochs no event tells it.
    live: Option<Vec<Rows>>,
    /// The perturbation that was watched last, and a cell of its space, which names the states.
    perturbed: Option<(Watched, Cell)>,
    /// The landscape that was measured last, as far as it is known, and where the search stood.
    landscape: Option<(Landscape, String)>,
    /// Accuracies that its colours have to hold besides its own.
    scale: Option<Range>,
}

/// Where a search stands, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Method.
    pub method: String,
    /// Its name as people write it.
    pub title: String,
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
    /// The last warning of a collapse.
    pub warning: Option<String>,
    /// Spectral norm of the Hessian that was measured last.
    pub hessian: Option<f64>,
    /// The landscape that was measured last.
    pub landscape: Option<LandscapeProgress>,
    /// Whether the search is over.
    pub finished: bool,
}

/// How far a landscape is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LandscapeProgress {
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
pub enum EventsError {
    /// A line is no event.
    #[error("line {line} is no event of a search ({reason}); drop the file events.jsonl of a run")]
    Line {
        /// Counts from 1.
        line: usize,
        /// What the parser says.
        reason: LineError,
    },
    /// There is no first event.
    #[error("this file does not begin with the start of a search; drop a whole events.jsonl")]
    NoStart,
}

impl Monitor {
    /// Reads the text of events.jsonl. A last line without an end is what a running process has not
    /// finished, and is left out.
    ///
    /// # Errors
    /// [`EventsError`].
    pub fn from_text(text: &str) -> Result<Self, EventsError> {
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let (mut monitor, mut lines) = (Self::default(), Lines::default());
        for (index, line) in complete.lines().enumerate() {
            let event = lines.read(line.as_bytes());
            let event = event.map_err(|reason| EventsError::Line { line: index + 1, reason })?;
            monitor.push(event);
        }
        match monitor.history.started {
            Some(_) => Ok(monitor),
            None => Err(EventsError::NoStart),
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
        self.perturbed = Some((part, self.history.cell(Scene::WATCHED)));
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
            title: title(&method::name(&started.config)),
            method: method::name(&started.config),
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
            warning: self.collapse().map(str::to_owned),
            hessian: self.history.hessians.last().map(Eigenvalues::spectral_norm),
            landscape: self.landscape_progress(),
            finished: self.history.finished.is_some(),
        }
    }

    /// The genotype as the file genotype.json holds it.
    pub fn genotype(&self) -> Option<String> {
        serde_json::to_string_pretty(self.history.genotype()?).ok()
    }

    /// The first picture of the figure of this name, as SVG; `None` while there is nothing to see.
    pub fn draw(&self, figure: &str) -> Option<String> {
        self.picture(figure).map(|picture| picture.svg())
    }

    /// Its numbers as CSV.
    pub fn table(&self, figure: &str) -> Option<String> {
        self.picture(figure).map(|picture| picture.csv())
    }

    fn picture(&self, figure: &str) -> Option<Box<dyn Picture + '_>> {
        self.history.started.as_ref()?;
        (figures::find(figure)?.pictures)(self.scene()).into_iter().next()
    }

    /// What there is to draw.
    fn scene(&self) -> Scene<'_> {
        Scene {
            live: self.live.as_deref(),
            perturbed: self.perturbation(),
            landscape: self.view(),
            beside_others: true,
            ..Scene::of(&self.history)
        }
    }

    /// The watched cell, derived from p as it is now.
    fn derived(&self) -> Option<Cell> {
        let genotype = self.history.derive(self.scene().probabilities()?)?;
        genotype.cells.into_iter().nth(Scene::WATCHED)
    }

    fn collapse(&self) -> Option<&str> {
        let mut latest = self.history.warnings.iter().rev();
        let warning = latest.find(|warning| warning.code == WarningCode::Collapse)?;
        Some(&warning.message)
    }

    fn landscape_progress(&self) -> Option<LandscapeProgress> {
        let (landscape, _) = self.landscape.as_ref()?;
        let Range(low, high) = Range::over([landscape], Quantity::Accuracy);
        let mean_drop = landscape.is_complete().then(|| landscape.flatness().mean_drop);
        let (points, of) = (landscape.samples.len(), landscape.settings.points());
        Some(LandscapeProgress { points, of, low, high, mean_drop })
    }

    fn perturbation(&self) -> Option<Perturbed<'_>> {
        let index = Scene::WATCHED;
        let (part, cell) = self.perturbed.as_ref()?;
        let Watched::Perturb { epsilon, p, displaced, perturbed, loss_before, loss_after } = part
        else {
            return None;
        };
        Some(Perturbed {
            choice: self.history.choices().get(index)?,
            cell,
            p: p.get(index)?,
            displaced: displaced.get(index)?,
            perturbed: perturbed.get(index)?,
            epsilon: *epsilon,
            losses: (*loss_before, *loss_after),
        })
    }

    fn view(&self) -> Option<View<'_>> {
        let (landscape, position) = self.landscape.as_ref()?;
        let own = Range::over([landscape], Quantity::Accuracy);
        let range = match self.scale {
            Some(scale) if landscape.samples.is_empty() => scale,
            Some(scale) => scale.union(own),
            None => own,
        };
        let frame = Frame { range, reach: landscape.settings.range };
        Some(View { landscape, name: position, quantity: Quantity::Accuracy, frame })
    }
}
