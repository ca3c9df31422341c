//! Random smoothing: p + U(−ε, ε), one draw for each batch (paper eq. 4, spec §3.3).
//!
//! Paper: SmoothDARTS §4.1, SDARTS-RS. Settings: `perturbation.epsilon_min`, `epsilon_max`. What the
//! authors' code does differently: it clips rows and divides by their sum instead of projecting them
//! (`quirks.projection`), so the result can leave the ball. It costs no pass.

use burn::tensor::{Tensor, TensorData};
use rand_pcg::Pcg64;

use super::project::into_simplex;
use super::{Ball, Perturbation, Perturbed};
use crate::config::Norm;
use crate::nn::ReadError;
use crate::rng::uniform;

/// Its row of the catalogue.
pub static ENTRY: Perturbation = Perturbation {
    name: "random",
    help: "p + U(-epsilon, epsilon), one draw for each batch (paper eq. 4)",
    suffix: "-rs",
    passes: |_| (0, 0),
    apply: |mut request| {
        Box::pin(async move { smooth(request.p, request.ball, &mut request.rng).await })
    },
};

/// p + U(−ε, ε), row by row a probability vector again.
///
/// # Errors
/// If the exact projection cannot read p back from the device.
pub async fn smooth(p: &[Tensor<2>], ball: Ball, rng: &mut Pcg64) -> Result<Perturbed, ReadError> {
    let displaced = displaced(p, ball.epsilon, rng);
    let mut perturbed = Vec::with_capacity(p.len());
    for (p, moved) in p.iter().zip(&displaced) {
        let ball = Ball { norm: Norm::Linf, ..ball };
        perturbed.push(into_simplex(p, moved.clone(), ball).await?);
    }
    Ok(Perturbed { p: perturbed, displaced, losses: None })
}

/// p + U(−ε, ε), before anything makes its rows probability vectors again.
pub fn displaced(p: &[Tensor<2>], epsilon: f64, rng: &mut Pcg64) -> Vec<Tensor<2>> {
    p.iter().map(|p| p.clone() + noise_like(p, epsilon, rng)).collect()
}

fn noise_like(p: &Tensor<2>, epsilon: f64, rng: &mut Pcg64) -> Tensor<2> {
    let shape = p.dims();
    let values = uniform(rng, shape[0] * shape[1], -epsilon as f32, epsilon as f32);
    Tensor::from_data(TensorData::new(values, shape), &p.device())
}
