//! Perturbations of the architecture (spec §3): they act on p = softmax(α), only for the w-step,
//! and the search never writes them back to α.

pub mod project;

use burn::tensor::{Tensor, TensorData};
use rand_pcg::Pcg64;
use shaders::{Kernels, PgdStep};

use crate::config::{self, Norm, Projection};
use crate::nn::{ReadError, read};
use crate::rng::uniform;

pub use shaders::row_clip;

/// Which perturbation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perturbation {
    /// p itself.
    None,
    /// Uniform noise (SDARTS-RS).
    Random,
    /// The worst p nearby, found by projected gradient ascent (SDARTS-ADV).
    Adversarial,
}

/// One row of the catalogue of perturbations.
pub struct Row {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it does.
    pub help: &'static str,
    /// The perturbation.
    pub perturbation: Perturbation,
}

/// All perturbations.
pub static ALL: &[Row] = &[
    Row {
        name: "none",
        help: "the weights are trained at p = softmax(alpha)",
        perturbation: Perturbation::None,
    },
    Row {
        name: "random",
        help: "p + U(-epsilon, epsilon), one draw for each batch (paper eq. 4)",
        perturbation: Perturbation::Random,
    },
    Row {
        name: "adversarial",
        help: "the p within epsilon that raises the training loss most, by PGD (paper eq. 5)",
        perturbation: Perturbation::Adversarial,
    },
];

/// Radius in an epoch: grows linearly from ε_min towards ε_max. The authors' code divides by E and
/// so stops one step short of ε_max; the paper says that ε reaches it.
pub fn epsilon(
    config: &config::Perturbation,
    reaches_max: bool,
    epoch: usize,
    epochs: usize,
) -> f64 {
    let last = if reaches_max { epochs.saturating_sub(1).max(1) } else { epochs };
    config.epsilon_min + (config.epsilon_max - config.epsilon_min) * epoch as f64 / last as f64
}

/// The training loss as a function of p, with weights, batch and batch-norm statistics fixed.
pub trait Objective {
    /// The loss, of shape [1].
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1>;
    /// Its gradient with respect to p.
    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>>;
}

/// Where a perturbation may go and how it gets there.
#[derive(Clone, Copy, Debug)]
pub struct Ball {
    /// Radius ε.
    pub epsilon: f64,
    /// Norm of the ball; random perturbations are always uniform per entry.
    pub norm: Norm,
    /// How a row becomes a probability vector again.
    pub projection: Projection,
}

/// How the ascent goes.
#[derive(Clone, Copy, Debug)]
pub struct Ascent {
    /// Number of steps.
    pub steps: usize,
    /// Length of a step, as a multiple of ε / steps.
    pub step_scale: f64,
    /// Whether it starts at a random point of the ball.
    pub random_start: bool,
    /// Whether p is restored if the loss went down.
    pub revert: bool,
    /// Whether plain burn ops or our kernel compute a step in the L∞ ball.
    pub kernels: Kernels,
}

/// What an attack found.
pub struct Attacked {
    /// The perturbed p.
    pub p: Vec<Tensor<2>>,
    /// p + δ of the last ascent step: inside the ball, before the projection of its rows.
    pub displaced: Vec<Tensor<2>>,
    /// Loss at the original p, [1].
    pub loss_before: Tensor<1>,
    /// Loss at the end of the ascent, [1], before a revert.
    pub loss_after: Tensor<1>,
}

/// p + U(−ε, ε), row by row a probability vector again.
///
/// # Errors
/// If the exact projection cannot read p back from the device.
pub async fn random(
    p: &[Tensor<2>],
    ball: Ball,
    rng: &mut Pcg64,
) -> Result<Vec<Tensor<2>>, ReadError> {
    let mut perturbed = Vec::with_capacity(p.len());
    for (p, moved) in p.iter().zip(displaced(p, ball.epsilon, rng)) {
        perturbed.push(into_simplex(p, moved, Ball { norm: Norm::Linf, ..ball }).await?);
    }
    Ok(perturbed)
}

/// p + U(−ε, ε), before anything makes its rows probability vectors again.
pub fn displaced(p: &[Tensor<2>], epsilon: f64, rng: &mut Pcg64) -> Vec<Tensor<2>> {
    p.iter().map(|p| p.clone() + noise_like(p, epsilon, rng)).collect()
}

/// Projected gradient ascent on the loss: steps of `step_scale`·ε/steps along the sign of the
/// gradient (L∞) or along the gradient of each row (L2), all tensors together (spec §3.4).
///
/// # Errors
/// If the exact projection cannot read p back from the device.
pub async fn adversarial(
    p: &[Tensor<2>],
    ball: Ball,
    ascent: Ascent,
    objective: &mut dyn Objective,
    rng: &mut Pcg64,
) -> Result<Attacked, ReadError> {
    let loss_before = objective.loss(p);
    let mut current = if ascent.random_start { random(p, ball, rng).await? } else { p.to_vec() };
    let mut displaced = p.to_vec();
    let step = ascent.step_scale * ball.epsilon / ascent.steps as f64;
    for _ in 0..ascent.steps {
        let gradient = objective.gradient(&current);
        let tensors = current.iter_mut().zip(&mut displaced).zip(gradient).zip(p);
        for (((current, displaced), gradient), p) in tensors {
            (*displaced, *current) =
                pgd_step(p, current.clone(), gradient, (ball, step), ascent.kernels).await?;
        }
    }
    let loss_after = objective.loss(&current);
    if ascent.revert {
        let worse = loss_before.clone().greater(loss_after.clone()).float().reshape([1, 1]);
        for (current, p) in current.iter_mut().zip(p) {
            *current = select(&worse, p.clone(), current.clone());
        }
    }
    Ok(Attacked { p: current, displaced, loss_before, loss_after })
}

/// A step of this length: p + δ, and that with its rows probability vectors again.
async fn pgd_step(
    p: &Tensor<2>,
    current: Tensor<2>,
    gradient: Tensor<2>,
    (ball, length): (Ball, f64),
    kernels: Kernels,
) -> Result<(Tensor<2>, Tensor<2>), ReadError> {
    if ball.norm == Norm::Linf && ball.projection == Projection::RowClip {
        let pgd_step = PgdStep { length: length as f32, epsilon: ball.epsilon as f32 };
        return Ok(pgd_step.forward(kernels, p.clone(), current, gradient));
    }
    let moved = current + direction(gradient, ball.norm).mul_scalar(length);
    let displaced = p.clone() + into_ball(moved - p.clone(), ball);
    Ok((displaced.clone(), into_simplex(p, displaced, ball).await?))
}

/// `yes` where `condition` is 1, `no` where it is 0, bit for bit.
fn select(condition: &Tensor<2>, yes: Tensor<2>, no: Tensor<2>) -> Tensor<2> {
    let mask = condition.clone().expand(yes.dims()).greater_scalar(0.5);
    no.mask_where(mask, yes)
}

fn noise_like(p: &Tensor<2>, epsilon: f64, rng: &mut Pcg64) -> Tensor<2> {
    let shape = p.dims();
    let values = uniform(rng, shape[0] * shape[1], -epsilon as f32, epsilon as f32);
    Tensor::from_data(TensorData::new(values, shape), &p.device())
}

fn direction(gradient: Tensor<2>, norm: Norm) -> Tensor<2> {
    match norm {
        Norm::Linf => gradient.sign(),
        Norm::L2 => {
            let length = row_norm(gradient.clone()).clamp_min(f32::MIN_POSITIVE);
            gradient / length
        }
    }
}

fn into_ball(delta: Tensor<2>, ball: Ball) -> Tensor<2> {
    match ball.norm {
        Norm::Linf => delta.clamp(-ball.epsilon, ball.epsilon),
        Norm::L2 => {
            let length = row_norm(delta.clone()).clamp_min(f32::MIN_POSITIVE);
            delta * length.recip().mul_scalar(ball.epsilon).clamp_max(1.0)
        }
    }
}

fn row_norm(rows: Tensor<2>) -> Tensor<2> {
    rows.square().sum_dim(1).sqrt()
}

async fn into_simplex(
    center: &Tensor<2>,
    moved: Tensor<2>,
    ball: Ball,
) -> Result<Tensor<2>, ReadError> {
    match ball.projection {
        Projection::RowClip => Ok(row_clip(moved)),
        Projection::Exact => exact(center, moved, ball).await,
    }
}

/// The nearest point of ball ∩ simplex, row by row on the host: 14 short rows, a few thousand
/// operations, for which no kernel is worth its launch.
async fn exact(center: &Tensor<2>, moved: Tensor<2>, ball: Ball) -> Result<Tensor<2>, ReadError> {
    let shape @ [_, operations] = center.dims();
    let device = center.device();
    let (centers, points) = (read(center.clone()).await?, read(moved).await?);
    let rows = centers.chunks_exact(operations).zip(points.chunks_exact(operations));
    let projected: Vec<f32> =
        rows.flat_map(|(center, point)| project::row(center, point, ball)).collect();
    Ok(Tensor::from_data(TensorData::new(projected, shape), &device))
}
