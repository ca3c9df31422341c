//! Which epoch of the schedules an epoch of a search has.

use super::Search;

impl Search {
    /// How many epochs the schedules are long.
    pub fn schedule_length(&self) -> usize {
        if self.schedule_epochs == 0 { self.epochs } else { self.schedule_epochs }
    }

    /// The epoch whose learning rate, ε and drop-path an epoch has: beyond the end of the schedules
    /// their last one.
    pub fn scheduled(&self, epoch: usize) -> usize {
        epoch.min(self.schedule_length().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_end_of_the_schedules_their_last_epoch_stays() {
        let of = |epochs, schedule_epochs| Search { epochs, schedule_epochs, ..Search::default() };
        assert_eq!((of(5, 0).schedule_length(), of(5, 3).schedule_length()), (5, 3));
        let scheduled = |search: Search| (0..5).map(|epoch| search.scheduled(epoch)).collect();
        let (whole, frozen): (Vec<_>, Vec<_>) = (scheduled(of(5, 0)), scheduled(of(5, 3)));
        assert_eq!(whole, [0, 1, 2, 3, 4]);
        assert_eq!(frozen, [0, 1, 2, 2, 2]);
    }
}
