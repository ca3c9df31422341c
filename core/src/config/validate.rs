//! The ranges of the settings.

use super::{Config, LAST_EPOCHS, Schedule};

/// A setting that no search can run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} = {value}: {rule}")]
pub struct ConfigError {
    /// `section.key`.
    pub setting: &'static str,
    /// The value, as text.
    pub value: String,
    /// What the setting must satisfy.
    pub rule: &'static str,
}

impl Config {
    /// Checks every range that can be checked without data; names of spaces, methods and data
    /// sets are checked by their catalogues.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let (search, weights, alpha) = (&self.search, &self.weights, &self.alpha);
        let (perturbation, data) = (&self.perturbation, &self.data);
        at_least_one("search.epochs", search.epochs)?;
        at_least_one("search.batch_size", search.batch_size)?;
        at_least_one("search.cells", search.cells)?;
        at_least_one("search.stem_multiplier", search.stem_multiplier)?;
        rule(
            "search.channels",
            search.channels,
            search.channels >= 2 && search.channels.is_multiple_of(2),
            "must be even and at least 2",
        )?;
        fraction("search.drop_path", search.drop_path)?;
        at_least_one("search.partial_channels", search.partial_channels)?;
        non_negative("weights.learning_rate", weights.learning_rate)?;
        non_negative("weights.learning_rate_min", weights.learning_rate_min)?;
        fraction("weights.momentum", weights.momentum)?;
        non_negative("weights.weight_decay", weights.weight_decay)?;
        non_negative("weights.clip", weights.clip)?;
        non_negative("alpha.learning_rate", alpha.learning_rate)?;
        fraction("alpha.beta1", alpha.beta1)?;
        fraction("alpha.beta2", alpha.beta2)?;
        non_negative("alpha.eps", alpha.eps)?;
        non_negative("alpha.weight_decay", alpha.weight_decay)?;
        non_negative("alpha.init_scale", alpha.init_scale)?;
        non_negative("alpha.clip", alpha.clip)?;
        non_negative("perturbation.epsilon_min", perturbation.epsilon_min)?;
        non_negative("perturbation.epsilon_max", perturbation.epsilon_max)?;
        at_least_one("perturbation.steps", perturbation.steps)?;
        non_negative("perturbation.step_scale", perturbation.step_scale)?;
        non_negative("sampling.temperature", self.sampling.temperature)?;
        non_negative("sampling.temperature_min", self.sampling.temperature_min)?;
        at_least_one("sampling.architectures", self.sampling.architectures)?;
        at_least_one("sampling.finalists", self.sampling.finalists)?;
        at_least_one("early_stop.window", self.early_stop.window)?;
        at_least_one("early_stop.delta", self.early_stop.delta)?;
        positive("early_stop.factor", self.early_stop.factor)?;
        non_negative("penalty.strength", self.penalty.strength)?;
        positive("penalty.radius", self.penalty.radius)?;
        non_negative("data.colour_jitter", data.colour_jitter)?;
        rule(
            "data.hue_jitter",
            data.hue_jitter,
            (0.0..=0.5).contains(&data.hue_jitter),
            "must lie in [0, 0.5]",
        )?;
        fraction("quirks.oneshot_norm_momentum", self.quirks.oneshot_norm_momentum)?;
        self.validate_stages()?;
        self.validate_recurrent()?;
        self.validate_training()?;
        rule(
            "data.class_share",
            data.class_share,
            data.class_share > 0.0 && data.class_share <= 1.0,
            "must lie in (0, 1]",
        )?;
        let portion = data.train_portion;
        rule(
            "data.train_portion",
            portion,
            portion > 0.0 && portion < 1.0,
            "must lie between 0 and 1, exclusive",
        )
    }

    fn validate_recurrent(&self) -> Result<(), ConfigError> {
        let recurrent = &self.recurrent;
        at_least_one("recurrent.hidden", recurrent.hidden)?;
        rule("recurrent.bptt", recurrent.bptt, recurrent.bptt >= 2, "must be at least 2")?;
        at_least_one("recurrent.evaluation_batch", recurrent.evaluation_batch)?;
        fraction("recurrent.dropout", recurrent.dropout)?;
        fraction("recurrent.dropout_hidden", recurrent.dropout_hidden)?;
        fraction("recurrent.dropout_input", recurrent.dropout_input)?;
        fraction("recurrent.dropout_embedding", recurrent.dropout_embedding)?;
        fraction("recurrent.dropout_word", recurrent.dropout_word)?;
        non_negative("recurrent.activation_regularisation", recurrent.activation_regularisation)?;
        non_negative("recurrent.temporal_regularisation", recurrent.temporal_regularisation)
    }

    fn validate_training(&self) -> Result<(), ConfigError> {
        let train = &self.train;
        at_least_one("train.cells", train.cells)?;
        rule(
            "train.channels",
            train.channels,
            train.channels >= 2 && train.channels.is_multiple_of(2),
            "must be even and at least 2",
        )?;
        non_negative("train.auxiliary_weight", train.auxiliary_weight)?;
        fraction("train.drop_path", train.drop_path)?;
        fraction("train.label_smoothing", train.label_smoothing)?;
        at_least_one("train.epochs", train.epochs)?;
        at_least_one("train.batch_size", train.batch_size)?;
        non_negative("train.learning_rate", train.learning_rate)?;
        rule(
            "train.schedule",
            "linear",
            train.schedule == Schedule::Cosine || train.epochs > LAST_EPOCHS,
            "needs more than 5 epochs (train.epochs): the last 5 have a slope of their own",
        )?;
        fraction("train.momentum", train.momentum)?;
        non_negative("train.weight_decay", train.weight_decay)?;
        non_negative("train.clip", train.clip)?;
        fraction("train.ema", train.ema)?;
        rule(
            "train.portion",
            train.portion,
            train.portion > 0.0 && train.portion <= 1.0,
            "must lie between 0, exclusive, and 1",
        )?;
        let select = &self.select;
        rule(
            "select.portion",
            select.portion,
            select.portion > 0.0 && select.portion < 1.0,
            "must lie between 0 and 1, exclusive: the rest of the training images chooses",
        )?;
        rule(
            "select.channels",
            select.channels,
            select.channels.is_multiple_of(2),
            "must be even, or 0 for train.channels",
        )
    }
}

pub(super) fn rule(
    setting: &'static str,
    value: impl ToString,
    holds: bool,
    rule: &'static str,
) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError { setting, value: value.to_string(), rule }) }
}

fn at_least_one(setting: &'static str, value: usize) -> Result<(), ConfigError> {
    rule(setting, value, value >= 1, "must be at least 1")
}

fn non_negative(setting: &'static str, value: f64) -> Result<(), ConfigError> {
    rule(setting, value, value.is_finite() && value >= 0.0, "must be a finite number of at least 0")
}

fn positive(setting: &'static str, value: f64) -> Result<(), ConfigError> {
    rule(setting, value, value.is_finite() && value > 0.0, "must be a finite number above 0")
}

fn fraction(setting: &'static str, value: f64) -> Result<(), ConfigError> {
    rule(setting, value, (0.0..1.0).contains(&value), "must lie in [0, 1)")
}
