//! A search on its device, one step or one part of a step at a time.

use burn::tensor::Device;
use smoothdarts::checkpoint::{Checkpoint, CheckpointError};
use smoothdarts::config::Config;
use smoothdarts::data::{DataError, Dataset, Loader};
use smoothdarts::event::Event;
use smoothdarts::search::{Part, Search, SearchError};

use crate::story::{Story, StoryError};

/// A search and what it has said.
pub struct Session {
    search: Search,
    loader: Loader,
    story: Story,
}

/// Why a session cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The images do not serve.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The search failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The snapshot cannot be read.
    #[error(transparent)]
    Snapshot(#[from] CheckpointError),
    /// The events of the snapshot cannot be read.
    #[error(transparent)]
    Events(#[from] StoryError),
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
        let mut search = Search::new(config, loader.shape(), loader.steps_per_epoch(), device)?;
        search.set_device_label(label);
        search.set_clock(clock);
        Ok(Self { search, loader, story: Story::default() })
    }

    /// Does the next step, or what comes between steps. `None` when the search is over.
    ///
    /// # Errors
    /// What the search says; go back to the last snapshot then.
    pub async fn advance(&mut self) -> Result<Option<Event>, SessionError> {
        let event = self.search.advance(&mut self.loader).await?;
        if let Some(event) = &event {
            self.story.push(event.clone());
        }
        Ok(event)
    }

    /// Does the next part of a step.
    ///
    /// # Errors
    /// As for [`Self::advance`].
    pub async fn advance_part(&mut self) -> Result<Option<Part>, SessionError> {
        let part = self.search.advance_part(&mut self.loader).await?;
        match &part {
            Some(Part::Event { event }) => self.story.push(event.clone()),
            Some(part @ Part::Perturb { .. }) => self.story.set_perturbed(part.clone()),
            Some(Part::Alpha { .. }) | None => {}
        }
        Ok(part)
    }

    /// The story with p as it is now.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn story(&mut self) -> Result<&Story, SessionError> {
        let probabilities = self.search.probabilities().await?;
        self.story.set_live(probabilities);
        Ok(&self.story)
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
    pub async fn snapshot(&self) -> Result<Vec<u8>, SessionError> {
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
        self.story = if kept.is_empty() { Story::default() } else { Story::from_text(&kept)? };
        self.search.restore(&checkpoint)?;
        Ok(())
    }
}
