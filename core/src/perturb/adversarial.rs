//! Adversarial smoothing: the p within ε that raises the training loss most, found by projected
//! gradient ascent (paper eq. 5, spec §3.4).
//!
//! Paper: SmoothDARTS §4.2, SDARTS-ADV. Settings: section `perturbation`. What the authors' code
//! does differently from the text: the attack runs in eval mode (`quirks.attack_in_eval_mode`), rows
//! are clipped (`quirks.projection`), and an attack that lowered the loss is taken back
//! (`quirks.revert_failed_attack`). Logged: the loss before the ascent and after it, before a
//! revert. It costs two passes for the loss and one for each step.

use burn::tensor::Tensor;
use rand_pcg::Pcg64;
use shaders::{Kernels, PgdStep};

use super::project::{direction, into_ball, into_simplex};
use super::random::smooth;
use super::{Ball, Objective, Perturbation, Perturbed};
use crate::config::{Norm, Projection};
use crate::nn::ReadError;

/// Its row of the catalogue.
pub static ENTRY: Perturbation = Perturbation {
    name: "adversarial",
    help: "the p within epsilon that raises the training loss most, by PGD (paper eq. 5)",
    suffix: "-adv",
    passes: |settings| (2, settings.steps),
    apply: |mut request| {
        let ascent = Ascent {
            steps: request.settings.steps,
            step_scale: request.settings.step_scale,
            random_start: request.settings.random_start,
            revert: request.quirks.revert_failed_attack,
            kernels: request.kernels,
        };
        Box::pin(async move {
            let (p, ball) = (request.p, request.ball);
            let found = attack(p, ball, ascent, request.objective, &mut request.rng).await?;
            let Attacked { p, displaced, loss_before, loss_after } = found;
            Ok(Perturbed { p, displaced, losses: Some([loss_before, loss_after]) })
        })
    },
};

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
    /// Loss at the original p, `[1]`.
    pub loss_before: Tensor<1>,
    /// Loss at the end of the ascent, `[1]`, before a revert.
    pub loss_after: Tensor<1>,
}

/// Projected gradient ascent on the loss: steps of `step_scale`·ε/steps along the sign of the
/// gradient (L∞) or along the gradient of each row (L2), all choices together.
///
/// # Errors
/// If the exact projection cannot read p back from the device.
pub async fn attack(
    p: &[Tensor<2>],
    ball: Ball,
    ascent: Ascent,
    objective: &mut dyn Objective,
    rng: &mut Pcg64,
) -> Result<Attacked, ReadError> {
    let loss_before = objective.loss(p);
    let mut current = if ascent.random_start { smooth(p, ball, rng).await?.p } else { p.to_vec() };
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
        let step = PgdStep { length: length as f32, epsilon: ball.epsilon as f32 };
        return Ok(step.forward(kernels, p.clone(), current, gradient));
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
