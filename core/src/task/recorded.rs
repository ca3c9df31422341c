//! The passes of a step, recorded once on a GPU and replayed in every later step ([`Replay`]).
//!
//! A pass of the paper's network is 1,500 to 2,000 launches, and an attack has nine passes: on a card that
//! computes a launch in 20 µs, and a host that takes 40 µs to say it, the host is what a step waits for.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::{LossOfP, Model, Outcome, Point, Task};
use crate::net::Network as _;
use crate::nn::Replay;
use crate::rng::{Stream, Streams};

/// The passes of a step. Each is recorded when it is first asked for; one that the device refuses to
/// record, or whose shapes change, is none, and the caller computes it.
///
/// Only for passes without draws: what is drawn has to be brought to the device.
pub struct Recorded<T: Task> {
    model: Model<T>,
    weight_gradient: Record,
    probability_gradient: Record,
    first_loss: Record,
    loss: Record,
    gradient: Record,
    evaluation: Record,
    /// The loss of the attack that is under way, with what its passes share.
    objective: Rc<RefCell<Option<LossOfP<T>>>>,
}

/// What a pass leaves behind beside its gradient; see [`Outcome`].
pub struct Learned {
    /// Mean loss, `[1]`.
    pub loss: Tensor<1>,
    /// Number of right answers, `[1]`.
    pub correct: Tensor<1>,
    /// Running statistics after the pass, [2, channels].
    pub statistics: Tensor<2>,
    /// The weights that had a part in it, where a policy picked what is computed: never in a replay.
    pub used: BTreeSet<usize>,
}

/// A pass, perhaps recorded.
#[derive(Default)]
enum Record {
    #[default]
    Untried,
    Refused,
    Done(Box<Replay>),
}

impl Record {
    /// Its replay for rows of these shapes.
    fn replay(
        &mut self,
        rows: &[Tensor<1>],
        record: impl FnOnce() -> Option<Replay>,
    ) -> Option<&mut Replay> {
        if matches!(self, Self::Untried) {
            *self = record().map_or(Self::Refused, |replay| Self::Done(Box::new(replay)));
        }
        match self {
            Self::Done(replay) => {
                let shapes = replay.inputs().iter().map(Tensor::dims);
                shapes.eq(rows.iter().map(Tensor::dims)).then_some(replay)
            }
            Self::Untried | Self::Refused => None,
        }
    }
}

impl<T: Task> Recorded<T> {
    /// Records nothing yet.
    pub fn new(model: &Model<T>) -> Self {
        Self {
            model: model.clone(),
            weight_gradient: Record::default(),
            probability_gradient: Record::default(),
            first_loss: Record::default(),
            loss: Record::default(),
            gradient: Record::default(),
            evaluation: Record::default(),
            objective: Rc::default(),
        }
    }

    /// Passes that are recorded.
    pub fn count(&self) -> usize {
        let Self { weight_gradient, probability_gradient, first_loss, loss, .. } = self;
        let all = [weight_gradient, probability_gradient, first_loss, loss];
        let all = all.into_iter().chain([&self.gradient, &self.evaluation]);
        all.filter(|record| matches!(record, Record::Done(_))).count()
    }

    /// As [`Model::weight_gradient`] of a task without a carry, in train mode.
    pub fn weight_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<(Tensor<1>, Learned)> {
        let rows = self.rows(at, p, input)?;
        let model = self.model.clone();
        let work = move |rows: &[Tensor<1>]| {
            let Some(args) = Arguments::new(&model, rows) else { return Vec::new() };
            let (gradient, outcome) =
                model.weight_gradient(args.at(false), &args.p, &args.input, no_draws());
            [learned_rows(outcome), vec![gradient]].concat()
        };
        let replay = self.weight_gradient.replay(&rows, || Replay::record(rows.clone(), work))?;
        let mut found = replay.run(rows).into_iter();
        let learned = learned(&mut found)?;
        Some((found.next()?, learned))
    }

    /// As [`Model::probability_gradient`] of a task without a carry, in train mode.
    pub fn probability_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<(Vec<Tensor<2>>, Learned)> {
        let rows = self.rows(at, p, input)?;
        let model = self.model.clone();
        let work = move |rows: &[Tensor<1>]| {
            let Some(args) = Arguments::new(&model, rows) else { return Vec::new() };
            let (gradient, outcome) =
                model.probability_gradient(args.at(false), &args.p, &args.input, no_draws());
            learned_rows(outcome).into_iter().chain(gradient.into_iter().map(flat)).collect()
        };
        let replay =
            self.probability_gradient.replay(&rows, || Replay::record(rows.clone(), work))?;
        let mut found = replay.run(rows).into_iter();
        let learned = learned(&mut found)?;
        Some((matrices(&self.model, found.as_slice())?, learned))
    }

    /// As [`Model::loss`] of a task without a carry: the loss and the number of right answers, `[1]` each.
    pub fn evaluation(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<(Tensor<1>, Tensor<1>)> {
        let rows = self.rows(at, p, input)?;
        let (model, eval) = (self.model.clone(), at.eval);
        let work = move |rows: &[Tensor<1>]| {
            let Some(args) = Arguments::new(&model, rows) else { return Vec::new() };
            let outcome = model.loss(args.at(eval), &args.p, &args.input, no_draws());
            <[_; 2]>::from(outcome.scores()).to_vec()
        };
        let replay = self.evaluation.replay(&rows, || Replay::record(rows.clone(), work))?;
        let [loss, correct] = replay.run(rows).try_into().ok()?;
        Some((loss, correct))
    }

    /// Begins an attack: the loss at p, as that of [`LossOfP`].
    pub fn begin_attack(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<Tensor<1>> {
        let rows = self.rows(at, p, input)?;
        let (model, objective, eval) = (self.model.clone(), self.objective.clone(), at.eval);
        let work = move |rows: &[Tensor<1>]| {
            let Some(args) = Arguments::new(&model, rows) else { return Vec::new() };
            let mut loss_of_p = LossOfP::new(&model, args.at(eval), &args.input);
            let loss = loss_of_p.loss(&args.p, no_draws());
            objective.replace(Some(loss_of_p));
            vec![loss]
        };
        let replay = self.first_loss.replay(&rows, || Replay::record(rows.clone(), work))?;
        replay.run(rows).pop()
    }

    /// The loss at p in the attack that was begun last.
    pub fn loss(&mut self, p: &[Tensor<2>]) -> Option<Tensor<1>> {
        let (rows, model) = (p_rows(p), self.model.clone());
        let objective = self.objective.borrow().clone()?;
        let work = move |rows: &[Tensor<1>]| {
            let p = matrices(&model, rows).unwrap_or_default();
            vec![objective.clone().loss(&p, no_draws())]
        };
        let replay = self.loss.replay(&rows, || Replay::record(rows.clone(), work))?;
        replay.run(rows).pop()
    }

    /// Its gradient with respect to p.
    pub fn gradient(&mut self, p: &[Tensor<2>]) -> Option<Vec<Tensor<2>>> {
        let (rows, model) = (p_rows(p), self.model.clone());
        let objective = self.objective.borrow().clone()?;
        let work = move |rows: &[Tensor<1>]| {
            let p = matrices(&model, rows).unwrap_or_default();
            objective.clone().gradient(&p, no_draws()).into_iter().map(flat).collect()
        };
        let replay = self.gradient.replay(&rows, || Replay::record(rows.clone(), work))?;
        let found = replay.run(rows);
        matrices(&self.model, &found)
    }

    fn rows(&self, at: Point, p: &[Tensor<2>], input: &T::Input) -> Option<Vec<Tensor<1>>> {
        let mut rows = vec![at.weights.clone(), flat(at.statistics.clone())];
        rows.extend(p_rows(p));
        rows.extend(self.model.task.rows_of(input)?);
        Some(rows)
    }
}

/// What a pass reads, of the rows of [`Recorded::rows`].
struct Arguments<I> {
    weights: Tensor<1>,
    statistics: Tensor<2>,
    p: Vec<Tensor<2>>,
    input: I,
}

impl<I> Arguments<I> {
    fn new<T: Task<Input = I>>(model: &Model<T>, rows: &[Tensor<1>]) -> Option<Self> {
        let [weights, statistics, rest @ ..] = rows else { return None };
        let (p, input) = rest.split_at_checked(model.network.architecture().len())?;
        Some(Self {
            weights: weights.clone(),
            statistics: pairs(statistics.clone()),
            p: matrices(model, p)?,
            input: model.task.input_of(input)?,
        })
    }

    fn at(&self, eval: bool) -> Point<'_> {
        Point { weights: &self.weights, statistics: &self.statistics, eval }
    }
}

/// The matrices of all choices.
fn matrices<T: Task>(model: &Model<T>, rows: &[Tensor<1>]) -> Option<Vec<Tensor<2>>> {
    let choices = model.network.architecture();
    let matrices =
        choices.iter().zip(rows).map(|(choice, row)| row.clone().reshape(choice.shape()));
    (choices.len() == rows.len()).then(|| matrices.collect())
}

fn p_rows(p: &[Tensor<2>]) -> Vec<Tensor<1>> {
    p.iter().cloned().map(flat).collect()
}

fn flat<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    let count = x.shape().num_elements();
    x.reshape([count])
}

fn pairs(row: Tensor<1>) -> Tensor<2> {
    let [count] = row.dims();
    row.reshape([2, count / 2])
}

/// A generator that nobody asks.
fn no_draws() -> rand_pcg::Pcg64 {
    Streams::new(0).at(Stream::Noise, 0)
}

/// What [`learned`] reads.
fn learned_rows<C>(outcome: Outcome<C>) -> Vec<Tensor<1>> {
    vec![outcome.loss, outcome.correct, flat(outcome.statistics)]
}

fn learned(rows: &mut impl Iterator<Item = Tensor<1>>) -> Option<Learned> {
    let (loss, correct, statistics) = (rows.next()?, rows.next()?, pairs(rows.next()?));
    Some(Learned { loss, correct, statistics, used: BTreeSet::new() })
}
