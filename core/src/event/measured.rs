//! What observers say after an epoch.

use serde::{Deserialize, Serialize};

/// Extreme eigenvalues of the Hessian of the validation loss with respect to raw α (spec §5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Eigenvalues {
    /// 0-based epoch of the last step before it.
    pub epoch: usize,
    /// Smallest eigenvalue.
    pub smallest: f64,
    /// Largest eigenvalue.
    pub largest: f64,
    /// Gradients that it cost.
    pub gradients: usize,
}

impl Eigenvalues {
    /// The paper's measure: the spectral norm, max |λ|.
    pub fn spectral_norm(&self) -> f64 {
        self.smallest.abs().max(self.largest.abs())
    }

    /// The measure of the authors' code: the largest eigenvalue, without its sign, of the Hessian
    /// plus the weight decay of α on its diagonal.
    pub fn code_measure(&self) -> f64 {
        (self.largest + 1e-3).abs()
    }
}

/// What a table of trained networks says of a derived cell. Without any accuracy, the cell is not in
/// the table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Anytime {
    /// 0-based epoch after which the cell was derived.
    pub epoch: usize,
    /// The cell, as the table spells it.
    pub architecture: String,
    /// Its test accuracy in percent; the test error is what lacks from 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Its validation accuracy in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_accuracy: Option<f64>,
    /// Its place among the cells of the space by test accuracy, 1 for the best; only of a table that
    /// has them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// Cells of the space that the table has.
    pub cells: usize,
    /// How far its test accuracy lies below that of the best cell of the space, in percentage points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regret: Option<f64>,
    /// Its test accuracy in percent in a small training of the user's own (`sdarts table fill`), which compares
    /// only with others of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_accuracy: Option<f64>,
}

impl Anytime {
    /// The true test error, from 0 to 1.
    pub fn test_error(&self) -> Option<f64> {
        self.test_accuracy.map(error)
    }

    /// The test error of a training of the user's own, from 0 to 1.
    pub fn own_error(&self) -> Option<f64> {
        self.own_accuracy.map(error)
    }

    /// The true validation error, from 0 to 1.
    pub fn valid_error(&self) -> Option<f64> {
        self.valid_accuracy.map(error)
    }
}

/// An accuracy in percent as an error from 0 to 1.
fn error(percent: f64) -> f64 {
    (100.0 - percent) / 100.0
}
