//! What is no sweep, or another one, is refused before anything is run.

use std::fs;
use std::path::Path;

use crate::command::{Outcome, run};

fn refused(here: &Path, text: &str, words: &[&str]) {
    fs::write(here.join("sweep.toml"), text).unwrap();
    let Outcome { code, stderr, .. } = run(here, &["sweep", "sweep.toml", "--out=swept"]);
    assert_eq!(code, Some(2), "{text}: {stderr}");
    for word in words.iter().chain(&["sweep.toml"]) {
        assert!(stderr.contains(word), "{word:?} is not in {stderr}");
    }
    assert!(!here.join("swept").exists(), "{text}: something was written");
}

#[test]
fn a_wrong_file_is_refused_with_its_name_and_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let axes = |axes: &str| format!("preset = \"browser\"\n[axes]\n{axes}\n");
    refused(
        here,
        &axes("search.methods = [\"darts\"]"),
        &["axes", "search.methods", "search.method?"],
    );
    refused(here, &axes("sed = [1, 2]"), &["`sed`", "seed"]);
    refused(here, &axes("seed = 1"), &["seed = 1 is no list"]);
    refused(here, &axes("seed = []"), &["seed has no values"]);
    refused(here, &axes("seed = [1, 1]"), &["seed has the value 1 twice"]);
    refused(here, &axes("seed = [1, \"two\"]"), &["seed", "two"]);
    refused(here, &axes("search.method = [\"darts\", \"dartz\"]"), &["method=dartz", "dartz"]);
    refused(here, &axes("search.epochs = [2, -1]"), &["search.epochs"]);
    refused(here, &axes("search.batch_size = [8, 0]"), &["batch_size=0", "search.batch_size"]);
    refused(here, &axes("genotype = [\"DARTS_V2\"]"), &["genotype"]);
    refused(here, &axes(""), &["varies nothing"]);
    refused(here, "preset = \"brwser\"\n[axes]\nseed = [1]", &["brwser", "browser"]);
    refused(here, "axs = 1\n", &["axs", "axes", "line 1"]);
    refused(here, "command = \"bench\"\n[axes]\nseed = [1]", &["bench", "search"]);
    refused(here, "command = \"select\"\n[axes]\nseed = [1]", &["candidates"]);
    refused(here, "command = \"train\"\n[axes]\nseed = [1]", &["say what to train"]);
    refused(here, "[set]\nsearch.epoch = 2\n[axes]\nseed = [1]", &["set", "search.epochs"]);
    refused(here, "config = \"none.toml\"\n[axes]\nseed = [1]", &["none.toml"]);
    refused(here, "[axes]\nseed = [1, 2", &["TOML"]);
    let exclude = |entry: &str| format!("[axes]\nseed = [1, 2]\n[[exclude]]\n{entry}\n");
    refused(here, &exclude("sed = 1"), &["exclude 1", "sed", "seed"]);
    refused(here, &exclude("seed = 3"), &["exclude 1", "never 3"]);
    refused(here, &exclude(""), &["exclude 1", "empty"]);
    refused(here, "[axes]\nseed = [1]\n[[exclude]]\nseed = 1\n", &["every combination"]);
    // `fixed` by name or by number: the same search twice.
    refused(
        here,
        &axes("search.epochs = [2]\n\"mode\" = [\"faithful\", \"faithfull\"]"),
        &["mode"],
    );
    let many = (0..102).map(|it| it.to_string()).collect::<Vec<_>>().join(", ");
    let huge = format!("seed = [{many}]\nsearch.epochs = [{many}]");
    refused(here, &axes(&huge), &["10000"]);
}

#[test]
fn a_missing_file_and_a_folder_of_no_sweep_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for arguments in [
        &["sweep", "nothing.toml", "--out=swept"][..],
        &["sweep", "status", "nothing.toml"],
        &["sweep", "resume", "nothing.toml"],
    ] {
        let Outcome { code, stderr, .. } = run(here, arguments);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("nothing.toml"), "{stderr}");
    }
    let Outcome { code, stderr, .. } = run(here, &["sweep"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("--out"), "{stderr}");
}

/// What the runs are is decided by the file and by the config that it names.
#[test]
fn another_sweep_in_the_same_folder_is_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let base = "search.epochs = 1\nsearch.channels = 2\nsearch.cells = 3\nsearch.batch_size = 8\n\
                data.train_images = 16\ndata.image_size = 8\ndata.crop_padding = 1\nrun.device = \"cpu\"\n";
    fs::write(here.join("base.toml"), base).unwrap();
    let text = "config = \"base.toml\"\n[axes]\nseed = [1, 2]\n";
    fs::write(here.join("sweep.toml"), text).unwrap();
    let sweep = ["sweep", "sweep.toml", "--out=swept", "--quiet"];
    run(here, &sweep).done();
    let refused = |arguments: &[&str], words: &[&str]| {
        let Outcome { code, stderr, .. } = run(here, arguments);
        assert_eq!(code, Some(2), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word:?} is not in {stderr}");
        }
    };
    fs::write(here.join("sweep.toml"), text.replace("[1, 2]", "[1, 3]")).unwrap();
    refused(&sweep, &["swept has another sweep", "axes.seed: [1,2] there, [1,3] now"]);
    fs::write(here.join("sweep.toml"), format!("{text}[[exclude]]\nseed = 2\n")).unwrap();
    refused(&sweep, &["exclude 1: nothing there, seed = 2 now"]);
    fs::write(here.join("sweep.toml"), text).unwrap();
    fs::write(here.join("base.toml"), base.replace("epochs = 1", "epochs = 4")).unwrap();
    refused(&sweep, &["search.epochs: 1 there, 4 now"]);
    refused(&["sweep", "resume", "swept"], &["search.epochs: 1 there, 4 now"]);
    // What changes no result may change.
    fs::write(here.join("base.toml"), format!("{base}run.threads = 1\n")).unwrap();
    assert!(run(here, &sweep).done().stdout.contains("nothing to do"));
    fs::remove_file(here.join("base.toml")).unwrap();
    refused(&["sweep", "resume", "swept"], &["base.toml"]);
}
