//! A table that grows: cells that runs derived are trained and added, apart from the benchmark's numbers.

use std::fs;
use std::path::{Path, PathBuf};

use native::nasbench101::Table;
use serde_json::Value;
use smoothdarts::cell::nasbench101::{Graph, Hash};

use super::writer::{CELLS, file, records, write};
use crate::command::{self, Outcome};

fn run(arguments: &[&str]) -> Outcome {
    command::run(Path::new("."), arguments)
}

/// A folder with a table of three cells and a short search.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        write(place.folder.path(), "some.tfrecord", &file(&records(&[108])));
        let converted = run(&["table", "convert", &place.path("some.tfrecord")]);
        assert_eq!(converted.code, Some(0), "{}", converted.stderr);
        place
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// A search of so many epochs, whose architecture moves far in each.
    fn search(&self, name: &str, epochs: usize, more: &[&str]) -> Outcome {
        let (out, epochs) = (self.path(name), format!("--epochs={epochs}"));
        let flags =
            ["search", "--preset=oneshot-1-darts-small", "--device=cpu", "--quiet", &epochs];
        let size = ["--set=search.channels=2", "--set=data.train_images=128"];
        let moves = ["--set=alpha.learning_rate=0.5", "--out", &out];
        let found = run(&[&flags[..], &size, &moves, more].concat());
        assert_eq!(found.code, Some(0), "{}", found.stderr);
        found
    }

    fn fill(&self, more: &[&str]) -> Outcome {
        let (table, search) = (self.path("some.table"), self.path("search"));
        let flags = ["table", "fill", &table, "--device=cpu", "--quiet", "--epochs=1"];
        let size = ["--set=train.channels=4", "--set=data.train_images=96", "--runs", &search];
        run(&[&flags[..], &size, more].concat())
    }

    fn table(&self) -> Table {
        Table::open(&self.folder.path().join("some.table")).unwrap()
    }

    /// What `table info --json` says of trainings of ours.
    fn info(&self) -> Value {
        let told = run(&["table", "info", "--json", &self.path("some.table")]);
        serde_json::from_str::<Value>(&told.stdout).unwrap()["ours"].take()
    }
}

fn trainings(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path("some.trainings")).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

/// The newest write to anything in a folder.
fn touched(folder: &Path) -> std::time::SystemTime {
    let times = fs::read_dir(folder).unwrap().map(|it| it.unwrap().metadata().unwrap());
    times.map(|it| it.modified().unwrap()).max().unwrap()
}

#[test]
fn cells_that_runs_derived_are_trained_once_and_told_apart_from_the_benchmark() {
    let place = Place::new();
    let before = fs::read(place.path("some.table")).unwrap();
    place.search("search", 2, &[]);
    let dry = place.fill(&["--dry-run", "--json"]);
    let cells: Value = serde_json::from_str(&dry.stdout).unwrap();
    let cells = cells["cells"].as_array().unwrap().len();
    assert!(cells > 0);
    assert_eq!(fs::read(place.path("some.table")).unwrap(), before, "a dry run changes nothing");

    let filled = place.fill(&[]);
    assert_eq!(filled.code, Some(0), "{}", filled.stderr);
    let table = place.table();
    assert_eq!((table.ours().len(), trainings(&place).len()), (cells, cells));
    for (hash, own) in table.ours().all() {
        assert_eq!(own.cell.parse::<Graph>().unwrap().hash(), Some(hash));
        assert!(table.find(hash).unwrap().is_none(), "the benchmark's part has no such cell");
        let told = run(&["table", "find", &place.path("some.table"), &hash.to_string()]);
        let (error, size) =
            (format!("{:.2}%", 100.0 * (1.0 - own.test)), "3 cells, 4 channels, 1 epoch on");
        assert!(told.stdout.contains(&error) && told.stdout.contains(size), "{}", told.stdout);
    }
    // What was there is as it was.
    assert!(table.all().map(Result::unwrap).map(|cell| cell.hash).eq({
        let mut hashes: Vec<Hash> =
            CELLS.iter().map(|cell| cell.parse::<Graph>().unwrap().hash().unwrap()).collect();
        hashes.sort_unstable();
        hashes
    }));
    assert_eq!(place.info()["cells"].as_array().unwrap().len(), cells);

    // Again: nothing is trained.
    let before = touched(&trainings(&place)[0]);
    let again = place.fill(&[]);
    assert!(!again.stdout.contains("cell 1 of"), "{}", again.stdout);
    assert_eq!(touched(&trainings(&place)[0]), before);

    // A search with the table tells both apart, and so do its files and the comparison.
    let table_path = place.path("some.table");
    place.search("again", 2, &["--table", &table_path]);
    let events = fs::read_to_string(place.path("again") + "/events.jsonl").unwrap();
    assert_eq!(events.matches("\"own_accuracy\"").count(), 2, "one after each epoch");
    let curves = fs::read_to_string(place.path("again") + "/curves.csv").unwrap();
    let header = curves.lines().next().unwrap();
    // From the end: the cell before them has commas.
    let column = |name: &str| header.rsplit(',').position(|it| it == name).unwrap();
    let last: Vec<&str> = curves.lines().last().unwrap().rsplit(',').collect();
    assert_eq!(last[column("test_accuracy")], "", "the benchmark does not know the cell");
    assert!((0.0..=100.0).contains(&last[column("own_test_accuracy")].parse::<f64>().unwrap()));
    let compared = run(&[
        "compare",
        &place.path("search"),
        &place.path("again"),
        "--out",
        &place.path("compared"),
    ]);
    assert_eq!(compared.code, Some(0), "{}", compared.stderr);
    let names = fs::read_dir(place.path("compared")).unwrap().map(|it| it.unwrap().file_name());
    let names: Vec<String> = names.map(|it| it.into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("own-trainings")), "{names:?}");

    // So does a comparison that asks the table itself: now of the run, too, that had none.
    let own_trainings = |out: &str, table: &[&str]| {
        let runs = ["compare", &place.path("search"), &place.path("again"), "--out", out];
        let told = run(&[runs.as_slice(), table].concat());
        let curves = fs::read_to_string(Path::new(out).join("own-trainings.csv"));
        (told, curves.unwrap_or_default())
    };
    let (told, curves) = own_trainings(&place.path("later"), &["--table", &table_path]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let before = fs::read_to_string(place.path("compared") + "/own-trainings.csv").unwrap();
    assert_eq!((before.lines().count(), curves.lines().count()), (3, 5), "{before}{curves}");
    let values = |row: &str| row.rsplit_once("\",").unwrap().1.to_owned();
    let rows: Vec<String> = curves.lines().skip(1).map(values).collect();
    assert_eq!(rows[..2], rows[2..], "one architecture moved in both: {curves}");
    let page = fs::read_to_string(place.path("later") + "/compare.html").unwrap();
    assert!(page.contains("--table"), "the command on the page says so");
    let (absent, _) = own_trainings(&place.path("absent"), &["--table", "no.table"]);
    assert_eq!(absent.code, Some(3), "{}", absent.stderr);

    // A table that is made anew keeps them.
    let converted = run(&["table", "convert", &place.path("some.tfrecord")]);
    assert_eq!(converted.code, Some(0), "{}", converted.stderr);
    assert!(converted.stderr.contains("keeps its"), "{}", converted.stderr);
    assert_eq!(place.table().ours(), table.ours());
}

#[test]
fn a_table_that_was_trained_but_not_written_is_filled_without_training_again() {
    let place = Place::new();
    place.search("search", 1, &[]);
    let empty = fs::read(place.path("some.table")).unwrap();
    assert_eq!(place.fill(&[]).code, Some(0));
    let ours = place.table().ours().clone();
    // As if the process had been killed between the training and the table.
    fs::write(place.path("some.table"), empty).unwrap();
    let again = place.fill(&[]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert_eq!(place.table().ours(), &ours);
    let events = trainings(&place)[0].join("events.jsonl");
    let started = fs::read_to_string(events).unwrap().matches("\"train_epoch\"").count();
    assert_eq!(started, 1, "the epoch was trained once");
}

#[test]
fn what_cannot_be_filled_is_refused_before_anything_is_trained() {
    let place = Place::new();
    place.search("search", 1, &[]);
    let other = run(&[
        "search",
        "--preset=browser",
        "--device=cpu",
        "--quiet",
        "--epochs=1",
        "--set=data.train_images=64",
        "--out",
        &place.path("s2"),
    ]);
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    let s2 = place.path("s2");
    let refused = |found: Outcome, code: i32, words: &str| {
        assert_eq!(found.code, Some(code), "{}", found.stderr);
        assert!(found.stderr.contains(words), "{}", found.stderr);
        assert!(
            !Path::new(&place.path("some.trainings")).exists() || words.contains("another kind")
        );
    };
    refused(place.fill(&[&s2]), 2, "searches s2, whose cells are none of NAS-Bench-101");
    refused(place.fill(&["--set=train.portion=0.5"]), 2, "train.portion");
    refused(place.fill(&[&place.path("nothing")]), 2, "nothing");
    assert_eq!(place.fill(&[]).code, Some(0));
    refused(
        place.fill(&["--set=train.channels=8"]),
        2,
        "another kind, which would not compare: train.channels = 4, now 8",
    );
}

#[test]
fn damaged_trainings_of_ours_are_told() {
    let place = Place::new();
    place.search("search", 1, &[]);
    assert_eq!(place.fill(&[]).code, Some(0));
    let path = place.path("some.table");
    let whole = fs::read(&path).unwrap();
    for (cut, words) in [(3, "was cut off or is damaged"), (0, "another checksum")] {
        let mut bytes = whole[..whole.len() - cut].to_vec();
        if cut == 0 {
            let place = bytes.len() - 20;
            bytes[place] ^= 1;
        }
        fs::write(&path, bytes).unwrap();
        let told = run(&["table", "info", &path]);
        assert_eq!(told.code, Some(3), "{}", told.stderr);
        assert!(told.stderr.contains(words), "{}", told.stderr);
    }
}
