//! A table from its source to what is said of a cell.

use std::collections::BTreeSet;
use std::path::Path;

use native::nasbench101::source::{self, Kind};
use native::nasbench101::{Budget, Cell, Gather, Split, Standing, Summary, Table, Training};
use serde_json::Value;
use smoothdarts::cell::nasbench101::{Graph, Hash, oneshot};

use super::writer::{CELLS, Record, csv_and_json, file, records, write};
use crate::command::{Outcome, run};

fn read(path: &Path) -> Gather {
    source::read(path, Kind::of(path).unwrap()).unwrap()
}

fn hash(cell: &str) -> Hash {
    cell.parse::<Graph>().unwrap().hash().unwrap()
}

/// The table of a source, and all of its cells.
fn converted(folder: &Path, name: &str, source: &[u8]) -> (Table, Vec<Cell>) {
    let gather = read(&write(folder, name, source));
    let path = folder.join(name).with_extension("table");
    Table::write(&path, &gather).unwrap();
    let table = Table::open(&path).unwrap();
    let cells: Vec<Cell> = table.all().collect::<anyhow::Result<_>>().unwrap();
    assert_eq!(cells, gather.cells().collect::<Vec<Cell>>());
    (table, cells)
}

#[test]
fn records_come_back_from_a_table_as_they_were_trained() {
    let folder = tempfile::tempdir().unwrap();
    let records = records(&[4, 108]);
    let (table, cells) = converted(folder.path(), "some.tfrecord", &file(&records));
    assert_eq!(table.cells(), 3);
    let budgets = [4, 108].map(|epochs| Budget { epochs, repeats: 3 });
    assert_eq!(table.budgets(), budgets);
    assert!(cells.is_sorted_by_key(|cell| cell.hash));
    for record in &records {
        let cell = table.find(hash(record.cell)).unwrap().unwrap();
        assert_eq!(cell.parameters, Some(1_000_000));
        let [_, valid, test] = record.accuracies.map(Some);
        let training = Training { valid, test, seconds: Some(record.seconds) };
        assert!(cell.trained(record.epochs).contains(&training), "{training:?} in {cell:?}");
        assert_eq!(cell.trained(record.epochs).len(), 3);
        assert_eq!(cell.trained(12), []);
    }
    let means = cells.iter().map(|cell| cell.accuracy(108, Split::Test).unwrap());
    assert!(means.zip([0.896, 0.906, 0.916]).all(|(found, mean)| (found - mean).abs() < 1e-12));
}

/// Enough cells for many blocks, the last one not full.
#[test]
fn every_cell_of_a_long_table_is_found_and_no_other_is() {
    let folder = tempfile::tempdir().unwrap();
    let space = oneshot::find("oneshot-1").unwrap().networks();
    let row = |(index, hash): (usize, &Hash)| format!("{hash},{}\n", index as f64 / 1e4);
    let rows: String = space.iter().enumerate().step_by(2).map(row).collect();
    let (table, cells) =
        converted(folder.path(), "half.csv", format!("hash,test_108\n{rows}").as_bytes());
    assert_eq!((table.cells(), cells.len()), (1_343, 1_343));
    for (index, hash) in space.iter().enumerate() {
        let found = table.find(*hash).unwrap();
        let accuracy = found.and_then(|cell| cell.accuracy(108, Split::Test));
        assert_eq!(accuracy, (index % 2 == 0).then_some(index as f64 / 1e4), "{hash}");
    }
    for edge in [[0; 16], [255; 16]] {
        assert_eq!(table.find(Hash(edge)).unwrap(), None);
    }
}

#[test]
fn csv_and_json_tell_the_same_and_leave_open_what_they_do_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = [CELLS[0], CELLS[2]].map(hash);
    let [csv, json] = csv_and_json(&first.to_string(), &second.to_string());
    let (_, cells) = converted(folder.path(), "some.csv", csv.as_bytes());
    let training = |valid, test| vec![Training { valid, test, seconds: None }];
    let known = Cell {
        hash: second,
        parameters: Some(7),
        trainings: vec![(4, training(Some(0.5), None)), (108, training(Some(0.9), Some(0.875)))],
    };
    let trainings = vec![(108, training(None, Some(0.25)))];
    assert_eq!(cells, [Cell { hash: first, parameters: None, trainings }, known.clone()]);

    let (_, cells) = converted(folder.path(), "some.json", json.as_bytes());
    let mut expected = known;
    expected.trainings[1].1[0].seconds = Some(12.5);
    assert_eq!(cells, [expected]);
}

#[test]
fn a_derived_cell_is_told_its_errors_and_its_regret_or_that_it_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (table, _) = converted(folder.path(), "some.tfrecord", &file(&records(&[4, 108])));
    let space = oneshot::find("oneshot-1").unwrap();
    let standing = |graph: &str| Standing::of(&table, &graph.parse().unwrap(), space).unwrap();
    // With two vertices that lead nowhere, as a search of the space leaves them.
    let derived =
        "0110000000000010000000000 input,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output";
    let found = standing(derived).unwrap();
    let near =
        |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-12);
    let cell = table.find(hash(derived)).unwrap().unwrap();
    near(found.test_error, 1.0 - cell.accuracy(108, Split::Test).unwrap());
    near(found.valid_error, found.test_error.unwrap() - 0.005);
    near(found.regret, found.test_error.unwrap() - 0.054_487_168_788_909_91);
    let words = Standing::words(Some(&found));
    assert_eq!(words, "true test error 8.40%, validation error 7.90%, regret 2.95 points");
    for other in ["010001000 input,maxpool3x3,output", "0000 input,output"] {
        assert_eq!(standing(other), None);
    }
    assert!(Standing::words(None).contains("not in the table"));
}

#[test]
fn a_part_of_the_benchmark_tells_what_it_knows_of_a_cell() {
    let folder = tempfile::tempdir().unwrap();
    let rows =
        format!("hash,valid_4,valid_108\n{},0.5,0.75\n{},0.5,\n", hash(CELLS[2]), hash(CELLS[0]));
    let (table, _) = converted(folder.path(), "valid.csv", rows.as_bytes());
    let standing =
        |cell: &str| Standing::of(&table, &cell.parse().unwrap(), &oneshot::ALL[0]).unwrap();
    let half = standing(CELLS[2]).unwrap();
    assert_eq!((half.valid_error, half.test_error, half.regret), (Some(0.25), None, None));
    assert!(Standing::words(Some(&half)).contains("test error not in the table"));
    // Trained for 4 epochs only: that is no result.
    assert_eq!(standing(CELLS[0]), None);
}

#[test]
fn a_summary_counts_cells_trainings_and_networks_of_the_spaces() {
    let folder = tempfile::tempdir().unwrap();
    let mut records = records(&[4, 108]);
    records.truncate(3 * 3 + 4);
    let (_, cells) = converted(folder.path(), "some.tfrecord", &file(&records));
    let trained = Summary::of(cells.into_iter().map(Ok)).unwrap();
    assert_eq!(trained.cells, 3);
    let lengths = trained.budgets.iter();
    let lengths = lengths.map(|it| (it.epochs, it.cells, it.fewest_repeats, it.most_repeats));
    assert!(lengths.eq([(4, 3, 3, 3), (108, 3, 1, 2)]));

    let networks = oneshot::ALL.each_ref().map(oneshot::OneShot::networks);
    let some: BTreeSet<&Hash> = networks.iter().flat_map(|of| of.iter().take(15)).collect();
    let chosen: Vec<&Hash> = some.into_iter().collect();
    let row = |(index, hash): (usize, &&Hash)| match index {
        7 => format!("{hash},0.5,\n"),
        _ => format!("{hash},{},{}\n", 0.4 + index as f64 / 100.0, 0.3 + index as f64 / 100.0),
    };
    let rows: String = chosen.iter().enumerate().map(row).collect();
    let csv = format!("hash,valid_108,test_108\n{rows}");
    let (_, cells) = converted(folder.path(), "some.csv", csv.as_bytes());
    let summary = Summary::of(cells.into_iter().map(Ok)).unwrap();
    for ((space, networks), one) in summary.spaces.iter().zip(&networks).zip(&oneshot::ALL) {
        assert_eq!((space.space, space.networks), (one.name, networks.len()));
        let members: Vec<usize> =
            (0..chosen.len()).filter(|&index| networks.contains(chosen[index])).collect();
        assert!(members.len() >= 15, "{}", space.space);
        assert_eq!(space.valid, members.len(), "{}", space.space);
        assert_eq!(space.test, members.iter().filter(|index| **index != 7).count());
        let last = members.last().unwrap();
        let best = space.best_test.as_ref().unwrap();
        assert_eq!((&best.hash, best.of_space), (&chosen[*last].to_string(), one.best_test_error));
        assert!((best.error - (0.7 - *last as f64 / 100.0)).abs() < 1e-12);
    }
}

#[test]
fn the_commands_convert_describe_and_look_up() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "nasbench.tfrecord", &file(&records(&[108])));
    let sdarts = |arguments: &[&str]| run(folder.path(), arguments);
    let said = sdarts(&["table", "convert", "nasbench.tfrecord"]).done().stdout;
    assert_eq!(said.trim(), "nasbench.table: 3 cells, of each at most 3 trainings of 108 epochs");
    sdarts(&["table", "convert", "nasbench.tfrecord", "--out", "other.table"]).done();
    let bytes = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("nasbench.table"), bytes("other.table"));

    let info = sdarts(&["table", "info", "nasbench.table"]).done().stdout;
    assert!(info.contains("compact table") && info.contains("3 each"), "{info}");
    assert!(info.contains("55854"), "{info}");
    let json = |file: &str| -> Value {
        serde_json::from_str(&sdarts(&["table", "info", file, "--json"]).done().stdout).unwrap()
    };
    let (compact, mut source) = (json("nasbench.table"), json("nasbench.tfrecord"));
    assert_eq!((&compact["kind"], &source["kind"]), (&"compact table".into(), &"TFRecord".into()));
    source["kind"] = compact["kind"].clone();
    assert_eq!(compact, source);

    let find = |cell: &str, space: &str| -> Outcome {
        sdarts(&["table", "find", "nasbench.table", cell, "--space", space])
    };
    let graph: Graph = CELLS[2].parse().unwrap();
    let texts =
        [CELLS[2].to_owned(), hash(CELLS[2]).to_string(), serde_json::to_string(&graph).unwrap()];
    for text in &texts {
        let found = find(text, "oneshot-2").done().stdout;
        assert!(found.contains("b49ac8c578b4561d79ac7087988f1c61"), "{found}");
        assert!(found.contains("in oneshot-2: true test error 8.40%"), "{found}");
    }
    for (cell, space, code, expected) in [
        ("010001000 input,maxpool3x3,output", "oneshot-2", 3, "does not have the cell"),
        ("0000 input,output", "oneshot-2", 2, "no way leads"),
        ("01 input", "oneshot-2", 2, "1 vertices"),
        ("nothing", "oneshot-2", 2, "no hash"),
        ("{\"matrix\": 3}", "oneshot-2", 2, "matrix"),
        (CELLS[0], "s2", 2, "oneshot-1, oneshot-2, oneshot-3"),
    ] {
        let outcome = find(cell, space);
        assert_eq!(outcome.code, Some(code), "{cell}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{cell}: {}", outcome.stderr);
    }
}

#[test]
fn the_tables_that_can_be_fetched_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let listed = run(folder.path(), &["list", "tables"]).done().stdout;
    for name in ["nasbench101 ", "nasbench101-full "] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
    let [short, full] = native::fetch::tables::ALL else { panic!("{listed}") };
    for table in [short, full] {
        assert!(table.file.url.ends_with(table.file.path));
        assert_eq!(table.file.sha256.len(), 64);
    }
    // The records of the other three lengths spell their epochs with 2, 1 and 1 digits less.
    let records = 3 * 423_624;
    assert_eq!(full.file.bytes, 4 * short.file.bytes - (2 + 1 + 1) * records);
}

/// The one of NAS-Bench-201 keeps its place.
#[test]
fn info_tells_the_columns_of_a_table_of_nasbench201() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "architecture,mine,note\n|none~0|,10,x\n|skip_connect~0|,90.5,y\n";
    write(folder.path(), "old.csv", rows.as_bytes());
    let info = run(folder.path(), &["table", "info", "old.csv"]).done().stdout;
    assert!(info.contains("NAS-Bench-201, CSV") && info.contains("90.50%"), "{info}");
    assert!(!info.contains("note"), "{info}");
}

/// Two trainings of one cell that differ in one number are two.
#[test]
fn repeats_are_told_apart_by_all_that_was_measured() {
    let folder = tempfile::tempdir().unwrap();
    let mut twice = vec![Record::new(CELLS[2], 108, 0.9, 0.8); 2];
    twice[1].seconds += 1.0;
    let (table, _) = converted(folder.path(), "twice.tfrecord", &file(&twice));
    assert_eq!(table.budgets(), [Budget { epochs: 108, repeats: 2 }]);
}
