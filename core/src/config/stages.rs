//! Stages of a search: p-darts has several, each with a network and an α of its own.

use serde::{Deserialize, Serialize};

use super::validate::rule;
use super::{Config, ConfigError, EpsilonSchedule, Setting};

section! {
    /// Stages of p-darts. Each has a fresh network of more cells than the one before, with fewer operations on
    /// every edge.
    STAGES = "stages", Stages {
        /// Cells of the supernet in each stage (paper: [5, 11, 17]), in the place of search.cells; search.epochs are shared equally. Empty: no stages.
        cells: Vec<usize> = Vec::new(),
        /// Operations that every edge has in each stage (paper: [8, 5, 3]), in the first all of the space. Between stages those of lowest p fall.
        operations: Vec<usize> = Vec::new(),
        /// Rate of dropout after skip connections of stride 1 in each stage (paper: [0, 0.4, 0.7]); it falls from epoch to epoch.
        skip_dropout: Vec<f64> = Vec::new(),
        /// Skip connections that the normal cell keeps at most in what is derived.
        skip_limit: usize = 2,
    }
}

/// How fast dropout falls once α learns: by exp(−0.2) an epoch (spec §8.1).
const FALL: f64 = 0.2;

/// Rate of dropout after skip connections in an epoch of a stage (spec §8.1), where α rests before epoch
/// `start`: it falls linearly, rate·(E − e − 1)/E, then from its start again by rate·exp(−0.2·(e − start)).
pub fn skip_dropout(rate: f64, epoch: usize, epochs: usize, start: usize) -> f64 {
    match epoch.checked_sub(start) {
        None => rate * epochs.saturating_sub(epoch + 1) as f64 / epochs as f64,
        Some(learned) => rate * (-FALL * learned as f64).exp(),
    }
}

impl Config {
    /// How many stages a search has; 1 where it has none.
    pub fn stage_count(&self) -> usize {
        self.stages.cells.len().max(1)
    }

    /// Epochs of a stage.
    pub fn stage_epochs(&self) -> usize {
        (self.search.epochs / self.stage_count()).max(1)
    }

    /// The stage that an epoch belongs to, and which epoch of it that is, both from 0.
    pub fn stage_of(&self, epoch: usize) -> (usize, usize) {
        let stage = (epoch / self.stage_epochs()).min(self.stage_count() - 1);
        (stage, epoch - stage * self.stage_epochs())
    }

    /// Cells of the supernet in a stage.
    pub fn cells_in(&self, stage: usize) -> usize {
        self.stages.cells.get(stage).copied().unwrap_or(self.search.cells)
    }

    /// Whether α rests in an epoch.
    pub fn alpha_rests(&self, epoch: usize) -> bool {
        self.stage_of(epoch).1 < self.search.architecture_from
    }

    /// The epoch of the schedules of learning rate and drop-path that an epoch has, and how many they have.
    /// Every stage goes through them.
    pub fn scheduled(&self, epoch: usize) -> (usize, usize) {
        match self.stage_count() {
            1 => (self.search.scheduled(epoch), self.search.schedule_length()),
            _ => (self.stage_of(epoch).1, self.stage_epochs()),
        }
    }

    /// The same of ε.
    pub fn scheduled_epsilon(&self, epoch: usize) -> (usize, usize) {
        match self.perturbation.schedule {
            EpsilonSchedule::Run => (self.search.scheduled(epoch), self.search.schedule_length()),
            EpsilonSchedule::Stage => self.scheduled(epoch),
        }
    }

    /// Rate of dropout after skip connections in an epoch.
    pub fn skip_dropout(&self, epoch: usize) -> f64 {
        let (stage, at) = self.stage_of(epoch);
        let rate = self.stages.skip_dropout.get(stage).copied().unwrap_or(0.0);
        skip_dropout(rate, at, self.stage_epochs(), self.search.architecture_from)
    }

    pub(super) fn validate_stages(&self) -> Result<(), ConfigError> {
        let Stages { cells, operations, skip_dropout, .. } = &self.stages;
        let shown = |values: &[usize]| format!("{values:?}");
        rule("stages.cells", shown(cells), !cells.contains(&0), "a stage has at least one cell")?;
        rule(
            "stages.operations",
            shown(operations),
            operations.len() == cells.len() && operations.is_sorted_by(|one, next| one > next),
            "must have a number for each stage (stages.cells), each smaller than the one before",
        )?;
        rule(
            "stages.operations",
            shown(operations),
            operations.iter().all(|&count| count >= 2),
            "an edge chooses between at least 2 operations",
        )?;
        rule(
            "stages.skip_dropout",
            format!("{skip_dropout:?}"),
            skip_dropout.len() == cells.len()
                && skip_dropout.iter().all(|rate| (0.0..1.0).contains(rate)),
            "must have a rate in [0, 1) for each stage (stages.cells)",
        )?;
        rule(
            "search.epochs",
            self.search.epochs,
            self.search.epochs.is_multiple_of(self.stage_count()),
            "must be a multiple of the number of stages (stages.cells), which have equally many",
        )?;
        rule(
            "search.schedule_epochs",
            self.search.schedule_epochs,
            cells.is_empty() || self.search.schedule_epochs == 0,
            "must be 0 in a search of several stages, each of which goes through the schedules",
        )?;
        rule(
            "search.architecture_from",
            self.search.architecture_from,
            self.search.architecture_from < self.stage_epochs(),
            "must be smaller than search.epochs, or than those of a stage: else alpha never learns",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let mut config = Config::default();
        config.search.epochs = 75;
        config.search.architecture_from = 10;
        config.stages = Stages {
            cells: vec![5, 11, 17],
            operations: vec![8, 5, 3],
            skip_dropout: vec![0.0, 0.4, 0.7],
            skip_limit: 2,
        };
        config
    }

    #[test]
    fn dropout_after_skip_connections_falls_as_in_the_released_code() {
        let at = |epoch| skip_dropout(0.4, epoch, 25, 10);
        for (epoch, expected) in [(0, 0.384), (4, 0.32), (8, 0.256), (10, 0.4), (12, 0.268_128)] {
            assert!((at(epoch) - expected).abs() < 1e-6, "epoch {epoch}: {}", at(epoch));
        }
        let (config, of_stage) = (config(), [0.0, 0.384, 0.672]);
        for (stage, expected) in of_stage.into_iter().enumerate() {
            assert!((config.skip_dropout(25 * stage) - expected).abs() < 1e-12);
        }
        assert_eq!(Config::default().skip_dropout(3), 0.0);
    }

    #[test]
    fn every_stage_goes_through_the_schedules_and_epsilon_where_it_is_asked_to() {
        let mut config = config();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!([0, 24, 25, 60, 74].map(|it| config.stage_of(it).0), [0, 0, 1, 2, 2]);
        assert_eq!((config.scheduled(60), config.scheduled_epsilon(60)), ((10, 25), (60, 75)));
        config.perturbation.schedule = EpsilonSchedule::Stage;
        assert_eq!(config.scheduled_epsilon(60), (10, 25));
        let rests = (0..75).filter(|&epoch| config.alpha_rests(epoch)).count();
        assert_eq!((rests, config.alpha_rests(50), config.alpha_rests(60)), (30, true, false));
    }

    #[test]
    fn stages_that_do_not_fit_each_other_are_refused() {
        let refused = |change: fn(&mut Config)| {
            let mut config = config();
            change(&mut config);
            config.validate().err().map(|error| error.setting)
        };
        assert_eq!(refused(|it| it.stages.operations = vec![8, 5]), Some("stages.operations"));
        assert_eq!(refused(|it| it.stages.operations = vec![8, 8, 3]), Some("stages.operations"));
        assert_eq!(refused(|it| it.stages.operations = vec![8, 5, 1]), Some("stages.operations"));
        assert_eq!(
            refused(|it| it.stages.skip_dropout = vec![0.0, 0.4, 1.0]),
            Some("stages.skip_dropout")
        );
        assert_eq!(refused(|it| it.stages.cells = vec![5, 0, 17]), Some("stages.cells"));
        assert_eq!(refused(|it| it.search.epochs = 50), Some("search.epochs"));
        assert_eq!(refused(|it| it.search.schedule_epochs = 30), Some("search.schedule_epochs"));
        assert_eq!(
            refused(|it| it.search.architecture_from = 25),
            Some("search.architecture_from")
        );
    }
}
