//! A text as the numbers of its words, and its batches (spec §10).
//!
//! A text is cut into as many columns as a batch has, and read from the top: a batch is a few rows of all
//! columns, and the next one goes on below it, so that what a network remembers of a column goes on too.

use std::sync::Arc;

use rand::RngExt as _;
use rand_pcg::Pcg64;

use super::{Batches, DataError, Part, StepBatches};
use crate::config::{Config, Lengths};
use crate::rng::{Stream, Streams, normal};

/// Share of the sequences that have the whole length and not half of it.
const WHOLE: f64 = 0.95;

/// Standard deviation of a jittered length, its smallest value, and how far it may exceed `bptt`.
const JITTER: [usize; 3] = [5, 5, 20];

/// A text in three parts, as numbers of the words of its vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// Its name in the catalogue, or that of its folder.
    pub name: String,
    /// Trains the weights.
    pub train: Vec<u32>,
    /// Trains the architecture, and tells how good it is.
    pub valid: Vec<u32>,
    /// What no search touches.
    pub test: Vec<u32>,
    /// Every word by its number.
    pub vocabulary: Vec<String>,
}

impl Text {
    /// A number that stands for the vocabulary: another for other words or another order. A network learns
    /// what a word of this number means, so it fits no other vocabulary.
    pub fn fingerprint(&self) -> String {
        let sum = self.vocabulary.iter().fold(0, |sum, word| {
            crc32c::crc32c_append(crc32c::crc32c_append(sum, word.as_bytes()), b"\n")
        });
        format!("{} words, {sum:08x}", self.vocabulary.len())
    }

    /// The words of a part.
    pub fn part(&self, part: Part) -> &[u32] {
        match part {
            Part::Train => &self.train,
            Part::Valid => &self.valid,
            Part::Test => &self.test,
        }
    }
}

/// A few rows of all columns of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextBatch {
    /// The words, row after row.
    pub words: Vec<u32>,
    /// The word that follows each of them.
    pub next: Vec<u32>,
    /// Columns.
    pub columns: usize,
    /// Rows that were asked for: more than there are at the end of a text.
    pub wanted: usize,
}

impl TextBatch {
    /// Rows, which are words of a sequence.
    pub fn rows(&self) -> usize {
        self.words.len() / self.columns.max(1)
    }
}

/// The columns of a part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    part: Part,
    columns: usize,
    /// Words of a column; what does not fill one more row is left out.
    rows: usize,
}

impl Columns {
    /// As many as asked for, over the first `words` of a part.
    fn new(part: Part, words: usize, columns: usize) -> Result<Self, DataError> {
        let rows = words / columns.max(1);
        if rows < 2 {
            return Err(DataError::Unusable {
                problem: format!(
                    "the {} text has {words} words, too few for {columns} columns of at least 2",
                    name(part)
                ),
                remedy: format!("set a smaller {}, or give a longer text", setting(part)),
            });
        }
        Ok(Self { part, columns, rows })
    }

    /// Rows from `start` on, at most those that have a word after them.
    fn batch(&self, text: &[u32], start: usize, wanted: usize) -> TextBatch {
        let rows = wanted.min((self.rows - 1).saturating_sub(start));
        let row = |row: usize| (0..self.columns).map(move |column| text[column * self.rows + row]);
        let words = (start..start + rows).flat_map(row).collect();
        let next = (start + 1..start + rows + 1).flat_map(row).collect();
        TextBatch { words, next, columns: self.columns, wanted }
    }
}

/// What a message calls a part.
fn name(part: Part) -> &'static str {
    match part {
        Part::Train => "training",
        Part::Valid => "validation",
        Part::Test => "test",
    }
}

/// What decides how many columns a part has.
fn setting(part: Part) -> &'static str {
    match part {
        Part::Train => "search.batch_size (train.batch_size of a training)",
        Part::Valid => "search.batch_size or recurrent.evaluation_batch",
        Part::Test => "recurrent.evaluation_batch",
    }
}

/// The batches of a text. Cloning it copies a pointer.
///
/// Every batch is a pure function of the config and its position. An epoch reads the training text once, in
/// sequences of drawn lengths; the batch of the architecture starts at the same row of the validation text,
/// which begins anew where it ends.
#[derive(Clone, Debug)]
pub struct TextLoader {
    text: Arc<Text>,
    streams: Streams,
    bptt: usize,
    lengths: Lengths,
    train: Columns,
    /// What the architecture learns from; none in a training.
    search: Option<Columns>,
    valid: Columns,
    /// None where it is not read.
    test: Option<Columns>,
}

impl TextLoader {
    /// The batches of a search.
    ///
    /// # Errors
    /// A part that is too short for its columns.
    pub fn for_search(text: Text, config: &Config) -> Result<Self, DataError> {
        let batch = config.search.batch_size;
        let search = Columns::new(Part::Valid, text.valid.len(), batch)?;
        let loader = Self::new(text, config, batch)?;
        Ok(Self { search: Some(search), ..loader })
    }

    /// The batches of a training, which has no architecture and is tested on the test text, one column of it. With
    /// `train.portion` below 1 it learns that share of its words, from the first on, and no test word is read.
    ///
    /// # Errors
    /// A part that is too short for its columns.
    pub fn for_training(text: Text, config: &Config) -> Result<Self, DataError> {
        let test = match text.test.len() {
            0 => None,
            _ if !config.reads_test_data() => None,
            words => Some(Columns::new(Part::Test, words, 1)?),
        };
        Ok(Self { test, ..Self::new(text, config, config.train.batch_size)? })
    }

    fn new(text: Text, config: &Config, batch: usize) -> Result<Self, DataError> {
        let settings = &config.recurrent;
        let limit = if settings.train_words == 0 { usize::MAX } else { settings.train_words };
        let share = if config.trains() { config.train.portion } else { 1.0 };
        let words = (share * text.train.len().min(limit) as f64) as usize;
        let train = Columns::new(Part::Train, words, batch)?;
        let valid = Columns::new(Part::Valid, text.valid.len(), settings.evaluation_batch)?;
        Ok(Self {
            text: Arc::new(text),
            streams: Streams::new(config.seed),
            bptt: settings.bptt,
            lengths: settings.lengths,
            train,
            search: None,
            valid,
            test: None,
        })
    }

    /// The text.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Steps of the first epoch; others have a few more or less, as lengths are drawn.
    pub fn steps_per_epoch(&self) -> usize {
        self.steps(0)
    }

    /// Where the sequences of an epoch start, and how many rows were drawn for each.
    fn sequences(&self, epoch: usize) -> Vec<(usize, usize)> {
        let mut rng = self.streams.at(Stream::Lengths, epoch as u64);
        let (mut start, mut all) = (0, Vec::new());
        // A last row alone is not read, as in the authors' code; a text of two rows has nothing else.
        while start + 2 < self.train.rows || all.is_empty() {
            let length = self.length(&mut rng);
            all.push((start, length));
            start += length;
        }
        all
    }

    fn length(&self, rng: &mut Pcg64) -> usize {
        let whole = rng.random::<f64>() < WHOLE;
        let length = if whole { self.bptt as f64 } else { self.bptt as f64 / 2.0 };
        match self.lengths {
            Lengths::Halved => (length as usize).max(1),
            Lengths::Jittered => {
                let [deviation, least, beyond] = JITTER;
                let draw = normal(rng, 1).first().map_or(0.0, |&draw| f64::from(draw));
                let length = length + deviation as f64 * draw;
                (length.max(least as f64) as usize).min(self.bptt + beyond)
            }
        }
    }

    fn batch(&self, columns: &Columns, start: usize, wanted: usize) -> TextBatch {
        columns.batch(self.text.part(columns.part), start, wanted)
    }

    /// The columns that a part is evaluated in.
    fn evaluated(&self, part: Part) -> Option<&Columns> {
        match part {
            Part::Train => None,
            Part::Valid => Some(&self.valid),
            Part::Test => self.test.as_ref(),
        }
    }
}

impl Batches for TextLoader {
    type Batch = TextBatch;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches<TextBatch>, DataError> {
        let sequences = self.sequences(epoch);
        let Some(&(start, wanted)) = sequences.get(step) else {
            return Err(DataError::Stopped(format!("epoch {epoch} has no step {step}")));
        };
        let train = self.batch(&self.train, start, wanted);
        let valid = self.search.as_ref().map_or_else(TextBatch::default, |columns| {
            self.batch(columns, start % (columns.rows - 1), self.bptt)
        });
        Ok(StepBatches { train, valid })
    }

    fn evaluation(&mut self, part: Part, _: usize, index: usize) -> Result<TextBatch, DataError> {
        let Some(columns) = self.evaluated(part) else {
            return Err(DataError::Stopped(format!("the {} text is not read", name(part))));
        };
        Ok(self.batch(columns, index * self.bptt, self.bptt))
    }

    fn evaluation_batches(&self, part: Part) -> usize {
        self.evaluated(part).map_or(0, |columns| (columns.rows - 1).div_ceil(self.bptt))
    }

    fn steps(&self, epoch: usize) -> usize {
        self.sequences(epoch).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(train: u32, valid: u32) -> Text {
        Text {
            train: (0..train).collect(),
            valid: (0..valid).collect(),
            test: (0..12).collect(),
            ..Text::default()
        }
    }

    fn config(batch: usize, bptt: usize) -> Config {
        let mut config = Config::default();
        config.search.batch_size = batch;
        config.train.batch_size = batch;
        config.recurrent.bptt = bptt;
        config.recurrent.evaluation_batch = 2;
        config
    }

    #[test]
    fn a_text_is_cut_into_columns_and_read_from_the_top() -> Result<(), DataError> {
        let mut loader = TextLoader::for_search(text(23, 8), &config(2, 4))?;
        let StepBatches { train, valid } = loader.step(0, 0)?;
        // 23 words are two columns of 11: 0 … 10 and 11 … 21.
        let rows = train.rows();
        assert_eq!(train.words[..4], [0, 11, 1, 12]);
        assert_eq!(train.next[..4], [1, 12, 2, 13]);
        assert!(rows == 4 || rows == 2, "{rows}");
        // Two columns of 4 words have 3 rows with a word after them.
        assert_eq!((valid.words, valid.next), (vec![0, 4, 1, 5, 2, 6], vec![1, 5, 2, 6, 3, 7]));
        assert_eq!(valid.wanted, 4);
        Ok(())
    }

    #[test]
    fn an_epoch_reads_every_word_once_and_the_architecture_starts_where_the_weights_do()
    -> Result<(), DataError> {
        for lengths in [Lengths::Halved, Lengths::Jittered] {
            let mut config = config(3, 7);
            config.recurrent.lengths = lengths;
            let mut loader = TextLoader::for_search(text(1000, 61), &config)?;
            for epoch in 0..3 {
                let (mut row, mut words) = (0, Vec::new());
                for step in 0..loader.steps(epoch) {
                    let StepBatches { train, valid } = loader.step(epoch, step)?;
                    assert_eq!(valid.words[0], row % 19, "61 words are 3 columns of 20");
                    row += train.wanted as u32;
                    words.extend(train.words.iter().step_by(3).copied());
                }
                // Of 333 rows the last has no word after it, and the last but one may be left out.
                let read = words.len() as u32;
                assert!(read == 332 || read == 331, "{read}");
                assert!(words.into_iter().eq(0..read));
            }
        }
        Ok(())
    }

    #[test]
    fn lengths_are_a_function_of_seed_and_epoch() -> Result<(), DataError> {
        let loader = TextLoader::for_search(text(100_000, 80), &config(4, 35))?;
        assert_eq!(loader.sequences(1), loader.sequences(1));
        assert_ne!(loader.sequences(1), loader.sequences(2));
        let lengths: Vec<usize> =
            loader.sequences(1).into_iter().map(|(_, length)| length).collect();
        assert!(lengths.iter().all(|&length| length == 35 || length == 17));
        let halved = lengths.iter().filter(|&&length| length == 17).count() as f64;
        assert!((0.03..0.07).contains(&(halved / lengths.len() as f64)), "{halved}");
        let mut config = config(4, 35);
        config.recurrent.lengths = Lengths::Jittered;
        let jittered = TextLoader::for_training(text(100_000, 80), &config)?.sequences(0);
        assert!(jittered.iter().all(|&(_, length)| (5..=55).contains(&length)));
        let mean = jittered.iter().map(|&(_, length)| length).sum::<usize>() as f64;
        assert!((32.0..36.0).contains(&(mean / jittered.len() as f64)), "{mean}");
        Ok(())
    }

    #[test]
    fn a_part_shorter_than_its_columns_is_refused_with_the_setting_to_change() {
        let refused = |text| TextLoader::for_search(text, &config(8, 4)).err();
        let of_train = refused(text(15, 100)).map(|error| error.to_string()).unwrap_or_default();
        assert!(of_train.contains("training text has 15 words"), "{of_train}");
        assert!(of_train.contains("search.batch_size"), "{of_train}");
        let of_valid = refused(text(100, 15)).map(|error| error.to_string()).unwrap_or_default();
        assert!(of_valid.contains("validation text has 15 words"), "{of_valid}");
    }

    #[test]
    fn a_training_is_tested_on_one_column_of_the_test_text() -> Result<(), DataError> {
        let mut loader = TextLoader::for_training(text(100, 30), &config(4, 5))?;
        assert_eq!(loader.step(0, 0)?.valid, TextBatch::default());
        assert_eq!(loader.evaluation_batches(Part::Test), 3);
        assert_eq!(loader.evaluation(Part::Test, 0, 2)?.words, [10]);
        assert_eq!(loader.evaluation(Part::Valid, 0, 0)?.columns, 2);
        Ok(())
    }
}
