//! The landscape of the validation accuracy around an architecture (Fig. 1 of the paper; spec
//! §11.1): accuracy and loss at A + x·g + y·o with the weights frozen and batch norm in eval mode.
//!
//! g is the direction of the gradient of the validation loss, uphill; o is a random one at a right
//! angle to it. The paper does not say how long they are, nor whether A is α or p = softmax(α):
//!
//! - Both directions keep the sum of every row. In logit space that is no restriction (a softmax
//!   does not see what all of its row have in common); in probability space it keeps rows on the
//!   plane of the simplex, and the row clip does the rest.
//! - Both have the 2-norm √rows, so a distance of 1 moves a row by 1 in the root mean square,
//!   whatever the number of edges, and landscapes of different spaces compare.
//!
//! [`Scan`] does one point at a time; the caller owns the loop.

mod directions;
mod validation;

use burn::tensor::Tensor;
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::data::DataError;
use crate::nn::ReadError;
use crate::perturb::row_clip;
use crate::policy::{Draw, Policy};
use crate::rng::{Stream, Streams};
use crate::task::{Classify, Model, Point, Tally, Task};
pub use directions::Directions;
use directions::directions;
pub use validation::{validation, validation_text};

/// Where the architecture moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Coordinates {
    /// Raw α, before the softmax.
    #[default]
    Logits,
    /// p = softmax(α), each row clipped to the simplex after the move.
    Probabilities,
}

impl Coordinates {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Logits, Self::Probabilities];

    /// Its name in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// Where the architecture moves.
    pub space: Coordinates,
    /// Largest |x| and |y|.
    pub range: f64,
    /// Points along each axis: odd, so that the middle one is the architecture itself.
    pub grid: usize,
    /// Seed of the random direction.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { space: Coordinates::Logits, range: 1.0, grid: 21, seed: 0 }
    }
}

impl Settings {
    /// Points in all.
    pub fn points(&self) -> usize {
        self.grid * self.grid
    }

    /// The coordinates along one axis, ascending and symmetric around 0 to the last bit.
    pub fn axis(&self) -> Vec<f64> {
        let half = (self.grid / 2) as f64;
        (0..self.grid).map(|index| self.range * ((index as f64 - half) / half)).collect()
    }

    /// Checks grid and range.
    ///
    /// # Errors
    /// [`LandscapeError::Grid`] or [`LandscapeError::Range`].
    pub fn check(&self) -> Result<(), LandscapeError> {
        let grid_is_good = (3..=101).contains(&self.grid) && self.grid % 2 == 1;
        match (grid_is_good, self.range.is_finite() && self.range > 0.0) {
            (false, _) => Err(LandscapeError::Grid { grid: self.grid }),
            (_, false) => Err(LandscapeError::Range { range: self.range }),
            _ => Ok(()),
        }
    }
}

/// Why there is no landscape.
#[derive(Debug, thiserror::Error)]
pub enum LandscapeError {
    /// The method of the search has no α.
    #[error("the method of this search trains whole architectures; there is nothing to move along")]
    NoAlpha,
    /// The grid has no middle, or is too large to be meant.
    #[error(
        "a landscape of {grid} points a side cannot be; use an odd number from 3 to 101, so that the middle is the architecture itself"
    )]
    Grid {
        /// Points along each axis.
        grid: usize,
    },
    /// The range is not a length.
    #[error("the range of a landscape must be positive and finite, not {range}")]
    Range {
        /// Largest |x| and |y|.
        range: f64,
    },
    /// There are no images to measure on.
    #[error("a landscape needs at least one validation image")]
    NoImages,
    /// There is no direction of ascent.
    #[error(
        "the gradient of the validation loss is {what}, so the landscape has no direction; train for longer, or take an earlier checkpoint if the search diverged"
    )]
    NoDirection {
        /// `zero` or `not finite`.
        what: &'static str,
    },
    /// A batch could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ReadError),
}

/// One point of a landscape. Numbers that are not finite stay so: they belong to the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Way along the gradient.
    pub x: f64,
    /// Way along the random direction.
    pub y: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
}

/// How flat a landscape is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flatness {
    /// Accuracy at the architecture itself.
    pub centre: f64,
    /// Mean of centre − accuracy over the points of the disc x² + y² ≤ range², the centre left out.
    pub mean_drop: f64,
    /// The largest centre − accuracy on that disc.
    pub largest_drop: f64,
    /// Share of all points of the grid whose accuracy is at least 0.9 of the centre's.
    pub flat_share: f64,
}

/// A measured landscape, or as much of it as was measured so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Landscape {
    /// How it was measured.
    pub settings: Settings,
    /// Images that every point was measured on.
    pub images: usize,
    /// The points, row by row: y ascending, and in each row x ascending.
    pub samples: Vec<Sample>,
}

impl Landscape {
    /// Whether all points were measured.
    pub fn is_complete(&self) -> bool {
        self.samples.len() == self.settings.points()
    }

    /// How flat it is, as far as it was measured; without its middle nothing is known. A point whose
    /// accuracy is not a number counts as accuracy 0.
    pub fn flatness(&self) -> Flatness {
        let accuracy =
            |sample: &Sample| if sample.accuracy.is_finite() { sample.accuracy } else { 0.0 };
        let centre = self.samples.get(self.settings.points() / 2).map_or(f64::NAN, accuracy);
        // The slack keeps the four ends of the axes in the disc whatever their rounding.
        let radius = self.settings.range * self.settings.range * (1.0 + 1e-9);
        let inside = |sample: &&Sample| {
            let distance = sample.x * sample.x + sample.y * sample.y;
            distance > 0.0 && distance <= radius
        };
        let drops: Vec<f64> =
            self.samples.iter().filter(inside).map(|sample| centre - accuracy(sample)).collect();
        let flat = self.samples.iter().filter(|sample| accuracy(sample) >= 0.9 * centre).count();
        Flatness {
            centre,
            mean_drop: drops.iter().sum::<f64>() / drops.len() as f64,
            largest_drop: drops.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            flat_share: flat as f64 / self.samples.len() as f64,
        }
    }
}

/// A landscape that is being measured, point by point. It owns what it needs of the search but the
/// model and the policy, so that it can wait between two points for as long as it likes.
pub struct Scan<T: Task = Classify> {
    settings: Settings,
    weights: Tensor<1>,
    statistics: Tensor<2>,
    /// α or p, as the space says.
    centre: Vec<Tensor<2>>,
    directions: Directions,
    inputs: Vec<T::Input>,
    /// How many examples these are.
    examples: usize,
    samples: Vec<Sample>,
}

impl<T: Task> Scan<T> {
    /// Finds the two directions at the architecture of `policy`: one gradient for every batch.
    ///
    /// # Errors
    /// Settings that mean nothing, no image, no gradient, or what the device says.
    pub async fn new(
        model: &Model<T>,
        at: Point<'_>,
        policy: &dyn Policy,
        inputs: Vec<T::Input>,
        settings: Settings,
    ) -> Result<Self, LandscapeError> {
        settings.check()?;
        if inputs.is_empty() {
            return Err(LandscapeError::NoImages);
        }
        let at = Point { eval: true, ..at };
        let centre = match settings.space {
            Coordinates::Logits => policy.measured(),
            Coordinates::Probabilities => policy.mean(),
        };
        if policy.leaves().is_empty() {
            return Err(LandscapeError::NoAlpha);
        }
        let gradient = gradient(model, at, (&centre, policy), &inputs, settings.space);
        let inputs = model.task.merged(inputs);
        Ok(Self {
            settings,
            weights: at.weights.clone(),
            statistics: at.statistics.clone(),
            directions: directions(gradient, settings.seed).await?,
            centre,
            examples: inputs.iter().map(|input| model.task.count(input)).sum(),
            inputs,
            samples: Vec::new(),
        })
    }

    /// Measures the next point; `None` when all are measured.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn advance(
        &mut self,
        model: &Model<T>,
        policy: &dyn Policy,
    ) -> Result<Option<Sample>, LandscapeError> {
        let (axis, index) = (self.settings.axis(), self.samples.len());
        let (Some(&y), Some(&x)) = (axis.get(index / axis.len()), axis.get(index % axis.len()))
        else {
            return Ok(None);
        };
        let sample = self.measure(model, policy, x, y).await?;
        self.samples.push(sample);
        Ok(Some(sample))
    }

    /// Points measured so far, and points in all.
    pub fn progress(&self) -> (usize, usize) {
        (self.samples.len(), self.settings.points())
    }

    /// The directions.
    pub fn directions(&self) -> &Directions {
        &self.directions
    }

    /// The probabilities at a point, [rows, options] for every choice.
    pub fn probabilities(&self, policy: &dyn Policy, x: f64, y: f64) -> Vec<Tensor<2>> {
        let Directions { gradient, orthogonal } = &self.directions;
        let directions = gradient.iter().zip(orthogonal);
        let moved: Vec<Tensor<2>> = self
            .centre
            .iter()
            .zip(directions)
            .map(|(centre, (g, o))| {
                centre.clone() + g.clone().mul_scalar(x) + o.clone().mul_scalar(y)
            })
            .collect();
        match self.settings.space {
            Coordinates::Logits => policy.relax(&moved, Draw::Mean),
            Coordinates::Probabilities => moved.into_iter().map(row_clip).collect(),
        }
    }

    /// What was measured so far.
    pub fn landscape(&self) -> Landscape {
        Landscape { settings: self.settings, images: self.examples, samples: self.samples.clone() }
    }

    async fn measure(
        &self,
        model: &Model<T>,
        policy: &dyn Policy,
        x: f64,
        y: f64,
    ) -> Result<Sample, LandscapeError> {
        let p = self.probabilities(policy, x, y);
        let at = Point { weights: &self.weights, statistics: &self.statistics, eval: true };
        let (mut tally, mut carry) = (Tally::new(&self.weights.device()), T::Carry::default());
        for (index, input) in self.inputs.iter().enumerate() {
            let input = model.task.continued(input, &carry);
            let mut outcome = model.loss(at, &p, &input, noise(index));
            carry = std::mem::take(&mut outcome.carry);
            tally.add(outcome.scores(), model.task.count(&input));
        }
        let (loss, accuracy) = tally.means().await?;
        // A loss that is not a number has no right answers: argmax of NaN is any class.
        let accuracy = if loss.is_nan() { f64::NAN } else { accuracy };
        Ok(Sample { x, y, accuracy, loss })
    }
}

/// The draws of the noise operation: the same ones for a batch at every point, or the landscape
/// would have waves of its own.
fn noise(batch: usize) -> Pcg64 {
    Streams::new(0).at(Stream::Landscape, u64::MAX - batch as u64)
}

/// The sum over images of the gradient of the validation loss with respect to α or p.
fn gradient<T: Task>(
    model: &Model<T>,
    at: Point,
    (centre, policy): (&[Tensor<2>], &dyn Policy),
    inputs: &[T::Input],
    space: Coordinates,
) -> Vec<Tensor<2>> {
    let relax = |leaves: &[_]| policy.relax(leaves, Draw::Mean);
    let mut sum: Vec<Tensor<2>> = centre.iter().map(Tensor::zeros_like).collect();
    let mut carry = T::Carry::default();
    for (index, input) in inputs.iter().enumerate() {
        let input = &model.task.continued(input, &carry);
        let (gradient, outcome) = match space {
            Coordinates::Logits => {
                model.architecture_gradient(at, centre, &relax, input, noise(index))
            }
            Coordinates::Probabilities => {
                model.probability_gradient(at, centre, input, noise(index))
            }
        };
        carry = outcome.carry;
        for (sum, gradient) in sum.iter_mut().zip(gradient) {
            *sum = sum.clone() + gradient.mul_scalar(model.task.count(input) as f64);
        }
    }
    sum
}
