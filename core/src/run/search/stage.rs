//! Stages of a search: each has a network, weights and an α of its own. What a stage leaves to the next is which
//! operations stay.

use super::Search;
use super::build::{self, Beginning};
use super::state::Carries;
use crate::arrays::to_rows;
use crate::cell::{Choice, Rows};
use crate::event::StageStarted;
use crate::net::Network as _;
use crate::run::checkpoint::CheckpointError;
use crate::run::{Position, RunError};
use crate::space::SpaceError;
use crate::space::darts::progressive;
use crate::task::{Model, Task};

/// Makes the network of a stage, which mixes these choices.
pub(super) type Networks<N> = Box<dyn Fn(usize, Vec<Choice>) -> Result<Box<N>, SpaceError>>;

impl<T: Task> Search<T> {
    /// Lets the operations of lowest p fall, and starts the stage of this position.
    pub(super) async fn next_stage(&mut self, at: Position) -> Result<StageStarted, RunError> {
        let p = to_rows(&self.policy.mean()).await?;
        let (stage, _) = self.config.stage_of(at.epoch);
        let operations = self.config.stages.operations.get(stage).copied().unwrap_or_default();
        let (choices, fallen) = left(self.model.network.architecture(), &p, operations);
        self.begin_stage(stage, choices.clone())?;
        // Of another α there was no step yet.
        self.rested = at.total_steps;
        let (cells, parameters) =
            (self.config.cells_in(stage), self.model.network.layout().weight_count());
        Ok(StageStarted { stage, epoch: at.epoch, cells, parameters, choices, fallen })
    }

    /// Makes itself ready for the state of a stage, whose choices are these.
    pub(super) fn return_to(
        &mut self,
        stage: usize,
        choices: &[Choice],
    ) -> Result<(), CheckpointError> {
        let is_there = stage == self.stage && self.model.network.architecture() == choices;
        if is_there || self.networks.is_none() || self.config.stage_count() == 1 {
            return Ok(());
        }
        let malformed = |error: RunError| CheckpointError::Malformed(error.to_string());
        self.begin_stage(stage, choices.to_vec()).map_err(malformed)
    }

    fn begin_stage(&mut self, stage: usize, choices: Vec<Choice>) -> Result<(), RunError> {
        let Some(networks) = &self.networks else { return Ok(()) };
        let network = networks(stage, choices)?;
        let streams = self.streams.of_stage(stage);
        let beginning = build::begin(
            &self.config,
            (self.space, self.method),
            &*network,
            &streams,
            &self.device,
        )?;
        let Beginning { policy, awake, state } = beginning;
        (self.policy, self.awake, self.state) = (policy, awake, state);
        self.carries = Carries::default();
        self.model = Model::new(self.model.task.clone(), network, self.model.kernels);
        self.stage = stage;
        self.set_replay(self.replays);
        Ok(())
    }
}

/// What is left of choices where so many operations stay on every edge, and which fall.
fn left(choices: &[Choice], p: &[Rows], operations: usize) -> (Vec<Choice>, Vec<Vec<Vec<String>>>) {
    let mut fallen = Vec::new();
    let mut left = choices.to_vec();
    for (choice, p) in left.iter_mut().zip(p).filter(|(choice, _)| choice.is_of_cell()) {
        let on = progressive::kept(p, operations);
        let rows = choice.rows.iter_mut().zip(on).map(|(row, on)| {
            let mut on = on.into_iter();
            let stays = |_: &String| on.next().unwrap_or(false);
            let (stay, fall) = std::mem::take(&mut row.options).into_iter().partition(stays);
            row.options = stay;
            fall
        });
        fallen.push(rows.collect());
    }
    (left, fallen)
}
