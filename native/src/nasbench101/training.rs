//! What a table knows of a cell.

use smoothdarts::cell::nasbench101::Hash;

/// One training of a cell. What a source does not tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Training {
    /// Accuracy on the validation images, from 0 to 1.
    pub valid: Option<f64>,
    /// Accuracy on the test images, from 0 to 1.
    pub test: Option<f64>,
    /// How long it took.
    pub seconds: Option<f64>,
}

/// Which images an accuracy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Those that choices are made with.
    Valid,
    /// Those that results are told of.
    Test,
}

impl Training {
    /// Its accuracy on these images, from 0 to 1.
    pub fn accuracy(&self, split: Split) -> Option<f64> {
        match split {
            Split::Valid => self.valid,
            Split::Test => self.test,
        }
    }
}

/// The trainings of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Their length.
    pub epochs: u32,
    /// Most trainings of one cell.
    pub repeats: usize,
}

/// All that a table knows of a cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Its name.
    pub hash: Hash,
    /// Weights of its network.
    pub parameters: Option<u32>,
    /// Its trainings by their number of epochs, the shortest first.
    pub trainings: Vec<(u32, Vec<Training>)>,
}

impl Cell {
    /// Its trainings of so many epochs.
    pub fn trained(&self, epochs: u32) -> &[Training] {
        let found = self.trainings.iter().find(|(length, _)| *length == epochs);
        found.map_or(&[], |(_, trainings)| trainings)
    }

    /// The mean of its accuracies after so many epochs, from 0 to 1; `None` where none is known.
    pub fn accuracy(&self, epochs: u32, split: Split) -> Option<f64> {
        mean(self.trained(epochs).iter().filter_map(|training| training.accuracy(split)))
    }
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let count = values.clone().count();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}
