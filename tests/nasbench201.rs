//! NAS-Bench-201: its cells as text, their derivation, and tables of their accuracies.

use std::path::Path;
use std::rc::Rc;

use pollster::block_on;
use proptest::prelude::*;
use smoothdarts::cell::codec::nb201;
use smoothdarts::cell::{Edge, Genotype, GenotypeError, Node};
use smoothdarts::config::Config;
use smoothdarts::event::{Anytime, Event, Finished};
use smoothdarts::net::{NetShape, Supernet};
use smoothdarts::policy::softmax::relax_rows;
use smoothdarts::space::table::{Standing, Table, TableError};
use smoothdarts::space::{self, Space};

use crate::command::{run, sdarts};
use crate::search::tiny;

const OPERATIONS: [&str; 5] =
    ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

fn network(cells: usize) -> Result<Box<dyn Supernet>, space::SpaceError> {
    let shape =
        NetShape { image_channels: 3, classes: 10, cells, channels: 16, stem_multiplier: 3 };
    bench().supernet(shape)
}

fn bench() -> &'static Space {
    space::find("nasbench201").unwrap()
}

fn structure(operations: [&str; 6]) -> Genotype {
    let node = |(first, count): (usize, usize)| {
        let edge =
            |source: usize| Edge { source, operation: Some(operations[first + source].to_owned()) };
        Node { operation: None, edges: (0..count).map(edge).collect() }
    };
    nb201::from_nodes([(0, 1), (1, 2), (3, 3)].into_iter().map(node).collect())
}

fn text(genotype: &Genotype) -> String {
    nb201::encode(genotype).unwrap()
}

/// The cell with this number in base 5.
fn cell(number: usize) -> Genotype {
    structure(std::array::from_fn(|edge| OPERATIONS[number / 5usize.pow(edge as u32) % 5]))
}

/// A whole table: the accuracy of a cell is its number, in thousandths of a percent.
fn table() -> Vec<String> {
    let row = |number| format!("{},{}", text(&cell(number)), number as f64 / 1000.0);
    ["architecture,cifar10-test-200epochs".to_owned()]
        .into_iter()
        .chain((0..15_625).map(row))
        .collect()
}

fn read(lines: &[String]) -> Result<Table, TableError> {
    Table::read(bench(), lines.join("\n").as_bytes(), "")
}

#[test]
fn the_text_of_a_cell_is_that_of_the_benchmark() {
    let text = "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|nor_conv_1x1~2|";
    let expected =
        structure(["avg_pool_3x3", "none", "none", "skip_connect", "none", "nor_conv_1x1"]);
    assert_eq!(nb201::encode(&expected).unwrap(), text);
    assert_eq!(nb201::decode(text), Ok(expected));
}

proptest! {
    #[test]
    fn every_cell_reads_back_from_its_text(number in 0usize..15_625) {
        let cell = cell(number);
        let text = text(&cell);
        prop_assert_eq!(nb201::decode(&text), Ok(cell.clone()));
        prop_assert_eq!(bench().encode(&cell), text.clone());
        let json = serde_json::to_string(&cell).unwrap();
        prop_assert_eq!(&json, &format!("\"{text}\""));
        prop_assert_eq!(serde_json::from_str::<Genotype>(&json).unwrap(), cell);
    }

    #[test]
    fn no_text_crashes_the_parser(text in "[|+~a0-9]{0,30}") {
        if let Ok(found) = nb201::decode(&text) {
            prop_assert_eq!(nb201::encode(&found), Some(text));
        }
    }
}

#[test]
fn texts_that_are_no_cell_are_refused_with_the_node() {
    let refused = |text: &str| nb201::decode(text).unwrap_err();
    assert!(matches!(refused(""), GenotypeError::Node { node: 1, .. }));
    assert!(matches!(refused("|none~0|+|none~0|"), GenotypeError::Node { node: 2, .. }));
    assert!(matches!(refused("|none~0|+none~0|none~1"), GenotypeError::Node { node: 2, .. }));
    let swapped = refused("|none~0|+|none~1|none~0|");
    assert!(matches!(swapped, GenotypeError::Edge { node: 2, source_state: 0, .. }), "{swapped}");
    assert!(matches!(refused("|~0|"), GenotypeError::Edge { node: 1, .. }));
    assert!(matches!(refused("|none|"), GenotypeError::Edge { node: 1, .. }));
}

#[test]
fn the_supernet_of_the_benchmark_has_the_weights_of_its_closed_form() {
    let cell = |channels: usize| 6 * (1 + 9) * channels * channels;
    let block =
        |before: usize, after: usize| 9 * (before + after) * after + 4 * after + before * after;
    let expected = 3 * 9 * 16 + 2 * 16 // stem
        + 5 * (cell(16) + cell(32) + cell(64))
        + block(16, 32) + block(32, 64)
        + 2 * 64 // the last batch norm
        + 64 * 10 + 10;
    assert_eq!(expected, 1_686_106);
    assert_eq!(network(17).unwrap().layout().weight_count(), expected);
}

#[test]
fn stages_of_unequal_length_are_refused() {
    for cells in [1, 2, 3, 4, 6, 7, 16, 18] {
        let error = network(cells).err().unwrap();
        assert_eq!(error, space::SpaceError::Stages { cells });
    }
}

#[test]
fn every_edge_takes_its_strongest_operation_none_included_and_the_first_of_equals() {
    let mut rows = vec![vec![0.2; 5]; 6];
    rows[1] = vec![0.1, 0.1, 0.1, 0.6, 0.1];
    rows[5] = vec![0.1, 0.3, 0.1, 0.1, 0.3];
    let derived = bench().derive(&[rows]);
    let expected = structure(["none", "nor_conv_3x3", "none", "none", "none", "skip_connect"]);
    assert_eq!(derived, expected);
    let ends = derived.cells[0].edges().map(|(node, edge)| (node, edge.source));
    assert!(ends.eq([(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)]));
    let even = bench().derive(&[relax_rows(&vec![vec![0.0; 5]; 6])]);
    assert_eq!(even, structure(["none"; 6]));
}

#[test]
fn events_from_before_the_benchmark_still_read() {
    let old = r#"{"type":"finished","genotype":{"normal":[["sep_conv_3x3",0],["skip_connect",1]],
        "normal_concat":[2],"reduce":[],"reduce_concat":[]},"epochs":1,"valid_accuracy":0.5,
        "reason":"completed"}"#;
    let Event::Finished(Finished { genotype, .. }) = serde_json::from_str(old).unwrap() else {
        panic!("another event");
    };
    let normal = genotype.cell("normal").unwrap();
    assert_eq!(normal.operations().nth(1), Some("skip_connect"));
}

#[test]
fn a_table_tells_accuracy_rank_and_regret() {
    let rows = "name,architecture,mine\na,|none~0|,10\nb,|skip_connect~0|, 90.5\n\
                c,|nor_conv_1x1~0|,90.5\nd,|nor_conv_3x3~0|,92\r\n\n";
    let table = Table::read(bench(), rows.as_bytes(), "mine").unwrap();
    assert_eq!(table.cells(), 4);
    assert_eq!(table.best(), Some(("|nor_conv_3x3~0|", 92.0)));
    let standing = |accuracy, rank, regret| Some(Standing { accuracy, rank, cells: 4, regret });
    assert_eq!(table.find("|nor_conv_3x3~0|"), standing(92.0, 1, 0.0));
    assert_eq!(table.find("|skip_connect~0|"), standing(90.5, 2, 1.5));
    assert_eq!(table.find("|nor_conv_1x1~0|"), standing(90.5, 2, 1.5));
    assert_eq!(table.find("|none~0|"), standing(10.0, 4, 82.0));
    assert_eq!(table.find("|avg_pool_3x3~0|"), None);
}

/// R puts texts in quotes; spreadsheets begin with a mark of UTF-8 and end lines as Windows does.
#[test]
fn a_table_of_another_program_is_read_and_tells_the_lines_that_it_shows() {
    let rows = "\u{feff}\"architecture\",\"notes\",\"mine\"\r\n\r\n\
                \"|none~0|\",\"poor, but\r\n\"\"known\"\"\",10\r\n  \r\n\
                \"|skip_connect~0|\",,much\r\n";
    let error = Table::read(bench(), rows.as_bytes(), "mine").unwrap_err().to_string();
    assert!(error.starts_with("line 6: ") && error.contains("`much`"), "{error}");
    let table = Table::read(bench(), rows.replace("much", "90").as_bytes(), "mine").unwrap();
    assert_eq!(table.best(), Some(("|skip_connect~0|", 90.0)));
    assert_eq!(table.cells(), 2);
    let open = rows.replace("known\"\"\"", "known");
    let error = Table::read(bench(), open.as_bytes(), "mine").unwrap_err().to_string();
    assert!(error.starts_with("line 3: "), "{error}");
}

#[test]
fn a_table_with_a_wrong_row_is_refused_with_its_line() {
    let whole = table();
    read(&whole).unwrap().covers(bench()).unwrap();
    let with = |line: usize, text: &str| {
        let mut lines = whole.clone();
        lines[line - 1] = text.to_owned();
        read(&lines)
    };
    let refused = |line, text: &str, expected: &str| {
        let error = with(line, text).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("line {line}: ")) && error.contains(expected),
            "{error}"
        );
    };
    refused(7, "|none~0|", "1 fields");
    refused(7, "|none~0|,1,2", "3 fields");
    refused(7, "|none~1|,50", "none~1");
    refused(7, "|pool~0|,50", "no operation `pool`");
    refused(2, "nothing,50", "no field is an architecture string");
    for accuracy in ["", "high", "NaN", "-1", "100.5", "inf"] {
        refused(9, &format!("{},{accuracy}", text(&cell(7))), "from 0 to 100");
    }
    let error = with(4_000, &format!("{},50", text(&cell(7)))).unwrap_err();
    assert_eq!(
        error,
        TableError::Duplicate { line: 4_000, first: 9, architecture: text(&cell(7)) }
    );
    let mut bytes = whole.join("\n").into_bytes();
    let start = whole[0].len() + 1;
    bytes[start] = 0xff;
    let error = Table::read(bench(), &bytes, "").unwrap_err().to_string();
    assert!(error.starts_with("line 2: "), "{error}");
    assert_eq!(read(&whole[..1]).unwrap_err(), TableError::Empty);
    assert_eq!(read(&[]).unwrap_err(), TableError::Empty);
}

#[test]
fn a_table_that_lacks_a_cell_or_has_one_too_many_does_not_cover_the_space() {
    let mut lines = table();
    let moved = lines.remove(100);
    let error = read(&lines).unwrap().covers(bench()).unwrap_err();
    let example = moved.split(',').next().unwrap().to_owned();
    assert_eq!(error, TableError::Missing { line: 15_625, missing: 1, example });
    lines.extend([moved, "|none~0|,50".to_owned()]);
    let error = read(&lines).unwrap().covers(bench()).unwrap_err();
    assert_eq!(error, TableError::Foreign { line: 15_627, architecture: "|none~0|".to_owned() });
    let other = space::find("s2").unwrap();
    let refused = {
        let known = "nasbench201, oneshot-1, oneshot-2, oneshot-3".to_owned();
        TableError::OtherSpace { known }
    };
    assert_eq!(read(&table()).unwrap().covers(other), Err(refused.clone()));
    let error = Table::read(other, table().join("\n").as_bytes(), "").unwrap_err();
    assert_eq!(error, refused);
}

#[test]
fn a_column_must_be_named_where_there_are_several() {
    let two = b"architecture,a,b\n|none~0|,1,2\n";
    assert_eq!(Table::read(bench(), two, "b").unwrap().best(), Some(("|none~0|", 2.0)));
    for column in ["", "c", "architecture"] {
        let error = Table::read(bench(), two, column).unwrap_err();
        let TableError::Column { known, .. } = error else { panic!("{error}") };
        assert_eq!(known, "a, b");
    }
}

#[test]
fn a_search_looks_every_derived_cell_up_after_its_epoch() {
    let mut config = tiny::config("nasbench201", "sdarts-rs");
    config.search.cells = 5;
    config.alpha.learning_rate = 0.1;
    let anytime = |events: &[Event]| -> Vec<Anytime> {
        let looked_up = events.iter().filter_map(|event| match event {
            Event::Anytime(anytime) => Some(anytime.clone()),
            _ => None,
        });
        looked_up.collect()
    };
    let (without, plain) = tiny::whole(&config);
    assert!(anytime(&without).is_empty());

    let mut loader = tiny::loader(&config);
    let mut search = tiny::search(&config, &loader);
    let table = read(&table()).unwrap();
    search.set_table(Rc::new(table.clone())).unwrap();
    let events = tiny::run(&mut search, &mut loader).unwrap();
    let found = anytime(&events);
    assert_eq!(found.iter().map(|it| it.epoch).collect::<Vec<_>>(), [0, 1]);
    let finished = events.iter().filter_map(|event| match event {
        Event::EpochFinished(epoch) => Some(epoch),
        _ => None,
    });
    for (anytime, epoch) in found.iter().zip(finished) {
        assert_eq!(anytime.architecture, text(&epoch.genotype));
        let standing = table.find(&anytime.architecture).unwrap();
        assert_eq!(
            (anytime.test_accuracy, anytime.valid_accuracy),
            (Some(standing.accuracy), None)
        );
        assert_eq!((anytime.rank, anytime.cells), (Some(standing.rank), 15_625));
        assert_eq!(anytime.regret, Some(standing.regret));
        assert_eq!(epoch.parameter_free.len(), 1);
    }
    let last = block_on(search.checkpoint()).unwrap();
    assert_eq!(last.arrays, plain.arrays, "the table changes nothing that is learnt");
}

/// The flags of a search of a second or two.
fn flags<'a>(table: &'a str, out: &'a str) -> Vec<&'a str> {
    let tiny = crate::command::TINY.iter();
    tiny.copied()
        .chain(["--space=nasbench201", "--set=search.cells=5", "--table", table, "--out", out])
        .collect()
}

#[test]
fn the_command_line_tells_the_true_accuracy_and_writes_it_down() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("table.csv"), table().join("\n")).unwrap();
    let outcome = run(folder.path(), &flags("table.csv:cifar10-test-200epochs", "run")).done();
    let found = nb201::decode(outcome.stdout.trim()).unwrap();
    assert_eq!(outcome.stderr.matches("true accuracy").count(), 3, "{}", outcome.stderr);
    let read = |name: &str| std::fs::read_to_string(folder.path().join("run").join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Genotype>(&read("genotype.json")).unwrap(), found);
    let curves = read("curves.csv");
    assert!(
        curves
            .lines()
            .next()
            .unwrap()
            .ends_with("architecture,test_accuracy,rank,regret,true_valid_accuracy")
    );
    assert_eq!(curves.lines().count(), 3);
    assert!(read("config.toml").contains("column = \"cifar10-test-200epochs\""));
    let report = read("report.html");
    assert!(
        report.contains(outcome.stdout.trim()) && report.contains("The string of NAS-Bench-201")
    );
    assert!(!report.contains("Python (for"), "the string is no tuple of Python");
    let derived = sdarts(folder.path(), &["derive", "run"]).output().unwrap();
    assert_eq!(String::from_utf8(derived.stdout).unwrap(), outcome.stdout);
}

#[test]
fn the_command_line_refuses_a_broken_table_and_leaves_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = table();
    lines[41] = "|none~0|,much".to_owned();
    std::fs::write(folder.path().join("broken.csv"), lines.join("\n")).unwrap();
    std::fs::write(folder.path().join("short.csv"), table()[..9].join("\n")).unwrap();
    for (table, code, expected) in [
        ("broken.csv", 3, "line 42"),
        ("short.csv", 3, "lacks 15617 cells"),
        // A wrong name, and no broken table.
        ("short.csv:other", 2, "other"),
        ("nowhere.csv", 3, "nowhere.csv"),
    ] {
        let outcome = run(folder.path(), &flags(table, "run"));
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
        assert!(!folder.path().join("run").exists());
    }
}

/// The tables in the folder `nasbench201` of `SDARTS_DATA`.
#[test]
fn the_real_tables_have_the_published_maxima() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let folder = std::env::var_os("SDARTS_DATA").unwrap_or_else(|| beside.into());
    let folder = Path::new(&folder).join("nasbench201");
    let Ok(full) = std::fs::read(folder.join("nats_bench_tss.csv")) else {
        println!("left out: there are no tables in {}", folder.display());
        return;
    };
    for (column, best) in [
        ("CIFAR10TestAccuracy200Epochs", 94.37),
        ("CIFAR100TestAccuracy200Epochs", 73.51),
        ("ImageNetTestAccuracy200Epochs", 47.31),
    ] {
        let table = Table::read(bench(), &full, column).unwrap();
        table.covers(bench()).unwrap();
        assert!((table.best().unwrap().1 - best).abs() < 0.005, "{column}");
    }
    let short = std::fs::read(folder.join("nb201_12epoch_6cols.csv")).unwrap();
    let table = Table::read(bench(), &short, "cifar10-val").unwrap();
    table.covers(bench()).unwrap();
    assert_eq!(table.cells(), 15_625);
}

#[test]
fn the_presets_are_the_search_of_the_authors_script() {
    for method in ["darts", "sdarts-rs", "sdarts-adv"] {
        let mut layers = smoothdarts::config::layers::Resolver::default();
        layers.preset(&format!("nasbench201-{method}")).unwrap();
        let config: Config = layers.finish().unwrap().config;
        let search = &config.search;
        assert_eq!((search.space.as_str(), search.method.as_str()), ("nasbench201", method));
        assert_eq!((search.cells, search.channels, search.epochs), (3 * 5 + 2, 16, 100));
        assert_eq!((search.batch_size, config.data.name.as_str()), (64, "cifar10"));
    }
}
