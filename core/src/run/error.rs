//! What can go wrong with a run.

use super::checkpoint::CheckpointError;
use crate::arrays::ArrayError;
use crate::cell::GenotypeError;
use crate::config::{Config, ConfigError, layers};
use crate::data::DataError;
use crate::measure::MeasureError;
use crate::measure::hessian::HessianError;
use crate::method::MethodError;
use crate::net::DerivedError;
use crate::nn::ReadError;
use crate::space::SpaceError;

/// Why a run could not start, go on or be read.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A loss is not a number any more.
    #[error(
        "the run diverged in epoch {}, step {}: {what} is {value}; start again with a lower learning rate: train.learning_rate of a training, weights.learning_rate or alpha.learning_rate of a search", .epoch + 1, .step + 1
    )]
    Diverged {
        /// 0-based epoch.
        epoch: usize,
        /// 0-based step in it.
        step: usize,
        /// The loss or the tensor that is not finite.
        what: String,
        /// NaN or an infinity.
        value: f32,
    },
    /// A setting is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The space is unknown.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// The method or its perturbation is unknown.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The images do not fit the network.
    #[error(
        "images of {size}×{size} pixels are too small or odd: two reductions need a multiple of 4, \
         and with search.stem = imagenet of 32"
    )]
    ImageSize {
        /// Height and width.
        size: usize,
    },
    /// A tensor is too large for the GPU.
    #[error(
        "a tensor of this run would take {} MB, and this device binds {} MB at most; set a smaller {settings}, or \
         run.device = cpu", .bytes.div_ceil(1_000_000), .limit / 1_000_000
    )]
    TooLarge {
        /// Bytes of the largest tensor.
        bytes: u64,
        /// Bytes that the device binds.
        limit: u64,
        /// Names of settings that decide it.
        settings: &'static str,
    },
    /// What is to be trained is no genotype.
    #[error("train.genotype: {0}")]
    Genotype(#[from] GenotypeError),
    /// There is no such network.
    #[error(transparent)]
    Derived(#[from] DerivedError),
    /// A batch could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is of another search.
    #[error("the checkpoint was written with other settings:\n{}", .differences.join("\n"))]
    OtherConfig {
        /// One line for each setting that differs.
        differences: Vec<String>,
    },
    /// The settings are those of the checkpoint, and the network is another one all the same.
    #[error(
        "the checkpoint has {saved} weights, but the network of these settings has {needed} on these \
         images: the data set has other classes or channels than before; put it back as it was, or \
         choose another run directory"
    )]
    OtherNetwork {
        /// Weights in the checkpoint.
        saved: usize,
        /// Weights of the network.
        needed: usize,
    },
    /// A step is under way.
    #[error("a step was begun and not ended; advance to its end before saving the search")]
    InStep,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ReadError),
    /// The Hessian could not be measured.
    #[error(transparent)]
    Hessian(#[from] HessianError),
}

impl From<ArrayError> for RunError {
    fn from(error: ArrayError) -> Self {
        Self::Checkpoint(error.into())
    }
}

impl From<MeasureError> for RunError {
    fn from(error: MeasureError) -> Self {
        match error {
            MeasureError::Device(error) => Self::Device(error),
            MeasureError::Data(error) => Self::Data(error),
            MeasureError::Hessian(error) => Self::Hessian(error),
        }
    }
}

/// One line for every setting that differs and could change a result.
pub(super) fn differences(saved: &Config, current: &Config) -> Vec<String> {
    layers::differences(saved, current)
        .iter()
        .map(|(setting, saved, current)| {
            format!("  {}: {saved} in the checkpoint, {current} now", setting.name())
        })
        .collect()
}
