//! How sharp the landscape is: when it is measured, and what a method does about it.

use serde::{Deserialize, Serialize};

use super::Setting;

section! {
    /// The Hessian of the validation loss with respect to α: how sharp the landscape is.
    HESSIAN = "hessian", Hessian {
        /// Epochs between two measurements, with one after the last epoch; 0 takes none (darts-es: every second epoch).
        every: usize = 0,
        /// Compute all eigenvalues, at 2 gradients for each α, instead of the extreme ones at 30 in all.
        dense: bool = false,
        /// Take it with respect to the weights of edges (β), too.
        edge_weights: bool = false,
    }
}

section! {
    /// When darts-es stops a search.
    EARLY_STOP = "early_stop", EarlyStop {
        /// Measurements of the largest eigenvalue in a moving average.
        window: usize = 5,
        /// Measurements between the two averages that are compared.
        delta: usize = 4,
        /// Growth of the average that stops the search.
        factor: f64 = 1.3,
        /// First epoch that the search may return to.
        start_epoch: usize = 10,
        /// Only say when the search would stop, and go on.
        simulate: bool = false,
    }
}

section! {
    /// The explicit penalty of darts-hessian on the curvature of the validation loss along a random direction.
    PENALTY = "penalty", Penalty {
        /// Weight of the penalty in the loss of α.
        strength: f64 = 1.0,
        /// Length of the finite-difference step.
        radius: f64 = 0.1,
    }
}
