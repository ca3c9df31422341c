//! A run as an event file of TensorBoard, made from events.jsonl.
//!
//! The file is a sequence of records ([`crate::tfrecord`]). Their data is a protobuf message of
//! TensorFlow's event.proto. Scalars need six of its fields, so they are written by hand: prost-derive 0.14 changes
//! features of itertools, which cubecl's macros use, so that burn is built anew; tfrecord 0.15 has an
//! older prost.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use smoothdarts::draw::history::History;
use smoothdarts::event::{EpochFinished, TrainEpoch};

use crate::protobuf::varint;
use crate::tfrecord::frame;
use crate::{events, run_dir};

/// Where the file lies in a run directory. TensorBoard looks for `tfevents` in names; the name is
/// always the same, so that a later file takes the place of an earlier one.
pub const FILE: &str = "tensorboard/events.out.tfevents.0.sdarts";

/// Writes the event file of a run; returns its path.
///
/// # Errors
/// If events.jsonl cannot be read or the file cannot be written.
pub fn write(run: &Path) -> anyhow::Result<PathBuf> {
    let events = run.join(events::FILE);
    let history: History = events::of_run(run)?;
    let path = run.join(FILE);
    let folder = path.parent().unwrap_or(run);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    run_dir::replace(&path, &encode(&history, seconds(&events)))?;
    Ok(path)
}

/// When a file was written last, in seconds since 1970; 0 where the system does not know.
fn seconds(path: &Path) -> f64 {
    let modified = std::fs::metadata(path).and_then(|it| it.modified()).ok();
    let since = modified.and_then(|time: SystemTime| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The event file of a run that ended at `end` (seconds since 1970). Events have no clock, but
/// epochs know how long they took: times are counted back from the end.
pub fn encode(history: &History, end: f64) -> Vec<u8> {
    let epochs = history.epochs.iter().map(|epoch| epoch.seconds);
    let total: f64 = epochs.chain(history.train_epochs.iter().map(|epoch| epoch.seconds)).sum();
    let mut time = end - total;
    let mut file = frame(&record(time, 0, bytes(FILE_VERSION, b"brain.Event:2")));
    let mut add = |time: f64, step: usize, values: &[Scalar]| {
        let summary: Vec<u8> = values.iter().flat_map(value).collect();
        file.extend(frame(&record(time, step as u64, bytes(SUMMARY, &summary))));
    };
    let per_epoch = history.started.as_ref().map_or(0, |started| started.steps_per_epoch);
    for epoch in &history.epochs {
        let steps = history.steps.iter().filter(|step| step.epoch == epoch.epoch);
        for step in steps {
            let share = (step.step + 1) as f64 / per_epoch.max(1) as f64;
            let valid = step.valid_loss.map(|loss| ("step_loss/valid".to_owned(), loss));
            let mut losses = vec![("step_loss/train".to_owned(), step.train_loss)];
            losses.extend(valid);
            let at = epoch.epoch * per_epoch + step.step + 1;
            add(time + share.min(1.0) * epoch.seconds, at, &losses);
        }
        time += epoch.seconds;
        let values = [numbers(history, epoch), alphas(history, epoch)].concat();
        add(time, epoch.epoch + 1, &values);
    }
    for epoch in &history.train_epochs {
        for step in history.train_steps.iter().filter(|step| step.epoch == epoch.epoch) {
            let share = (step.step + 1) as f64 / per_epoch.max(1) as f64;
            let at = epoch.epoch * per_epoch + step.step + 1;
            let loss = [("step_loss/train".to_owned(), step.loss)];
            add(time + share.min(1.0) * epoch.seconds, at, &loss);
        }
        time += epoch.seconds;
        add(time, epoch.epoch + 1, &trained(epoch));
    }
    file
}

/// A number and its name; TensorBoard groups by what stands before the first slash.
type Scalar = (String, f32);

/// Everything that there is one of in an epoch, and what was measured after it.
fn numbers(history: &History, epoch: &EpochFinished) -> Vec<Scalar> {
    let mut numbers = vec![
        ("loss/train", epoch.train_loss),
        ("loss/valid", epoch.valid_loss),
        ("accuracy/train", epoch.train_accuracy),
        ("accuracy/valid", epoch.valid_accuracy),
        ("schedule/learning_rate", epoch.learning_rate),
        ("schedule/epsilon", epoch.epsilon),
    ];
    if let Some(perplexity) = epoch.perplexity {
        let [train, valid] = [perplexity.train, perplexity.valid];
        numbers.extend([("perplexity/train", train), ("perplexity/valid", valid)]);
    }
    if let Some(hessian) = history.hessians.iter().find(|it| it.epoch == epoch.epoch) {
        numbers.extend([
            ("hessian/spectral_norm", hessian.spectral_norm()),
            ("hessian/code_measure", hessian.code_measure()),
            ("hessian/largest", hessian.largest),
            ("hessian/smallest", hessian.smallest),
        ]);
    }
    if let Some(anytime) = history.anytime.iter().find(|it| it.epoch == epoch.epoch) {
        let known = [
            ("anytime/test_accuracy", anytime.test_accuracy),
            ("anytime/valid_accuracy", anytime.valid_accuracy),
            ("anytime/regret", anytime.regret),
            ("anytime/rank", anytime.rank.map(|rank| rank as f64)),
        ];
        numbers.extend(known.into_iter().filter_map(|(tag, value)| Some((tag, value?))));
    }
    let choices = history.cell_choices().filter_map(|index| history.choices().get(index));
    let cells = choices.zip(&epoch.parameter_free);
    let shares = cells.map(|(cell, &share)| (format!("parameter_free/{}", cell.name), share));
    numbers.into_iter().map(|(tag, value)| (tag.to_owned(), value as f32)).chain(shares).collect()
}

/// Everything that an epoch of a training says.
fn trained(epoch: &TrainEpoch) -> Vec<Scalar> {
    let on = epoch.evaluated_on.word();
    let mut numbers = vec![
        ("loss/train".to_owned(), epoch.train_loss),
        (format!("loss/{on}"), epoch.loss),
        ("accuracy/train".to_owned(), epoch.train_accuracy),
        (format!("accuracy/{on}"), epoch.accuracy),
        ("schedule/learning_rate".to_owned(), epoch.learning_rate),
        ("schedule/drop_path".to_owned(), epoch.drop_path),
    ];
    numbers.extend(epoch.perplexity.map(|it| (format!("perplexity/{on}"), it)));
    numbers.extend(epoch.top5.map(|share| (format!("accuracy/{on}_top5"), share)));
    if let Some([loss, accuracy]) = epoch.ema {
        numbers.push((format!("loss/{on}_ema"), loss));
        numbers.push((format!("accuracy/{on}_ema"), accuracy));
    }
    numbers.into_iter().map(|(tag, value)| (tag, value as f32)).collect()
}

/// α of every operation on every edge: `alpha/normal/edge0/skip_connect`.
fn alphas(history: &History, epoch: &EpochFinished) -> Vec<Scalar> {
    let mut scalars = Vec::new();
    for (cell, rows) in history.choices().iter().zip(&epoch.alpha) {
        for (index, (edge, row)) in cell.rows.iter().zip(rows).enumerate() {
            // What fell has no α any more.
            let values = edge.options.iter().zip(row).filter(|(_, alpha)| alpha.is_finite());
            scalars.extend(values.map(|(operation, &alpha)| {
                (format!("alpha/{}/edge{index}/{operation}", cell.name), alpha)
            }));
        }
    }
    scalars
}

/// Keys of the fields: number << 3 | wire type (0 varint, 1 eight bytes, 2 counted bytes, 5 four
/// bytes). Of an `Event`:
const WALL_TIME: u8 = 1 << 3 | 1;
const STEP: u8 = 2 << 3;
const FILE_VERSION: u8 = 3 << 3 | 2;
const SUMMARY: u8 = 5 << 3 | 2;
/// Of a `Summary` and its `Value`:
const VALUE: u8 = 1 << 3 | 2;
const TAG: u8 = 1 << 3 | 2;
const SIMPLE_VALUE: u8 = 2 << 3 | 5;

/// An `Event`: its time in seconds since 1970, its step, and its content.
fn record(time: f64, step: u64, content: Vec<u8>) -> Vec<u8> {
    [&[WALL_TIME][..], &time.to_le_bytes(), &[STEP], &varint(step), &content].concat()
}

/// A `Value` of a `Summary`.
fn value((tag, number): &Scalar) -> Vec<u8> {
    let inside = [&bytes(TAG, tag.as_bytes())[..], &[SIMPLE_VALUE], &number.to_le_bytes()];
    bytes(VALUE, &inside.concat())
}

/// A field of counted bytes: a text or a message.
fn bytes(key: u8, data: &[u8]) -> Vec<u8> {
    [&[key][..], &varint(data.len() as u64), data].concat()
}
