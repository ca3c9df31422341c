//! `sdarts test` of a recurrent genotype: perplexity on the validation and on the test text.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use burn::tensor::Device;
use serde_json::json;
use shaders::Kernels;
use smoothdarts::arrays::{Arrays, state_dict, vector};
use smoothdarts::cell::Genotype;
use smoothdarts::config::Config;
use smoothdarts::data::text::{Text, TextLoader};
use smoothdarts::data::{Batches as _, Part};
use smoothdarts::net::{DerivedRecurrent, Dropout, LanguageShape};
use smoothdarts::rng::{Stream, Streams};
use smoothdarts::task::{Hidden, Language, Model, Point, Tally, Task as _};

use crate::datasets::text;
use crate::exit::Exit;
use crate::training::text::VOCABULARY;
use crate::{output, run_dir};

/// What is tested, and where.
pub(super) struct Tested<'a> {
    /// The file or the run directory.
    pub source: &'a Path,
    /// The weights, by the names of the authors' code.
    pub arrays: &'a Arrays,
    /// The recurrent cell.
    pub genotype: &'a Genotype,
    /// Settings of the text and of the network.
    pub config: &'a Config,
    /// What computes, and what it is called.
    pub device: (&'a Device, &'a str),
    /// Only an object.
    pub json: bool,
}

/// Tests on the validation text, in as many columns as a training does, and on the test text in one.
///
/// # Errors
/// If weights, genotype and text do not fit together or cannot be read, or the device fails.
pub(super) fn run(tested: &Tested) -> anyhow::Result<Exit> {
    let (text, mut config) = (text::open(tested.config)?, tested.config.clone());
    let shape = shape(tested, &text).context(Exit::Usage)?;
    config.recurrent.hidden = shape.hidden;
    (config.train.batch_size, config.train.portion) = (1, 1.0);
    let network = DerivedRecurrent::new(tested.genotype, shape).context(Exit::Usage)?;
    let model = Model::new(Language::new(&config), Box::new(network), Kernels::Fused);
    let mut loader = TextLoader::for_training(text, &config)?;
    let flat = state_dict::read(model.network.layout(), tested.arrays).context(Exit::Usage)?;
    let weights = vector(flat.weights, tested.device.0);
    let valid = perplexity(&model, &weights, &mut loader, Part::Valid)?;
    let test = perplexity(&model, &weights, &mut loader, Part::Test)?;
    if !tested.json {
        output::line(&format!(
            "perplexity on {}: {valid:.2} on the validation text, {test:.2} on the test text; on {}",
            config.data.name, tested.device.1
        ))?;
    }
    let object = json!({
        "valid_perplexity": valid,
        "test_perplexity": test,
        "valid_loss": valid.ln(),
        "test_loss": test.ln(),
        "vocabulary": shape.vocabulary,
        "device": tested.device.1,
    });
    output::line(&object.to_string())?;
    Ok(Exit::Done)
}

/// The size of the network, off the shape of its embedding, if the text has the words that it knows.
fn shape(tested: &Tested, text: &Text) -> anyhow::Result<LanguageShape> {
    let (name, words) = (&text.name, text.vocabulary.len());
    let embedding = tested.arrays.get("encoder.weight").map(|array| array.shape.as_slice());
    let Some(&[vocabulary, hidden]) = embedding else {
        return Err(anyhow!(
            "there is no tensor encoder.weight of two dimensions: these are not the weights of a recurrent \
             network"
        ));
    };
    let known = match tested.source.is_dir() {
        true => run_dir::text(&tested.source.join(VOCABULARY))?,
        false => None,
    };
    let differs = known.is_some_and(|known| !known.lines().eq(&text.vocabulary));
    if vocabulary != words || differs {
        return Err(anyhow!(
            "the network knows {vocabulary} words, and {name} has {words}{}; test it on the text that it was \
             trained on, with the same data.vocabulary_limit",
            if vocabulary == words { ", but others" } else { "" }
        ));
    }
    Ok(LanguageShape { vocabulary, hidden, dropout: Dropout::default(), last_word_rests: false })
}

/// The perplexity on a part of the text, which is read from its start to its end.
fn perplexity(
    model: &Model<Language>,
    weights: &burn::tensor::Tensor<1>,
    loader: &mut TextLoader,
    part: Part,
) -> anyhow::Result<f64> {
    let device = weights.device();
    let statistics = burn::tensor::Tensor::zeros([2, 1], &device);
    let at = Point { weights, statistics: &statistics, eval: true };
    let (mut hidden, mut tally) = (Hidden::default(), Tally::new(&device));
    for index in 0..loader.evaluation_batches(part) {
        let batch = loader.evaluation(part, 0, index)?;
        let input = model.task.upload(batch, &hidden, &device);
        let noise = Streams::new(0).at(Stream::Noise, index as u64);
        let outcome = model.loss(at, &[], &input, noise);
        hidden = outcome.carry.clone();
        tally.add(outcome.scores(), model.task.count(&input));
    }
    let (loss, _) = pollster::block_on(tally.means())?;
    Ok(loss.exp())
}
