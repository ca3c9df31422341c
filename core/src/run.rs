//! A run: epochs of steps, what is measured after each, and its way to and from a checkpoint.
//!
//! A [`Run`] owns what all kinds of runs have in common: what comes next, the position, the events,
//! the observers, checkpoint and restore. A [`Job`] says what a step and an epoch do: [`Search`] is
//! Algorithm 1 of the paper, [`Train`] trains the network of what one found. The caller owns the
//! loop: it writes events, takes checkpoints and stops when it wants to.

pub mod checkpoint;
mod error;
mod job;
mod limit;
mod noise;
mod position;
pub mod search;
mod state;
mod told;
pub mod train;

use crate::arrays::Arrays;
use crate::cell::Genotype;
use crate::event::{Event, Started};
use crate::measure::{self, Observer};
use checkpoint::{Checkpoint, CheckpointError};
use job::Supply;
use serde_json::Value;

pub use error::RunError;
use error::differences;
pub use job::Job;
pub use position::{Next, Phase, Position, Progress, Tally};
pub use search::{ImageSearch, Search, TextSearch};
pub use told::Told;
pub use train::{ImageTraining, TextTraining, Train};

/// What a job notes stands beside what the observers remember, under this name.
const NOTES: &str = "job";

/// A job on its way.
pub struct Run<J> {
    job: J,
    /// In the places of [`measure::ALL`].
    observers: Vec<Option<Box<dyn Observer>>>,
    progress: Progress,
    /// What the last step says, where that is read late and not read yet.
    told: Option<Told>,
    reads_late: bool,
    device_label: String,
    class_names: Vec<String>,
    clock: fn() -> f64,
}

impl<J: Job> Run<J> {
    /// A run from its start.
    ///
    /// # Errors
    /// If the settings name no method.
    pub fn from_start(job: J) -> Result<Self, RunError> {
        let observers = job.observers()?;
        Ok(Self {
            job,
            observers,
            progress: Progress::default(),
            told: None,
            reads_late: false,
            device_label: String::new(),
            class_names: Vec::new(),
            clock: || 0.0,
        })
    }

    /// Names the device in [`Started`].
    pub fn set_device_label(&mut self, label: String) {
        self.device_label = label;
    }

    /// Names the classes in [`Started`].
    pub fn set_class_names(&mut self, names: Vec<String>) {
        self.class_names = names;
    }

    /// Gives the run a clock, in seconds; without one every epoch takes 0.
    pub fn set_clock(&mut self, clock: fn() -> f64) {
        self.clock = clock;
    }

    /// Whether the numbers of a step are read after the next one has begun, so that a GPU computes while the
    /// host brings them in and launches. Its event comes one step later then, in the same order, and so does
    /// [`RunError::Diverged`]; the last step of an epoch is read before the epoch ends. A new run reads at once.
    pub fn set_reads_late(&mut self, late: bool) {
        self.reads_late = late;
    }

    /// Does the next piece of work and returns what it says: the parts of a step, one after the
    /// other, or what comes between steps. `None` when the run is over.
    ///
    /// # Errors
    /// What its parts say. The run must not be continued or saved after an error: go back to the
    /// last checkpoint.
    pub async fn advance(&mut self, batches: Supply<'_, J>) -> Result<Option<Event>, RunError> {
        loop {
            match self.advance_part(&mut *batches).await? {
                Advanced::Part => {}
                Advanced::Said(event) => return Ok(Some(event)),
                Advanced::Over => return Ok(None),
            }
        }
    }

    /// Does the next part of a step, or what comes between steps.
    ///
    /// # Errors
    /// As for [`Self::advance`].
    pub async fn advance_part(&mut self, batches: Supply<'_, J>) -> Result<Advanced, RunError> {
        let said = match self.progress.unsaid.pop_front() {
            Some(event) => Some(event),
            None if self.progress.phase == Phase::Done => return Ok(Advanced::Over),
            None => self.work(batches).await?,
        };
        self.progress.events += u64::from(said.is_some());
        Ok(said.map_or(Advanced::Part, Advanced::Said))
    }

    /// The work of the phase; when it is done, what follows is next.
    async fn work(&mut self, batches: Supply<'_, J>) -> Result<Option<Event>, RunError> {
        let (began, at) = ((self.clock)(), self.progress.position);
        let in_time = !self.reads_late || self.progress.phase != Phase::Step;
        if let Some(told) = self.told.take_if(|_| in_time) {
            let event = self.hear(told).await?;
            self.progress.tally.seconds += (self.clock)() - began;
            return Ok(Some(event));
        }
        let said = match self.progress.phase {
            Phase::Start => Some(Event::Started(self.started())),
            Phase::EpochStart => {
                self.progress.position.steps = batches.steps(at.epoch);
                self.progress.tally = Tally::default();
                Some(self.job.begin_epoch(at))
            }
            Phase::Step => {
                let said = self.step(batches, at).await?;
                self.progress.tally.seconds += (self.clock)() - began;
                said
            }
            Phase::EpochEnd => {
                let evaluated = self.job.evaluate(batches, at).await?;
                self.progress.valid_accuracy = J::accuracy(&evaluated);
                self.progress.valid_perplexity = self.job.perplexity(&evaluated);
                self.progress.tally.seconds += (self.clock)() - began;
                Some(self.job.epoch_finished(&self.progress, evaluated).await?)
            }
            Phase::Observe(index) => self.observe(index, batches).await?,
            Phase::Stage => self.job.change_stage(at).await?,
            Phase::Finish => Some(self.job.finished(&self.progress).await?),
            Phase::Done => None,
        };
        self.progress.follow(self.observers.len(), self.job.after(at.epoch));
        Ok(said)
    }

    /// The next part of a step; after its last one what it says, or the one before where that is read late.
    async fn step(
        &mut self,
        batches: Supply<'_, J>,
        at: Position,
    ) -> Result<Option<Event>, RunError> {
        let Some(told) = self.job.part(batches, at).await? else { return Ok(None) };
        self.progress.position.advance();
        let told = if self.reads_late { self.told.replace(told) } else { Some(told) };
        match told {
            Some(told) => Ok(Some(self.hear(told).await?)),
            None => Ok(None),
        }
    }

    /// Waits for what a step says, and counts it.
    async fn hear(&mut self, told: Told) -> Result<Event, RunError> {
        let (event, sums) = told.said().await?;
        self.progress.tally.count(&sums);
        Ok(event)
    }

    /// Lets an observer look, and returns the first thing that it says.
    async fn observe(
        &mut self,
        index: usize,
        batches: Supply<'_, J>,
    ) -> Result<Option<Event>, RunError> {
        let Some(Some(observer)) = self.observers.get_mut(index) else { return Ok(None) };
        let at = self.progress.position;
        let observed = self.job.observe(observer.as_mut(), batches, at).await?;
        self.progress.stop = self.progress.stop.take().or(observed.stop);
        self.progress.unsaid.extend(observed.events);
        Ok(self.progress.unsaid.pop_front())
    }

    /// What runs: settings, network, choices.
    pub fn started(&self) -> Started {
        let (device, classes) = (self.device_label.clone(), self.class_names.clone());
        Started { device, classes, ..self.job.started() }
    }

    /// The job.
    pub fn job(&self) -> &J {
        &self.job
    }

    /// How many events this run has said, over all its processes.
    pub fn events(&self) -> u64 {
        self.progress.events
    }

    /// What would be derived now, or what a run returned to when it stopped early.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn genotype(&self) -> Result<Genotype, RunError> {
        match &self.progress.stop {
            Some(stop) => Ok(stop.genotype.clone()),
            None => self.job.genotype().await,
        }
    }

    /// Where the run stands: epochs whose steps are all taken, and steps of the next one.
    pub fn position(&self) -> (usize, usize) {
        self.progress.position.taken()
    }

    /// Whether a step was begun by [`Self::advance_part`] and not ended: the state between its
    /// parts cannot be saved.
    pub fn in_step(&self) -> bool {
        self.job.in_step()
    }

    /// The whole state. A step that is read late is read now; what it says comes next.
    ///
    /// # Errors
    /// [`RunError::Diverged`] if a number is not finite, [`RunError::InStep`] between the parts of
    /// a step, or if the device failed.
    pub async fn checkpoint(&mut self) -> Result<Checkpoint, RunError> {
        if self.in_step() {
            return Err(RunError::InStep);
        }
        if let Some(told) = self.told.take() {
            let event = self.hear(told).await?;
            self.progress.unsaid.push_back(event);
        }
        let arrays = self.job.saved().await?;
        self.check_finite(&arrays)?;
        let names = measure::ALL.iter().map(|entry| entry.name.to_owned());
        let saved = names.zip(&self.observers);
        let notes = Some((NOTES.to_owned(), self.job.notes())).filter(|(_, it)| !it.is_null());
        Ok(Checkpoint {
            config: self.job.config().clone(),
            architecture: self.job.started().choices,
            progress: self.progress.clone(),
            observers: saved
                .filter_map(|(name, it)| Some((name, it.as_ref()?.saved())))
                .chain(notes)
                .collect(),
            arrays,
        })
    }

    /// A loss shows a divergence only one step after the weights did: such a state is not saved, so
    /// that the last checkpoint stays good.
    fn check_finite(&self, arrays: &Arrays) -> Result<(), RunError> {
        let lost = arrays.iter().find_map(|(name, array)| {
            let value = array.values.iter().copied().find(|value| !value.is_finite())?;
            Some((name.clone(), value))
        });
        let Position { epoch, step, .. } = self.progress.position;
        match lost {
            None => Ok(()),
            Some((what, value)) => Err(RunError::Diverged { epoch, step, what, value }),
        }
    }

    /// Continues from a checkpoint.
    ///
    /// # Errors
    /// [`RunError::OtherConfig`] with every setting that differs, apart from the section `run`,
    /// which changes no result; [`RunError::OtherNetwork`] if the images have other classes or
    /// channels; [`RunError::Checkpoint`] if something is missing.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), RunError> {
        let differences = differences(&checkpoint.config, self.job.config());
        if !differences.is_empty() {
            return Err(RunError::OtherConfig { differences });
        }
        let notes = checkpoint.observers.get(NOTES).unwrap_or(&Value::Null);
        self.job.restore(checkpoint, notes).map_err(|error| other_data(error, checkpoint))?;
        for (entry, observer) in measure::ALL.iter().zip(&mut self.observers) {
            if let (Some(observer), Some(saved)) = (observer, checkpoint.observers.get(entry.name))
            {
                observer.restore(saved).map_err(|error| {
                    CheckpointError::Malformed(format!("observer {}: {error}", entry.name))
                })?;
            }
        }
        self.progress = checkpoint.progress.clone();
        self.told = None;
        let steps = &mut self.progress.position.steps;
        if *steps == 0 {
            // Of a checkpoint whose format did not say.
            *steps = self.job.started().steps_per_epoch;
        }
        Ok(())
    }
}

/// What [`Run::advance_part`] did.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
pub enum Advanced {
    /// A part of a step that is not its last, or an observer that has nothing to say.
    Part,
    /// Something that is said.
    Said(Event),
    /// Nothing: the run is over.
    Over,
}

/// Equal settings make equal networks but for what the data decide: classes and channels.
fn other_data(error: CheckpointError, checkpoint: &Checkpoint) -> RunError {
    let saved = checkpoint.arrays.get(state::WEIGHTS).map(|array| array.values.len());
    match (&error, saved) {
        (CheckpointError::Tensor { name, shape }, Some(saved)) if name == state::WEIGHTS => {
            RunError::OtherNetwork { saved, needed: shape.iter().product() }
        }
        _ => error.into(),
    }
}
