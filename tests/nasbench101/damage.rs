//! Tables that are wrong: exit code 3, and the record, line or entry is named.

use std::path::Path;

use native::exit::Exit;
use native::nasbench101::source::{self, Kind};
use native::nasbench101::{Gather, Table};
use proptest::prelude::*;

use super::writer::{CELLS, Record, counted, evaluation, file, frame, records, write};
use crate::command::run;

fn read(path: &Path) -> anyhow::Result<Gather> {
    source::read(path, Kind::of(path)?)
}

/// What is said of a source that must be refused as wrong data.
#[track_caller]
fn refused(name: &str, source: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), name, source);
    let error = read(&path).map(|gather| gather.len()).unwrap_err();
    assert_eq!(Exit::of(&error), Exit::Data, "{error:#}");
    let said = Exit::Data.message(&error);
    assert!(said.contains(name), "{said}");
    said
}

#[track_caller]
fn refused_with(name: &str, source: &[u8], expected: &[&str]) {
    let said = refused(name, source);
    assert!(expected.iter().all(|part| said.contains(part)), "{said} lacks one of {expected:?}");
}

#[test]
fn a_tfrecord_that_was_cut_anywhere_is_refused_with_the_record() {
    let records = records(&[108]);
    let (whole, first) = (file(&records[..3]), records[0].framed().len());
    let second = first + records[1].framed().len();
    for length in 1..whole.len() {
        if [first, second].contains(&length) {
            continue;
        }
        let number = 1 + usize::from(length > first) + usize::from(length > second);
        refused_with("cut.tfrecord", &whole[..length], &[&format!("record {number} "), "cut off"]);
    }
    refused_with("cut.tfrecord", &[], &["empty"]);
}

#[test]
fn a_tfrecord_with_a_wrong_byte_anywhere_is_refused_with_the_record() {
    let records = records(&[108]);
    let (whole, first) = (file(&records[..2]), records[0].framed().len());
    // The first eight bytes also say what the file is; 4 to 7 are the zeros that no text has.
    for index in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[index] ^= 0x10;
        let number = 1 + usize::from(index >= first);
        let said = refused("bad.tfrecord", &bytes);
        assert!(said.contains(&format!("record {number} ")), "byte {index}: {said}");
        assert!(said.contains("checksum"), "byte {index}: {said}");
    }
}

#[test]
fn a_record_of_another_length_than_any_is_not_read_into_memory() {
    let huge = (1_u64 << 40).to_le_bytes();
    // The checksum of a length stands behind it in every frame.
    let length = [&huge[..], &frame(&huge)[20..24], &[0; 100]].concat();
    refused_with("huge.tfrecord", &length, &["record 1 ", "1099511627776 bytes"]);
}

/// A file of two records, the second one with these metrics.
fn with_metrics(metrics: &[u8]) -> Vec<u8> {
    let [first, second, ..] = &records(&[108])[..] else { panic!("two records") };
    [first.framed(), frame(&second.json(metrics))].concat()
}

#[test]
fn metrics_that_are_another_message_are_refused_with_the_record() {
    let metrics = records(&[108])[1].metrics();
    for length in 0..metrics.len() - 11 {
        refused_with(
            "proto.tfrecord",
            &with_metrics(&metrics[..length]),
            &["record 2 ", "metrics"],
        );
    }
    let whole = evaluation(108.0, 1.0, [0.9, 0.9, 0.9]);
    let parameters: &[u8] = &[2 << 3, 5];
    let message = |evaluations: &[&[u8]], parameters: &[u8]| {
        let parts = evaluations.iter().flat_map(|it| counted(1, it));
        parts.chain(parameters.iter().copied()).collect::<Vec<u8>>()
    };
    let cases: [(Vec<u8>, &str); 8] = [
        (message(&[&whole, &whole], parameters), "2 evaluations instead of 3"),
        (message(&[&whole[..]; 4], parameters), "4 evaluations instead of 3"),
        (message(&[&whole[..]; 3], &[]), "number of parameters"),
        // Epochs and time alone, then one accuracy more each.
        (message(&[&whole, &whole, &whole[..18]], parameters), "field 4 of the last evaluation"),
        (message(&[&whole, &whole, &whole[..36]], parameters), "field 5 of the last evaluation"),
        (message(&[&whole, &whole, &whole[..9]], parameters), "is missing"),
        (message(&[&whole, &whole, &[4 << 3, 1]], parameters), "is missing"),
        (message(&[&whole, &whole, &[4 << 3 | 3]], parameters), "unknown way 3"),
    ];
    for (metrics, expected) in cases {
        refused_with("proto.tfrecord", &with_metrics(&metrics), &["record 2 ", expected]);
    }
}

#[test]
fn metrics_that_are_no_base64_are_refused_with_the_record() {
    let record = Record::new(CELLS[0], 108, 0.5, 0.5);
    let text = format!(r#"["{}", 108, "0100", "input,output", "?"]"#, record.hash);
    refused_with("base.tfrecord", &frame(text.as_bytes()), &["record 1 ", "no base64"]);
}

#[test]
fn a_cell_that_stands_there_once_too_often_is_refused_with_its_place() {
    let mut records = records(&[108]);
    records.push(Record::new(CELLS[1], 108, 0.5, 0.5));
    refused_with(
        "four.tfrecord",
        &file(&records),
        &["record 10 ", "3 trainings of 108 epochs already"],
    );
    records[9] = records[4].clone();
    refused_with("same.tfrecord", &file(&records[3..]), &["record 7 ", "is there already"]);

    let [one, other] = [0, 2].map(|index| Record::new(CELLS[index], 108, 0.5, 0.5).hash);
    let rows = format!("hash,test_108\n{one},0.5\n\n{other},0.5\n{one},0.5\n");
    refused_with("twice.csv", rows.as_bytes(), &["line 5", &one, "line 2 already"]);
    let lists = format!(
        r#"{{"key": ["{one}", "{other}", "{one}"], "108_final_test_accuracy": [0.5, 0.4, 0.3]}}"#
    );
    refused_with("twice.json", lists.as_bytes(), &["entry 3", &one, "entry 1 already"]);
}

#[test]
fn a_missing_column_is_named() {
    let hash = Record::new(CELLS[0], 108, 0.5, 0.5).hash;
    for (header, expected) in [
        ("key,test_108", "no column `hash`"),
        ("hash,test_200", "no column of accuracies"),
        ("hash,test_108,ops", "no column `adjacency`"),
        ("hash,test_108,adjacency", "no column `ops`"),
    ] {
        let rows = format!("{header}\n{hash},0.5,-1 -2\n");
        refused_with("columns.csv", rows.as_bytes(), &["line 1", expected]);
    }
    let list = |rest: &str| format!(r#"{{"key": ["{hash}"]{rest}}}"#);
    let accuracy = r#", "4_final_test_accuracy": [0.5]"#;
    for (text, expected) in [
        (r#"{"hash": []}"#.to_owned(), "missing field `key`"),
        (list(""), "no list"),
        (list(r#", "4_final_test_accuracy": [0.5, 0.6]"#), "2 entries, `key` has 1"),
        (list(r#", "4_final_test_accuracy": ["high"]"#), "`4_final_test_accuracy`"),
        (list(&format!(r#"{accuracy}, "operations": [[-1, -2]]"#)), "one and not the other"),
    ] {
        refused_with("columns.json", text.as_bytes(), &["the file", expected]);
    }
}

#[test]
fn a_table_of_another_benchmark_is_refused() {
    let of_201 = "architecture,cifar10-test\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,10\n";
    refused_with("201.csv", of_201.as_bytes(), &["line 1", "NAS-Bench-201"]);
    let other = frame(b"\x0a\x05hello");
    refused_with("images.tfrecord", &other, &["record 1 ", "no record of NAS-Bench-101"]);
    let list = frame(br#"["hash", 108]"#);
    refused_with("short.tfrecord", &list, &["record 1 ", "no record of NAS-Bench-101"]);
    refused_with("config.json", b"[1, 2]", &["no JSON of NAS-Bench-101"]);
    refused_with("text.csv", b"Dear reader,\nthis is a letter.\n", &["line 1", "no column `hash`"]);

    let folder = tempfile::tempdir().unwrap();
    let source = write(folder.path(), "some.tfrecord", &file(&records(&[108])));
    Table::write(&folder.path().join("101.table"), &read(&source).unwrap()).unwrap();
    let tiny = crate::command::TINY.iter().copied();
    let flags = ["--space=nasbench201", "--set=search.cells=5", "--table=101.table", "--out=run"];
    let outcome = run(folder.path(), &tiny.chain(flags).collect::<Vec<_>>());
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cells of NAS-Bench-101"), "{}", outcome.stderr);
}

#[test]
fn accuracies_outside_of_0_to_1_are_refused_with_their_place() {
    let hash = Record::new(CELLS[0], 108, 0.5, 0.5).hash;
    for wrong in [93.5, 1.000_000_1, -0.1, f64::NAN, f64::INFINITY] {
        let mut records = records(&[108]);
        records[5] = Record::new(CELLS[2], 108, wrong, 0.5);
        refused_with(
            "high.tfrecord",
            &file(&records),
            &["record 6 ", "validation accuracy from 0 to 1"],
        );
        records[5] = Record::new(CELLS[2], 108, 0.5, wrong);
        refused_with("high.tfrecord", &file(&records), &["record 6 ", "test accuracy from 0 to 1"]);
        let rows = format!("hash,test_108,valid_4\n{hash},{wrong},\n");
        refused_with("high.csv", rows.as_bytes(), &["line 2", "test accuracy from 0 to 1"]);
    }
    let rows = format!("hash,test_108\n{hash},much\n");
    refused_with("high.csv", rows.as_bytes(), &["line 2", "`much`"]);
    let lists = format!(r#"{{"key": ["{hash}"], "108_final_validation_accuracy": [93.5]}}"#);
    refused_with("high.json", lists.as_bytes(), &["entry 1", "93.5 is no validation accuracy"]);
    for wrong in [-1.0, f64::NAN] {
        let record = Record { seconds: wrong, ..Record::new(CELLS[2], 108, 0.5, 0.5) };
        refused_with("time.tfrecord", &record.framed(), &["record 1 ", "training time"]);
    }
}

#[test]
fn a_hash_that_is_not_that_of_the_graph_is_refused_with_its_place() {
    let [one, other] = [0, 2].map(|index| Record::new(CELLS[index], 108, 0.5, 0.5));
    let swapped = Record { hash: other.hash.clone(), ..one.clone() };
    refused_with("hash.tfrecord", &file(&[swapped]), &["record 1 ", &one.hash, &other.hash]);
    let rows = format!("hash,test_108,adjacency,ops\n{},0.5,0100,-1 -2\n", other.hash);
    refused_with("hash.csv", rows.as_bytes(), &["line 2", &one.hash]);
    let rows = rows.replace("0100", "0010");
    refused_with("hash.csv", rows.as_bytes(), &["line 2", "vertex 1 feeds vertex 0"]);
    refused_with("hash.csv", b"hash,test_108\nnothing,0.5\n", &["line 2", "no hash"]);
    let grown = Record { parameters: 5, ..one.clone() };
    refused_with("params.tfrecord", &file(&[one, grown]), &["record 2 ", "5 parameters"]);
    // Eight vertices in a row are no cell of the benchmark, whatever their hash.
    let mut long = other;
    long.cell = "0100000000100000000100000000100000000100000000100000000100000000 \
                 input,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,maxpool3x3,output";
    refused_with("long.tfrecord", &file(&[long]), &["record 1 ", "at most 7 vertices"]);
}

#[test]
fn a_compact_table_with_a_wrong_byte_or_a_missing_end_is_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    let source = write(folder.path(), "some.tfrecord", &file(&records(&[4, 108])));
    let (gather, path) = (read(&source).unwrap(), folder.path().join("some.table"));
    Table::write(&path, &gather).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        write(folder.path(), "some.table", bytes);
        let table = Table::open(&path)?;
        table.all().collect::<anyhow::Result<Vec<_>>>().map(|cells| cells.len())
    };
    assert_eq!(check(&whole).unwrap(), 3);
    let damaged = |bytes: &[u8]| {
        let error = check(bytes).unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Data, "{error:#}");
        assert!(format!("{error:#}").contains("some.table"), "{error:#}");
    };
    for index in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[index] ^= 0x10;
        damaged(&bytes);
    }
    (0..whole.len()).for_each(|length| damaged(&whole[..length]));
    damaged(&[&whole[..], &[0]].concat());
    let outcome = run(folder.path(), &["table", "info", "nowhere.table"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
}

#[test]
fn the_command_line_refuses_a_wrong_source_and_writes_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let whole = file(&records(&[108]));
    write(folder.path(), "cut.tfrecord", &whole[..whole.len() - 1]);
    for command in ["convert", "info"] {
        let outcome = run(folder.path(), &["table", command, "cut.tfrecord"]);
        assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
        let said = &outcome.stderr;
        assert!(said.contains("cut.tfrecord") && said.contains("record 9 "), "{said}");
    }
    assert!(!folder.path().join("cut.table").exists());
}

proptest! {
    #[test]
    fn no_bytes_crash_the_readers(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        start in prop::sample::select(vec![&b""[..], b"SDARTS\x01\x01", b"{", b"hash,test_4\n"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "some", &[start, &bytes].concat());
        let _ = read(&path);
        for kind in [Kind::Records, Kind::Csv, Kind::Json] {
            let _ = source::read(&path, kind);
        }
        let _ = Table::open(&path);
        // Whole frames with any data reach the readers of records.
        let path = write(folder.path(), "framed", &frame(&bytes));
        prop_assert!(source::read(&path, Kind::Records).is_err());
    }
}
