//! What people see of a running search: one line that moves on a terminal, one line for each epoch
//! elsewhere. Everything goes to stderr.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use smoothdarts::event::{
    Anytime, EpochFinished, EpochStarted, Event, Score, Started, Step, TrainEpoch, TrainStep,
};

use crate::{output, table};

const TEMPLATE: &str = "{prefix} {bar:20} {pos}/{len}  {eta_precise} left  {msg}";

/// The progress of one search.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
    epochs: usize,
    steps_per_epoch: usize,
    epsilon: f64,
    /// Parameter-free share of the normal cell, epoch by epoch.
    parameter_free: Vec<f32>,
    valid_score: Option<Score>,
    test_accuracy: Option<f64>,
    began: Instant,
    /// Steps of this process.
    steps: usize,
}

impl Progress {
    /// A progress line for this search; `quiet` lets only warnings through.
    pub fn new(started: &Started, quiet: bool) -> Self {
        let config = &started.config;
        let epochs = if config.trains() { config.train.epochs } else { config.search.epochs };
        let steps_per_epoch = started.steps_per_epoch;
        let visible = !quiet && std::io::stderr().is_terminal();
        let bar = if visible {
            ProgressBar::new((epochs as u64).saturating_mul(steps_per_epoch as u64))
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Self {
            bar,
            quiet,
            epochs,
            steps_per_epoch,
            epsilon: 0.0,
            parameter_free: Vec::new(),
            valid_score: None,
            test_accuracy: None,
            began: Instant::now(),
            steps: 0,
        }
    }

    /// Starts where a checkpoint stands.
    pub fn resume(&self, epoch: usize, step: usize) {
        self.bar.set_position((epoch * self.steps_per_epoch + step) as u64);
        self.bar.reset_eta();
    }

    /// A function that says something without tearing the line, from any thread.
    pub fn teller(&self) -> impl Fn(&str) + Send + 'static {
        let bar = self.bar.clone();
        move |text| bar.suspend(|| output::note(text))
    }

    /// Says something, unless quiet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            self.alarm(text);
        }
    }

    /// Says something in any case.
    pub fn alarm(&self, text: &str) {
        self.bar.suspend(|| output::note(text));
    }

    /// Shows an event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::EpochStarted(epoch) => self.epoch_started(epoch),
            Event::StageStarted(stage) => self.say(&format!(
                "stage {}: {} cells, {} weights; {} operations fell",
                stage.stage + 1,
                stage.cells,
                stage.parameters,
                stage.fallen.iter().flatten().flatten().count(),
            )),
            Event::Step(step) => self.step(step),
            Event::EpochFinished(epoch) => self.epoch_finished(epoch),
            Event::Warning(warning) => self.alarm(&format!("warning: {}", warning.message)),
            Event::Hessian(found) => self.say(&format!(
                "epoch {}  Hessian: spectral norm {:.4} (paper), |largest + 1e-3| {:.4} (code), {} \
                 gradients",
                found.epoch + 1,
                found.spectral_norm(),
                found.code_measure(),
                found.gradients,
            )),
            Event::Anytime(anytime) => self.anytime(anytime),
            Event::TrainStep(step) => self.train_step(step),
            Event::TrainEpoch(epoch) => self.train_epoch(epoch),
            Event::Started(_) | Event::Finished(_) | Event::Trained(_) => {}
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn epoch_started(&mut self, epoch: &EpochStarted) {
        self.epsilon = epoch.epsilon;
        self.bar.set_prefix(format!("epoch {}/{}", epoch.epoch + 1, self.epochs));
    }

    fn step(&mut self, step: &Step) {
        self.steps += 1;
        self.bar.set_position((step.epoch * self.steps_per_epoch + step.step + 1) as u64);
        let score =
            self.valid_score.map_or(String::new(), |score| format!("  valid {}", score.short()));
        let test = self.test_accuracy.map_or(String::new(), |test| format!("  test {test:.1}%"));
        let free = self.parameter_free.last().map_or(String::new(), |share| {
            let line = sparkline(&self.parameter_free);
            format!("  parameter-free {:.0}% {line}", 100.0 * share)
        });
        self.bar.set_message(format!(
            "loss {:.3}{score}{test}  ε {:.3}{free}",
            step.train_loss, self.epsilon
        ));
    }

    fn epoch_finished(&mut self, epoch: &EpochFinished) {
        let (train, valid) = (epoch.train_score(), epoch.valid_score());
        self.valid_score = Some(valid);
        self.parameter_free.extend(epoch.parameter_free.first());
        let shares = epoch
            .parameter_free
            .iter()
            .map(|share| format!("{:.0}%", 100.0 * share))
            .collect::<Vec<_>>();
        let free = match shares.as_slice() {
            [] => String::new(),
            shares => format!("  parameter-free {}", shares.join("/")),
        };
        self.say(&format!(
            "epoch {}/{}  train loss {:.4} {} {}  valid loss {:.4} {} {}  \
             ε {:.3}{free}  {:.1} s, {} left",
            epoch.epoch + 1,
            self.epochs,
            epoch.train_loss,
            train.word(),
            train.short(),
            epoch.valid_loss,
            valid.word(),
            valid.short(),
            epoch.epsilon,
            epoch.seconds,
            HumanDuration(self.left(epoch.epoch + 1)),
        ));
    }

    fn train_step(&mut self, step: &TrainStep) {
        self.steps += 1;
        self.bar.set_position((step.epoch * self.steps_per_epoch + step.step + 1) as u64);
        let test = self.test_accuracy.map_or(String::new(), |test| format!("  {test:.1}%"));
        self.bar.set_message(format!("loss {:.3}{test}", step.loss));
    }

    /// What an epoch of a training on a text says.
    fn text_epoch(&self, epoch: &TrainEpoch, perplexity: f64) {
        let averaged = if epoch.averaged { ", average of ASGD" } else { "" };
        self.say(&format!(
            "epoch {}/{}  train perplexity {:.2}  valid perplexity {perplexity:.2}{averaged}  {:.1} s, {} \
             left",
            epoch.epoch + 1,
            self.epochs,
            epoch.train_loss.exp(),
            epoch.seconds,
            HumanDuration(self.left(epoch.epoch + 1)),
        ));
    }

    fn train_epoch(&mut self, epoch: &TrainEpoch) {
        if let Some(perplexity) = epoch.perplexity {
            return self.text_epoch(epoch, perplexity);
        }
        self.test_accuracy = Some(100.0 * epoch.accuracy);
        let ema = epoch.ema.map_or(String::new(), |[_, accuracy]| {
            format!("  moving average {:.1}%", 100.0 * accuracy)
        });
        self.say(&format!(
            "epoch {}/{}  train loss {:.4} accuracy {:.1}%  {} loss {:.4} accuracy {:.1}%{ema}  \
             {:.1} s, {} left",
            epoch.epoch + 1,
            self.epochs,
            epoch.train_loss,
            100.0 * epoch.train_accuracy,
            epoch.evaluated_on.word(),
            epoch.loss,
            100.0 * epoch.accuracy,
            epoch.seconds,
            HumanDuration(self.left(epoch.epoch + 1)),
        ));
    }

    fn anytime(&mut self, anytime: &Anytime) {
        self.test_accuracy = anytime.test_accuracy;
        self.say(&table::words(anytime));
    }

    /// Time that the epochs after `done` will take, at the speed of this process.
    fn left(&self, done: usize) -> Duration {
        let steps = self.epochs.saturating_sub(done).saturating_mul(self.steps_per_epoch);
        let seconds = self.began.elapsed().as_secs_f64() * steps as f64;
        let seconds = seconds / self.steps.max(1) as f64;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// Shares from 0 to 1 as a row of bars, the last sixteen of them.
fn sparkline(shares: &[f32]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |share: &f32| BARS[((share * 8.0) as usize).min(7)];
    shares[shares.len().saturating_sub(16)..].iter().map(bar).collect()
}
