//! From flags and files to a config, and from a config to the text of config.toml.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde_json::Value;
use smoothdarts::cell::codec::{nb101, recurrent};
use smoothdarts::config::layers::{Origin, Resolved, Resolver, sections, settings};
use smoothdarts::config::{Config, Setting, presets};
use smoothdarts::{data, method, perturb, space};

use crate::cli::{BenchArgs, RunArgs, SearchArgs, SettingsArgs};
use crate::datasets;
use crate::exit::Exit;
use crate::run_dir;

/// The config that the flags of a search ask for.
///
/// # Errors
/// The first setting, file or name that is wrong, with its layer; exit code 2.
pub fn resolve(args: &SearchArgs) -> anyhow::Result<Resolved> {
    let (run, table) = (&args.run, args.table.as_deref().map(table));
    let named = [
        ("search.method", args.method.clone()),
        ("perturbation.kind", args.perturbation.clone()),
        ("search.epochs", run.epochs.map(|epochs| epochs.to_string())),
        ("hessian.every", args.hessian.map(|(every, _)| every.to_string())),
        ("hessian.dense", args.hessian.map(|(_, dense)| dense.to_string())),
        ("table.path", table.map(|(path, _)| path.to_owned())),
        ("table.column", table.map(|(_, column)| column.to_owned())),
    ];
    fitting_preset(&run.settings, false)?;
    let named = named.into_iter().chain(images(run.data.as_ref(), run.data_dir.as_deref()));
    let resolved = layers(&run.settings, preset(args), named)?;
    if resolved.config.trains() {
        let error = anyhow!("these settings train a genotype (train.genotype); use `sdarts train`");
        return Err(error.context(Exit::Usage));
    }
    Ok(resolved)
}

/// The config that the flags of a training ask for; `genotype` is the text of what it trains, where
/// the flags say so.
///
/// # Errors
/// Like [`resolve`]; also if nothing says what to train.
pub fn resolve_train(args: &RunArgs, genotype: Option<String>) -> anyhow::Result<Resolved> {
    let resolved = resolve_training(args, genotype)?;
    if resolved.config.trains() {
        return Ok(resolved);
    }
    let error = anyhow!(
        "say what to train: a run directory, a genotype, or the name of a published one (`sdarts list \
         genotypes`)"
    );
    Err(error.context(Exit::Usage))
}

/// The config of the full training of a selection, which has no genotype yet; that of its first candidate says
/// whether they read images or a text.
///
/// # Errors
/// Like [`resolve`].
pub fn resolve_selection(args: &RunArgs, first: Option<String>) -> anyhow::Result<Resolved> {
    let none = (GENOTYPE, String::new());
    changed(&resolve_training(args, first)?, [none])
}

/// The config with these settings changed, as a selection changes them for a candidate or its winner.
///
/// # Errors
/// If a value is out of its range; exit code 2.
pub fn changed(
    resolved: &Resolved,
    changes: impl IntoIterator<Item = (&'static str, String)>,
) -> anyhow::Result<Resolved> {
    let changes: Vec<_> = changes.into_iter().collect();
    let mut layers = Resolver::from(resolved.clone());
    layers.texts(changes.iter().map(|(key, text)| (*key, text.as_str())), &Origin::Selection)?;
    Ok(layers.finish()?)
}

/// The config of the short training of a candidate, whose genotype is this text.
///
/// # Errors
/// As for [`changed`].
pub fn short(full: &Resolved, genotype: String) -> anyhow::Result<Resolved> {
    let Config { select, train, .. } = &full.config;
    changed(full, select.changes(train).into_iter().chain([(GENOTYPE, genotype)]))
}

/// The setting that says what is trained.
pub const GENOTYPE: &str = "train.genotype";

fn resolve_training(args: &RunArgs, genotype: Option<String>) -> anyhow::Result<Resolved> {
    let preset = train_preset(args, genotype.as_deref());
    let named =
        [(GENOTYPE, genotype), ("train.epochs", args.epochs.map(|epochs| epochs.to_string()))];
    fitting_preset(&args.settings, true)?;
    let named = named.into_iter().chain(images(args.data.as_ref(), args.data_dir.as_deref()));
    layers(&args.settings, preset, named)
}

/// Whether these flags train on a text, whatever they train.
///
/// # Errors
/// Like [`resolve_train`].
pub fn trains_on_text(args: &RunArgs) -> anyhow::Result<bool> {
    let resolved = resolve_training(args, None)?;
    Ok(datasets::text::is_text(&resolved.config.data.name))
}

/// The settings that `--data` and `--data-dir` stand for.
fn images(name: Option<&String>, dir: Option<&Path>) -> [(&'static str, Option<String>); 2] {
    let dir = dir.map(|path| path.to_string_lossy().into_owned());
    [("data.name", name.cloned()), ("data.dir", dir)]
}

/// The preset that the training of a genotype starts from: of a recurrent one, or on a text, that of a text.
pub fn train_preset<'a>(args: &'a RunArgs, genotype: Option<&str>) -> Option<&'a str> {
    let on_text = args.data.as_deref().is_some_and(datasets::text::is_text);
    let recurrent = args.data.is_none() && genotype.is_some_and(recurrent::is_meant);
    let small = if on_text || recurrent {
        presets::TRAIN_TEXT
    } else if genotype.is_some_and(nb101::is_meant) {
        presets::TRAIN_NASBENCH101
    } else {
        presets::TRAIN
    };
    first_layer(&args.settings, small)
}

/// Refuses a preset of a search for a training, and the other way round.
fn fitting_preset(args: &SettingsArgs, trains: bool) -> anyhow::Result<()> {
    let named = args.preset.as_deref();
    let preset = presets::ALL.iter().find(|preset| Some(preset.name) == named);
    match preset {
        Some(preset) if preset.trains() != trains => {
            let fitting = presets::ALL.iter().filter(|preset| preset.trains() == trains);
            let fitting: Vec<&str> = fitting.map(|preset| preset.name).collect();
            let (name, list) = (preset.name, fitting.join(", "));
            let error = match trains {
                true => anyhow!("the preset {name} is of a search; of a training are: {list}"),
                false => anyhow!("the preset {name} is of a training; of a search are: {list}"),
            };
            Err(error.context(Exit::Usage))
        }
        _ => Ok(()),
    }
}

/// Images of a step that is timed, unless a config or a flag says otherwise.
const BENCH_BATCH: usize = 96;

/// The config that the flags of a bench ask for.
///
/// # Errors
/// Like [`resolve`].
pub fn resolve_bench(args: &BenchArgs) -> anyhow::Result<Resolved> {
    let named = images(args.data.as_ref(), args.data_dir.as_deref());
    layers(&args.settings, first_layer(&args.settings, presets::BENCH), named)
}

/// The config of a bench of a training; `genotype` is the text of what it trains, where the flags say so.
/// A preset's batch is cut to 96 images: that of ImageNet would take 50 GB.
///
/// # Errors
/// Like [`resolve_train`].
pub fn resolve_bench_training(
    args: &BenchArgs,
    genotype: Option<String>,
) -> anyhow::Result<Resolved> {
    fitting_preset(&args.settings, true)?;
    let preset = first_layer(&args.settings, presets::BENCH_TRAIN);
    let mut resolved = layers(&args.settings, preset, [("train.genotype", genotype)])?;
    if !resolved.config.trains() {
        let error = anyhow!("this config names no genotype to train: `--train GENOTYPE`");
        return Err(error.context(Exit::Usage));
    }
    let origin = resolved.origins.get("train.batch_size");
    if matches!(origin, None | Some(Origin::Default | Origin::Preset(_))) {
        let train = &mut resolved.config.train;
        train.batch_size = train.batch_size.min(BENCH_BATCH);
    }
    Ok(resolved)
}

/// The preset that a search starts from: the first one, where nothing is asked for.
pub fn preset(args: &SearchArgs) -> Option<&str> {
    first_layer(&args.run.settings, presets::ALL.first().map_or("", |preset| preset.name))
}

/// The preset below all other layers; `fallback`, where nothing is asked for.
fn first_layer<'a>(args: &'a SettingsArgs, fallback: &'a str) -> Option<&'a str> {
    match (&args.preset, &args.config) {
        (Some(name), _) => Some(name),
        (None, Some(_)) => None,
        (None, None) => Some(fallback),
    }
}

fn layers<'a>(
    args: &'a SettingsArgs,
    preset: Option<&str>,
    more: impl IntoIterator<Item = (&'a str, Option<String>)>,
) -> anyhow::Result<Resolved> {
    let mut layers = Resolver::default();
    if let Some(preset) = preset {
        layers.preset(preset)?;
    }
    if let Some(path) = &args.config {
        file(&mut layers, path)?;
    }
    let more = more.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let flags: Vec<(&str, String)> = flags(args).into_iter().chain(more).collect();
    layers.texts(flags.iter().map(|(key, value)| (*key, value.as_str())), &Origin::Flag)?;
    let resolved = layers.finish()?;
    known_names(&resolved)?;
    Ok(resolved)
}

/// The config of a file alone, e.g. of a run directory.
///
/// # Errors
/// If it cannot be read or is no config; exit code 2.
pub fn read(path: &Path) -> anyhow::Result<Config> {
    let mut layers = Resolver::default();
    file(&mut layers, path)?;
    Ok(layers.finish()?.config)
}

/// The config of a run directory.
///
/// # Errors
/// If it is none (exit code 2), or its config is damaged.
pub fn of_run(run: &Path) -> anyhow::Result<Config> {
    run_dir::must_be_run(run)?;
    let path = run.join("config.toml");
    // What is damaged is no wrong config.
    run_dir::read(&path)?;
    read(&path)
}

/// The text of config.toml: every setting with its meaning and the origin of its value.
///
/// # Errors
/// If a value has no TOML form: a seed above 2^63 − 1.
pub fn to_toml(resolved: &Resolved) -> anyhow::Result<String> {
    match resolved.config.trains() {
        true => toml_of("training", "train", resolved),
        false => toml_of("search", "search", resolved),
    }
}

/// The same of a selection, whose settings have no genotype.
///
/// # Errors
/// As for [`to_toml`].
pub fn selection_to_toml(resolved: &Resolved) -> anyhow::Result<String> {
    toml_of("selection", "select RUN…", resolved)
}

fn toml_of(run: &str, command: &str, resolved: &Resolved) -> anyhow::Result<String> {
    let mut text = format!(
        "# Settings of a {run}. `sdarts {command} --config FILE` with this file repeats it.\n\
         # After each value: where it comes from, and the default where it is another.\n",
    );
    for section in std::iter::once("").chain(sections()) {
        if !section.is_empty() {
            write!(text, "\n[{section}]")?;
        }
        for setting in settings().filter(|setting| setting.section == section) {
            entry(&mut text, setting, resolved)?;
        }
    }
    Ok(text)
}

fn entry(text: &mut String, setting: &Setting, resolved: &Resolved) -> anyhow::Result<()> {
    let value = toml_value(&setting.value(&resolved.config))?;
    let default = toml_value(&setting.value(&Config::default()))?;
    let origin = resolved.origins.get(&setting.name()).unwrap_or(&Origin::Default);
    write!(text, "\n# {}\n{} = {value}  # {origin}", setting.help.trim(), setting.key)?;
    if value != default {
        write!(text, "; the default is {default}")?;
    }
    text.push('\n');
    Ok(())
}

fn toml_value(value: &Value) -> anyhow::Result<String> {
    let value = toml::Value::try_from(value)
        .with_context(|| format!("{value} cannot be written to a TOML file"))?;
    Ok(value.to_string())
}

fn file(layers: &mut Resolver, path: &Path) -> anyhow::Result<()> {
    let name = path.display();
    let text = run_dir::text(path)
        .and_then(|text| text.context("no such file"))
        .with_context(|| format!("cannot read the config file {name}"))
        .context(Exit::Usage)?;
    let table: toml::Value = toml::from_str(&text)
        .with_context(|| format!("{name} is not a TOML file"))
        .context(Exit::Usage)?;
    Ok(layers.table(&json(table), &Origin::File(name.to_string()))?)
}

/// A TOML value as JSON, which has no NaN and no infinity: those stay as words, so that the error
/// shows them.
pub(crate) fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Value::String(number.to_string()),
        toml::Value::Array(values) => Value::Array(values.into_iter().map(json).collect()),
        toml::Value::Table(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, json(value))).collect())
        }
        value => serde_json::to_value(value).unwrap_or_default(),
    }
}

/// Flags that stand for settings, in the order in which they are laid on top of each other: the
/// named ones win over `--set`.
fn flags(args: &SettingsArgs) -> Vec<(&str, String)> {
    let mut flags: Vec<(&str, String)> =
        args.set.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    let named = [
        ("mode", args.mode.clone()),
        ("seed", args.seed.map(|seed| seed.to_string())),
        ("search.space", args.space.clone()),
        ("run.device", args.device.clone()),
        ("run.threads", args.threads.map(|threads| threads.to_string())),
        ("run.kernels", args.kernels.clone()),
    ];
    flags.extend(named.into_iter().filter_map(|(key, value)| Some((key, value?))));
    flags
}

/// File and column of `FILE[:COLUMN]`. No column has a slash, but paths of Windows have a colon.
pub fn table(argument: &str) -> (&str, &str) {
    match argument.rsplit_once(':') {
        Some((path, column)) if !column.contains(['/', '\\']) => (path, column),
        _ => (argument, ""),
    }
}

/// Looks names up in the catalogues that the config itself does not know.
fn known_names(resolved: &Resolved) -> anyhow::Result<()> {
    let config = &resolved.config;
    let origin = |key: &str| {
        let origin = resolved.origins.get(key).unwrap_or(&Origin::Default);
        format!("{origin}: {key}")
    };
    let check = |key: &str, result: anyhow::Result<()>| {
        result.with_context(|| origin(key)).context(Exit::Usage)
    };
    check("search.space", space::find(&config.search.space).map(drop).map_err(Into::into))?;
    check("search.method", method::find(&config.search.method).map(drop).map_err(Into::into))?;
    let kind = &config.perturbation.kind;
    if kind != method::BY_METHOD {
        check("perturbation.kind", perturb::find(kind).map(drop).map_err(Into::into))?;
    }
    let name = config.data.name.as_str();
    if [datasets::FOLDER, datasets::IMAGENET].contains(&name) || datasets::text::is_text(name) {
        return Ok(());
    }
    check("data.name", data::find(&config.data.name).map(drop).map_err(Into::into))
}
