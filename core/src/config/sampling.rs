//! Methods that draw architectures.

use serde::{Deserialize, Serialize};

use super::Setting;

section! {
    /// Methods that draw p (gdas, snas) or whole architectures (random-ws, enas).
    SAMPLING = "sampling", Sampling {
        /// Temperature τ of a draw in the first epoch; 0 takes that of the method: 10 (gdas) or 1 (snas).
        temperature: f64 = 0.0,
        /// Temperature that τ falls to, linearly, in the last epoch; 0 takes that of the method: 1 (gdas; in paper mode 0.1) or 0.03 (snas).
        temperature_min: f64 = 0.0,
        /// Architectures that random-ws and enas rank by their validation accuracy.
        architectures: usize = 1000,
        /// Batches that each of them is ranked on; 0 takes that of the method: 10 (random-ws) or 1 (enas).
        batches: usize = 0,
        /// How many of the best are evaluated on all validation images.
        finalists: usize = 5,
        /// Epochs between two rankings, with one after the last epoch; 0 ranks only then.
        every: usize = 0,
        /// Steps of the controller of enas after an epoch.
        rounds: usize = 300,
    }
}
