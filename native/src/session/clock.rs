//! The clock that the durations of a run are taken by.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds since the program asked first. They never go back, whatever the machine's clock does.
pub fn seconds() -> f64 {
    static CLOCK: Mutex<Clock> = Mutex::new(Clock { last: None, sum: Duration::ZERO });
    CLOCK.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now())
}

/// The time between its readings added up, where `elapsed` since a first one would fall when the clock is set
/// back and with it the difference of two of them.
struct Clock {
    last: Option<Instant>,
    sum: Duration,
}

impl Clock {
    fn at(&mut self, now: Instant) -> f64 {
        let last = self.last.replace(now).unwrap_or(now);
        self.sum += now.saturating_duration_since(last);
        self.sum.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose clock was set back by 400 days within a step had worked for -34,560,000 s.
    #[test]
    fn a_clock_that_is_set_back_takes_no_seconds_away() {
        let start = Instant::now();
        let second = |seconds| start + Duration::from_secs(seconds);
        let mut clock = Clock { last: None, sum: Duration::ZERO };
        let read = [5, 7, 400 * 86_400, 4, 6].map(|seconds| clock.at(second(seconds)));
        assert_eq!(read, [0.0, 2.0, 34_559_995.0, 34_559_995.0, 34_559_997.0]);
    }
}
