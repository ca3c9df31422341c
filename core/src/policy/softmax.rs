//! DARTS: p is the softmax of every row of α (spec §1.2), and α descends by Adam (§2.4).
//!
//! Paper: *DARTS: Differentiable Choice Search* (Liu, Simonyan, Yang, ICLR 2019), and
//! SmoothDARTS, which keeps it. Settings: section `alpha`.

use burn::tensor::{Device, Tensor, activation};

use super::{Draw, Entry, Policy, Setup};
use crate::arrays::{ArrayError, Arrays, find, from_rows, matrix};
use crate::cell::{Choice, Row, Rows};
use crate::config::AlphaOptimiser;
use crate::optim::{Moments, adam, clip_all};
use crate::rng::{Stream, Streams, normal};

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "softmax",
    help: "p is the softmax of each row of alpha; alpha descends by Adam",
    has_alpha: true,
    fits: |_| true,
    new: |setup| Box::new(Softmax::new(setup)),
    read,
};

/// Raw α and Adam's moments of it.
pub struct Softmax {
    /// Names of the choices.
    names: Vec<String>,
    /// [rows, options] for every choice.
    alpha: Vec<Tensor<2>>,
    moments: Vec<Moments>,
    optimiser: AlphaOptimiser,
}

/// p of α: the softmax of every row.
///
/// # Shapes
/// - each: [rows, options]
pub fn relax(alpha: &[Tensor<2>]) -> Vec<Tensor<2>> {
    alpha.iter().map(|alpha| activation::softmax(alpha.clone(), 1)).collect()
}

/// p of α on the host, in double precision.
pub fn relax_rows(alpha: &Rows) -> Rows {
    let softmax = |row: &Vec<f32>| {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&logit| f64::from(logit - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.iter().map(|power| (power / sum) as f32).collect()
    };
    alpha.iter().map(softmax).collect()
}

/// Initial α: `scale`·N(0, 1), one row for every row of a choice; independent for every choice.
pub fn initial(choices: &[Choice], scale: f64, streams: &Streams) -> Vec<Rows> {
    around(choices, (0.0, scale), streams)
}

fn around(choices: &[Choice], (centre, scale): (f64, f64), streams: &Streams) -> Vec<Rows> {
    let initial = |(index, choice): (usize, &Choice)| {
        let mut rng = streams.at(Stream::Alpha, index as u64);
        let row = |row: &Row| {
            let noise = normal(&mut rng, row.options.len());
            noise.into_iter().map(|value| (centre + f64::from(value) * scale) as f32).collect()
        };
        choice.rows.iter().map(row).collect()
    };
    choices.iter().enumerate().map(initial).collect()
}

impl Softmax {
    pub(super) fn new(setup: &Setup) -> Self {
        Self::around(setup, 0.0)
    }

    /// With initial α around this number.
    pub(super) fn around(setup: &Setup, centre: f64) -> Self {
        let Setup { choices, config, streams, device, .. } = *setup;
        let alpha = around(choices, (centre, config.alpha.init_scale), streams);
        let alpha = alpha.iter().map(|rows| from_rows(rows, device)).collect();
        let names = choices.iter().map(|choice| choice.name.clone()).collect();
        Self::at(names, alpha, config.alpha.clone())
    }

    /// At this α, before its first step.
    pub fn at(names: Vec<String>, alpha: Vec<Tensor<2>>, optimiser: AlphaOptimiser) -> Self {
        let zero =
            |alpha: &Tensor<2>| Moments { first: alpha.zeros_like(), second: alpha.zeros_like() };
        Self { names, moments: alpha.iter().map(zero).collect(), alpha, optimiser }
    }

    /// Brings every α into [low, high].
    pub(super) fn clamp(&mut self, low: f64, high: f64) {
        self.alpha.iter_mut().for_each(|alpha| *alpha = alpha.clone().clamp(low, high));
    }
}

impl Policy for Softmax {
    fn leaves(&self) -> &[Tensor<2>] {
        &self.alpha
    }

    fn relax(&self, leaves: &[Tensor<2>], _: Draw) -> Vec<Tensor<2>> {
        relax(leaves)
    }

    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64) {
        let gradient = clip_all(gradient, self.optimiser.clip);
        let tensors = self.alpha.iter_mut().zip(&mut self.moments);
        for ((alpha, moments), gradient) in tensors.zip(gradient) {
            (*alpha, *moments) =
                adam(alpha.clone(), moments.clone(), gradient, step, &self.optimiser);
        }
    }

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        let tensors = self.names.iter().zip(&self.alpha).zip(&self.moments);
        let named = tensors.flat_map(|((name, alpha), moments)| {
            let [first, second] = moment_names(name);
            [
                (alpha_name(name), alpha.clone()),
                (first, moments.first.clone()),
                (second, moments.second.clone()),
            ]
        });
        named.collect()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        let (mut alphas, mut moments) = (Vec::new(), Vec::new());
        for (name, alpha) in self.names.iter().zip(&self.alpha) {
            let [first, second] = moment_names(name);
            let get = |name: &str| matrix(arrays, name, alpha.dims(), device);
            alphas.push(get(&alpha_name(name))?);
            moments.push(Moments { first: get(&first)?, second: get(&second)? });
        }
        (self.alpha, self.moments) = (alphas, moments);
        Ok(())
    }
}

pub(super) fn read(choices: &[Choice], arrays: &Arrays) -> Result<Vec<Rows>, ArrayError> {
    let rows = |choice: &Choice| {
        let alpha = find(arrays, &alpha_name(&choice.name), &choice.shape())?;
        Ok(relax_rows(&alpha.rows()))
    };
    choices.iter().map(rows).collect()
}

/// Name of α of a choice in a checkpoint.
pub fn alpha_name(choice: &str) -> String {
    format!("alpha.{choice}")
}

fn moment_names(choice: &str) -> [String; 2] {
    [format!("adam.first.{choice}"), format!("adam.second.{choice}")]
}
