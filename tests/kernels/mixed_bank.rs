//! A bank whose outputs mixtures read: the gradients between them stay formulas.

use shaders::{Bank, Mix, Term, Unit};

use super::unit::Banks;
use super::*;

#[derive(Clone, Debug)]
struct MixedBank {
    banks: Banks,
    /// The batch norm between the bank and the mixture.
    by: By,
    targets: usize,
    /// For every unit, where it goes, to the remainder by the number of targets, and where it goes as well. A unit
    /// may go nowhere.
    places: Vec<Vec<usize>>,
    /// Whether the mixture knows that they come from a bank.
    known: bool,
}

impl Case for MixedBank {
    fn strategy() -> BoxedStrategy<Self> {
        let places = prop::collection::vec(prop::collection::vec(0..3_usize, 0..3), 4);
        (Banks::strategy(), by(), 1..4_usize, places)
            .prop_map(|(banks, by, targets, mut places)| {
                // Without any term the gradients would not be tracked.
                places[0].push(0);
                Self { banks, by, targets, places, known: true }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let weights = noise(self.terms().len(), 30);
        std::iter::once(weights).chain(self.banks.inputs()).collect()
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| {
            let mut inputs = inputs.into_iter();
            let weights = inputs.next().unwrap();
            let Banks { bank, shape, .. } = &case.banks;
            let (x, of_bank) = (inputs.next().unwrap(), inputs.next().unwrap());
            let x = case.banks.input(kernels, x, inputs.next());
            let (mut z, _) = bank.forward(kernels, x, of_bank);
            if !case.known {
                z = z.x.into();
            }
            z.norm = pending_norm(kernels, z.x.clone(), case.by, bank.units.len()).norm;
            let mix = Mix { batch: shape[0], targets: case.targets, terms: case.terms() };
            mix.forward(kernels, None, vec![z], weights)
        })
    }
}

impl MixedBank {
    fn terms(&self) -> Vec<Term> {
        let places = self.places.iter().enumerate().take(self.banks.bank.units.len());
        let places = places.flat_map(|(group, targets)| targets.iter().map(move |to| (group, to)));
        let term = |(weight, (group, target)): (usize, (usize, &usize))| Term {
            target: target % self.targets,
            stack: 0,
            group,
            weight,
        };
        places.enumerate().map(term).collect()
    }
}

#[test]
fn a_bank_in_a_mixture_equals_plain_ops() {
    equals_plain_ops::<MixedBank>();
}

#[test]
fn a_bank_in_a_mixture_does_not_depend_on_threads() {
    does_not_depend_on_threads::<MixedBank>();
}

#[test]
fn a_bank_in_a_mixture_tracks_each_input_alone() {
    tracks_each_input_alone::<MixedBank>();
}

#[test]
fn a_gradient_that_stays_a_formula_is_bit_for_bit_that_which_is_written() {
    let cpu = Device::flex();
    runner(64)
        .run(&MixedBank::strategy(), |case| {
            let inputs = case.inputs();
            let [formula, written] = [true, false].map(|known| {
                let op = MixedBank { known, ..case.clone() }.op();
                let Outcome { value, gradients } = evaluate(Kernels::Fused, &cpu, &inputs, &op);
                let all = gradients.into_iter().chain([value]).flatten();
                all.map(f32::to_bits).collect::<Vec<_>>()
            });
            prop_assert_eq!(formula, written);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_gradients_of_all_readers_of_a_bank_are_added() {
    let cpu = Device::flex();
    let op = |kernels, inputs: Vec<Tensor<1>>| {
        let [x, of_bank, p] = inputs.try_into().unwrap();
        let units = vec![Unit { source: 0, size: 3, dilation: 1 }];
        let bank = Bank { units, relu: true, stride: 1, moments: false };
        let (z, _) = bank.forward(kernels, x.reshape([2, 5, 5, 4]).into(), of_bank);
        let mixed = |weight| {
            let terms = vec![Term { target: 0, stack: 0, group: 0, weight }];
            let mix = Mix { batch: 2, targets: 1, terms };
            mix.forward(kernels, None, vec![z.clone()], p.clone())
        };
        // Before, between and after mixtures.
        z.x.clone().square() + mixed(0) + z.x.clone().abs() + mixed(1) * 2.0 + z.x.clone().sin()
    };
    let inputs = [noise(2 * 5 * 5 * 4, 1), noise(4 * (9 + 4), 2), noise(2, 3)];
    let [found, expected] =
        [Kernels::Fused, Kernels::Composed].map(|kernels| evaluate(kernels, &cpu, &inputs, &op));
    assert_same(&found, &expected, "cpu");
}
