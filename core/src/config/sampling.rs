//! Methods that draw architectures.

use serde::{Deserialize, Serialize};

use super::Setting;

section! {
    /// Methods that draw p (gdas, snas).
    SAMPLING = "sampling", Sampling {
        /// Temperature τ of a draw in the first epoch; 0 takes that of the method: 10 (gdas) or 1 (snas).
        temperature: f64 = 0.0,
        /// Temperature that τ falls to, linearly, in the last epoch; 0 takes that of the method: 1 (gdas; in paper mode 0.1) or 0.03 (snas).
        temperature_min: f64 = 0.0,
    }
}
