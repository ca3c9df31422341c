//! What runs are judged by: the one place that says it, in numbers and in words.

use super::{EpochFinished, Finished};

/// How good a network is: the share of right answers, or of one that reads text its perplexity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Score {
    /// Share of right answers; larger is better.
    Accuracy(f64),
    /// Exponential of the mean loss of a word; smaller is better.
    Perplexity(f64),
}

impl Score {
    /// The perplexity where there is one, which is on text.
    pub fn new(accuracy: f64, perplexity: Option<f64>) -> Self {
        perplexity.map_or(Self::Accuracy(accuracy), Self::Perplexity)
    }

    /// Its name in texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::Perplexity(_) => "perplexity",
        }
    }

    /// A number that is larger the better it is.
    pub fn merit(self) -> f64 {
        match self {
            Self::Accuracy(share) => share,
            Self::Perplexity(perplexity) => -perplexity,
        }
    }

    /// The number in few characters: `81.2%`, `181.3`.
    pub fn short(self) -> String {
        match self {
            Self::Accuracy(share) => format!("{:.1}%", 100.0 * share),
            Self::Perplexity(perplexity) => format!("{perplexity:.1}"),
        }
    }

    /// The number as a report writes it: `81.2 %`, `181.3`.
    pub fn text(self) -> String {
        self.short().replace('%', " %")
    }
}

impl EpochFinished {
    /// Over the training steps.
    pub fn train_score(&self) -> Score {
        Score::new(self.train_accuracy, self.perplexity.map(|it| it.train))
    }

    /// On the validation half, or on the validation text.
    pub fn valid_score(&self) -> Score {
        Score::new(self.valid_accuracy, self.perplexity.map(|it| it.valid))
    }
}

impl Finished {
    /// Of the supernet after the last epoch, as [`EpochFinished::valid_score`].
    pub fn valid_score(&self) -> Score {
        Score::new(self.valid_accuracy, self.valid_perplexity)
    }
}
