//! Random search with weight sharing: p is a random architecture, anew in every step, and nothing is learnt but
//! the weights. What is derived is the best of many that are ranked by their accuracy.
//!
//! Paper: *Random Search and Reproducibility for Neural Architecture Search* (Li, Talwalkar, UAI 2019). Settings:
//! section `sampling`.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use rand_pcg::Pcg64;

use super::{Architecture, Draw, Drawn, Entry, Pick, Policy, Ranking, Sample, Sampler, Setup};
use crate::arrays::{ArrayError, Arrays, find, from_rows, matrix};
use crate::cell::{Choice, ChoiceKind, Rows};
use crate::config::Config;
use crate::nn::Picked;
use crate::rng::permutation;

/// Its row of the catalogue.
pub static ENTRY: Entry = Entry {
    name: "uniform",
    help: "p is a random architecture; what is derived is the best of those that are ranked",
    has_alpha: false,
    fits: |setup| !setup.takes.is_empty(),
    new: |setup| Box::new(Uniform::new(setup)),
    read,
};

/// Batches of a ranking of random architectures.
const BATCHES: usize = 10;

/// Nothing but the best architecture so far.
pub struct Uniform {
    choices: Vec<Choice>,
    takes: Vec<usize>,
    best: Best,
    ranking: Ranking,
    lets_weights_rest: bool,
}

impl Uniform {
    fn new(setup: &Setup) -> Self {
        Self {
            choices: setup.choices.to_vec(),
            takes: setup.takes.clone(),
            best: Best::new(setup),
            ranking: ranking(setup.config, BATCHES),
            lets_weights_rest: setup.config.quirks.unused_weights_rest,
        }
    }
}

/// The ranking that settings ask for, on so many batches where they do not say.
pub(super) fn ranking(config: &Config, batches: usize) -> Ranking {
    let sampling = &config.sampling;
    Ranking {
        architectures: sampling.architectures,
        batches: if sampling.batches == 0 { batches } else { sampling.batches },
        finalists: sampling.finalists,
        every: sampling.every,
    }
}

/// The architecture that is derived, as p; even rows before there is one.
pub(super) struct Best {
    names: Vec<String>,
    p: Vec<Tensor<2>>,
    device: Device,
}

impl Best {
    pub fn new(setup: &Setup) -> Self {
        let even = |choice: &Choice| {
            let [rows, options] = choice.shape();
            Tensor::full([rows, options], 1.0 / options.max(1) as f32, setup.device)
        };
        Self {
            names: setup.choices.iter().map(|choice| choice.name.clone()).collect(),
            p: setup.choices.iter().map(even).collect(),
            device: setup.device.clone(),
        }
    }

    /// p of a draw; of none that of the best.
    pub fn relax(&self, draw: &Draw) -> Vec<Tensor<2>> {
        match draw {
            Draw::Step(Sample { architecture: Some(architecture), .. }) => {
                architecture.iter().map(|rows| from_rows(rows, &self.device)).collect()
            }
            _ => self.p.clone(),
        }
    }

    pub fn choose(&mut self, best: &Architecture) {
        self.p = best.iter().map(|rows| from_rows(rows, &self.device)).collect();
    }

    pub fn saved(&self) -> Vec<(String, Tensor<2>)> {
        self.names.iter().map(|name| name_of(name)).zip(self.p.iter().cloned()).collect()
    }

    pub fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        let pairs = self.names.iter().zip(&self.p);
        let p = pairs.map(|(name, p)| matrix(arrays, &name_of(name), p.dims(), device));
        self.p = p.collect::<Result<_, _>>()?;
        Ok(())
    }
}

fn name_of(choice: &str) -> String {
    format!("best.{choice}")
}

/// The best architecture of a checkpoint.
pub(super) fn read(choices: &[Choice], arrays: &Arrays) -> Result<Vec<Rows>, ArrayError> {
    let rows = |choice: &Choice| Ok(find(arrays, &name_of(&choice.name), &choice.shape())?.rows());
    choices.iter().map(rows).collect()
}

/// The operations that an architecture takes.
pub fn picked(choices: &[Choice], architecture: &Architecture) -> Arc<Picked> {
    let one = |row: &Vec<f32>| row.iter().position(|p| *p > 0.0).unwrap_or(0);
    let of = |(choice, rows): (&Choice, &Rows)| {
        (choice.kind == ChoiceKind::Operation).then(|| rows.iter().map(one).collect())
    };
    Arc::new(Picked(choices.iter().zip(architecture).map(of).collect()))
}

impl Policy for Uniform {
    fn leaves(&self) -> &[Tensor<2>] {
        &[]
    }

    fn relax(&self, _: &[Tensor<2>], draw: Draw) -> Vec<Tensor<2>> {
        self.best.relax(&draw)
    }

    fn pick<'a>(&'a self, sample: &'a Sample) -> Pick<'a> {
        let drawn = sample.architecture.as_ref();
        let picked = drawn.map(|architecture| picked(&self.choices, architecture));
        Box::pin(async move { Ok(picked) })
    }

    fn lets_weights_rest(&self) -> bool {
        self.lets_weights_rest
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn sampler_mut(&mut self) -> Option<&mut dyn Sampler> {
        Some(self)
    }

    fn learn(&mut self, _: Vec<Tensor<2>>, _: u64) {}

    fn saved(&self) -> Vec<(String, Tensor<2>)> {
        self.best.saved()
    }

    fn restore(&mut self, arrays: &Arrays, device: &Device) -> Result<(), ArrayError> {
        self.best.restore(arrays, device)
    }
}

impl Sampler for Uniform {
    fn ranking(&self) -> Ranking {
        self.ranking
    }

    fn draw(&self, mut rng: Pcg64) -> Drawn<'_> {
        let mut architecture = Architecture::new();
        for (choice, &takes) in self.choices.iter().zip(&self.takes) {
            let mut rows = Rows::new();
            for row in &choice.rows {
                let mut p = vec![0.0; row.options.len()];
                let order = permutation(&mut rng, row.options.len());
                order.into_iter().take(takes).for_each(|option| p[option] = 1.0);
                rows.push(p);
            }
            architecture.push(rows);
        }
        Box::pin(async move { Ok(architecture) })
    }

    fn choose(&mut self, best: &Architecture) {
        self.best.choose(best);
    }
}
