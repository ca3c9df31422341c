//! Trainings, one after another: each in a run directory of its own, with one way to stop them all. Those of
//! images are made here, those of a text in [`text`].

mod prepared;
mod results;
pub mod text;

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context as _;
use smoothdarts::cell::{Cell, codec, published};
use smoothdarts::config::Config;
use smoothdarts::config::layers::Resolved;
use smoothdarts::data::{MAX_SIZE, Order};
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::event::{EvaluatedOn, Trained};
use smoothdarts::net::DerivedError;
use smoothdarts::paper::{self, Published};
use smoothdarts::run::{ImageTraining, Train};
use smoothdarts::task::{Language, Training};

use crate::cli::RunArgs;
use crate::datasets::{self, Opened, Prefetch, Supply};
use crate::device::Selected;
use crate::estimate::Estimate;
use crate::events;
use crate::exit::Exit;
use crate::run_dir::RunDir;
use crate::session::{Place, Session, Work, seconds};
use crate::signals::Stop;
pub use prepared::Prepared;

/// The trainings of one process.
pub struct Trainings<'a> {
    /// What computes.
    pub selected: &'a Selected,
    /// How much they print, and what memory they may take.
    pub flags: &'a RunArgs,
    /// Events on stdout, as long as somebody reads them.
    pub json: bool,
    /// What ends them; the first of them listens, and hands it on.
    stop: Option<Stop>,
}

/// A training whose data is open and whose network is made; nothing is written yet.
#[expect(clippy::large_enum_variant, reason = "there is one in a process at a time")]
pub enum Ready {
    /// On images.
    Images(Prepared<Train<Training>>),
    /// On a text.
    Text(Prepared<Train<Language>>),
}

/// What a finished training says.
pub struct Done {
    /// How it ended.
    pub trained: Trained,
    /// Weights of its network without the auxiliary head.
    pub parameters: usize,
}

impl<'a> Trainings<'a> {
    /// None so far.
    pub fn new(selected: &'a Selected, flags: &'a RunArgs) -> Self {
        Self { selected, flags, json: flags.json, stop: None }
    }

    /// Opens the data and makes the network.
    ///
    /// # Errors
    /// What settings, genotype or data have wrong, or a training that does not fit into memory.
    pub fn prepare(&self, resolved: &Resolved) -> anyhow::Result<Ready> {
        let config = &resolved.config;
        let began = if self.stop.is_some() { seconds() } else { 0.0 };
        if datasets::text::is_text(&config.data.name) {
            return Ok(Ready::Text(text::prepare(resolved, self.selected, self.flags, began)?));
        }
        // Before the data, which may have to be fetched first.
        let genotype = codec::read(&config.train.genotype).context(Exit::Usage)?;
        if genotype.cells.iter().any(Cell::is_recurrent) {
            return Err(anyhow::Error::new(DerivedError::Recurrent).context(Exit::Usage));
        }
        let opened = Opened::of(config)?;
        let (classes, images) = (opened.class_names().to_vec(), opened.sizes(config));
        if config.data.image_size <= MAX_SIZE {
            let gpu = self.selected.adapter.is_some();
            let estimate = Estimate::of_training(config, &images, gpu)?;
            estimate.check(self.flags.memory_limit, self.flags.force)?;
        }
        let loader = opened.supply(config, |train, test| Order::training(train, test, config))?;
        let (shape, steps) = (loader.shape(), loader.steps_per_epoch());
        let mut training = ImageTraining::new(config, shape, steps, &self.selected.device)?;
        training.set_device_label(self.selected.label.clone());
        training.set_class_names(classes);
        training.set_clock(seconds);
        let (resolved, batches) = (resolved.clone(), Prefetch::new(loader));
        Ok(Ready::Images(Prepared { resolved, training, batches, began }))
    }

    /// Trains in the run directory `out`: from the start, or from where its checkpoint stands. A break
    /// is what a signal asked for.
    ///
    /// # Errors
    /// Everything in the table of exit codes.
    pub fn run(&mut self, ready: Ready, out: &Path) -> anyhow::Result<ControlFlow<Exit, Done>> {
        match ready {
            Ready::Images(prepared) => self.go(prepared, out),
            Ready::Text(prepared) => self.go(prepared, out),
        }
    }

    fn go<J: Work>(
        &mut self,
        prepared: Prepared<J>,
        out: &Path,
    ) -> anyhow::Result<ControlFlow<Exit, Done>> {
        let Prepared { resolved, training, batches, began } = prepared;
        let parameters = training.started().parameters;
        let (json, quiet, stop) = (self.json, self.flags.quiet, self.stop.take());
        let place = Place { out, extend: false, json, quiet, stop, began };
        let session = Session::open(place, &resolved, self.selected, training, batches)?;
        self.stop = Some(session.stop());
        let exit = session.run()?;
        if exit != Exit::Done {
            return Ok(ControlFlow::Break(exit));
        }
        let history: History = events::of_run(out)?;
        let trained = history.trained.with_context(|| {
            format!("the events of {} do not tell how its training ended", out.display())
        })?;
        Ok(ControlFlow::Continue(Done { trained, parameters }))
    }
}

impl Work for Train<Training> {
    type Supply = Supply;

    const NOUN: &'static str = "training";

    fn write(run: &ImageTraining, directory: &RunDir) -> anyhow::Result<()> {
        results::write(run, directory)
    }

    fn curves(history: &History) -> String {
        csv::training(history)
    }

    fn summary(run: &ImageTraining, history: &History) -> anyhow::Result<(String, String)> {
        let words = history.trained.as_ref().map_or(String::new(), result);
        let paper = published_error(&run.started().config);
        Ok((words, paper.map_or(String::new(), |paper| paper_words(&paper) + "\n")))
    }
}

/// What the paper reports of the genotype that these settings train, where it is tested as there: an error
/// on validation images, as that of a candidate of a selection, has no place beside it.
pub fn published_error(config: &Config) -> Option<Published> {
    if !config.reads_test_data() {
        return None;
    }
    let genotype = codec::read(&config.train.genotype).ok()?;
    paper::genotypes::test_error(published::of(&genotype)?.name, &config.data.name)
}

/// The same in words.
pub fn paper_words(paper: &Published) -> String {
    let Published { data, space, method, test_error, deviation, top5_error } = paper;
    let deviation = deviation.map_or(String::new(), |it| format!(" ± {it:.2}"));
    let top5 = top5_error.map_or(String::new(), |it| format!(", top-5 {it:.2} %,"));
    format!(
        "paper: {test_error:.2}{deviation} %{top5} on {data} ({method} in space {space}, trained in \
         full)"
    )
}

/// The result of a training in words.
fn result(trained: &Trained) -> String {
    let error = |accuracy: f64| format!("{:.2} %", 100.0 * (1.0 - accuracy));
    let mut text = format!(
        "{} error {} after the last epoch, {} after the best ({})",
        trained.evaluated_on.word(),
        error(trained.accuracy),
        error(trained.best_accuracy),
        trained.best_epoch + 1,
    );
    if let Some(accuracy) = trained.ema_accuracy {
        text += &format!(", {} of the moving average", error(accuracy));
    }
    if trained.evaluated_on == EvaluatedOn::Valid {
        text += "; no test image was read";
    }
    text
}
