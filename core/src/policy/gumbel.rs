//! GDAS: p is a draw. With Gumbel noise g and temperature τ, softmax((α + g) / τ) is near one option, the more
//! so the smaller τ; of operations the forward pass takes the one option alone, and the gradient is that of
//! the softmax (straight-through).
//!
//! Paper: *Searching for a Robust Neural Architecture in Four GPU Hours* (Dong, Yang, CVPR 2019). Settings:
//! sections `alpha` and `sampling`. Where cells may have p of their own, each has its own draw.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData, activation};
use rand_pcg::Pcg64;

use super::softmax::{self, Softmax};
use super::{Draw, Entry, Pick, Policy, Sample, Setup};
use crate::arrays::{ArrayError, Arrays, to_rows};
use crate::cell::{Choice, ChoiceKind, Rows};
use crate::config::Config;
use crate::nn::Picked;
use crate::optim::clip_all;
use crate::rng::uniform;

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "gumbel",
    help: "p is a draw near one option of each row, and of operations that option alone; alpha descends by \
           Adam, its gradient clipped to 5",
    has_alpha: true,
    fits: |_| true,
    new: |setup| Box::new(Gumbel::new(setup)),
    read: softmax::read,
};

/// Largest 2-norm of the gradient of α over all of its tensors.
const CLIP: f64 = 5.0;

/// τ of the first epoch.
const TEMPERATURE: f64 = 10.0;

/// τ of the last epoch: that of the code for one-shot spaces, and that of the paper.
const LAST: (f64, f64) = (1.0, 0.1);

/// α, and how it is drawn from.
pub struct Gumbel {
    softmax: Softmax,
    /// Of every choice: whether one option of a row is taken alone.
    hard: Vec<bool>,
    copies: usize,
    /// τ of the first epoch and of the last.
    temperatures: (f64, f64),
    lets_weights_rest: bool,
}

impl Gumbel {
    fn new(setup: &Setup) -> Self {
        let Setup { choices, copies, config, .. } = *setup;
        let quirks = &config.quirks;
        let is_hard =
            |choice: &Choice| choice.kind == ChoiceKind::Operation || !quirks.gdas_soft_inputs;
        let last = if quirks.gdas_temperature_stops { LAST.0 } else { LAST.1 };
        Self {
            softmax: Softmax::new(setup),
            hard: choices.iter().map(is_hard).collect(),
            copies,
            temperatures: temperatures(config, (TEMPERATURE, last)),
            lets_weights_rest: quirks.unused_weights_rest,
        }
    }
}

/// The temperatures that settings ask for, of the first epoch and of the last; 0 stands for that of the
/// method.
pub(super) fn temperatures(config: &Config, (first, last): (f64, f64)) -> (f64, f64) {
    let or = |value: f64, own: f64| if value == 0.0 { own } else { value };
    let sampling = &config.sampling;
    (or(sampling.temperature, first), or(sampling.temperature_min, last))
}

/// τ at this progress, from 0 to 1: linear.
pub fn temperature((first, last): (f64, f64), progress: f64) -> f64 {
    first + (last - first) * progress
}

/// Noise −ln(−ln u), u ~ U(0, 1): for each choice as many rows as all copies of it have.
pub fn noise(shapes: &[[usize; 2]], copies: usize, rng: &mut Pcg64) -> Vec<Vec<f32>> {
    let gumbel = |u: f32| -(-u.max(f32::MIN_POSITIVE).ln()).max(f32::MIN_POSITIVE).ln();
    let of = |[rows, options]: &[usize; 2]| {
        uniform(rng, copies * rows * options, 0.0, 1.0).into_iter().map(gumbel).collect()
    };
    shapes.iter().map(of).collect()
}

/// softmax((α + noise) / τ), of as many copies of α as there is noise for.
///
/// # Shapes
/// - `alpha`: [rows, options]; `noise`: copies · rows · options numbers
/// - output: [copies · rows, options]
pub fn soft(alpha: &Tensor<2>, noise: &[f32], temperature: f64) -> Tensor<2> {
    let [rows, options] = alpha.dims();
    let copies = noise.len() / (rows * options).max(1);
    let shape = [copies * rows, options];
    let noise = TensorData::new(noise.to_vec(), shape);
    let noise = Tensor::from_data(noise, &alpha.device().inner());
    let noise = if alpha.is_autodiff() { noise.autodiff() } else { noise };
    let logits = alpha.clone().repeat_dim(0, copies) + noise;
    activation::softmax(logits.div_scalar(temperature), 1)
}

/// 1 for one option of each row and 0 for the others; the gradient is that of `soft`.
pub fn straight_through(soft: Tensor<2>, columns: &[usize]) -> Tensor<2> {
    let hard = one_hot(columns, soft.dims(), &soft.device().inner());
    match soft.is_autodiff() {
        // The difference is 0 exactly.
        true => hard.autodiff() + (soft.clone() - soft.detach()),
        false => hard,
    }
}

/// A matrix with a 1 in each row.
pub(super) fn one_hot(columns: &[usize], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let mut values = vec![0.0; shape[0] * shape[1]];
    for (row, column) in columns.iter().enumerate() {
        values[row * shape[1] + column] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The option of each row, of all copies, that α + noise prefers; the first of equals.
pub fn strongest(alpha: &Rows, noise: &[f32]) -> Vec<usize> {
    let options = alpha.first().map_or(1, Vec::len).max(1);
    let rows = noise.chunks(options).zip(alpha.iter().cycle());
    let best = |(noise, alpha): (&[f32], &Vec<f32>)| {
        let mut best = (0, f32::NEG_INFINITY);
        for (column, value) in alpha.iter().zip(noise).map(|(a, g)| a + g).enumerate() {
            if value > best.1 {
                best = (column, value);
            }
        }
        best.0
    };
    rows.map(best).collect()
}

impl Policy for Gumbel {
    fn leaves(&self) -> &[Tensor<2>] {
        self.softmax.leaves()
    }

    fn relax(&self, leaves: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>> {
        let Draw::Step(Sample { mut rng, progress, picked, .. }) = draw else {
            return softmax::relax(leaves);
        };
        let shapes: Vec<[usize; 2]> = leaves.iter().map(Tensor::dims).collect();
        let temperature = temperature(self.temperatures, progress);
        let p = |(index, (alpha, noise)): (usize, (&Tensor<2>, Vec<f32>))| {
            let soft = soft(alpha, &noise, temperature);
            match picked.as_ref().and_then(|picked| picked.0.get(index)?.as_ref()) {
                Some(columns) => straight_through(soft, columns),
                None => soft,
            }
        };
        let noise = noise(&shapes, self.copies, &mut rng);
        leaves.iter().zip(noise).enumerate().map(p).collect()
    }

    fn pick<'a>(&'a self, sample: &'a Sample) -> Pick<'a> {
        Box::pin(async move {
            let alpha = to_rows(self.leaves()).await?;
            let shapes: Vec<[usize; 2]> = self.leaves().iter().map(Tensor::dims).collect();
            let noise = noise(&shapes, self.copies, &mut sample.rng.clone());
            let of = |((alpha, noise), hard): ((&Rows, &Vec<f32>), &bool)| {
                hard.then(|| strongest(alpha, noise))
            };
            let picked = alpha.iter().zip(&noise).zip(&self.hard).map(of).collect();
            Ok(Some(Arc::new(Picked(picked))))
        })
    }

    fn lets_weights_rest(&self) -> bool {
        self.lets_weights_rest
    }

    fn evaluates_draws(&self) -> bool {
        true
    }

    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64) {
        self.softmax.learn(clipped(gradient), step);
    }

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        self.softmax.saved()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        self.softmax.restore(arrays, device)
    }
}

/// The gradient as the released code clips it, of all tensors together.
pub fn clipped(gradient: Vec<Tensor<2>>) -> Vec<Tensor<2>> {
    clip_all(gradient, CLIP)
}
