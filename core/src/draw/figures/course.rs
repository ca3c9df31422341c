//! The charts of the course of a search: what every epoch or every step has a number of.

use crate::draw::chart::{Axis, Chart, Mark, Series, Unit, Zone};
use crate::draw::history::{History, Stretch};
use crate::event::{EpochFinished, WarningCode};
use crate::space::Reads;

/// Most points of [`steps`]: more cannot be told apart at the width of a page.
pub const STEP_POINTS: usize = 300;

/// Accuracy of the supernet where it learns and where it is validated, epoch by epoch.
pub fn accuracy(history: &History) -> Chart {
    let lines = [
        ("training", value(|epoch| epoch.train_accuracy)),
        ("validation", value(|epoch| epoch.valid_accuracy)),
    ];
    let about = format!(
        "Share of right answers of the supernet in every epoch: on the training batches, where the \
         architecture is perturbed, and on the {}, where it is not.",
        validation(history),
    );
    chart(history, "Accuracy of the supernet", &about, Axis::new("accuracy", Unit::Percent), lines)
}

/// Perplexity of the supernet on the training and the validation text, epoch by epoch; none of images.
pub fn perplexity(history: &History) -> Option<Chart> {
    let lines = [
        ("training", value(|epoch| epoch.perplexity.map_or(f64::NAN, |it| it.train))),
        ("validation", value(|epoch| epoch.perplexity.map_or(f64::NAN, |it| it.valid))),
    ];
    let about = "Perplexity of the supernet in every epoch, the exponential of the loss: on the training \
                 text, where the architecture is perturbed and dropout is on, and on the validation text, \
                 where neither is.";
    let axis = Axis::new("perplexity", Unit::Number);
    reads_text(history).then(|| chart(history, "Perplexity of the supernet", about, axis, lines))
}

/// What the architecture learns from.
fn validation(history: &History) -> &'static str {
    if reads_text(history) { "validation text" } else { "validation half" }
}

/// Whether it is a search of text.
fn reads_text(history: &History) -> bool {
    history.space().is_some_and(|space| space.reads() == Reads::Text)
}

/// Loss of the supernet where it learns and where it is validated, epoch by epoch.
pub fn loss(history: &History) -> Chart {
    let lines = [
        ("training", value(|epoch| epoch.train_loss)),
        ("validation", value(|epoch| epoch.valid_loss)),
    ];
    let about = format!(
        "Cross-entropy of the supernet in every epoch: on the training batches, where the architecture is \
         perturbed, and on the {}, where it is not.",
        validation(history),
    );
    chart(history, "Loss of the supernet", &about, Axis::new("loss", Unit::Number), lines)
}

/// Losses of the single steps; there is something to see before the first epoch has ended.
pub fn steps(history: &History) -> Chart {
    let means = history.step_means(STEP_POINTS);
    let line = |name: &str, value: fn(&crate::draw::history::StepMean) -> f64| Series {
        name: name.to_owned(),
        points: means.iter().map(|mean| (mean.epoch, value(mean))).collect(),
        band: Vec::new(),
    };
    let series = vec![
        line("training batch", |mean| mean.train_loss),
        line("validation batch", |mean| mean.valid_loss),
    ];
    let about = format!(
        "Cross-entropy of the supernet on the batches of every step, from {} steps as {} means.",
        history.steps.len(),
        means.len()
    );
    Chart {
        title: "Loss of every step".to_owned(),
        description: about,
        x: Axis::new("epochs trained", Unit::Number),
        y: Axis::new("loss", Unit::Number),
        series,
        marks: Vec::new(),
        zones: zones(history),
    }
}

/// Radius ε of the perturbation, epoch by epoch.
pub fn epsilon(history: &History) -> Chart {
    let about = "Radius of the ball that the perturbation of the architecture stays in.";
    let lines = [("ε", value(|epoch| epoch.epsilon))];
    chart(history, "Radius ε of the perturbation", about, Axis::new("ε", Unit::Number), lines)
}

/// Learning rate of the weights, epoch by epoch.
pub fn learning_rate(history: &History) -> Chart {
    let about = "Learning rate of the weights of the supernet in every epoch.";
    let lines = [("learning rate", value(|epoch| epoch.learning_rate))];
    let axis = Axis::new("learning rate", Unit::Number);
    chart(history, "Learning rate of the weights", about, axis, lines)
}

/// Share of parameter-free operations in the cells that would be derived, epoch by epoch, with the
/// warnings of a collapse marked; none of text, whose activations have no weights at all.
pub fn parameter_free(history: &History) -> Option<Chart> {
    if reads_text(history) {
        return None;
    }
    let lines = history.cell_choices().enumerate().map(|(index, choice)| Series {
        name: history.cell(choice).words(),
        points: points(history, |epoch| {
            epoch.parameter_free.get(index).map_or(f64::NAN, |&share| f64::from(share))
        }),
        band: Vec::new(),
    });
    let marks = history.warnings.iter().filter(|warning| warning.code == WarningCode::Collapse);
    Some(Chart {
        title: "Parameter-free operations".to_owned(),
        description:
            "Share of operations without weights (skip connections, pooling, noise) among \
                      those of the cells that would be derived after every epoch. Red marks: the \
                      search warned that skip connections take over."
                .to_owned(),
        x: Axis::new("epochs trained", Unit::Count),
        y: Axis { range: Some((0.0, 1.0)), ..Axis::new("share", Unit::Percent) },
        series: lines.collect(),
        marks: marks
            .map(|warning| Mark {
                x: trained(warning.epoch),
                message: format!("epoch {}: {}", warning.epoch + 1, warning.message),
            })
            .collect(),
        zones: zones(history),
    })
}

type Value = fn(&EpochFinished) -> f64;

/// Gives a closure the one type that an array of lines needs.
const fn value(value: Value) -> Value {
    value
}

/// A chart of numbers that every epoch has one of.
fn chart<const N: usize>(
    history: &History,
    title: &str,
    about: &str,
    y: Axis,
    lines: [(&str, Value); N],
) -> Chart {
    let series = lines.map(|(name, value)| Series {
        name: name.to_owned(),
        points: points(history, value),
        band: Vec::new(),
    });
    Chart {
        title: title.to_owned(),
        description: about.to_owned(),
        x: Axis::new("epochs trained", Unit::Count),
        y,
        series: series.into(),
        marks: Vec::new(),
        zones: zones(history),
    }
}

fn points(history: &History, value: impl Fn(&EpochFinished) -> f64) -> Vec<(f64, f64)> {
    let point = |epoch: &EpochFinished| {
        // Epochs of two stages are of two networks: no line leads from one to the other.
        let starts = history.stages.iter().any(|stage| stage.epoch == epoch.epoch);
        let gap = starts.then_some((epoch.epoch as f64, f64::NAN));
        gap.into_iter().chain([(trained(epoch.epoch), value(epoch))])
    };
    history.epochs.iter().flat_map(point).collect()
}

/// The stages of a search, where it has some, with what an edge chooses from.
pub(super) fn zones(history: &History) -> Vec<Zone> {
    let zone = |it: Stretch| Zone {
        ends: (it.epochs.start as f64, it.epochs.end as f64),
        name: format!("{} cells, {} operations", it.cells, it.operations),
    };
    history.stretches().into_iter().map(zone).collect()
}

/// Epochs trained when epoch `epoch` (from 0) has ended.
pub(super) fn trained(epoch: usize) -> f64 {
    epoch as f64 + 1.0
}

/// Validation perplexity of the supernet: (epochs trained, perplexity); nothing of images.
pub(super) fn valid_perplexities(history: &History) -> Vec<(f64, f64)> {
    let of = |epoch: &EpochFinished| Some((trained(epoch.epoch), epoch.perplexity?.valid));
    history.epochs.iter().filter_map(of).collect()
}

/// Validation accuracy of the supernet: (epochs trained, share).
pub(super) fn valid_accuracies(history: &History) -> Vec<(f64, f64)> {
    points(history, |epoch| epoch.valid_accuracy)
}

/// Share of parameter-free operations in the first cell: (epochs trained, share).
pub(super) fn parameter_free_shares(history: &History) -> Vec<(f64, f64)> {
    let share = |epoch: &EpochFinished| {
        Some((trained(epoch.epoch), f64::from(*epoch.parameter_free.first()?)))
    };
    history.epochs.iter().filter_map(share).collect()
}
