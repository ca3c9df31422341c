//! `sdarts train`: a network of a genotype, trained from scratch and tested.

use std::path::{Path, PathBuf};

use serde_json::json;
use smoothdarts::cell::published;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Origin, Resolved};
use smoothdarts::data::{MAX_SIZE, Order};
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::event::{EvaluatedOn, Trained};
use smoothdarts::paper::{self, Published};
use smoothdarts::run::train::Kind;
use smoothdarts::run::{ImageTraining, Train};
use smoothdarts::task::Training;

use super::derive;
use super::search::run_name;
use crate::cli::TrainArgs;
use crate::datasets::{Opened, Prefetch};
use crate::device::{self, Selected};
use crate::estimate::Estimate;
use crate::exit::Exit;
use crate::run_dir::RunDir;
use crate::session::{Place, Session, Work, refuse, seconds};
use crate::signals::Stop;
use crate::{events, genotype, output, settings};

/// Trains, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &TrainArgs) -> anyhow::Result<Exit> {
    let named = args.genotype.as_deref().map(genotype::of).transpose()?;
    let resolved = settings::resolve_train(args, named.as_ref().map(derive::text))?;
    if args.print_config {
        output::line(settings::to_toml(&resolved)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let config = &resolved.config;
    let out = args.out.clone().unwrap_or_else(|| default_out(args, config));
    device::set_threads(config.run.threads)?;
    let selected = device::select(config.run.device)?;
    if args.seeds == 1 {
        return one(args, &resolved, &selected, &out, None).map(|(exit, _)| exit);
    }
    several(args, &resolved, &selected, &out)
}

/// A training with one seed. The way to stop it is handed on to the next.
fn one(
    args: &TrainArgs,
    resolved: &Resolved,
    selected: &Selected,
    out: &Path,
    stop: Option<Stop>,
) -> anyhow::Result<(Exit, Stop)> {
    let (config, began) = (&resolved.config, if stop.is_some() { seconds() } else { 0.0 });
    refuse(out, args.resume, false, config)?;
    let opened = Opened::of(config)?;
    let (classes, images) = (opened.class_names().to_vec(), opened.sizes(config));
    if config.data.image_size <= MAX_SIZE {
        let estimate = Estimate::of_training(config, &images, selected.adapter.is_some())?;
        estimate.check(args.memory_limit, args.force)?;
    }
    let loader = opened.supply(config, |train, test| Order::training(train, test, config))?;
    let (shape, steps) = (loader.shape(), loader.steps_per_epoch());
    let mut training = ImageTraining::new(config, shape, steps, &selected.device)?;
    training.set_device_label(selected.label.clone());
    training.set_class_names(classes);
    training.set_clock(seconds);
    let place = Place { out, extend: false, json: args.json, quiet: args.quiet, stop, began };
    let session = Session::open(place, resolved, selected, training, Prefetch::new(loader))?;
    let stop = session.stop();
    Ok((session.run()?, stop))
}

/// Trainings with several seeds, one after another, and what they say together.
fn several(
    args: &TrainArgs,
    resolved: &Resolved,
    selected: &Selected,
    out: &Path,
) -> anyhow::Result<Exit> {
    let (mut stop, mut found) = (None, Vec::new());
    for seed in (resolved.config.seed..).take(args.seeds as usize) {
        let mut resolved = resolved.clone();
        resolved.config.seed = seed;
        resolved.origins.insert("seed".to_owned(), Origin::Flag);
        let out = out.join(format!("seed-{seed}"));
        let (exit, next) = one(args, &resolved, selected, &out, stop)?;
        if exit != Exit::Done {
            return Ok(exit);
        }
        stop = Some(next);
        let history = History::from_events(events::of_run(&out)?);
        found.extend(history.trained);
    }
    let errors: Vec<f64> = found.iter().map(|it| 100.0 * (1.0 - it.accuracy)).collect();
    let (mean, deviation) = mean(&errors);
    let paper = published_error(&resolved.config);
    if args.json {
        let object = json!({
            "seeds": errors.len(),
            "errors": errors,
            "mean_error": mean,
            "deviation": deviation,
            "paper": paper,
        });
        output::line(&object.to_string())?;
    } else {
        let on = found.first().map_or("test", |it| it.evaluated_on.word());
        let count = errors.len();
        output::line(&format!("{on} error {mean:.2} ± {deviation:.2} % over {count} seeds"))?;
        if let Some(paper) = paper {
            output::line(&paper_words(&paper))?;
        }
    }
    Ok(Exit::Done)
}

/// Mean and sample standard deviation.
fn mean(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}

/// What the paper reports of the genotype that these settings train.
fn published_error(config: &Config) -> Option<Published> {
    let genotype = smoothdarts::cell::codec::read(&config.train.genotype).ok()?;
    paper::genotypes::test_error(published::of(&genotype)?.name, &config.data.name)
}

fn paper_words(paper: &Published) -> String {
    let Published { data, space, method, test_error, deviation, top5_error } = paper;
    let deviation = deviation.map_or(String::new(), |it| format!(" ± {it:.2}"));
    let top5 = top5_error.map_or(String::new(), |it| format!(", top-5 {it:.2} %,"));
    format!(
        "paper: {test_error:.2}{deviation} %{top5} on {data} ({method} in space {space}, trained in \
         full)"
    )
}

impl Work for Train<Training> {
    const NOUN: &'static str = "training";

    fn write(run: &ImageTraining, directory: &RunDir) -> anyhow::Result<()> {
        let genotype = pollster::block_on(run.genotype())?;
        let json = serde_json::to_string_pretty(&genotype)? + "\n";
        directory.write("genotype.json", json.as_bytes())?;
        directory.write("genotype.py.txt", (derive::text(&genotype) + "\n").as_bytes())?;
        for kind in Kind::ALL {
            if let Some(weights) = pollster::block_on(run.job().weights(kind))? {
                directory.write(kind.file(), &weights)?;
            }
        }
        Ok(())
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

/// runs/<preset or config>-<genotype>-<seed>; with several seeds, without the seed.
fn default_out(args: &TrainArgs, config: &Config) -> PathBuf {
    let name = run_name(&args.settings, settings::train_preset(args), "train");
    let (seed, several) = (format!("-{}", config.seed), args.seeds > 1);
    if args.settings.config.is_some() {
        return Path::new("runs").join(format!("{}{seed}", name.trim_end_matches(&seed)));
    }
    let known = smoothdarts::cell::codec::read(&config.train.genotype).ok();
    let known = known.as_ref().and_then(published::of).map(|row| row.name.to_owned());
    let source = args.genotype.as_deref().map(Path::new).filter(|path| path.exists());
    let source = source.and_then(Path::file_stem).map(|name| name.to_string_lossy().into_owned());
    let what = known.or(source).unwrap_or_else(|| "genotype".to_owned());
    Path::new("runs").join(format!("{name}-{what}{}", if several { "" } else { &seed }))
}
