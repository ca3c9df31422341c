//! The axes of the house are free of each other: a task with a carry, epochs of different lengths
//! and a perturbation that is a setting run through the same search.

use burn::tensor::{Device, Int, Tensor, TensorData};
use pollster::block_on;
use smoothdarts::cell::codec::{Codec, nb201};
use smoothdarts::cell::{Choice, ChoiceKind, Genotype, Row, Rows};
use smoothdarts::config::Config;
use smoothdarts::data::{Batches, DataError, Part, StepBatches};
use smoothdarts::event::Event;
use smoothdarts::method;
use smoothdarts::net::{Build, NetShape, Network, Supernet};
use smoothdarts::nn::{
    Builder, GradientTarget, Init, Layout, Pass, WeightId, correct, cross_entropy,
};
use smoothdarts::rng::{Stream, Streams, normal};
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::{Run, Search};
use smoothdarts::space::{Family, Space, SpaceError};
use smoothdarts::task::{Carry, Scored, Task};

use super::tiny;

const BATCH: usize = 3;
const WIDTH: usize = 4;

/// A recurrent network of one cell: h′ = Σ p · f(x·W + h·V), and the class from h′.
struct Recurrent {
    layout: Layout,
    choices: Vec<Choice>,
    ids: [WeightId; 3],
}

impl Recurrent {
    fn new() -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let ids = ["input", "hidden", "output"]
            .map(|name| builder.weight(name, &[WIDTH, WIDTH], Init::FanIn(WIDTH)));
        Self { layout, choices: Activations.choices(), ids }
    }
}

impl Network for Recurrent {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn architecture(&self) -> &[Choice] {
        &self.choices
    }
}

/// Its space: two activations to choose from.
struct Activations;

static SPACE: Space = Space { name: "activations", help: "", family: &Activations };

impl Family for Activations {
    fn choices(&self) -> Vec<Choice> {
        let options = ["tanh", "identity"].map(str::to_owned).to_vec();
        let rows = vec![Row { node: 1, source: 0, options }];
        vec![Choice { name: "recurrent".to_owned(), kind: ChoiceKind::Operation, rows }]
    }

    fn supernet(
        &self,
        _: Vec<Choice>,
        _: NetShape,
        _: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        unreachable!("the test builds the network")
    }

    fn derive(&self, _: &[Rows]) -> Genotype {
        Genotype { cells: Vec::new() }
    }

    fn codec(&self) -> &'static Codec {
        &nb201::CODEC
    }
}

/// The hidden state after a batch.
#[derive(Clone, Default)]
struct Hidden(Option<Tensor<2>>);

impl Carry for Hidden {
    fn tensors(&self) -> Vec<Tensor<2>> {
        self.0.iter().cloned().collect()
    }

    fn from_tensors(mut tensors: Vec<Tensor<2>>) -> Self {
        Self(tensors.pop())
    }
}

#[derive(Clone)]
struct Words;

/// Words and the next ones, and the state before them.
#[derive(Clone)]
struct WordBatch {
    words: Tensor<2>,
    next: Tensor<1, Int>,
    hidden: Tensor<2>,
}

impl Task for Words {
    type Net = Recurrent;
    type Batch = u64;
    type Input = WordBatch;
    type Carry = Hidden;

    fn upload(&self, position: u64, carry: &Hidden, device: &Device) -> WordBatch {
        let values = normal(&mut Streams::new(1).at(Stream::TrainOrder, position), BATCH * WIDTH);
        let next: Vec<i32> = (0..BATCH).map(|row| (position as i32 + row as i32) % 4).collect();
        let zeros = || Tensor::zeros([BATCH, WIDTH], device);
        WordBatch {
            words: Tensor::from_data(TensorData::new(values, [BATCH, WIDTH]), device),
            next: Tensor::from_data(TensorData::new(next, [BATCH]), device),
            hidden: carry.0.clone().unwrap_or_else(zeros),
        }
    }

    fn count(&self, _: &WordBatch) -> usize {
        BATCH
    }

    fn loss(
        &self,
        network: &Recurrent,
        input: &WordBatch,
        p: &[Tensor<2>],
        pass: &mut Pass,
    ) -> Scored<Hidden> {
        let tracked = pass.is_tracked();
        let lift = |tensor: &Tensor<2>| {
            if tracked { tensor.clone().autodiff() } else { tensor.clone() }
        };
        let [read, keep, tell] = network.ids.map(|id| pass.weight(id, [WIDTH, WIDTH]));
        let sum = lift(&input.words).matmul(read) + lift(&input.hidden).matmul(keep);
        let share = |column: usize| p[0].clone().slice([0..1, column..column + 1]);
        let hidden = sum.clone().tanh() * share(0) + sum * share(1);
        let logits = hidden.clone().matmul(tell);
        Scored {
            loss: cross_entropy(logits.clone(), input.next.clone()),
            penalty: None,
            logits,
            right: None,
            carry: Hidden(Some(if tracked { hidden.inner() } else { hidden })),
        }
    }

    fn correct(&self, input: &WordBatch, logits: Tensor<2>) -> Tensor<1> {
        correct(logits, input.next.clone())
    }

    fn multiply_adds(&self, _: &Recurrent, _: GradientTarget) -> u64 {
        0
    }
}

/// Epochs of 2, 4 and 1 steps: epochs of texts cut at random differ in length.
#[derive(Clone)]
struct Texts;

impl Batches for Texts {
    type Batch = u64;

    fn step(&mut self, epoch: usize, step: usize) -> Result<StepBatches<u64>, DataError> {
        assert!(step < self.steps(epoch), "epoch {epoch} has no step {step}");
        let at = (10 * epoch + step) as u64;
        Ok(StepBatches { train: at, valid: 1000 + at })
    }

    fn evaluation(&mut self, _: Part, epoch: usize, index: usize) -> Result<u64, DataError> {
        Ok(2000 + (10 * epoch + index) as u64)
    }

    fn evaluation_batches(&self, _: Part) -> usize {
        2
    }

    fn steps(&self, epoch: usize) -> usize {
        [2, 4, 1][epoch]
    }
}

fn config(method: &str) -> Config {
    let mut config = Config::default();
    config.search.method = method.to_owned();
    config.search.epochs = 3;
    config.perturbation.steps = 2;
    config.hessian.every = 1;
    config
}

fn search(config: &Config) -> Run<Search<Words>> {
    let network = Box::new(Recurrent::new());
    Run::from_start(Search::new(config, &SPACE, (Words, network), 2, &Device::flex()).unwrap())
        .unwrap()
}

fn events(search: &mut Run<Search<Words>>) -> Vec<Event> {
    let mut said = Vec::new();
    while let Some(event) = block_on(search.advance(&mut Texts)).unwrap() {
        said.push(event);
    }
    said
}

#[test]
fn epochs_may_differ_in_length() {
    let mut search = search(&config("sdarts-rs"));
    let mut steps = Vec::new();
    for event in events(&mut search) {
        match event {
            Event::Step(step) => steps.push((step.epoch, step.step)),
            // Between two epochs the step before is the last of the one that ended.
            Event::Hessian(found) => assert_eq!(found.epoch, steps.last().unwrap().0),
            _ => {}
        }
    }
    assert_eq!(steps, [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]);
    assert_eq!(search.position(), (3, 0));
}

#[test]
fn a_task_with_a_carry_resumes_anywhere_bit_for_bit() {
    for method in ["darts", "sdarts-adv", "darts-hessian"] {
        let config = config(method);
        let mut whole = search(&config);
        let expected = events(&mut whole);
        let last = block_on(whole.checkpoint()).unwrap();
        assert!(last.arrays.contains_key("carry.train.0"), "the hidden state is saved");
        for stop in 1..expected.len() {
            let mut first = search(&config);
            let mut said = Vec::new();
            while said.len() < stop {
                said.extend(block_on(first.advance(&mut Texts)).unwrap());
            }
            let saved = block_on(first.checkpoint()).unwrap().to_bytes().unwrap();
            let mut second = search(&config);
            second.restore(&Checkpoint::from_bytes(&saved).unwrap()).unwrap();
            said.extend(events(&mut second));
            assert_eq!(said, expected, "{method} stopped after event {stop}");
            assert!(block_on(second.checkpoint()).unwrap() == last, "{method}, event {stop}");
        }
    }
}

#[test]
fn the_carry_goes_from_batch_to_batch() {
    // Without its hidden state a text is another one.
    let steps = |forget: bool| -> Vec<f32> {
        let mut search = search(&config("darts"));
        let mut losses = Vec::new();
        while let Some(event) = block_on(search.advance(&mut Texts)).unwrap() {
            let Event::Step(step) = event else { continue };
            losses.push(step.train_loss);
            if forget {
                let mut saved = block_on(search.checkpoint()).unwrap();
                saved.arrays.retain(|name, _| !name.starts_with("carry."));
                search.restore(&saved).unwrap();
            }
        }
        losses
    };
    let (carried, forgotten) = (steps(false), steps(true));
    assert_eq!(carried[0], forgotten[0], "the first batch has nothing before it");
    assert_ne!(carried[1], forgotten[1]);
}

/// The end of a whole search, without the settings that lead to it.
fn found(config: &Config) -> smoothdarts::arrays::Arrays {
    tiny::whole(config).1.arrays
}

#[test]
fn a_perturbation_is_a_setting_of_every_method() {
    for (kind, name) in [("random", "sdarts-rs"), ("adversarial", "sdarts-adv")] {
        let mut darts = tiny::config("s2", "darts");
        darts.perturbation.kind = kind.to_owned();
        assert!(found(&darts) == found(&tiny::config("s2", name)), "darts + {kind} is {name}");
        let mut none = tiny::config("s2", name);
        none.perturbation.kind = "none".to_owned();
        assert!(found(&none) == found(&tiny::config("s2", "darts")), "{name} without it is darts");
    }
    let suffixed = found(&tiny::config("s2", "darts-hessian-rs"));
    let mut named = tiny::config("s2", "darts-hessian");
    assert!(suffixed != found(&named), "the perturbation is there");
    named.perturbation.kind = "random".to_owned();
    assert!(suffixed == found(&named));
}

#[test]
fn every_method_has_its_two_smooth_forms() {
    for row in method::ALL.iter().filter(|row| row.perturbation.is_none()) {
        for (suffix, kind) in [("-rs", "random"), ("-adv", "adversarial")] {
            let method = method::find(&format!("{}{suffix}", row.name)).unwrap();
            assert_eq!((method.perturbation.name, method.extra), (kind, row.extra));
        }
    }
    for name in ["sdarts-rs-adv", "sdarts-adv-rs", "darts-rs-rs", "-rs", "drts-rs", "darts-"] {
        let error = method::find(name).err().unwrap().to_string();
        assert!(error.contains("darts-es") && error.contains("-rs, -adv"), "{error}");
    }
}
