//! What the command line says to input that it cannot use: the exit code of its table, and words that
//! help.

use std::fs;
use std::path::Path;

use smoothdarts::cell::codec::{darts, nb201};
use smoothdarts::cell::published;
use tempfile::TempDir;

use crate::command::{Outcome, TINY, run};

const CELL: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_1x1~2|";

/// The exit code, what the error must say and what it must not.
#[track_caller]
fn fails(outcome: &Outcome, code: i32, expected: &[&str], never: &[&str]) {
    let said = &outcome.stderr;
    assert_eq!(outcome.code, Some(code), "{said}");
    for text in expected {
        assert!(said.contains(text), "lacks {text}: {said}");
    }
    for text in [never, &["panicked"]].concat() {
        assert!(!said.contains(text), "says {text}: {said}");
    }
}

/// A folder with what the cases need.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("two.csv", &format!("architecture,cifar10-test\n{CELL},90\n"));
    write("one.csv", &format!("UniqueString\n{CELL}\n"));
    write("nan.toml", "[weights]\nlearning_rate = nan\n");
    write("cell.txt", CELL);
    write("cell.json", &format!("\"{CELL}\"\n"));
    folder
}

#[test]
fn every_wrong_input_has_the_exit_code_of_the_table_and_helping_words() {
    let folder = folder();
    let long = format!("--space={}", "x".repeat(100_000));
    let bench = ["--preset=nasbench201-darts", "--data=fashion-mnist"];
    // Arguments; of a tiny search where they start with no command. Code, words, words that must
    // not be said.
    type Case<'a> = (&'a [&'a str], i32, &'a [&'a str], &'a [&'a str]);
    let cases: &[Case] = &[
        (&["--set=search.batch_size=1000000000"], 2, &["set search.batch_size to 1 to 48"], &[]),
        (&["--set=data.train_images=1"], 2, &["use more images"], &["1 to 0"]),
        (&["--set=data.crop_padding=1000000"], 2, &["crop_padding"], &[]),
        (&["--set=data.image_size=100000"], 2, &["data.image_size"], &[]),
        (&["--hessian=every=18446744073709551615"], 2, &["hessian.every", "must be at most"], &[]),
        (&["--set=search=3"], 2, &["is a section", "search.epochs"], &["did you mean"]),
        (&["--config=nan.toml"], 2, &["learning_rate = \"NaN\""], &["null"]),
        (&[&long], 2, &["characters"], &[]),
        (&["landscape", "run", "--grid=4"], 2, &["odd number"], &[]),
        (&["landscape", "run", "--range=nan"], 2, &["positive and finite"], &[]),
        (&["fetch", "folder"], 2, &["cannot be fetched"], &[]),
        (&["fetch", "mnist", "--url-base=notaurl"], 2, &["scheme"], &[]),
        (&["hessian", "run", "--dense", "--csv=none/h.csv"], 2, &["no folder none"], &["disk"]),
        (
            &["search", "--device=cpu", bench[0], bench[1], "--table=two.csv:imagenet"],
            2,
            &["no column"],
            &[],
        ),
        (
            &["search", "--device=cpu", bench[0], bench[1], "--table=one.csv"],
            2,
            &["none of accuracies"],
            &["UniqueString"],
        ),
        (&["--table=two.csv:cifar10-test"], 2, &["nasbench201"], &[]),
        (
            &["search", "--device=cpu", bench[0], bench[1], "--table=none.csv"],
            3,
            &["none.csv"],
            &[],
        ),
    ];
    for (arguments, code, expected, never) in cases {
        let tiny = arguments.first().is_some_and(|first| first.starts_with('-'));
        let all =
            if tiny { [TINY, *arguments, &["--out=run"]].concat() } else { arguments.to_vec() };
        let all: Vec<&str> = all.into_iter().filter(|it| *it != "--out=run" || tiny).collect();
        fails(&run(folder.path(), &all), *code, expected, never);
    }
    let error = run(folder.path(), &[TINY, &[long.as_str()]].concat()).stderr;
    assert!(error.len() < 5000, "{} bytes", error.len());
}

#[test]
fn genotypes_of_every_form_are_understood_and_wrong_ones_refused() {
    let folder = folder();
    let path = folder.path();
    for source in ["cell.txt", "cell.json", CELL] {
        let stats = run(path, &["stats", source, "--csv"]).done().stdout;
        assert_eq!(stats, "cell,parameter_free\ncell,0.666667\n");
        assert_eq!(run(path, &["derive", source]).done().stdout.trim(), CELL);
    }
    let published = published::find("darts_v2").unwrap().genotype();
    for name in ["DARTS_V2", "darts_v2"] {
        let stats = run(path, &["stats", name, "--json"]).done().stdout;
        assert!(stats.contains("\"cifar10_parameters\":"), "{stats}");
        let derived = run(path, &["derive", name, "--python"]).done().stdout;
        assert_eq!(darts::from_python(&derived).unwrap(), published);
    }
    let text = darts::to_python(&published).unwrap();
    let wrong = [
        (text.replacen("sep_conv_3x3", "sep_conv_9x9", 1), "sep_conv_9x9"),
        (
            text.replacen(
                "('sep_conv_3x3', 0), ('sep_conv_3x3', 1)",
                "('sep_conv_3x3', 0), ('sep_conv_3x3', 0)",
                1,
            ),
            "two equal edges",
        ),
        (
            text.replacen("normal_concat=range(2, 6)", "normal_concat=[]", 1),
            "concatenates no states",
        ),
        (CELL.replacen("nor_conv_3x3", "nor_conv_9x9", 1), "nor_conv_9x9"),
        ("DARTS_V9".to_owned(), "sdarts list genotypes"),
    ];
    for (source, expected) in &wrong {
        assert_ne!(source, &text, "{expected}");
        fails(&run(path, &["stats", source]), 2, &[expected], &[]);
    }
}

#[test]
fn every_published_genotype_is_valid() {
    for row in published::ALL {
        row.genotype().validate().unwrap_or_else(|error| panic!("{}: {error}", row.name));
    }
    nb201::decode(CELL).unwrap().validate().unwrap();
}

#[test]
fn a_run_that_is_given_twice_is_compared_once() {
    let folder = folder();
    let path = folder.path();
    let search = |seed: &str, out: &str| run(path, &[TINY, &[seed, out]].concat()).done();
    search("--seed=1", "--out=one");
    fails(&run(path, &["compare", "one", "one"]), 2, &["given twice", "one run only"], &[]);
    search("--seed=2", "--out=two");
    let compared = run(path, &["compare", "one", "./one", "two", "--json"]).done();
    let compared: serde_json::Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(compared["groups_summary"][0]["seeds"], serde_json::json!([1, 2]));
}

/// A search that diverges at once has no checkpoint to speak of, and people count from 1.
#[test]
fn a_divergence_is_told_as_it_is() {
    let folder = folder();
    let wild = ["--set=weights.learning_rate=1e300", "--set=weights.clip=0", "--out=run"];
    let slow = ["--set=run.checkpoint_seconds=1000"];
    let outcome = run(folder.path(), &[TINY, &wild, &slow].concat());
    fails(&outcome, 5, &["diverged in epoch 1, step"], &["checkpoint"]);
    assert!(!Path::new(&folder.path().join("run/checkpoints/last.safetensors")).exists());
    let wild = ["--set=weights.learning_rate=1e38", "--set=weights.clip=0", "--out=other"];
    let outcome = run(folder.path(), &[TINY, &wild].concat());
    fails(&outcome, 5, &["the last checkpoint holds a state before"], &[]);
}
