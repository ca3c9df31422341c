//! The Hessian of a search, what observers see of it, and the penalty on the curvature.

use burn::tensor::Tensor;

use super::Search;
use super::parts::For;
use crate::arrays::{Later, to_rows, vector};
use crate::cell::Genotype;
use crate::cell::{Choice, Rows};
use crate::config::Order;
use crate::data::Batches;
use crate::event::Event;
use crate::measure::hessian::{Hessian, HessianError, Spectrum};
use crate::measure::{MeasureError, Subject};
use crate::method::Extra;
use crate::method::architect::{AlphaGradient, curvature};
use crate::net::Network as _;
use crate::nn::Randomness;
use crate::rng::{Stream, normal};
use crate::run::noise::NOISE_PASSES;
use crate::run::{Position, Run, RunError};
use crate::task::{Relax, Task};

type Supply<'a, T> = &'a mut dyn Batches<Batch = <T as Task>::Batch>;

/// A search between two epochs.
pub(super) struct Between<'a, T: Task> {
    pub search: &'a Search<T>,
    pub batches: Supply<'a, T>,
    pub at: Position,
}

impl<T: Task> Subject for Between<'_, T> {
    fn epoch(&self) -> usize {
        self.at.epoch
    }

    fn is_last(&self) -> bool {
        self.at.epoch + 1 == self.search.config.search.epochs
    }

    fn choices(&self) -> &[Choice] {
        self.search.model.network.architecture()
    }

    fn probabilities(&self) -> Later<'_, Result<Vec<Rows>, MeasureError>> {
        Box::pin(async { Ok(to_rows(&self.search.policy.mean()).await?) })
    }

    fn derive(&self, probabilities: &[Rows]) -> Genotype {
        self.search.derive(probabilities)
    }

    fn encode(&self, genotype: &Genotype) -> String {
        self.search.space.encode(genotype)
    }

    fn hessian(&mut self, dense: bool) -> Later<'_, Result<Spectrum, MeasureError>> {
        Box::pin(self.search.hessian(&mut *self.batches, self.at, dense))
    }
}

impl<T: Task> Search<T> {
    /// The Hessian of the validation loss at a position: on the validation batch of the last step
    /// before it, in train mode, without drop-path. All eigenvalues (`dense`), or the extreme ones.
    async fn hessian(
        &self,
        batches: Supply<'_, T>,
        at: Position,
        dense: bool,
    ) -> Result<Spectrum, MeasureError> {
        let (epoch, step) = at.last(|epoch| batches.steps(epoch));
        let valid = self.upload(batches.step(epoch, step)?.valid, &self.carries.valid);
        // The passes of the search itself count from 1.
        let noise = self.streams.at(Stream::Noise, (2 * at.total_steps + 1) * NOISE_PASSES);
        if self.policy.leaves().is_empty() {
            return Err(HessianError::NoAlpha.into());
        }
        let draw = self.draw(at, For::Hessian).await?;
        let noise = Randomness { picked: draw.picked(), ..noise.into() };
        let (point, all) = (self.state.point(false), self.policy.measured());
        let subset = self.choices(self.config.hessian.edge_weights);
        let leaves = subset.of(&all);
        let relax = |leaves: &[_]| self.policy.relax(&subset.within(&all, leaves), draw.clone());
        let pattern = self.model.pattern(point, &relax(&leaves), &valid, noise.clone());
        let gradient = |leaves: &[_]| {
            self.model.gradient_within(&pattern, point, leaves, &relax, &valid, noise.clone())
        };
        let hessian = Hessian::new(&leaves, gradient);
        Ok(match dense {
            true => hessian.spectrum().await?,
            false => {
                hessian.extremes(&mut self.streams.at(Stream::Lanczos, at.total_steps)).await?
            }
        })
    }

    /// Whether the α-step descends the curvature too.
    pub(super) fn penalises(&self) -> bool {
        self.method.extra == Some(Extra::CurvaturePenalty)
    }

    /// Adds the gradient of the curvature penalty to an α-gradient whose first pass drew from
    /// `pass`; all passes must draw the same. The running statistics see none of the passes here.
    pub(super) fn penalise(
        &self,
        found: &mut AlphaGradient<T::Carry>,
        valid: &T::Input,
        (pass, relax): (Randomness, Relax),
        at: Position,
    ) {
        let (point, leaves, config) =
            (self.state.point(false), self.policy.leaves(), &self.config.penalty);
        let evaluate = |leaves: &[_]| {
            let (gradient, outcome) =
                self.model.architecture_gradient(point, leaves, relax, valid, pass.clone());
            (gradient, outcome.loss)
        };
        let centre = match self.config.search.order {
            Order::First => (found.gradient.clone(), found.loss.clone()),
            // What was found lies at the virtual weights.
            Order::Second => evaluate(leaves),
        };
        let direction = self.direction(at);
        let penalty =
            curvature(leaves, &direction, config.radius, centre, evaluate).penalty(config.strength);
        for (gradient, penalty) in found.gradient.iter_mut().zip(penalty) {
            *gradient = gradient.clone() + penalty;
        }
    }

    /// A random direction of unit length in the space of the architecture parameters.
    fn direction(&self, at: Position) -> Vec<Tensor<2>> {
        let mut rng = self.streams.at(Stream::Penalty, at.total_steps);
        let leaves = self.policy.leaves();
        let sizes = leaves.iter().map(|leaf| leaf.shape().num_elements());
        let parts: Vec<Vec<f32>> = sizes.map(|size| normal(&mut rng, size)).collect();
        let square: f64 = parts.iter().flatten().map(|&value| f64::from(value).powi(2)).sum();
        let unit = |(leaf, part): (&Tensor<2>, Vec<f32>)| {
            vector(part, &self.device).reshape(leaf.dims()).div_scalar(square.sqrt())
        };
        leaves.iter().zip(parts).map(unit).collect()
    }
}

impl<T: Task> Run<Search<T>> {
    /// The Hessian of the validation loss where the search stands: on the validation batch of its
    /// last step, in train mode, without drop-path. All eigenvalues (`dense`), or the extreme ones.
    ///
    /// # Errors
    /// If a gradient is not finite, or what the data or the device say.
    pub async fn hessian(&self, batches: Supply<'_, T>, dense: bool) -> Result<Spectrum, RunError> {
        Ok(self.job.hessian(batches, self.progress.position, dense).await?)
    }

    /// Measures the extreme eigenvalues of the Hessian where the search stands, due or not, and says
    /// so: between any two parts of a search that has said its start. Apart from this event, all
    /// that follows is as without it.
    ///
    /// # Errors
    /// As for [`Self::hessian`].
    pub async fn measure_hessian(&mut self, batches: Supply<'_, T>) -> Result<Event, RunError> {
        let (epoch, _) = self.progress.position.last(|epoch| batches.steps(epoch));
        let found = self.hessian(batches, false).await?.event(epoch);
        self.progress.events += 1;
        Ok(Event::Hessian(found))
    }
}
