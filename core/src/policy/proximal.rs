//! NASP as SmoothDARTS releases it for NAS-Bench-1Shot1: of operations the network sees one option of each
//! row, the strongest, and the gradient that it has there moves the continuous α.
//!
//! Paper: *Efficient Neural Architecture Search via Proximal Iterations* (Yao, Xu, Tu, Zhu, AAAI 2020).
//! Settings: section `alpha`. Inputs and outputs are not binarised: their p is the softmax.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, activation};

use super::softmax::{self, Softmax};
use super::{Draw, Entry, Pick, Policy, Sample, Setup, gumbel};
use crate::arrays::{ArrayError, Arrays, find, to_rows};
use crate::cell::{Choice, ChoiceKind, Row, Rows};
use crate::nn::Picked;

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "proximal",
    help: "p is that of the strongest operation of each row; its gradient moves the continuous alpha by Adam, \
           which then stays in [0, 1]",
    has_alpha: true,
    fits: |_| true,
    new: |setup| Box::new(Proximal::new(setup)),
    read,
};

/// What initial α lie around.
const START: f64 = 0.5;

/// The continuous α.
pub struct Proximal {
    softmax: Softmax,
    /// Of every choice: whether its rows are binarised.
    binary: Vec<bool>,
    /// Whether p of a binarised row is the softmax of the ones and zeros, and not these themselves.
    softens: bool,
}

impl Proximal {
    fn new(setup: &Setup) -> Self {
        Self {
            softmax: Softmax::around(setup, START),
            binary: setup.choices.iter().map(is_binary).collect(),
            softens: setup.config.quirks.nasp_softmax,
        }
    }

    fn p(&self, binary: bool, values: Tensor<2>) -> Tensor<2> {
        match binary && !self.softens {
            true => values,
            false => activation::softmax(values, 1),
        }
    }
}

fn is_binary(choice: &Choice) -> bool {
    choice.kind == ChoiceKind::Operation
}

/// 1 for the largest of each row, the first of equals, and 0 for the others.
///
/// # Shapes
/// - `alpha` and output: [rows, options]
pub fn binarised(alpha: &Tensor<2>) -> Tensor<2> {
    let alpha = if alpha.is_autodiff() { alpha.clone().inner() } else { alpha.clone() };
    let [rows, options] = alpha.dims();
    let best = alpha.clone().argmax(1).expand([rows, options]);
    let columns = Tensor::<1, Int>::arange(0..options as i64, &alpha.device());
    best.equal(columns.reshape([1, options]).expand([rows, options])).float()
}

impl Policy for Proximal {
    fn leaves(&self) -> &[Tensor<2>] {
        self.softmax.leaves()
    }

    /// Of a step at the ones and zeros of the leaves, which take the gradient as their own; the mean at the
    /// leaves themselves, which are those of [`Policy::measured`].
    fn relax(&self, leaves: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>> {
        let p = |(leaf, &binary): (&Tensor<2>, &bool)| {
            let values = match (binary, &draw) {
                (true, Draw::Step(_)) => {
                    let point = binarised(leaf);
                    match leaf.is_autodiff() {
                        // The difference is 0 exactly.
                        true => point.autodiff() + (leaf.clone() - leaf.clone().detach()),
                        false => point,
                    }
                }
                _ => leaf.clone(),
            };
            self.p(binary, values)
        };
        leaves.iter().zip(&self.binary).map(p).collect()
    }

    /// Options of weight 0 are not computed; after a softmax none has it.
    fn pick<'a>(&'a self, _: &'a Sample) -> Pick<'a> {
        Box::pin(async move {
            if self.softens {
                return Ok(None);
            }
            let alpha = to_rows(self.leaves()).await?;
            let of = |(alpha, binary): (&Rows, &bool)| {
                let zeros = vec![0.0; alpha.iter().map(Vec::len).sum()];
                binary.then(|| gumbel::strongest(alpha, &zeros))
            };
            Ok(Some(Arc::new(Picked(alpha.iter().zip(&self.binary).map(of).collect()))))
        })
    }

    fn learn(&mut self, gradient: Vec<Tensor<2>>, step: u64) {
        self.softmax.learn(gradient, step);
    }

    fn settle(&mut self) {
        self.softmax.clamp(0.0, 1.0);
    }

    fn measured(&self) -> Vec<Tensor<2>> {
        let at = |(leaf, &binary): (&Tensor<2>, &bool)| match binary {
            true => binarised(leaf),
            false => leaf.clone(),
        };
        self.leaves().iter().zip(&self.binary).map(at).collect()
    }

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        self.softmax.saved()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        self.softmax.restore(arrays, device)
    }
}

/// Softmax after the ones and zeros: which option is the strongest does not depend on the quirk.
fn read(choices: &[Choice], arrays: &Arrays) -> Result<Vec<Rows>, ArrayError> {
    let rows = |choice: &Choice| {
        let alpha = find(arrays, &softmax::alpha_name(&choice.name), &choice.shape())?.rows();
        let bits = |(row, alpha): (&Row, &Vec<f32>)| {
            let zeros = vec![0.0; row.options.len()];
            let best = gumbel::strongest(&vec![alpha.clone()], &zeros);
            let bit = |column| f32::from(u8::from(best.first() == Some(&column)));
            (0..row.options.len()).map(bit).collect()
        };
        let point = match is_binary(choice) {
            true => choice.rows.iter().zip(&alpha).map(bits).collect(),
            false => alpha,
        };
        Ok(softmax::relax_rows(&point))
    };
    choices.iter().map(rows).collect()
}
