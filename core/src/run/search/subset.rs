//! Some of the choices: those that are perturbed, or that the Hessian is taken of. The weights of edges are among
//! them only where a setting says so.

use burn::tensor::Tensor;

use super::Search;
use crate::cell::Choice;
use crate::net::Network as _;
use crate::perturb::Objective;
use crate::task::Task;

/// Whether each choice is one of them.
pub(super) struct Subset(Vec<bool>);

impl Subset {
    /// The matrices of its choices, of one for every choice.
    pub fn of(&self, all: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let own = all.iter().zip(&self.0).filter(|(_, is_in)| **is_in);
        own.map(|(matrix, _)| matrix.clone()).collect()
    }

    /// One for every choice: `own` of its choices, and of the others those of `all`, tracked as `own` are.
    pub fn within(&self, all: &[Tensor<2>], own: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let is_tracked = own.iter().any(Tensor::is_autodiff);
        let mut own = own.iter();
        let choose =
            |(matrix, is_in): (&Tensor<2>, &bool)| match is_in.then(|| own.next()).flatten() {
                Some(own) => own.clone(),
                None if is_tracked && !matrix.is_autodiff() => matrix.clone().autodiff(),
                None => matrix.clone(),
            };
        all.iter().zip(&self.0).map(choose).collect()
    }
}

impl<T: Task> Search<T> {
    /// All choices, or all but the weights of edges.
    pub(super) fn choices(&self, edge_weights: bool) -> Subset {
        let is_in = |choice: &Choice| edge_weights || !choice.weighs_edges();
        Subset(self.model.network.architecture().iter().map(is_in).collect())
    }
}

/// A loss as a function of p of some choices; p of the others stays.
pub(super) struct Within<'a, O> {
    pub subset: &'a Subset,
    pub objective: O,
    /// p of all choices.
    pub p: &'a [Tensor<2>],
}

impl<O: Objective> Objective for Within<'_, O> {
    fn loss(&mut self, p: &[Tensor<2>]) -> Tensor<1> {
        self.objective.loss(&self.subset.within(self.p, p))
    }

    fn gradient(&mut self, p: &[Tensor<2>]) -> Vec<Tensor<2>> {
        self.subset.of(&self.objective.gradient(&self.subset.within(self.p, p)))
    }
}
