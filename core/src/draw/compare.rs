//! Several runs beside each other: which settings differ, runs of equal settings as one group over
//! its seeds, mean ± standard deviation of what they measured.

mod curves;
mod landscapes;
mod tables;

use std::collections::BTreeSet;

use serde::Serialize;

pub use self::curves::{Curves, charts};
pub use self::landscapes::{RunFlatness, comparable, flatness, flatness_csv, landscapes};
pub use self::tables::{differences_csv, summaries_csv};
use super::figures::Scene;
use super::history::History;
use crate::cell::{Cell, codec, published};
use crate::config::layers::settings;
use crate::config::{Config, Order, Setting};
use crate::event::{Eigenvalues, EvaluatedOn};
use crate::measure::landscape::Landscape;
use crate::method;
use crate::paper;

/// A run to compare.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the user calls it.
    pub name: String,
    /// What it said.
    pub history: History,
    /// The landscape around its architecture, where one was measured.
    pub landscape: Option<Landscape>,
}

impl Run {
    fn config(&self) -> Option<&Config> {
        self.history.started.as_ref().map(|started| &started.config)
    }
}

/// A setting that differs between runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `section.key`.
    pub setting: String,
    /// Its value in every run; empty where a run does not say.
    pub values: Vec<String>,
}

/// Runs whose settings differ in the seed and in nothing else that changes the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The method, and what else tells it from the other groups.
    pub name: String,
    /// Indices of its runs.
    pub runs: Vec<usize>,
}

/// A mean over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (n − 1); `None` of a single run.
    pub deviation: Option<f64>,
}

impl Spread {
    /// Of these values; `None` where there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        (!values.is_empty()).then_some(Self { mean, deviation })
    }
}

/// The last numbers of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the group.
    pub group: String,
    /// Seeds of its runs, in their order.
    pub seeds: Vec<u64>,
    /// Validation accuracy of the supernet, a share.
    pub valid_accuracy: Option<Spread>,
    /// The best of them.
    pub best_valid_accuracy: Option<f64>,
    /// Validation perplexity of the supernet, of a search of text; of a training that of its best epoch.
    pub valid_perplexity: Option<Spread>,
    /// The best of them.
    pub best_valid_perplexity: Option<f64>,
    /// True test accuracy of the derived cell, a share, where a table of trained networks was given;
    /// of a training that of its network.
    pub test_accuracy: Option<Spread>,
    /// Of how many runs: a table may lack the cells of others.
    pub tested: usize,
    /// Of a training the share of images whose class is among the five strongest, where there are
    /// more than five classes.
    pub top5_accuracy: Option<Spread>,
    /// Perplexity on the test text, of a training on a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_perplexity: Option<Spread>,
    /// Share of parameter-free operations in the first cell (the normal one).
    pub parameter_free: Option<Spread>,
    /// Spectral norm of the last Hessian.
    pub spectral_norm: Option<Spread>,
    /// Mean drop of accuracy around the architecture ([`crate::measure::landscape::Flatness`]), a share;
    /// `None` also where the landscapes of the group were not measured in the same way.
    pub mean_drop: Option<Spread>,
    /// What the paper reports of this method, space and data set.
    pub published: Option<paper::Published>,
    /// The parameter-free share that the paper reports (Table 5).
    pub published_parameter_free: Option<f64>,
    /// What the paper reports of a recurrent cell (Table 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_perplexities: Option<paper::Perplexities>,
}

/// Every setting that has different values in the runs.
pub fn differences(runs: &[Run]) -> Vec<Difference> {
    let row = |setting: &Setting| {
        let of = |run: &Run| run.config().map_or(String::new(), |config| text(setting, config));
        Difference { setting: setting.name(), values: runs.iter().map(of).collect() }
    };
    let differs = |row: &Difference| row.values.iter().any(|value| *value != row.values[0]);
    settings().map(row).filter(differs).collect()
}

fn text(setting: &Setting, config: &Config) -> String {
    let value = setting.value(config);
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a setting makes a run another experiment: the seed, the folder of the data and how the
/// run is carried out do not.
fn matters(setting: &str) -> bool {
    !["seed", "data.dir"].contains(&setting) && !setting.starts_with("run.")
}

/// The runs as groups, in the order of their first runs.
pub fn groups(runs: &[Run]) -> Vec<Group> {
    let differences: Vec<Difference> =
        differences(runs).into_iter().filter(|row| matters(&row.setting)).collect();
    let methods: Vec<String> = runs.iter().map(experiment).collect();
    let key = |run: usize| -> Vec<&str> {
        let values = differences.iter().filter(|row| !names_method(&row.setting));
        let values = values.filter_map(|row| row.values.get(run));
        [&methods[run]].into_iter().chain(values).map(String::as_str).collect()
    };
    let mut groups: Vec<Group> = Vec::new();
    for (run, first) in runs.iter().enumerate() {
        match groups.iter_mut().find(|group| key(group.runs[0]) == key(run)) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { name: method(first), runs: vec![run] }),
        }
    }
    // Names become longer only where they would be equal: first by space and data set, then by
    // every setting that differs.
    let catalogued = |row: &&Difference| ["search.space", "data.name"].contains(&&*row.setting);
    let short: Vec<&Difference> = differences.iter().filter(catalogued).collect();
    let rest: Vec<&Difference> =
        differences.iter().filter(|row| !catalogued(row) && !names_method(&row.setting)).collect();
    lengthen(&mut groups, |run| short.iter().map(|row| row.values[run].clone()).collect());
    lengthen(&mut groups, |run| {
        rest.iter().map(|row| format!("{}={}", row.setting, row.values[run])).collect()
    });
    groups
}

/// Whether a setting is a part of the name of a group: two that say the same are one experiment.
fn names_method(setting: &str) -> bool {
    ["search.method", "perturbation.kind", "train.genotype"].contains(&setting)
}

/// What [`names_method`] leaves out of the comparison, in one text: the method, or the genotype.
fn experiment(run: &Run) -> String {
    let trained = run.history.training.as_ref();
    let encoded = trained.and_then(|genotype| (codec::of(genotype)?.encode)(genotype));
    encoded.unwrap_or_else(|| method(run))
}

/// What a group is called: its method, or what it trains.
fn method(run: &Run) -> String {
    if let Some(genotype) = &run.history.training {
        let own = || format!("the genotype of {}", run.name);
        return published::of(genotype).map_or_else(own, |row| row.name.to_owned());
    }
    run.config().map_or_else(|| run.name.clone(), method::name)
}

fn lengthen(groups: &mut [Group], words: impl Fn(usize) -> Vec<String>) {
    let names: BTreeSet<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    if names.len() < groups.len() {
        for group in groups {
            let parts = [vec![group.name.clone()], words(group.runs[0])].concat();
            group.name = parts.join(", ");
        }
    }
}

/// The run of a group with the best validation accuracy at its end, of text with the lowest perplexity: the
/// one to train.
pub fn best(group: &Group, runs: &[Run]) -> Option<usize> {
    let merit = |run: &usize| {
        let history = &runs[*run].history;
        let searched = history.epochs.last().map(|it| it.valid_score().merit());
        searched.or(history.train_epochs.last().map(|it| it.accuracy))
    };
    let known = group.runs.iter().filter_map(|run| Some((*run, merit(run)?)));
    known.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(run, _)| run)
}

/// What there is to draw of every run; the landscapes have one frame.
pub fn scenes(runs: &[Run]) -> Vec<Scene<'_>> {
    let mut scenes: Vec<Scene> = runs.iter().map(|run| Scene::of(&run.history)).collect();
    scenes.iter_mut().for_each(|scene| scene.beside_others = true);
    for (run, view) in landscapes(runs) {
        scenes[run].landscape = Some(view);
    }
    scenes
}

/// The last numbers of every group.
pub fn summaries(groups: &[Group], runs: &[Run]) -> Vec<Summary> {
    groups.iter().map(|group| summary(group, runs)).collect()
}

fn summary(group: &Group, runs: &[Run]) -> Summary {
    let histories = || group.runs.iter().map(|&run| &runs[run].history);
    let last = |value: fn(&History) -> Option<f64>| -> Vec<f64> {
        histories().filter_map(value).collect()
    };
    let mut accuracies = last(|it| it.epochs.last().map(|epoch| epoch.valid_accuracy));
    accuracies.extend(last(|it| trained(it, EvaluatedOn::Valid)));
    let mut tested = last(|it| Some(it.anytime.last()?.test_accuracy? / 100.0));
    tested.extend(last(|it| trained(it, EvaluatedOn::Test)));
    let mut perplexities = last(|it| Some(it.epochs.last()?.perplexity?.valid));
    perplexities.extend(last(valid_perplexity));
    let config = group.runs.first().and_then(|&run| runs[run].config());
    let training = group.runs.first().and_then(|&run| runs[run].history.training.as_ref());
    let published = config.map(|config| {
        if let Some(genotype) = training {
            let name = published::of(genotype).map_or("", |row| row.name);
            let free = paper::genotypes::find(name).parameter_free();
            return (paper::genotypes::test_error(name, &config.data.name), free);
        }
        let (data, space, method) = (&config.data.name, &config.search.space, &paper_name(config));
        (paper::test_error(data, space, method), paper::parameter_free(data, space, method))
    });
    let flatness = flatness(group.runs.iter().map(|&run| &runs[run]));
    let drops: Vec<f64> = flatness.iter().map(|row| row.flatness.mean_drop).collect();
    Summary {
        group: group.name.clone(),
        seeds: group.runs.iter().filter_map(|&run| runs[run].config()).map(|it| it.seed).collect(),
        valid_accuracy: Spread::of(&accuracies),
        best_valid_accuracy: accuracies.iter().copied().reduce(f64::max),
        valid_perplexity: Spread::of(&perplexities),
        best_valid_perplexity: perplexities.iter().copied().reduce(f64::min),
        test_accuracy: Spread::of(&tested),
        tested: tested.len(),
        top5_accuracy: Spread::of(&last(|it| it.train_epochs.last()?.top5)),
        test_perplexity: Spread::of(&last(|it| it.trained.as_ref()?.test_perplexity)),
        parameter_free: Spread::of(&last(|it| {
            let cell = || it.training.as_ref()?.cells.first().filter(|cell| !cell.is_recurrent());
            let cell = || cell().map(Cell::parameter_free);
            let searched = it.epochs.last().and_then(|epoch| epoch.parameter_free.first().copied());
            searched.or_else(cell).map(f64::from)
        })),
        spectral_norm: Spread::of(&last(|it| it.hessians.last().map(Eigenvalues::spectral_norm))),
        mean_drop: Spread::of(&drops).filter(|_| comparable(&flatness)),
        published: published.and_then(|it| it.0),
        published_parameter_free: published.and_then(|it| it.1),
        published_perplexities: training
            .and_then(published::of)
            .and_then(|row| paper::perplexities(row.name)),
    }
}

/// The perplexity of a training on the validation text: of its best epoch, once it is over.
fn valid_perplexity(history: &History) -> Option<f64> {
    let ended = history.trained.as_ref().and_then(|trained| trained.perplexity);
    let mut epochs = history.train_epochs.iter().filter_map(|epoch| epoch.perplexity);
    let best = epochs.next().map(|first| epochs.fold(first, f64::min));
    ended.or(best)
}

/// The share of right answers after the last epoch of a training.
fn trained(history: &History, on: EvaluatedOn) -> Option<f64> {
    history.train_epochs.last().filter(|epoch| epoch.evaluated_on == on).map(|it| it.accuracy)
}

/// The method of a search by its name in the tables of the paper. R-DARTS is DARTS with other
/// settings there, and so it is here.
fn paper_name(config: &Config) -> String {
    let (search, name) = (&config.search, method::name(config));
    let known = match name.as_str() {
        "darts" if search.drop_path > 0.0 => "r-darts-dp",
        "darts" if config.weights.weight_decay > Config::default().weights.weight_decay => {
            "r-darts-l2"
        }
        "darts" if search.order == Order::Second => "darts-2nd",
        "darts-es" if config.early_stop.simulate => "darts",
        name => name,
    };
    known.to_owned()
}
