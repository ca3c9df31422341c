//! What pictures need of a search, collected from its events.

mod stages;

use std::ops::Range;

pub use stages::Stretch;

use crate::cell::{Cell, Choice, Genotype, Output, Rows, codec};
use crate::event::{
    Anytime, Eigenvalues, EpochFinished, Event, Finished, StageStarted, Started, Step, TrainEpoch,
    TrainStep, Trained, Warning,
};
use crate::method;
use crate::space::{self, Space};

/// A search as its events tell it, up to where they end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// How it started; `None` only of a stream without its beginning.
    pub started: Option<Started>,
    /// Every finished epoch, in order. Where operations fell before it, their p is 0 there and their α no number:
    /// all epochs have the options that the search started with.
    pub epochs: Vec<EpochFinished>,
    /// Every stage but the first, in order.
    pub stages: Vec<StageStarted>,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// The last measured Hessian of every epoch that has one, in order.
    pub hessians: Vec<Eigenvalues>,
    /// Every look into a table of trained networks, in order.
    pub anytime: Vec<Anytime>,
    /// Every warning, in order.
    pub warnings: Vec<Warning>,
    /// How it ended; `None` while it runs.
    pub finished: Option<Finished>,
    /// What a training trains; `None` of a search.
    pub training: Option<Genotype>,
    /// Every finished epoch of a training, in order.
    pub train_epochs: Vec<TrainEpoch>,
    /// Every step of a training, in order.
    pub train_steps: Vec<TrainStep>,
    /// How a training ended; `None` while it runs.
    pub trained: Option<Trained>,
}

/// A mean over consecutive steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepMean {
    /// Epochs trained in the middle of these steps; 0.5 is half of the first epoch.
    pub epoch: f64,
    /// Mean loss on the training batches.
    pub train_loss: f64,
    /// Mean loss on the validation batches.
    pub valid_loss: f64,
}

/// Collects the events of a stream.
impl FromIterator<Event> for History {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let mut history = Self::default();
        events.into_iter().for_each(|event| history.push(event));
        history
    }
}

impl History {
    /// Adds the next event. A stream may go back to an earlier point, as that of a resumed search does; what it
    /// says then replaces what it said before.
    pub fn push(&mut self, event: Event) {
        match event {
            Event::Started(started) => {
                let text = &started.config.train.genotype;
                self.training =
                    Some(text).filter(|it| !it.is_empty()).and_then(|it| codec::read(it).ok());
                // A run that was extended goes on after its end.
                let epochs = |started: &Started| started.config.search.epochs;
                if self.started.as_ref().is_some_and(|last| epochs(last) < epochs(&started)) {
                    self.finished = None;
                }
                self.started = Some(started);
            }
            Event::EpochStarted(_) => {}
            Event::StageStarted(stage) => {
                self.stages.retain(|earlier| earlier.stage < stage.stage);
                self.stages.push(stage);
            }
            Event::Step(step) => {
                let at = (step.epoch, step.step);
                if self.steps.last().is_some_and(|last| (last.epoch, last.step) >= at) {
                    self.rewind(at);
                }
                self.steps.push(step);
            }
            Event::EpochFinished(epoch) => {
                if self.epochs.last().is_some_and(|last| last.epoch >= epoch.epoch) {
                    self.rewind((epoch.epoch, usize::MAX));
                }
                let epoch = self.with_all_options(epoch);
                self.epochs.push(epoch);
            }
            Event::Hessian(hessian) => {
                // One within an epoch, on demand, gives way to a later one.
                self.hessians.retain(|earlier| earlier.epoch < hessian.epoch);
                self.hessians.push(hessian);
            }
            Event::Anytime(anytime) => self.anytime.push(anytime),
            Event::Warning(warning) => self.warnings.push(warning),
            Event::Finished(finished) => self.finished = Some(finished),
            Event::TrainStep(step) => {
                let at = (step.epoch, step.step);
                if self.train_steps.last().is_some_and(|last| (last.epoch, last.step) >= at) {
                    self.rewind(at);
                }
                self.train_steps.push(step);
            }
            Event::TrainEpoch(epoch) => {
                if self.train_epochs.last().is_some_and(|last| last.epoch >= epoch.epoch) {
                    self.rewind((epoch.epoch, usize::MAX));
                }
                self.train_epochs.push(epoch);
            }
            Event::Trained(trained) => self.trained = Some(trained),
        }
    }

    /// Forgets everything from this epoch and step on.
    fn rewind(&mut self, at: (usize, usize)) {
        self.steps.retain(|step| (step.epoch, step.step) < at);
        self.epochs.retain(|epoch| epoch.epoch < at.0);
        self.stages.retain(|stage| stage.epoch <= at.0);
        self.hessians.retain(|hessian| hessian.epoch < at.0);
        self.anytime.retain(|anytime| anytime.epoch < at.0);
        self.warnings.retain(|warning| warning.epoch < at.0);
        self.finished = None;
        self.train_steps.retain(|step| (step.epoch, step.step) < at);
        self.train_epochs.retain(|epoch| epoch.epoch < at.0);
        self.trained = None;
    }

    /// The result, or while the search runs what would be derived now; of a training what it trains.
    pub fn genotype(&self) -> Option<&Genotype> {
        let latest = self.epochs.last().map(|epoch| &epoch.genotype);
        let latest = self.training.as_ref().or(latest);
        self.finished.as_ref().map(|finished| &finished.genotype).or(latest)
    }

    /// The space that is searched; `None` if this program does not know it.
    pub fn space(&self) -> Option<&'static Space> {
        space::find(&self.started.as_ref()?.config.search.space).ok()
    }

    /// What p of its choices derives; `None` if this program does not know the space.
    pub fn derive(&self, probabilities: &[Rows]) -> Option<Genotype> {
        let config = &self.started.as_ref()?.config;
        Some(method::derive(config, self.space()?, self.choices(), probabilities))
    }

    /// The indices of the choices of operations. There is one for every cell, in their order; other
    /// choices of a cell follow it.
    pub fn cell_choices(&self) -> impl Iterator<Item = usize> {
        let choices = self.choices().iter().enumerate();
        choices.filter(|(_, it)| it.is_of_cell()).map(|(index, _)| index)
    }

    /// The choices that a picture shows together: those that weigh the edges of a cell, and every other by
    /// itself.
    pub fn groups(&self) -> Vec<Range<usize>> {
        let mut groups: Vec<Range<usize>> = Vec::new();
        for (index, choice) in self.choices().iter().enumerate() {
            match groups
                .last_mut()
                .filter(|it| choice.weighs_edges() && self.choices()[it.start].weighs_edges())
            {
                Some(group) => group.end = index + 1,
                None => groups.push(index..index + 1),
            }
        }
        groups
    }

    /// The group that begins with the choice of this name.
    pub fn group(&self, name: &str) -> Option<Range<usize>> {
        let index = self.index(name)?;
        self.groups().into_iter().find(|group| group.start == index)
    }

    /// The cell of the result, or of what would be derived now, that belongs to the choice of this index.
    pub fn derived(&self, index: usize) -> Option<&Cell> {
        self.genotype()?.cells.get(self.place(index))
    }

    fn place(&self, choice: usize) -> usize {
        self.cell_choices().filter(|&first| first <= choice).count().saturating_sub(1)
    }

    /// The cell that belongs to the choice of this index: of the result, or while there is none
    /// only its name and its inputs.
    pub fn cell(&self, index: usize) -> Cell {
        let found = self.derived(index).cloned();
        let empty = || self.space()?.derive(&[]).cells.into_iter().nth(self.place(index));
        found.or_else(empty).unwrap_or_else(|| Cell {
            name: self.choices().get(index).map_or(String::new(), |choice| choice.name.clone()),
            inputs: Vec::new(),
            nodes: Vec::new(),
            output: Output::Last,
        })
    }

    /// What there is to choose, in the order of every list with one entry for each choice.
    pub fn choices(&self) -> &[Choice] {
        self.started.as_ref().map_or(&[], |started| &started.choices)
    }

    /// Index of the choice of this name.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.choices().iter().position(|choice| choice.name == name)
    }

    /// The probabilities of the choice of this name after the last epoch.
    pub fn probabilities(&self, name: &str) -> Option<(&Choice, &Rows)> {
        self.latest(self.index(name)?)
    }

    /// The probabilities of the choice of this index after the last epoch.
    pub fn latest(&self, index: usize) -> Option<(&Choice, &Rows)> {
        let rows = self.epochs.last()?.probabilities.get(index)?;
        Some((self.choices().get(index)?, rows))
    }

    /// The steps as at most `points` means over stretches of equal length, so that a picture of
    /// twenty thousand steps stays small and readable.
    pub fn step_means(&self, points: usize) -> Vec<StepMean> {
        let per_epoch = self.steps_per_epoch();
        let length = self.steps.len().div_ceil(points.max(1)).max(1);
        let mean = |steps: &[Step]| {
            let over =
                |value: fn(&Step) -> f64| steps.iter().map(value).sum::<f64>() / steps.len() as f64;
            // A step in which α rests leaves a gap.
            let valid_loss = |step: &Step| step.valid_loss.map_or(f64::NAN, f64::from);
            let place = |step: &Step| step.epoch as f64 + (step.step as f64 + 1.0) / per_epoch;
            StepMean {
                epoch: steps.iter().map(place).sum::<f64>() / steps.len() as f64,
                train_loss: over(|step| f64::from(step.train_loss)),
                valid_loss: over(valid_loss),
            }
        };
        self.steps.chunks(length).map(mean).collect()
    }

    fn steps_per_epoch(&self) -> f64 {
        let known = self.started.as_ref().map_or(0, |started| started.steps_per_epoch);
        let seen = self.steps.iter().map(|step| step.step + 1).max().unwrap_or(1);
        known.max(seen) as f64
    }
}
