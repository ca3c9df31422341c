//! A sweep as a job array of a real Slurm. Without one this test says that it was left out.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use super::command_line::{AXES_OF_SIX, FLAGS, SHARED, events, status, write};
use crate::command::run;

fn there_is_a_cluster() -> bool {
    Command::new("sinfo").output().is_ok_and(|asked| asked.status.success())
}

/// Waits until no task is queued or runs.
fn wait_for_the_queue() {
    loop {
        let queue = Command::new("squeue").args(["--noheader", "--me"]).output().unwrap();
        if queue.stdout.trim_ascii().is_empty() {
            return;
        }
        sleep(Duration::from_secs(1));
    }
}

/// The process of a run, once it works.
fn process_of(here: &Path, name: &str) -> String {
    let run = here.join("swept").join(name);
    while !run.join("checkpoints/last.safetensors").exists() {
        sleep(Duration::from_millis(20));
    }
    fs::read_to_string(run.join(".lock")).unwrap()
}

/// Six runs of some ten seconds, two at a time. The limit of a minute with a warning 50 seconds before
/// stops what runs at one of Slurm's looks, every 30 seconds; one run is warned in any case. What is put back
/// into the queue waits there for two minutes.
#[test]
fn an_array_of_six_of_which_one_is_killed_and_others_are_preempted_equals_the_runs_alone() {
    if !there_is_a_cluster() {
        let required = std::env::var_os("SDARTS_REQUIRE_SLURM").is_some();
        assert!(!required, "there is no Slurm: sinfo fails");
        eprintln!("left out: there is no Slurm (sinfo fails)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let shared = SHARED.replace("epochs = 2", "epochs = 30").replace("images = 64", "images = 480");
    write(here, &format!("{shared}{AXES_OF_SIX}"));
    let submit = ["sweep", "sweep.toml", "--out=swept", "--jobs=2", "--slurm", "--time=1"];
    let submit = [&submit[..], &["--warn-seconds=50"]].concat();
    let outcome = run(here, &submit).done();
    assert!(outcome.stdout.contains("of Slurm has 6 runs"), "{outcome:?}");

    let [victim, warned] = ["method=darts,seed=1", "method=darts,seed=2"];
    let process = process_of(here, victim);
    assert!(Command::new("kill").args(["-KILL", &process]).status().unwrap().success());
    process_of(here, warned);
    let job = fs::read_to_string(here.join("swept/slurm/job")).unwrap();
    let task = format!("{job}_1");
    let warn = ["--batch", "--signal=USR1", &task];
    // Slurm refuses where it has just warned the task itself.
    Command::new("scancel").args(warn).status().unwrap();
    let again = run(here, &submit);
    assert_eq!(again.code, Some(6), "{again:?}");
    wait_for_the_queue();
    let told = status(here);
    let runs = told["runs"].as_array().unwrap();
    let failed: Vec<_> = runs.iter().filter(|run| run["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{told}");
    assert_eq!((&failed[0]["name"], &failed[0]["code"]), (&victim.into(), &137.into()));
    assert_eq!(told["done"], 5, "{told}");

    // Submitted again, only what is missing.
    let outcome = run(here, &submit).done();
    assert!(outcome.stdout.contains("of Slurm has 1 runs"), "{outcome:?}");
    wait_for_the_queue();
    run(here, &["sweep", "resume", "swept"]).done();
    assert!(here.join("swept/compare/compare.html").exists());

    let mut processes = 0;
    for method in ["darts", "sdarts-rs"] {
        for seed in ["1", "2", "3"] {
            let (out, name) =
                (format!("--out=alone/{method}-{seed}"), format!("--method={method}"));
            let size = ["--epochs=30", "--set=data.train_images=480", &name, "--seed", seed, &out];
            run(here, &[FLAGS, &size].concat()).done();
            let swept = here.join(format!("swept/method={method},seed={seed}"));
            let alone = here.join(format!("alone/{method}-{seed}"));
            assert_eq!(events(&swept), events(&alone), "{method} {seed}");
            for file in ["genotype.json", "weights.safetensors"] {
                let bytes = |run: &Path| fs::read(run.join(file)).unwrap();
                assert!(bytes(&swept) == bytes(&alone), "{file} of {method} {seed} differs");
            }
            let manifest = fs::read(swept.join("manifest.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
            processes += manifest["processes"].as_u64().unwrap();
        }
    }
    assert!(processes >= 8, "one was killed and one was preempted: {processes} processes");
}
