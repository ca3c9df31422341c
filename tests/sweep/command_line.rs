//! `sdarts sweep`, as a user runs it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command};

use serde_json::Value;

use crate::command::{Outcome, run, sdarts};

/// What the runs of these tests share: the preset `browser`, as small as it can be.
pub const SHARED: &str = "preset = \"browser\"\n[set]\nsearch.epochs = 2\nsearch.channels = 2\n\
                      search.batch_size = 8\ndata.train_images = 64\nrun.device = \"cpu\"\n\
                      run.threads = 1\nrun.checkpoint_seconds = 0\n";

/// The same as flags.
pub const FLAGS: &[&str] = &[
    "search",
    "--preset=browser",
    "--set=search.epochs=2",
    "--set=search.channels=2",
    "--set=search.batch_size=8",
    "--set=data.train_images=64",
    "--set=run.device=cpu",
    "--set=run.threads=1",
    "--set=run.checkpoint_seconds=0",
];

const AXES: &str = "[axes]\nsearch.method = [\"darts\", \"sdarts-rs\"]\nseed = [1, 2]\n";

pub const AXES_OF_SIX: &str =
    "[axes]\nsearch.method = [\"darts\", \"sdarts-rs\"]\nseed = [1, 2, 3]\n";

const METHODS: [&str; 2] = ["darts", "sdarts-rs"];

const SEEDS: [&str; 2] = ["1", "2"];

pub fn write(here: &Path, text: &str) {
    fs::write(here.join("sweep.toml"), text).unwrap();
}

/// The arguments of the sweep of these tests.
fn sweep<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["sweep", "sweep.toml", "--out=swept"], more].concat()
}

/// The events of a run, without what differs from one time to the next.
pub fn events(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let mut events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &mut events {
        for key in ["seconds", "crc32c"] {
            event.as_object_mut().unwrap().remove(key);
        }
    }
    events
}

/// The same searches, each made alone by its own command.
fn alone(here: &Path) {
    for method in METHODS {
        for seed in SEEDS {
            let out = format!("--out=alone/{method}-{seed}");
            let method = format!("--method={method}");
            run(here, &[FLAGS, &[&method, "--seed", seed, &out]].concat()).done();
        }
    }
}

/// Whether the runs of the sweep are those made alone, bit for bit.
fn must_equal_those_alone(here: &Path) {
    for method in METHODS {
        for seed in SEEDS {
            let swept = here.join(format!("swept/method={method},seed={seed}"));
            let alone = here.join(format!("alone/{method}-{seed}"));
            assert_eq!(events(&swept), events(&alone), "{method} {seed}");
            for name in ["genotype.json", "weights.safetensors", "curves.csv"] {
                let bytes = |run: &Path| fs::read(run.join(name)).unwrap();
                assert!(bytes(&swept) == bytes(&alone), "{name} of {method} {seed} differs");
            }
        }
    }
}

pub fn status(here: &Path) -> Value {
    let printed = run(here, &["sweep", "status", "swept", "--json"]).done().stdout;
    serde_json::from_str(printed.trim()).unwrap()
}

/// The times of the files of a folder, to see that none was written again.
fn times(folder: &Path) -> Vec<(String, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(times(&path));
        } else {
            found.push((path.display().to_string(), path.metadata().unwrap().modified().unwrap()));
        }
    }
    found.sort();
    found
}

fn signal(child: &Child, name: &str) {
    let process = child.id().to_string();
    assert!(Command::new("kill").args([name, &process]).status().unwrap().success());
}

#[test]
fn two_methods_by_two_seeds_equal_the_same_searches_alone_and_a_second_time_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, &format!("{SHARED}{AXES}"));

    let dry = run(here, &sweep(&["--dry-run", "--json"])).done().stdout;
    let dry: Value = serde_json::from_str(dry.trim()).unwrap();
    let runs = dry["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    assert_eq!(runs[1]["name"], "method=darts,seed=2");
    assert_eq!(runs[1]["varied"], serde_json::json!({ "search.method": "darts", "seed": 2 }));
    assert_eq!(runs[1]["config"]["search"]["epochs"], 2);
    for run in runs {
        assert!(
            run["seconds"].as_f64().unwrap() > 0.0 && run["memory_bytes"].as_f64().unwrap() > 1e6
        );
    }
    let text = run(here, &sweep(&["--dry-run"])).done().stdout;
    assert!(text.contains("method=sdarts-rs,seed=2") && text.contains("4 runs"), "{text}");
    assert!(!here.join("swept").exists(), "a dry run writes nothing");

    let outcome = run(here, &sweep(&["--jobs=2"])).done();
    assert!(outcome.stdout.contains("4 done, 0 running, 0 failed, 0 waiting"), "{outcome:?}");
    assert!(here.join("swept/compare/compare.html").exists());
    alone(here);
    must_equal_those_alone(here);

    // Beside the runs and their comparison there is what names the sweep, and nothing else.
    let mut names: Vec<String> = fs::read_dir(here.join("swept"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains('='))
        .collect();
    names.sort();
    assert_eq!(names, [".lock", "checksums", "compare", "sweep.json"]);

    let before: Vec<_> = times(&here.join("swept"));
    let without_lock = |times: Vec<(String, std::time::SystemTime)>| {
        times.into_iter().filter(|(name, _)| !name.ends_with("swept/.lock")).collect::<Vec<_>>()
    };
    for again in [sweep(&[]), vec!["sweep", "resume", "swept"]] {
        let outcome = run(here, &again).done();
        assert!(outcome.stdout.contains("nothing to do"), "{outcome:?}");
    }
    assert_eq!(without_lock(times(&here.join("swept"))), without_lock(before));
}

#[test]
fn a_sweep_that_is_interrupted_and_then_killed_ends_like_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, &format!("{SHARED}{AXES}"));

    // Ctrl-C once two runs are at work.
    let mut child = sdarts(here, &sweep(&["--jobs=2", "--json"])).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(line["type"], "began");
    }
    let first = here.join("swept/method=darts,seed=1/checkpoints/last.safetensors");
    while !first.exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    signal(&child, "-INT");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("sdarts sweep resume swept"), "{said}");
    // It waited for its runs: their checkpoints are there, and nobody works there any more.
    let last: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["running"]), (&"sweep".into(), &0.into()), "{last}");
    assert!(last["waiting"].as_u64().unwrap() >= 2, "{last}");
    assert_eq!(status(here)["waiting"], last["waiting"]);

    // Killed, the sweep leaves its runs at work; the next one waits for them and does the rest.
    let mut child = sdarts(here, &["sweep", "resume", "swept", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    run(here, &["sweep", "resume", "swept", "--jobs=2", "--quiet"]).done();
    assert_eq!(status(here)["done"], 4);
    alone(here);
    must_equal_those_alone(here);
}

#[test]
fn a_run_that_fails_stops_no_other_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let axes = "[axes]\ndata.dir = [\"\", \"nowhere\"]\nseed = [1, 2]\n\
                [[exclude]]\ndata.dir = \"nowhere\"\nseed = 2\n";
    write(here, &format!("{SHARED}{axes}"));
    let dry = run(here, &sweep(&["--dry-run"])).done().stdout;
    assert!(dry.contains("dir=nowhere,seed=1 would not run"), "{dry}");
    let outcome = run(here, &sweep(&[]));
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert!(outcome.stdout.contains("2 done, 0 running, 1 failed, 0 waiting"), "{outcome:?}");
    assert!(outcome.stderr.contains("dir=nowhere,seed=1 failed with exit code 3"), "{outcome:?}");
    assert!(outcome.stderr.contains("sdarts sweep resume swept"), "{outcome:?}");

    let told = status(here);
    let failed =
        told["runs"].as_array().unwrap().iter().find(|it| it["state"] == "failed").unwrap();
    assert_eq!((&failed["name"], &failed["code"]), (&"dir=nowhere,seed=1".into(), &3.into()));
    assert!(failed["message"].as_str().unwrap().contains("nowhere, the folder of fashion-mnist"));
    let text = run(here, &["sweep", "status", "swept"]).done().stdout;
    assert!(text.contains("exit code 3: "), "{text}");

    // What was missing is there now.
    let done = times(&here.join("swept/dir=,seed=1"));
    let images = |name: &str, magic: u32, sizes: &[u32], bytes: usize| {
        let head = [&magic].into_iter().chain(sizes).flat_map(|number| number.to_be_bytes());
        let body = (0..bytes).map(|index| (index % 10) as u8);
        fs::write(here.join("nowhere").join(name), head.chain(body).collect::<Vec<u8>>()).unwrap();
    };
    fs::create_dir(here.join("nowhere")).unwrap();
    for (part, count) in [("train", 80), ("t10k", 20)] {
        let pixels = count as usize * 28 * 28;
        images(&format!("{part}-images-idx3-ubyte"), 0x803, &[count, 28, 28], pixels);
        images(&format!("{part}-labels-idx1-ubyte"), 0x801, &[count], count as usize);
    }
    let outcome = run(here, &["sweep", "resume", "swept"]).done();
    assert!(outcome.stdout.contains("3 done, 0 running, 0 failed"), "{outcome:?}");
    assert!(times(&here.join("swept/dir=,seed=1")) == done, "a finished run was touched");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_has_failed_and_a_second_sweep_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // Long enough for two other processes to look meanwhile.
    let shared = SHARED.replace("train_images = 64", "train_images = 480");
    let shared = shared.replace("epochs = 2", "epochs = 6");
    write(here, &format!("{shared}[axes]\nseed = [1, 2]\n"));
    let child = sdarts(here, &sweep(&["--quiet"])).spawn().unwrap();
    while !here.join("swept/seed=1/checkpoints/last.safetensors").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = run(here, &sweep(&[]));
    assert_eq!(second.code, Some(6), "{second:?}");
    let told = status(here);
    assert_eq!((&told["running"], &told["waiting"]), (&1.into(), &1.into()), "{told}");
    let process = fs::read_to_string(here.join("swept/seed=1/.lock")).unwrap();
    assert!(Command::new("kill").args(["-KILL", &process]).status().unwrap().success());
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert!(outcome.stdout.contains("1 done, 0 running, 1 failed"), "{outcome:?}");
    assert!(outcome.stdout.contains("exit code 137: killed by signal 9"), "{outcome:?}");
    run(here, &["sweep", "resume", "swept"]).done();
    let alone =
        [FLAGS, &["--set=data.train_images=480", "--epochs=6", "--seed=1", "--out=alone"]].concat();
    run(here, &alone).done();
    assert_eq!(events(&here.join("swept/seed=1")), events(&here.join("alone")));
}

#[test]
fn a_sweep_of_selections_chooses_with_every_seed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "command = \"select\"\npreset = \"train-quick\"\n\
                candidates = [\"DARTS_V2\", \"c10_s5_pgd\"]\n[set]\ntrain.epochs = 2\n\
                run.device = \"cpu\"\ntrain.cells = 3\ntrain.channels = 4\n\
                train.batch_size = 16\ndata.image_size = 8\ndata.crop_padding = 1\n\
                data.train_images = 96\n[axes]\nseed = [1, 2]\n";
    write(here, text);
    run(here, &sweep(&["--jobs=2"])).done();
    for seed in SEEDS {
        let selection = fs::read(here.join(format!("swept/seed={seed}/selection.json"))).unwrap();
        let selection: Value = serde_json::from_slice(&selection).unwrap();
        assert!(selection["chosen"].is_u64(), "{selection}");
        assert_eq!(selection["config"]["seed"].to_string(), seed);
    }
    assert!(run(here, &sweep(&[])).done().stdout.contains("nothing to do"));
}

#[test]
fn a_sweep_of_trainings_varies_what_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let text = "command = \"train\"\npreset = \"train-quick\"\n[set]\ntrain.epochs = 1\n\
                run.device = \"cpu\"\ntrain.cells = 3\ntrain.channels = 4\ntrain.batch_size = 16\n\
                data.image_size = 8\ndata.crop_padding = 1\ndata.train_images = 48\n\
                [axes]\ngenotype = [\"DARTS_V2\", \"c10_s5_pgd\"]\n";
    write(here, text);
    run(here, &sweep(&["--jobs=2"])).done();
    for name in ["DARTS_V2", "c10_s5_pgd"] {
        let swept = here.join("swept").join(format!("genotype={name}"));
        let told = run(here, &["derive", swept.to_str().unwrap(), "--python"]).done().stdout;
        let published = run(here, &["derive", name, "--python"]).done().stdout;
        assert_eq!(told, published, "{name}");
    }
}

#[test]
fn runs_start_only_while_their_memory_fits() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write(here, &format!("{SHARED}[axes]\nseed = [1, 2, 3]\n"));
    let dry = run(here, &sweep(&["--dry-run", "--json"])).done().stdout;
    let dry: Value = serde_json::from_str(dry.trim()).unwrap();
    let one = dry["runs"][0]["memory_bytes"].as_f64().unwrap();
    let order = |limit: f64, out: &str| {
        let limit = format!("--memory-limit={}", limit as u64);
        let arguments = ["sweep", "sweep.toml", out, "--jobs=3", "--json", &limit];
        let Outcome { stdout, .. } = run(here, &arguments).done();
        let lines = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [began, ended] = ["began", "ended"].map(str::to_owned);
    // Room for one and a half: one after another.
    let alternating: Vec<String> =
        (0..6).map(|index| if index % 2 == 0 { began.clone() } else { ended.clone() }).collect();
    assert_eq!(order(1.5 * one, "--out=narrow")[..6], alternating);
    assert_eq!(order(3.5 * one, "--out=wide")[..3], [began.clone(), began.clone(), began]);
}
