//! A search on a share of the images of every class, as large data sets are searched (spec §8.2).

use super::{Order, no_batch};
use crate::config::Config;
use crate::data::DataError;
use crate::rng::{Stream, permutation};

impl Order {
    /// The same order with the share `data.class_share` of the images of every class, drawn at random, of which
    /// `data.train_portion` train w and the rest α. A training keeps all, and so does a share of 1.
    ///
    /// # Errors
    /// Halves smaller than one batch.
    pub fn of_classes(self, labels: &[u16], config: &Config) -> Result<Self, DataError> {
        let share = config.data.class_share;
        if share >= 1.0 || self.architecture.is_none() {
            return Ok(self);
        }
        let classes = labels.iter().max().map_or(0, |&last| usize::from(last) + 1);
        let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
        // Another position of the stream than that of a shuffled split.
        for index in permutation(&mut self.streams.at(Stream::Split, 1), labels.len()) {
            of_class[usize::from(labels[index])].push(index);
        }
        let (mut train, mut valid) = (Vec::new(), Vec::new());
        for images in of_class {
            // To the nearest image, so that 0.125 · 0.8 is a tenth.
            let count = |share: f64| (share * images.len() as f64).round() as usize;
            let (used, learns) = (count(share), count(share * config.data.train_portion));
            train.extend(&images[..learns]);
            valid.extend(&images[learns..used.max(learns)]);
        }
        let smaller = train.len().min(valid.len());
        if smaller == 0 {
            let problem = format!("data.class_share = {share} leaves no image of {}", labels.len());
            return Err(DataError::setting(problem, "set a larger share"));
        }
        if smaller < self.batch_size {
            return Err(no_batch(smaller, self.batch_size));
        }
        Ok(Self { train, valid, ..self })
    }
}
