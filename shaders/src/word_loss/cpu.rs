//! The CPU twin. Some hundred rows at a time: their logits stay in the last-level cache, and the gradient of the
//! decoder, which every block adds to, is not read and written too often.

use burn::backend::Flex;
use macerator::{Scalar, Simd, Vector};

use super::{Loss, Wanted, WordLossOps, Words};
use crate::cpu::block::Block;
use crate::cpu::curves::exp;
use crate::cpu::gemm::{Left, Matrix, Out, Right, product};
use crate::cpu::{Kernel, contiguous, dispatch, fold, for_each, load, store, tensor, values, zero};
use crate::meter;

/// Rows of a block.
const ROWS: usize = 512;

/// Rows that a thread takes at once.
const PART: usize = 16;

impl WordLossOps for Flex {
    fn word_loss(words: Words<Self>, wanted: Wanted) -> Loss<Self> {
        let _span = meter::span("word_loss");
        let [outputs, decoder, bias] = [words.outputs, words.decoder, words.bias].map(contiguous);
        let targets = targets(&words.targets);
        let (vocabulary, hidden) = (values(&bias).len(), values(&decoder).len());
        let hidden = hidden / vocabulary.max(1);
        let rows = values(&outputs).len() / hidden.max(1);
        let matrix = Matrix::new(values(&decoder), [vocabulary, hidden]);
        let (forward, back) = (Right::columns(matrix), wanted.outputs.then(|| Right::rows(matrix)));
        let sized = |wanted, count| {
            let mut block = Block::new(if wanted { count } else { 0 });
            block.fill(0.0);
            block
        };
        let mut of_outputs = sized(wanted.outputs, rows * hidden);
        let mut of_decoder = sized(wanted.decoder, vocabulary * hidden);
        let mut of_bias = vec![0.0; if wanted.bias { vocabulary } else { 0 }];
        let mut logits = Block::new(rows.min(ROWS) * vocabulary);
        let (mut loss, mut right) = (0.0, 0);
        for first in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - first);
            let logits = &mut logits[..count * vocabulary];
            let x = Matrix::new(&values(&outputs)[first * hidden..], [count, hidden]);
            let to = Out { values: logits, stride: vocabulary, add: false };
            product(Left::rows(x), &forward, to);
            let targets = &targets[first..][..count];
            let any = wanted.outputs || wanted.decoder || wanted.bias;
            let of_rows = softmax(logits, values(&bias), targets, any.then_some(rows));
            loss += of_rows.iter().map(|row| row.loss).sum::<f64>();
            right += of_rows.iter().filter(|row| row.right).count();
            let gradient = Matrix::new(logits, [count, vocabulary]);
            if let Some(back) = &back {
                let values = &mut of_outputs[first * hidden..][..count * hidden];
                product(Left::rows(gradient), back, Out { values, stride: hidden, add: false });
            }
            if wanted.decoder {
                let to = Out { values: &mut of_decoder, stride: hidden, add: true };
                product(Left::columns(gradient), &Right::rows(x), to);
            }
            if wanted.bias {
                let sums = fold(logits, vocabulary);
                of_bias.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            }
        }
        let count = of_bias.len();
        Loss {
            loss: tensor(vec![(loss / rows as f64) as f32], [1]),
            right: tensor(vec![right as f32], [1]),
            outputs: of_outputs.into_tensor(if wanted.outputs { [rows, hidden] } else { [0, 0] }),
            decoder: of_decoder.into_tensor(if wanted.decoder {
                [vocabulary, hidden]
            } else {
                [0, 0]
            }),
            bias: tensor(of_bias, [count]),
        }
    }
}

/// The words, which burn keeps in integers of 32 or 64 bits.
fn targets(words: &burn::backend::flex::FlexTensor) -> Vec<usize> {
    let words = contiguous(words.clone());
    let of = |word: i64| usize::try_from(word).unwrap_or(usize::MAX);
    match words.dtype() {
        burn::tensor::DType::I32 => words
            .as_slice::<i32>()
            .unwrap_or_default()
            .iter()
            .map(|word| of((*word).into()))
            .collect(),
        _ => words.as_slice::<i64>().unwrap_or_default().iter().map(|word| of(*word)).collect(),
    }
}

/// What is found of a word.
#[derive(Clone, Copy, Default)]
struct Row {
    loss: f64,
    right: bool,
}

/// The losses of some rows. Where the number of all is given, the logits become the gradient of the mean.
fn softmax(logits: &mut [f32], bias: &[f32], targets: &[usize], rows: Option<usize>) -> Vec<Row> {
    let mut found = vec![Row::default(); targets.len()];
    let parts = logits.chunks_mut(PART * bias.len().max(1)).zip(found.chunks_mut(PART));
    let parts = parts.zip(targets.chunks(PART)).collect();
    // An exponential is worth some twenty multiply-adds.
    for_each(parts, 5 * PART * bias.len(), |_, ((logits, found), targets)| {
        let all = logits.chunks_exact_mut(bias.len()).zip(found).zip(targets);
        for ((logits, found), target) in all {
            *found = row(logits, bias, *target, rows);
        }
    });
    found
}

fn row(logits: &mut [f32], bias: &[f32], target: usize, rows: Option<usize>) -> Row {
    let largest = dispatch(Shift { logits, bias });
    let chosen = logits.get(target).copied().unwrap_or(f32::NAN);
    let right = chosen == largest && !logits[..target].contains(&largest);
    let sum = dispatch(Exponentials { logits, largest, write: rows.is_some() });
    if let Some(rows) = rows {
        let factor = (1.0 / (f64::from(sum) * rows as f64)) as f32;
        dispatch(Times { logits, factor });
        if let Some(logit) = logits.get_mut(target) {
            *logit -= 1.0 / rows as f32;
        }
    }
    Row { loss: f64::from(sum).ln() + f64::from(largest) - f64::from(chosen), right }
}

/// Adds the bias; the largest logit.
struct Shift<'a> {
    logits: &'a mut [f32],
    bias: &'a [f32],
}

impl Kernel for Shift<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) -> f32 {
        let mut largest: Vector<S, f32> = f32::NEG_INFINITY.splat();
        let (chunks, rest) = self.logits.as_chunks_mut::<L>();
        let (biases, bias_rest) = self.bias.as_chunks::<L>();
        for (logit, bias) in chunks.iter_mut().zip(biases) {
            let x = load::<S, L>(logit) + load::<S, L>(bias);
            largest = largest.max(x);
            *logit = store(x);
        }
        let mut most = store::<S, L>(largest).into_iter().fold(f32::NEG_INFINITY, f32::max);
        for (logit, bias) in rest.iter_mut().zip(bias_rest) {
            *logit += bias;
            most = most.max(*logit);
        }
        most
    }
}

/// exp(logit − largest), which is written where it is asked for; the sum.
struct Exponentials<'a> {
    logits: &'a mut [f32],
    largest: f32,
    write: bool,
}

impl Kernel for Exponentials<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) -> f32 {
        let largest: Vector<S, f32> = self.largest.splat();
        let mut sums: [Vector<S, f32>; 2] = [zero(); 2];
        let (chunks, rest) = self.logits.as_chunks_mut::<L>();
        for (index, logit) in chunks.iter_mut().enumerate() {
            let x = exp(load::<S, L>(logit) - largest);
            let [first, second] = sums;
            sums = if index % 2 == 0 { [first + x, second] } else { [first, second + x] };
            if self.write {
                *logit = store(x);
            }
        }
        let mut sum: f32 = store::<S, L>(sums[0] + sums[1]).iter().sum();
        for logit in rest {
            let x = (*logit - self.largest).exp();
            sum += x;
            if self.write {
                *logit = x;
            }
        }
        sum
    }
}

struct Times<'a> {
    logits: &'a mut [f32],
    factor: f32,
}

impl Kernel for Times<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let factor: Vector<S, f32> = self.factor.splat();
        let (chunks, rest) = self.logits.as_chunks_mut::<L>();
        for logit in chunks {
            *logit = store(load::<S, L>(logit) * factor);
        }
        rest.iter_mut().for_each(|logit| *logit *= self.factor);
    }
}
