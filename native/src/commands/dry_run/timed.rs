//! The time of a step, from a few of them.

use std::time::Duration;

/// Time of timed steps after which no further one is timed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The time of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTime {
    pub(super) perturbation: Duration,
    pub(super) others: Duration,
}

/// The mean over some steps after the first, which compiles kernels, records passes and fills caches; of the first,
/// where no other is wanted.
pub struct Timed {
    wanted: u32,
    sum: StepTime,
    count: u32,
}

impl Timed {
    /// Of at most so many steps after the first.
    pub fn new(wanted: u32) -> Self {
        Self { wanted, sum: StepTime::default(), count: 0 }
    }

    /// Takes the time of a step, by its place in the epoch. Whether that is enough.
    pub fn add(&mut self, step: usize, time: StepTime) -> bool {
        if step == 0 && self.wanted > 0 {
            return false;
        }
        self.sum.perturbation += time.perturbation;
        self.sum.others += time.others;
        self.count += 1;
        self.count >= self.wanted || self.sum.perturbation + self.sum.others > PATIENCE
    }

    pub fn mean(self) -> StepTime {
        let (StepTime { perturbation, others }, count) = (self.sum, self.count.max(1));
        StepTime { perturbation: perturbation / count, others: others / count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(perturbation: u64, others: u64) -> StepTime {
        let [perturbation, others] = [perturbation, others].map(Duration::from_secs);
        StepTime { perturbation, others }
    }

    #[test]
    fn a_first_step_that_compiles_for_long_is_not_the_time_of_a_step() {
        let mut timed = Timed::new(2);
        assert!(!timed.add(0, seconds(40, 20)));
        assert!(!timed.add(1, seconds(1, 0)));
        assert!(timed.add(2, seconds(3, 0)));
        assert_eq!(timed.mean(), seconds(2, 0));
    }

    #[test]
    fn one_slow_step_is_enough_and_the_first_where_no_other_is_wanted() {
        let mut timed = Timed::new(2);
        assert!(!timed.add(0, seconds(40, 20)));
        assert!(timed.add(1, seconds(4, 2)));
        assert_eq!(timed.mean(), seconds(4, 2));
        let mut first = Timed::new(0);
        assert!(first.add(0, seconds(2, 2)));
        assert_eq!(first.mean(), seconds(2, 2));
    }
}
