//! The passes of a step, recorded once on a GPU and replayed in every later step ([`Replay`]).
//!
//! A step of the paper's network is 4,000 launches, with an attack 13,600. An H200 takes 12 µs for one of them, its
//! host 44 µs to say it and 7 to say it again (native/repro/gpu): so a step would wait for the host.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use burn::tensor::Tensor;

use super::{LossOfP, Model, Outcome, Point, Task};
use crate::net::{Network as _, flat};
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

impl<C> From<Outcome<C>> for Learned {
    fn from(Outcome { loss, correct, statistics, used, .. }: Outcome<C>) -> Self {
        Self { loss, correct, statistics, used }
    }
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
    /// What `work` makes of these rows, replayed; it is recorded at the first call.
    fn replayed<W>(
        &mut self,
        rows: Vec<Tensor<1>>,
        work: impl FnOnce() -> Option<W>,
    ) -> Option<Vec<Tensor<1>>>
    where
        W: Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + 'static,
    {
        if matches!(self, Self::Untried) {
            let replay = work().and_then(|work| Replay::record(rows.clone(), work));
            *self = replay.map_or(Self::Refused, |replay| Self::Done(Box::new(replay)));
        }
        match self {
            Self::Done(replay) if replay.takes(&rows) => Some(replay.run(rows)),
            _ => None,
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

    /// As [`Model::weight_gradient`] of a task without a carry and a penalty, in train mode.
    pub fn weight_gradient(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<(Tensor<1>, Learned)> {
        let (rows, model) = (self.rows(at, p, input)?, &self.model);
        let found = self.weight_gradient.replayed(rows, || {
            Some(pass(model, |model, args| {
                let (gradient, outcome) =
                    model.weight_gradient(args.at(false), &args.p, &args.input, no_draws());
                [learned_rows(outcome), vec![gradient]].concat()
            }))
        })?;
        let mut found = found.into_iter();
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
        let (rows, model) = (self.rows(at, p, input)?, &self.model);
        let found = self.probability_gradient.replayed(rows, || {
            Some(pass(model, |model, args| {
                let (gradient, outcome) =
                    model.probability_gradient(args.at(false), &args.p, &args.input, no_draws());
                [learned_rows(outcome), p_rows(&gradient)].concat()
            }))
        })?;
        let mut found = found.into_iter();
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
        let (rows, model, eval) = (self.rows(at, p, input)?, &self.model, at.eval);
        let found = self.evaluation.replayed(rows, || {
            Some(pass(model, move |model, args| {
                let outcome = model.loss(args.at(eval), &args.p, &args.input, no_draws());
                <[_; 2]>::from(outcome.scores()).to_vec()
            }))
        })?;
        <[_; 2]>::try_from(found).ok().map(<(_, _)>::from)
    }

    /// Begins an attack: the loss at p, as that of [`LossOfP`].
    pub fn begin_attack(
        &mut self,
        at: Point,
        p: &[Tensor<2>],
        input: &T::Input,
    ) -> Option<Tensor<1>> {
        let (rows, model, eval) = (self.rows(at, p, input)?, &self.model, at.eval);
        let objective = &self.objective;
        let found = self.first_loss.replayed(rows, || {
            let objective = objective.clone();
            Some(pass(model, move |model, args| {
                let mut loss_of_p = LossOfP::new(model, args.at(eval), &args.input);
                let loss = loss_of_p.loss(&args.p, no_draws());
                objective.replace(Some(loss_of_p));
                vec![loss]
            }))
        });
        found?.pop()
    }

    /// The loss at p in the attack that was begun last.
    pub fn loss(&mut self, p: &[Tensor<2>]) -> Option<Tensor<1>> {
        let (model, objective) = (&self.model, &self.objective);
        let found = self.loss.replayed(p_rows(p), || {
            in_attack(model, objective, |mut attack, p| vec![attack.loss(p, no_draws())])
        });
        found?.pop()
    }

    /// Its gradient with respect to p.
    pub fn gradient(&mut self, p: &[Tensor<2>]) -> Option<Vec<Tensor<2>>> {
        let (model, objective) = (&self.model, &self.objective);
        let found = self.gradient.replayed(p_rows(p), || {
            in_attack(model, objective, |mut attack, p| p_rows(&attack.gradient(p, no_draws())))
        });
        matrices(&self.model, &found?)
    }

    fn rows(&self, at: Point, p: &[Tensor<2>], input: &T::Input) -> Option<Vec<Tensor<1>>> {
        let mut rows = vec![at.weights.clone(), flat(at.statistics)];
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

/// What `compute` makes of the rows of [`Recorded::rows`].
fn pass<T: Task>(
    model: &Model<T>,
    compute: impl Fn(&Model<T>, &Arguments<T::Input>) -> Vec<Tensor<1>> + 'static,
) -> impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + 'static {
    let model = model.clone();
    move |rows| Arguments::new(&model, rows).map_or_else(Vec::new, |args| compute(&model, &args))
}

/// What `compute` makes of rows of p, in the attack whose first pass has been recorded.
fn in_attack<T: Task>(
    model: &Model<T>,
    objective: &RefCell<Option<LossOfP<T>>>,
    compute: impl Fn(LossOfP<T>, &[Tensor<2>]) -> Vec<Tensor<1>> + 'static,
) -> Option<impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + 'static> {
    let (model, attack) = (model.clone(), objective.borrow().clone()?);
    Some(move |rows: &[Tensor<1>]| {
        matrices(&model, rows).map_or_else(Vec::new, |p| compute(attack.clone(), &p))
    })
}

/// The matrices of all choices.
fn matrices<T: Task>(model: &Model<T>, rows: &[Tensor<1>]) -> Option<Vec<Tensor<2>>> {
    let choices = model.network.architecture();
    let matrices =
        choices.iter().zip(rows).map(|(choice, row)| row.clone().reshape(choice.shape()));
    (choices.len() == rows.len()).then(|| matrices.collect())
}

fn p_rows(p: &[Tensor<2>]) -> Vec<Tensor<1>> {
    p.iter().map(flat).collect()
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
    vec![outcome.loss, outcome.correct, flat(&outcome.statistics)]
}

fn learned(rows: &mut impl Iterator<Item = Tensor<1>>) -> Option<Learned> {
    let (loss, correct, statistics) = (rows.next()?, rows.next()?, pairs(rows.next()?));
    Some(Learned { loss, correct, statistics, used: BTreeSet::new() })
}
