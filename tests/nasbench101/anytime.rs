//! A search that asks a table of NAS-Bench-101 after every epoch.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::rc::Rc;

use native::nasbench101::source::{self, Kind};
use native::nasbench101::{OfSpace, Table};
use pollster::block_on;
use serde_json::Value;
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::{Graph, Hash, oneshot};
use smoothdarts::cell::{Choice, Genotype, Row, Rows};
use smoothdarts::config::Config;
use smoothdarts::event::{Anytime, Event};
use smoothdarts::space::table::{Lookup, TableError};
use smoothdarts::space::{self, Space};

use super::writer::{CELLS, Record, file, records, write};
use crate::command::{Outcome, run, sdarts};
use crate::search::tiny;

/// Lowest test error of space 1 in percent (spec §7.4).
const BEST: f64 = 5.448_716_878_890_991;

fn space() -> &'static Space {
    space::find("oneshot-1").unwrap()
}

/// A search whose architecture moves far in every epoch.
fn config() -> Config {
    let mut config = tiny::config("oneshot-1", "sdarts-rs");
    (config.search.cells, config.search.epochs) = (3, 4);
    config.alpha.learning_rate = 0.5;
    config
}

fn graph(genotype: &Genotype) -> Graph {
    nb101::graph(genotype).unwrap()
}

/// Three trainings of a cell.
fn trained(cell: &Graph, epochs: u32) -> Vec<Record> {
    let text: &'static str = cell.to_string().leak();
    [0.93, 0.94, 0.95].map(|valid| Record::new(text, epochs, valid, valid - 0.02)).into()
}

/// A compact table of these trainings.
fn table(folder: &Path, records: &[Record]) -> Table {
    let source = write(folder, "some.tfrecord", &file(records));
    let path = folder.join("some.table");
    Table::write(&path, &source::read(&source, Kind::Records).unwrap()).unwrap();
    Table::open(&path).unwrap()
}

fn of_space(folder: &Path, records: &[Record]) -> OfSpace {
    OfSpace::read(&table(folder, records), &oneshot::ALL[0]).unwrap()
}

/// What every epoch derived.
fn derived(events: &[Event]) -> Vec<Genotype> {
    let genotypes = events.iter().filter_map(|event| match event {
        Event::EpochFinished(epoch) => Some(epoch.genotype.clone()),
        _ => None,
    });
    genotypes.collect()
}

fn near(found: Option<f64>, expected: f64) {
    assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?} instead of {expected}");
}

#[test]
fn a_search_tells_after_every_epoch_what_the_table_knows_and_where_it_lacks_the_cell() {
    let folder = tempfile::tempdir().unwrap();
    let config = config();
    let (without, plain) = tiny::whole(&config);
    let genotypes = derived(&without);
    let hashes: Vec<Hash> = genotypes.iter().map(|it| graph(it).hash().unwrap()).collect();
    assert!(hashes.iter().any(|hash| *hash != hashes[0]), "the search finds several cells");

    let table = of_space(folder.path(), &trained(&graph(&genotypes[0]), 108));
    assert_eq!(table.cells(), 1);
    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    search.set_table(Rc::new(table)).unwrap();
    let events = tiny::run(&mut search, &mut loader).unwrap();
    let looks: Vec<&Anytime> = events
        .iter()
        .filter_map(|event| match event {
            Event::Anytime(anytime) => Some(anytime),
            _ => None,
        })
        .collect();
    assert!(looks.iter().map(|it| it.epoch).eq(0..4));
    for ((look, genotype), hash) in looks.iter().zip(&genotypes).zip(&hashes) {
        assert_eq!((&look.architecture, look.cells), (&space().encode(genotype), 1));
        assert_eq!(look.rank, None, "2,684 cells are not in the table");
        if *hash == hashes[0] {
            near(look.test_accuracy, 92.0);
            near(look.valid_accuracy, 94.0);
            near(look.regret, 8.0 - BEST);
            near(look.test_error(), 0.08);
        } else {
            let nothing = (look.test_accuracy, look.valid_accuracy, look.regret);
            assert_eq!(nothing, (None, None, None));
        }
    }
    let last = block_on(search.checkpoint()).unwrap();
    assert_eq!(last.arrays, plain.arrays, "the table changes nothing that is learnt");
}

#[test]
fn looks_into_a_table_of_schema_3_are_read_and_what_is_not_known_is_left_out() {
    let old = r#"{"type":"anytime","epoch":1,"architecture":"|none~0|","test_accuracy":10.5,
        "rank":7,"cells":15625,"regret":83.87}"#;
    let expected = Anytime {
        epoch: 1,
        architecture: "|none~0|".into(),
        test_accuracy: Some(10.5),
        valid_accuracy: None,
        rank: Some(7),
        cells: 15_625,
        regret: Some(83.87),
        own_accuracy: None,
    };
    assert_eq!(expected.test_error(), Some(0.895));
    assert_eq!(serde_json::from_str::<Event>(old).unwrap(), Event::Anytime(expected));
    let missing = Event::Anytime(Anytime { epoch: 2, cells: 95, ..Anytime::default() });
    let text = r#"{"type":"anytime","epoch":2,"architecture":"","cells":95}"#;
    assert_eq!(serde_json::to_string(&missing).unwrap(), text);
    assert_eq!(serde_json::from_str::<Event>(text).unwrap(), missing);
}

/// What is derived before the first ranking is the first architecture of all.
#[test]
fn methods_that_rank_architectures_tell_nothing_before_their_first_ranking() {
    let folder = tempfile::tempdir().unwrap();
    for method in ["random-ws", "enas"] {
        let mut config = config();
        config.search.method = method.to_owned();
        (config.sampling.architectures, config.sampling.rounds) = (4, 2);
        (config.sampling.batches, config.sampling.every) = (1, 2);
        let mut loader = tiny::loader(&config);
        let mut search = tiny::search(&config, &loader);
        search.set_table(Rc::new(of_space(folder.path(), &records(&[108])))).unwrap();
        let events = tiny::run(&mut search, &mut loader).unwrap();
        let epochs = events.iter().filter_map(|event| match event {
            Event::Anytime(anytime) => Some(anytime.epoch),
            _ => None,
        });
        assert!(epochs.eq([1, 2, 3]), "{method}");
    }
}

#[test]
fn a_table_of_all_cells_of_a_space_ranks_them() {
    let folder = tempfile::tempdir().unwrap();
    let networks = oneshot::ALL[0].networks();
    let even = |choice: &Choice| {
        let row = |row: &Row| vec![0.5; row.options.len()];
        choice.rows.iter().map(row).collect::<Rows>()
    };
    let genotype = space().derive(&space().choices().iter().map(even).collect::<Vec<Rows>>());
    let wanted = graph(&genotype).hash().unwrap();
    let place = networks.iter().position(|hash| *hash == wanted).unwrap();
    let row = |(index, hash): (usize, &Hash)| format!("{hash},{}\n", 0.9 - index as f64 / 1e4);
    let csv = |rows: String| {
        let source = write(folder.path(), "all.csv", format!("hash,test_108\n{rows}").as_bytes());
        let path = folder.path().join("all.table");
        Table::write(&path, &source::read(&source, Kind::Csv).unwrap()).unwrap();
        OfSpace::read(&Table::open(&path).unwrap(), &oneshot::ALL[0]).unwrap()
    };
    let known = |table: &OfSpace| table.known(&genotype).unwrap();
    let whole = csv(networks.iter().enumerate().map(row).collect());
    assert_eq!((whole.cells(), whole.lacks()), (2_685, None));
    assert_eq!(known(&whole).rank, Some(place + 1));
    assert_eq!(known(&whole).valid_accuracy, None);
    let other = usize::from(place == 0);
    let part = networks.iter().enumerate().filter(|(index, _)| *index != other).map(row);
    let part = csv(part.collect());
    assert!(part.lacks().unwrap().contains("of the 2685 networks of space oneshot-1"));
    assert_eq!((known(&part).rank, known(&part).regret), (None, known(&whole).regret));
}

#[test]
fn a_table_of_another_space_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let table = of_space(folder.path(), &records(&[108]));
    table.covers(space()).unwrap();
    for other in ["oneshot-2", "nasbench201", "s2"] {
        let refused = table.covers(space::find(other).unwrap());
        assert_eq!(refused, Err(TableError::OtherBenchmark { space: other.to_owned() }));
    }
}

/// The flags of a search of a second or two, with these after them.
fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let tiny = [
        "search",
        "--preset=oneshot-1-darts-small",
        "--set=run.device=cpu",
        "--set=search.epochs=4",
        "--set=search.cells=3",
        "--set=search.channels=4",
        "--set=search.batch_size=8",
        "--set=data.image_size=8",
        "--set=data.crop_padding=1",
        "--set=data.train_images=40",
        "--set=alpha.learning_rate=0.5",
        "--set=run.checkpoint_seconds=0",
    ];
    [&tiny[..], more].concat()
}

/// Events without the fields that differ between repeated runs.
fn events(folder: &Path, run: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(run).join("events.jsonl")).unwrap();
    let event = |line: &str| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let fields = event.as_object_mut().unwrap();
        fields.retain(|name, _| !["seconds", "crc32c", "config"].contains(&name.as_str()));
        event
    };
    text.lines().map(event).collect()
}

/// A folder with a finished run `plain` and a table that has the cell of its first epoch, but not those of
/// all epochs.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &flags(&["--out=plain"])).done();
    let ended = events(folder.path(), "plain").into_iter();
    let ended = ended.filter(|event| event["type"] == "epoch_finished");
    let graph = |event: Value| {
        graph(&serde_json::from_value::<Genotype>(event["genotype"].clone()).unwrap())
    };
    let cells: Vec<Graph> = ended.map(graph).collect();
    assert!(cells.iter().any(|cell| cell.hash() != cells[0].hash()), "{cells:?}");
    write(folder.path(), "some.tfrecord", &file(&trained(&cells[0], 108)));
    run(folder.path(), &["table", "convert", "some.tfrecord"]).done();
    folder
}

#[test]
fn the_command_line_says_errors_and_gaps_and_writes_them_down() {
    let folder = prepared();
    let path = folder.path();
    let asked = flags(&["--table=some.table", "--out=run", "--hessian=every=1"]);
    let outcome = run(path, &asked).done();
    let said = "true test error 8.00%, validation error 6.00%, regret 2.55 points";
    for text in [said, "the cell is not in the table", "it has test accuracies of 1"] {
        assert!(outcome.stderr.contains(text), "{text}: {}", outcome.stderr);
    }
    let looks: Vec<Value> =
        events(path, "run").into_iter().filter(|event| event["type"] == "anytime").collect();
    assert_eq!(looks.len(), 4);
    let known = looks.iter().filter(|look| look["test_accuracy"].is_number()).count();
    assert!((1..4).contains(&known));
    let read = |name: &str| std::fs::read_to_string(path.join("run").join(name)).unwrap();
    let curves = read("curves.csv");
    let mut lines = curves.lines();
    assert!(lines.next().unwrap().ends_with(",test_accuracy,rank,regret,true_valid_accuracy"));
    for (line, look) in lines.zip(&looks) {
        let fields: Vec<&str> = line.rsplitn(5, ',').take(4).collect();
        let text = |name: &str| match &look[name] {
            Value::Null => String::new(),
            number => number.as_f64().unwrap().to_string(),
        };
        let expected = ["valid_accuracy", "regret", "rank", "test_accuracy"].map(text);
        assert_eq!(fields, expected);
    }
    let page = read("report.html");
    assert!(page.contains("Anytime test error") && page.contains(": gaps."));

    run(path, &flags(&["--table=some.table", "--out=other", "--seed=7"])).done();
    run(path, &["compare", "run", "other", "--out=both"]).done();
    let means = std::fs::read_to_string(path.join("both/anytime.csv")).unwrap();
    assert!(means.starts_with("series,epochs trained,test error,"), "{means}");
    assert!(means.lines().next().unwrap().ends_with(",runs"), "{means}");
    assert!(path.join("both/hessian.svg").exists());
}

#[test]
fn a_killed_search_goes_on_with_its_table_and_ends_with_the_same_events() {
    let folder = prepared();
    let path = folder.path();
    let table = "--table=some.table";
    run(path, &flags(&[table, "--out=whole"])).done();
    let expected = events(path, "whole");
    let looks = expected.iter().enumerate().filter(|(_, event)| event["type"] == "anytime");
    let after: Vec<usize> = looks.flat_map(|(index, _)| [index, index + 1]).collect();
    for (number, count) in after.into_iter().take(5).enumerate() {
        let out = format!("--out=killed-{number}");
        let mut child = sdarts(path, &flags(&[table, &out, "--json"])).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (0..count).for_each(|_| drop(lines.next().unwrap().unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        run(path, &flags(&[table, &out, "--resume=must"])).done();
        assert_eq!(events(path, &format!("killed-{number}")), expected, "after {count} events");
    }
    for other in [flags(&["--table=other.table", "--out=whole"]), flags(&["--out=whole"])] {
        let refused = run(path, &other);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("table.path"), "{}", refused.stderr);
    }
}

#[track_caller]
fn refused(folder: &Path, more: &[&str], code: i32, expected: &[&str]) {
    let Outcome { code: found, stderr, .. } = run(folder, &flags(&[more, &["--out=run"]].concat()));
    assert_eq!(found, Some(code), "{stderr}");
    assert!(
        expected.iter().all(|text| stderr.contains(text)),
        "{stderr} lacks one of {expected:?}"
    );
    assert!(!folder.join("run").exists());
}

#[test]
fn tables_that_a_search_cannot_ask_are_refused_before_it_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    table(path, &records(&[108]));
    let whole = std::fs::read(path.join("some.table")).unwrap();
    write(path, "bench201.csv", b"architecture,accuracy\n|none~0|+|none~0|none~1|,10\n");
    write(path, "cut.table", &whole[..whole.len() - 1]);
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    write(path, "damaged.table", &damaged);
    write(path, "empty.table", b"");
    refused(path, &["--table=bench201.csv"], 3, &["bench201.csv", "CSV", "table convert"]);
    refused(path, &["--table=some.tfrecord"], 3, &["some.tfrecord", "TFRecord", "table convert"]);
    refused(path, &["--table=cut.table"], 3, &["cut.table", "cut off"]);
    refused(path, &["--table=damaged.table"], 3, &["damaged.table", "damaged"]);
    refused(path, &["--table=empty.table"], 3, &["empty.table", "empty"]);
    refused(path, &["--table=nowhere.table"], 3, &["nowhere.table"]);
    refused(path, &["--table=some.table:test"], 2, &["some.table", "`test`", "no columns"]);
    let elsewhere = |space| ["--table=some.table", space, "--set=search.cells=5"];
    refused(path, &elsewhere("--space=nasbench201"), 3, &["some.table", "NAS-Bench-101"]);
    refused(path, &elsewhere("--space=s2"), 2, &["nasbench201, oneshot-1, oneshot-2, oneshot-3"]);
}

#[test]
fn a_table_without_any_cell_of_the_space_is_refused() {
    for records in [
        trained(&CELLS[0].parse().unwrap(), 108),
        // A cell of the space, but trained too shortly.
        trained(&CELLS[2].parse().unwrap(), 4),
    ] {
        let folder = tempfile::tempdir().unwrap();
        table(folder.path(), &records);
        let expected = ["no network of space oneshot-1", "108 epochs"];
        refused(folder.path(), &["--table=some.table"], 3, &expected);
    }
}
