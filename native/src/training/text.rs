//! The training of a recurrent genotype on a text.

use anyhow::Context as _;
use smoothdarts::cell::published;
use smoothdarts::config::Config;
use smoothdarts::config::layers::Resolved;
use smoothdarts::data::Batches as _;
use smoothdarts::data::text::TextLoader;
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::event::Trained;
use smoothdarts::paper::{self, Perplexities};
use smoothdarts::run::{TextTraining, Train};
use smoothdarts::task::Language;

use super::prepared::Prepared;
use super::results;
use crate::cli::RunArgs;
use crate::datasets::{Prefetch, text};
use crate::device::Selected;
use crate::estimate::Estimate;
use crate::run_dir::RunDir;
use crate::session::{Work, seconds};

/// Opens the text and makes the network.
///
/// # Errors
/// What settings, genotype or text have wrong.
pub(super) fn prepare(
    resolved: &Resolved,
    selected: &Selected,
    flags: &RunArgs,
    began: f64,
) -> anyhow::Result<Prepared<Train<Language>>> {
    let config = &resolved.config;
    let text = text::open(config)?;
    let (words, gpu) = (text.vocabulary.len(), selected.adapter.is_some());
    let estimate = Estimate::of_text_training(config, words, gpu)?;
    estimate.check(flags.memory_limit, flags.force)?;
    let loader = TextLoader::for_training(text, config)?;
    let steps = loader.steps(0);
    let mut training = TextTraining::new(config, loader.text(), steps, &selected.device)?;
    training.set_device_label(selected.label.clone());
    training.set_clock(seconds);
    let batches = Prefetch::new(loader);
    Ok(Prepared { resolved: resolved.clone(), training, batches, began })
}

impl Work for Train<Language> {
    type Supply = TextLoader;

    const NOUN: &'static str = "training";

    fn write(run: &TextTraining, directory: &RunDir) -> anyhow::Result<()> {
        let words = run.job().words().join("\n") + "\n";
        directory.write(VOCABULARY, words.as_bytes())?;
        results::write(run, directory)
    }

    fn curves(history: &History) -> String {
        csv::training(history)
    }

    fn summary(run: &TextTraining, history: &History) -> anyhow::Result<(String, String)> {
        let trained = history.trained.as_ref().context("its events do not tell its end")?;
        let paper = in_paper(&run.started().config);
        Ok((result(trained), paper.map_or(String::new(), |paper| paper_words(&paper) + "\n")))
    }
}

/// The words that the numbers of a network mean, in the run directory: a line for each.
pub const VOCABULARY: &str = "vocabulary.txt";

/// What the paper reports of the recurrent cell that these settings train; nothing of a candidate of a selection,
/// which is not tested.
pub fn in_paper(config: &Config) -> Option<Perplexities> {
    if !config.reads_test_data() {
        return None;
    }
    let genotype = smoothdarts::cell::codec::read(&config.train.genotype).ok()?;
    paper::perplexities(published::of(&genotype)?.name)
}

/// The same in words.
pub fn paper_words(paper: &Perplexities) -> String {
    let Perplexities { method, valid, test, .. } = paper;
    format!(
        "paper: perplexity {valid:.1} on the validation text and {test:.1} on the test text of ptb \
         ({method}, 850 units, trained in full; Table 3)"
    )
}

/// The result of a training in words.
fn result(trained: &Trained) -> String {
    let number = |value: Option<f64>| value.map_or("unknown".to_owned(), |it| format!("{it:.2}"));
    let mut text = format!(
        "perplexity {} on the validation text after the best epoch ({})",
        number(trained.perplexity),
        trained.best_epoch + 1
    );
    if trained.test_perplexity.is_some() {
        text += &format!(", {} on the test text", number(trained.test_perplexity));
    } else {
        text += "; no test word was read";
    }
    text
}
