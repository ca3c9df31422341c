//! `sdarts train`: a network of a genotype, trained from scratch and tested.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::json;
use smoothdarts::cell::published;
use smoothdarts::config::Config;
use smoothdarts::config::layers::{Origin, Resolved};
use smoothdarts::event::Trained;

use super::search::run_name;
use super::{derive, dry_run};
use crate::cli::TrainArgs;
use crate::device::{self, Selected};
use crate::exit::Exit;
use crate::session::refuse;
use crate::training::{Trainings, paper_words, published_error, text};
use crate::{datasets, output, settings};

/// Trains, or does what the flags ask for instead.
///
/// # Errors
/// Everything in the table of exit codes.
pub fn run(args: &TrainArgs) -> anyhow::Result<Exit> {
    let flags = &args.run;
    let on_text = settings::trains_on_text(flags)?;
    let named = args.genotype.as_ref().map(|name| derive::meant(name, on_text));
    let resolved = settings::resolve_train(flags, named.transpose()?)?;
    if flags.print_config {
        output::line(settings::to_toml(&resolved)?.trim_end())?;
        return Ok(Exit::Done);
    }
    let config = &resolved.config;
    let out = flags.out.clone().unwrap_or_else(|| default_out(args, config));
    device::set_threads(config.run.threads)?;
    let selected = device::select(config.run.device)?;
    if flags.dry_run && datasets::text::is_text(&config.data.name) {
        return dry_run::text::run(flags.json, config, args.seeds, &selected);
    }
    if flags.dry_run {
        return dry_run::training::run(flags.json, config, args.seeds, &selected);
    }
    if args.seeds > 1 {
        return several(args, &resolved, &selected, &out);
    }
    refuse(&out, flags.resume, false, config)?;
    let mut trainings = Trainings::new(&selected, flags);
    let ready = trainings.prepare(&resolved)?;
    Ok(match trainings.run(ready, &out)? {
        ControlFlow::Continue(_) => Exit::Done,
        ControlFlow::Break(exit) => exit,
    })
}

/// Trainings with several seeds, one after another, and what they say together.
fn several(
    args: &TrainArgs,
    resolved: &Resolved,
    selected: &Selected,
    out: &Path,
) -> anyhow::Result<Exit> {
    let flags = &args.run;
    let mut trainings = Trainings::new(selected, flags);
    let mut found = Vec::new();
    for seed in (resolved.config.seed..).take(args.seeds as usize) {
        let mut resolved = resolved.clone();
        resolved.config.seed = seed;
        resolved.origins.insert("seed".to_owned(), Origin::Flag);
        let out = out.join(format!("seed-{seed}"));
        refuse(&out, flags.resume, false, &resolved.config)?;
        let ready = trainings.prepare(&resolved)?;
        match trainings.run(ready, &out)? {
            ControlFlow::Continue(done) => found.push(done.trained),
            ControlFlow::Break(exit) => return Ok(exit),
        }
    }
    if found.iter().any(|trained| trained.perplexity.is_some()) {
        return perplexities(&found, &resolved.config, flags.json);
    }
    let errors: Vec<f64> = found.iter().map(|it| 100.0 * (1.0 - it.accuracy)).collect();
    let (mean, deviation) = mean(&errors);
    let paper = published_error(&resolved.config);
    if flags.json {
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

/// What trainings on a text say together.
fn perplexities(found: &[Trained], config: &Config, json: bool) -> anyhow::Result<Exit> {
    let of = |value: fn(&Trained) -> Option<f64>| found.iter().filter_map(value).collect();
    let (valid, test): (Vec<f64>, Vec<f64>) = (of(|it| it.perplexity), of(|it| it.test_perplexity));
    let paper = text::in_paper(config);
    if json {
        let object = json!({
            "seeds": found.len(),
            "valid_perplexities": valid,
            "test_perplexities": test,
            "paper": paper,
        });
        output::line(&object.to_string())?;
        return Ok(Exit::Done);
    }
    for (name, values) in [("validation", valid), ("test", test)] {
        let ((mean, deviation), count) = (mean(&values), values.len());
        output::line(&format!("{name} perplexity {mean:.2} ± {deviation:.2} over {count} seeds"))?;
    }
    if let Some(paper) = paper {
        output::line(&text::paper_words(&paper))?;
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

/// runs/<preset or config>-<genotype>-<seed>; with several seeds, without the seed.
fn default_out(args: &TrainArgs, config: &Config) -> PathBuf {
    let flags = &args.run;
    let name = run_name(
        &flags.settings,
        settings::train_preset(flags, Some(&config.train.genotype)),
        "train",
    );
    let (seed, several) = (format!("-{}", config.seed), args.seeds > 1);
    if flags.settings.config.is_some() {
        return Path::new("runs").join(format!("{}{seed}", name.trim_end_matches(&seed)));
    }
    let known = smoothdarts::cell::codec::read(&config.train.genotype).ok();
    let known = known.as_ref().and_then(published::of).map(|row| row.name.to_owned());
    let source = args.genotype.as_deref().map(Path::new).filter(|path| path.exists());
    let source = source.and_then(Path::file_stem).map(|name| name.to_string_lossy().into_owned());
    let what = known.or(source).unwrap_or_else(|| "genotype".to_owned());
    Path::new("runs").join(format!("{name}-{what}{}", if several { "" } else { &seed }))
}
