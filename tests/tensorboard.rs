//! The event file of TensorBoard, read back by other code than wrote it: checksums bit by bit, and
//! messages by the rules of protobuf.

use std::collections::{BTreeMap, BTreeSet};

use native::tensorboard;
use smoothdarts::draw::history::History;
use smoothdarts::event::Anytime;

use crate::drawings::story;

/// CRC-32C by its definition: polynomial 0x1EDC6F41, reflected, one bit at a time.
fn crc(data: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

fn masked(data: &[u8]) -> u32 {
    crc(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The data of every record.
fn records(mut file: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let checksum = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!(checksum(8), masked(&file[..8]), "length of record {}", records.len());
        let data = &file[12..12 + length];
        assert_eq!(checksum(12 + length), masked(data), "data of record {}", records.len());
        records.push(data);
        file = &file[16 + length..];
    }
    records
}

fn varint(data: &mut &[u8]) -> u64 {
    let end = data.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let number =
        data[..=end].iter().rev().fold(0, |number, byte| number << 7 | u64::from(byte & 0x7f));
    *data = &data[end + 1..];
    number
}

/// The fields of a message: number and bytes, those of a varint as eight.
fn fields(mut data: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut fields = Vec::new();
    while !data.is_empty() {
        let key = varint(&mut data);
        let value = match key & 7 {
            0 => varint(&mut data).to_le_bytes().to_vec(),
            wire => {
                let length = match wire {
                    1 => 8,
                    2 => varint(&mut data) as usize,
                    5 => 4,
                    other => panic!("wire type {other}"),
                };
                let value = data[..length].to_vec();
                data = &data[length..];
                value
            }
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn field(fields: &[(u64, Vec<u8>)], number: u64) -> &[u8] {
    &fields.iter().find(|field| field.0 == number).unwrap().1
}

/// The scalars of a file, by tag and step, and the times of its records.
fn scalars(file: &[u8]) -> (BTreeMap<(String, u64), f32>, Vec<f64>) {
    let (mut scalars, mut times) = (BTreeMap::new(), Vec::new());
    for (index, record) in records(file).into_iter().enumerate() {
        let record = fields(record);
        times.push(f64::from_le_bytes(field(&record, 1).try_into().unwrap()));
        let step = u64::from_le_bytes(field(&record, 2).try_into().unwrap());
        if index == 0 {
            assert_eq!(field(&record, 3), b"brain.Event:2");
            continue;
        }
        for (_, value) in fields(field(&record, 5)) {
            let value = fields(&value);
            let tag = String::from_utf8(field(&value, 1).to_vec()).unwrap();
            let number = f32::from_le_bytes(field(&value, 2).try_into().unwrap());
            assert_eq!(scalars.insert((tag.clone(), step), number), None, "{tag} at {step}");
        }
    }
    (scalars, times)
}

#[test]
fn an_event_file_reads_back_with_every_number_of_the_events() {
    let history = History::from_iter(story::measured(3));
    let (scalars, times) = scalars(&tensorboard::encode(&history, 1_000_000.0));
    let at = |tag: &str, step| scalars[&(tag.to_owned(), step)];
    for (index, epoch) in history.epochs.iter().enumerate() {
        let step = index as u64 + 1;
        assert_eq!(at("loss/train", step), epoch.train_loss as f32);
        assert_eq!(at("accuracy/valid", step), epoch.valid_accuracy as f32);
        assert_eq!(at("alpha/normal/edge3/skip_connect", step), epoch.alpha[0][3][2]);
        assert_eq!(at("parameter_free/reduce", step), epoch.parameter_free[1]);
        let (hessian, anytime) = (&history.hessians[index], &history.anytime[index]);
        assert_eq!(at("hessian/spectral_norm", step), hessian.spectral_norm() as f32);
        assert_eq!(at("anytime/test_accuracy", step), anytime.test_accuracy.unwrap() as f32);
    }
    assert_eq!(at("step_loss/train", 24), history.steps[23].train_loss);
    assert!(times.is_sorted());
    assert_eq!((times[0], times.last()), (1_000_000.0 - 3.0 * 12.5, Some(&1_000_000.0)));
}

#[test]
fn what_a_table_does_not_know_is_no_scalar() {
    let mut history = History::from_iter(story::measured(3));
    let missing = Anytime { epoch: 1, cells: 95, ..Anytime::default() };
    let (valid_accuracy, rank) = (Some(91.5), None);
    history.anytime[0] = Anytime { valid_accuracy, rank, ..history.anytime[0].clone() };
    history.anytime[1] = missing;
    let (scalars, _) = scalars(&tensorboard::encode(&history, 1_000_000.0));
    let of = |step: u64| {
        let tags = scalars.keys().filter(|(tag, at)| *at == step && tag.starts_with("anytime/"));
        tags.map(|(tag, _)| tag.as_str()).collect::<BTreeSet<_>>()
    };
    let known = ["anytime/test_accuracy", "anytime/regret"];
    assert_eq!(of(1), BTreeSet::from([known[0], known[1], "anytime/valid_accuracy"]));
    assert_eq!(of(2), BTreeSet::new());
    assert_eq!(of(3), BTreeSet::from([known[0], known[1], "anytime/rank"]));
}

#[test]
fn the_event_file_of_a_training_has_its_losses_accuracies_and_schedules() {
    let history = History::from_iter(story::training(3));
    let (scalars, times) = scalars(&tensorboard::encode(&history, 1_000_000.0));
    let at = |tag: &str, step| scalars[&(tag.to_owned(), step)];
    for (index, epoch) in history.train_epochs.iter().enumerate() {
        let step = index as u64 + 1;
        for (tag, expected) in [
            ("loss/train", epoch.train_loss),
            ("loss/test", epoch.loss),
            ("accuracy/train", epoch.train_accuracy),
            ("accuracy/test", epoch.accuracy),
            ("accuracy/test_top5", epoch.top5.unwrap()),
            ("schedule/learning_rate", epoch.learning_rate),
            ("schedule/drop_path", epoch.drop_path),
            ("loss/test_ema", epoch.ema.unwrap()[0]),
            ("accuracy/test_ema", epoch.ema.unwrap()[1]),
        ] {
            assert_eq!(at(tag, step), expected as f32, "{tag}");
        }
    }
    let last = history.train_steps.last().unwrap();
    assert_eq!(at("step_loss/train", history.train_steps.len() as u64), last.loss);
    assert!(times.is_sorted());
    assert_eq!((times[0], times.last()), (1_000_000.0 - 3.0 * 2.5, Some(&1_000_000.0)));
}

#[test]
fn the_checksum_is_that_of_the_standard() {
    // The check value of CRC-32C, RFC 3720.
    assert_eq!(crc(b"123456789"), 0xe306_9283);
}

#[test]
fn a_search_that_has_said_nothing_is_an_event_file_of_one_record() {
    let file = tensorboard::encode(&History::default(), 0.0);
    assert_eq!(records(&file).len(), 1);
}
