//! DARTS-ES: when a search stops because its landscape becomes sharp (Zela et al., ICLR 2020; spec
//! §5.2).
//!
//! The largest eigenvalue of the Hessian is averaged over a window of measurements. Where the
//! average has grown by more than `early_stop.factor` over `early_stop.delta` measurements, the
//! search ends, and its result is the cell of the time before that growth.

use serde::{Deserialize, Serialize};

use crate::cell::Genotype;
use crate::config::EarlyStop;

/// One look at a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// 0-based epoch after which it was taken.
    pub epoch: usize,
    /// Largest eigenvalue, as the authors' code measures it
    /// ([`crate::event::Eigenvalues::code_measure`]).
    pub eigenvalue: f64,
    /// The cells that would have been derived.
    pub genotype: Genotype,
}

/// That a search stops, and what it returns to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// 0-based epoch after which the growth was seen.
    pub stopped_after: usize,
    /// Growth of the moving average.
    pub growth: f64,
    /// 0-based epoch before the growth.
    pub epoch: usize,
    /// The cells of that epoch.
    pub genotype: Genotype,
}

/// All looks at a search, and what came of them. Part of its checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    measured: Vec<Look>,
    verdict: Option<Verdict>,
}

impl Watch {
    /// Adds a look, and says if the search should stop now; it says so only once.
    pub fn add(&mut self, measured: Look, config: &EarlyStop) -> Option<&Verdict> {
        self.measured.push(measured);
        if self.verdict.is_some() {
            return None;
        }
        self.verdict = self.judge(config);
        self.verdict.as_ref()
    }

    /// The verdict, if there was one.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict.as_ref()
    }

    /// The average that the last measurement completes belongs to the middle of its window, and is
    /// compared with the one `delta` measurements earlier.
    fn judge(&self, config: &EarlyStop) -> Option<Verdict> {
        let half = config.window / 2;
        let now = self.measured.len() - 1;
        let earlier = now.checked_sub(config.delta).filter(|&earlier| earlier >= half)?;
        let before = &self.measured[earlier - half];
        let growth = self.average(now, config.window) / self.average(earlier, config.window);
        (before.epoch >= config.start_epoch && growth > config.factor).then(|| Verdict {
            stopped_after: self.measured[now].epoch,
            growth,
            epoch: before.epoch,
            genotype: before.genotype.clone(),
        })
    }

    /// Mean of the measurements up to `last`, at most `window` of them.
    fn average(&self, last: usize, window: usize) -> f64 {
        let window = &self.measured[(last + 1).saturating_sub(window)..=last];
        window.iter().map(|measured| measured.eigenvalue).sum::<f64>() / window.len() as f64
    }
}
