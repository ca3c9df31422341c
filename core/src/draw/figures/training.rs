//! The charts of the course of a training.

use super::Picture;
use super::course::{STEP_POINTS, trained};
use crate::draw::chart::{Axis, Chart, Series, Unit};
use crate::draw::confusion;
use crate::draw::history::History;
use crate::draw::table::Table;
use crate::event::{TrainEpoch, TrainStep};
use crate::measure::confusion::Matrix;

/// Accuracy on the training batches and on the images that the network is evaluated on.
pub fn accuracy(history: &History) -> Option<Chart> {
    let mut lines = vec![
        line(history, "training", |epoch| Some(epoch.train_accuracy)),
        line(history, evaluated_on(history), |epoch| Some(epoch.accuracy)),
    ];
    lines.push(line(history, "moving average", |epoch| epoch.ema.map(|it| it[1])));
    let about = if reads_text(history) {
        "Share of next words that have the largest logit in every epoch: on the training text while the \
         weights change and with dropout, and after the epoch on the validation text."
    } else {
        "Share of right answers in every epoch: on the training batches, which are augmented and seen while \
         the weights change, and after the epoch on images that are never trained on."
    };
    chart(history, "Accuracy of the network", about, Axis::new("accuracy", Unit::Percent), lines)
}

/// Whether it is a training on a text.
fn reads_text(history: &History) -> bool {
    history.train_epochs.iter().any(|epoch| epoch.perplexity.is_some())
}

/// Perplexities on a text; none of a training on images.
pub fn perplexity(history: &History) -> Option<Chart> {
    let lines = vec![
        line(history, "training", |epoch| epoch.perplexity.map(|_| epoch.train_loss.exp())),
        line(history, evaluated_on(history), |epoch| epoch.perplexity),
    ];
    let about = "Perplexity in every epoch, the exponential of the loss: among so many equally likely words the \
                 next one had to be guessed. On the training text while the weights change and with dropout, \
                 and after the epoch on the validation text.";
    let axis = Axis::new("perplexity", Unit::Number);
    let chart = chart(history, "Perplexity of the network", about, axis, lines)?;
    (!chart.series.is_empty()).then_some(chart)
}

/// [`TrainEpoch::perplexity`]: (epochs trained, perplexity).
pub(super) fn perplexities(history: &History) -> Vec<(f64, f64)> {
    let point = |epoch: &TrainEpoch| Some((trained(epoch.epoch), epoch.perplexity?));
    history.train_epochs.iter().filter_map(point).collect()
}

/// Losses, as for [`accuracy`].
pub fn loss(history: &History) -> Option<Chart> {
    let lines = vec![
        line(history, "training", |epoch| Some(epoch.train_loss)),
        line(history, evaluated_on(history), |epoch| Some(epoch.loss)),
        line(history, "moving average", |epoch| epoch.ema.map(|it| it[0])),
    ];
    let about = if reads_text(history) {
        "Cross-entropy of a word in every epoch: on the training text while the weights change and with \
         dropout, and after the epoch on the validation text."
    } else {
        "Cross-entropy in every epoch: on the training batches with the auxiliary head and label smoothing, \
         where there are any, and without both on images that are never trained on."
    };
    chart(history, "Loss of the network", about, Axis::new("loss", Unit::Number), lines)
}

/// Learning rate, epoch by epoch.
pub fn learning_rate(history: &History) -> Option<Chart> {
    let lines = vec![line(history, "learning rate", |epoch| Some(epoch.learning_rate))];
    let axis = Axis::new("learning rate", Unit::Number);
    chart(history, "Learning rate", "Learning rate of SGD in every epoch.", axis, lines)
}

/// Probability of drop-path, epoch by epoch.
pub fn drop_path(history: &History) -> Option<Chart> {
    let lines = vec![line(history, "drop-path", |epoch| Some(epoch.drop_path))];
    let about = "Probability that drop-path drops an operation for an image, in every epoch.";
    let axis = Axis::new("probability", Unit::Percent);
    chart(history, "Probability of drop-path", about, axis, lines)
}

/// Share of images whose class is among the five strongest, epoch by epoch; none with five classes or
/// fewer.
pub fn top5(history: &History) -> Option<Chart> {
    let lines = vec![line(history, evaluated_on(history), |epoch| epoch.top5)];
    let about = "Share of images whose class is among the five that the network takes for the most \
                 likely, after every epoch, on images that are never trained on.";
    let axis = Axis::new("accuracy", Unit::Percent);
    let chart = chart(history, "Top-5 accuracy of the network", about, axis, lines)?;
    (!chart.series.is_empty()).then_some(chart)
}

/// Which class the network takes for which after its last epoch.
pub fn confusion(history: &History) -> Option<Taken> {
    let matrix = Matrix::new(history.trained.as_ref()?.confusion.clone()?)?;
    let known = &history.started.as_ref()?.classes;
    let name = |class: usize| known.get(class).cloned().unwrap_or_else(|| class.to_string());
    Some(Taken { names: (0..matrix.rows().len()).map(name).collect(), matrix })
}

/// A picture of which class is taken for which.
pub struct Taken {
    names: Vec<String>,
    matrix: Matrix,
}

impl Picture for Taken {
    fn subject(&self) -> String {
        "the network".to_owned()
    }

    fn caption(&self) -> String {
        "Which class the network takes for which after the last epoch: a row is a class, a column \
         what its images were taken for, and a darker square a larger share of the row."
            .to_owned()
    }

    fn svg(&self) -> String {
        confusion::draw(&self.matrix, &self.names)
    }

    fn csv(&self) -> String {
        confusion::csv(&self.matrix, &self.names)
    }

    fn table(&self) -> Option<Table> {
        Some(confusion::table(&self.matrix, &self.names))
    }
}

/// Loss of the single steps, as means over stretches of equal length.
pub fn steps(history: &History) -> Option<Chart> {
    let steps = &history.train_steps;
    let per_epoch = history.started.as_ref()?.steps_per_epoch.max(1) as f64;
    let mean = |steps: &[TrainStep]| {
        let count = steps.len() as f64;
        let place = |step: &TrainStep| step.epoch as f64 + (step.step as f64 + 1.0) / per_epoch;
        let x = steps.iter().map(place).sum::<f64>() / count;
        (x, steps.iter().map(|step| f64::from(step.loss)).sum::<f64>() / count)
    };
    let points = steps.chunks(steps.len().div_ceil(STEP_POINTS).max(1)).map(mean).collect();
    let about = "Loss on the batch of every step, as means over stretches of equal length.";
    let axis = Axis::new("loss", Unit::Number);
    let lines = vec![Series { name: "training batch".to_owned(), points, band: Vec::new() }];
    chart(history, "Loss of every step of the training", about, axis, lines)
}

/// Share of right answers on images that are not trained on: (epochs trained, share).
pub(super) fn accuracies(history: &History) -> Vec<(f64, f64)> {
    history.train_epochs.iter().map(|epoch| (trained(epoch.epoch), epoch.accuracy)).collect()
}

/// [`TrainEpoch::top5`]: (epochs trained, share).
pub(super) fn top5_accuracies(history: &History) -> Vec<(f64, f64)> {
    let point = |epoch: &TrainEpoch| Some((trained(epoch.epoch), epoch.top5?));
    history.train_epochs.iter().filter_map(point).collect()
}

/// What the network is evaluated on.
fn evaluated_on(history: &History) -> &'static str {
    history.train_epochs.first().map_or("test", |epoch| epoch.evaluated_on.word())
}

fn line(history: &History, name: &str, value: fn(&TrainEpoch) -> Option<f64>) -> Series {
    let point = |epoch: &TrainEpoch| Some((trained(epoch.epoch), value(epoch)?));
    let points = history.train_epochs.iter().filter_map(point).collect();
    Series { name: name.to_owned(), points, band: Vec::new() }
}

/// A chart of a training; `None` of a search. Lines without points are left out.
fn chart(
    history: &History,
    title: &str,
    about: &str,
    y: Axis,
    lines: Vec<Series>,
) -> Option<Chart> {
    history.training.as_ref()?;
    let series = lines.into_iter().filter(|line| !line.points.is_empty()).collect();
    let x = Axis::new("epochs trained", Unit::Number);
    let (title, description) = (title.to_owned(), about.to_owned());
    Some(Chart { title, description, x, y, series, marks: Vec::new(), zones: Vec::new() })
}
