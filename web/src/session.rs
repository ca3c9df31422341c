//! A search on its device, one step or one part of a step at a time.

use burn::tensor::Device;
use smoothdarts::config::Config;
use smoothdarts::data::{DataError, Dataset, Loader};
use smoothdarts::draw::landscape::Range;
use smoothdarts::event::Event;
use smoothdarts::measure::landscape::{LandscapeError, Scan, Settings, validation};
use smoothdarts::run::checkpoint::{Checkpoint, CheckpointError};
use smoothdarts::run::search::Watched;
use smoothdarts::run::{ImageSearch, RunError};

use crate::monitor::{EventsError, Monitor};

/// A search and what it has said.
pub struct Session {
    search: ImageSearch,
    loader: Loader,
    device: Device,
    monitor: Monitor,
    /// The landscape that is being measured.
    scan: Option<Scan>,
}

/// Why a session cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The images do not serve.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The search failed.
    #[error(transparent)]
    Search(#[from] RunError),
    /// The landscape could not be measured.
    #[error(transparent)]
    Landscape(#[from] LandscapeError),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] CheckpointError),
    /// The events of the snapshot cannot be read.
    #[error(transparent)]
    Events(#[from] EventsError),
}

impl Session {
    /// A search from its start.
    ///
    /// # Errors
    /// A wrong setting, or images that do not fit it.
    pub fn new(
        config: &Config,
        dataset: Dataset,
        device: &Device,
        label: String,
        clock: fn() -> f64,
    ) -> Result<Self, SessionError> {
        let loader = Loader::new(dataset, config)?;
        let mut search =
            ImageSearch::new(config, loader.shape(), loader.steps_per_epoch(), device)?;
        search.set_device_label(label);
        search.set_clock(clock);
        let (device, monitor) = (device.clone(), Monitor::default());
        Ok(Self { search, loader, device, monitor, scan: None })
    }

    /// Does the next step, or what comes between steps. `None` when the search is over.
    ///
    /// # Errors
    /// What the search says; go back to the last snapshot then.
    pub async fn advance(&mut self) -> Result<Option<Event>, SessionError> {
        let event = self.search.advance(&mut self.loader).await?;
        if let Some(event) = &event {
            self.monitor.push(event.clone());
        }
        Ok(event)
    }

    /// Does the next part of a step.
    ///
    /// # Errors
    /// As for [`Self::advance`].
    pub async fn advance_part(&mut self) -> Result<Option<Watched>, SessionError> {
        let part = self.search.watch(&mut self.loader).await?;
        match &part {
            Some(Watched::Event { event }) => self.monitor.push(event.clone()),
            Some(part @ Watched::Perturb { .. }) => self.monitor.set_perturbed(part.clone()),
            Some(Watched::Alpha { .. }) | None => {}
        }
        Ok(part)
    }

    /// Measures how sharp the validation loss is where the search stands. The search goes on as
    /// without it.
    ///
    /// # Errors
    /// What the search says.
    pub async fn measure_hessian(&mut self) -> Result<Event, SessionError> {
        let event = self.search.measure_hessian(&mut self.loader).await?;
        self.monitor.push(event.clone());
        Ok(event)
    }

    /// Begins to measure the landscape where the search stands now, with `grid` points a side on the
    /// first `images` validation images (0: all). The search may go on meanwhile.
    ///
    /// # Errors
    /// A grid that is none, or a gradient without a direction.
    pub async fn start_landscape(
        &mut self,
        grid: usize,
        images: usize,
    ) -> Result<(), SessionError> {
        self.scan = None;
        let (epochs, steps) = self.search.position();
        let epoch = epochs.saturating_sub(1);
        let examples = validation(&mut self.loader, epoch, images, &self.device)?;
        let job = self.search.job();
        let settings = Settings { grid, ..Settings::default() };
        let scan =
            Scan::new(job.model(), job.point(true), job.policy(), examples, settings).await?;
        self.monitor.set_landscape(scan.landscape(), format!("{epochs} epochs, {steps} steps"));
        self.scan = Some(scan);
        Ok(())
    }

    /// Measures the next point of the landscape; `false` when there is none.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn measure_point(&mut self) -> Result<bool, SessionError> {
        let Some(scan) = &mut self.scan else { return Ok(false) };
        let job = self.search.job();
        if scan.advance(job.model(), job.policy()).await?.is_none() {
            self.scan = None;
            return Ok(false);
        }
        self.monitor.extend_landscape(scan.landscape());
        Ok(true)
    }

    /// Tells which accuracies the colours of the landscape have to hold besides its own, so that
    /// those of several searches compare.
    pub fn set_scale(&mut self, scale: Range) {
        self.monitor.set_scale(scale);
    }

    /// What the search has said, with p as it is now.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn monitor(&mut self) -> Result<&Monitor, SessionError> {
        let probabilities = self.search.probabilities().await?;
        self.monitor.set_live(probabilities);
        Ok(&self.monitor)
    }

    /// Whether a snapshot can be taken: not between the parts of a step.
    pub fn can_save(&self) -> bool {
        !self.search.in_step()
    }

    /// How many events were said.
    pub fn events(&self) -> u64 {
        self.search.events()
    }

    /// The whole state, as a file that `sdarts` opens.
    ///
    /// # Errors
    /// If the search diverged or the device failed.
    pub async fn snapshot(&mut self) -> Result<Vec<u8>, SessionError> {
        Ok(self.search.checkpoint().await?.to_bytes()?)
    }

    /// Goes back to a snapshot; `events` is the text of all events, of which those before it count.
    ///
    /// # Errors
    /// If one of them is damaged or of another search.
    pub fn restore(&mut self, snapshot: &[u8], events: &str) -> Result<(), SessionError> {
        let checkpoint = Checkpoint::from_bytes(snapshot)?;
        let kept: String = events
            .split_inclusive('\n')
            .take(usize::try_from(checkpoint.events()).unwrap_or(usize::MAX))
            .collect();
        self.monitor =
            if kept.is_empty() { Monitor::default() } else { Monitor::from_text(&kept)? };
        self.search.restore(&checkpoint)?;
        self.scan = None;
        Ok(())
    }
}
