//! A sweep as a job array of a real Slurm. Without one these tests say that they were left out;
//! `.ci/slurm` starts one on this machine.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::command_line::{AXES_OF_SIX, FLAGS, SHARED, events, status, write};
use crate::command::{Outcome, run};

/// Longer than any array here takes.
const PATIENCE: Duration = Duration::from_secs(900);

fn there_is_a_cluster() -> bool {
    let found = Command::new("sinfo").output().is_ok_and(|asked| asked.status.success());
    let required = std::env::var_os("SDARTS_REQUIRE_SLURM").is_some();
    assert!(found || !required, "there is no Slurm: sinfo fails");
    if !found {
        eprintln!("left out: there is no Slurm (sinfo fails)");
    }
    found
}

/// What a program of Slurm prints, whatever it thinks of the question.
fn ask(program: &str, arguments: &[&str]) -> String {
    let asked = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&asked.stdout).trim().to_owned()
}

/// A node that still ends a task refuses to start it again in the same second.
const BREATH: Duration = Duration::from_secs(3);

/// Waits until no task is queued or runs. With `hurry` what was put back into the queue starts soon, where
/// Slurm lets it wait for two minutes.
fn wait_for_the_queue(hurry: bool) {
    let began = Instant::now();
    loop {
        let queue = ask("squeue", &["--noheader", "--me", "--array", "--format=%F_%K %r"]);
        if queue.is_empty() {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{queue}");
        sleep(BREATH);
        let late = queue.lines().filter_map(|line| line.strip_suffix(" BeginTime"));
        for task in late.filter(|_| hurry) {
            ask("scontrol", &["update", &format!("JobId={task}"), "StartTime=now"]);
        }
    }
}

/// The process of a run, once it works.
fn process_of(here: &Path, name: &str) -> String {
    let (run, began) = (here.join("swept").join(name), Instant::now());
    while !run.join("checkpoints/last.safetensors").exists() {
        assert!(began.elapsed() < PATIENCE, "{name}: {}", ask("squeue", &["--long"]));
        sleep(Duration::from_millis(20));
    }
    fs::read_to_string(run.join(".lock")).unwrap()
}

fn kill(process: &str) {
    assert!(Command::new("kill").args(["-KILL", process]).status().unwrap().success());
}

/// The number of the array.
fn job(here: &Path) -> String {
    fs::read_to_string(here.join("swept/slurm/job")).unwrap()
}

/// Warns a task as Slurm does before its time limit; Slurm refuses where it has just done so itself.
fn warn(task: &str) {
    ask("scancel", &["--batch", "--signal=USR1", task]);
}

/// The one run of the sweep that failed was killed.
fn must_have_lost(here: &Path, victim: &str) {
    let told = status(here);
    let runs = told["runs"].as_array().unwrap();
    let failed: Vec<_> = runs.iter().filter(|run| run["state"] == "failed").collect();
    assert_eq!(failed.len(), 1, "{told}");
    assert_eq!((&failed[0]["name"], &failed[0]["code"]), (&victim.into(), &137.into()));
}

/// Whether a run is that of the same command given alone, bit for bit; returns how many processes made it.
fn processes_of(here: &Path, name: &str, more: &[&str]) -> u64 {
    let [swept, alone] = ["swept", "alone"].map(|folder| here.join(folder).join(name));
    let out = format!("--out={}", alone.display());
    run(here, &[FLAGS, more, &[&out]].concat()).done();
    assert_eq!(events(&swept), events(&alone), "{name}");
    for file in ["genotype.json", "weights.safetensors"] {
        let bytes = |run: &Path| fs::read(run.join(file)).unwrap();
        assert!(bytes(&swept) == bytes(&alone), "{file} of {name} differs");
    }
    let manifest = fs::read(swept.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    manifest["processes"].as_u64().unwrap()
}

/// Three runs of some seconds: one is killed, one is put back into the queue by Slurm, as after a failure of
/// its node, and one is warned.
#[test]
fn an_array_of_which_each_task_is_disturbed_in_another_way_equals_the_runs_alone() {
    if !there_is_a_cluster() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let shared = SHARED.replace("epochs = 2", "epochs = 20").replace("images = 64", "images = 480");
    write(here, &format!("{shared}[axes]\nseed = [1, 2, 3]\n[slurm]\ntime = 5\n"));
    let submit = ["sweep", "sweep.toml", "--out=swept", "--jobs=3", "--slurm"];
    run(here, &submit).done();
    let job = job(here);
    kill(&process_of(here, "seed=1"));
    process_of(here, "seed=2");
    ask("scontrol", &["requeue", &format!("{job}_1")]);
    process_of(here, "seed=3");
    warn(&format!("{job}_2"));
    wait_for_the_queue(true);
    must_have_lost(here, "seed=1");
    let Outcome { stdout, .. } = run(here, &submit).done();
    assert!(stdout.contains("of Slurm has 1 runs"), "{stdout}");
    wait_for_the_queue(true);
    run(here, &["sweep", "resume", "swept"]).done();
    for seed in ["1", "2", "3"] {
        let more = ["--epochs=20", "--set=data.train_images=480", "--seed", seed];
        let processes = processes_of(here, &format!("seed={seed}"), &more);
        assert!(processes >= 2, "seed {seed} was not disturbed");
    }
}

/// Six runs of some ten seconds, two at a time. The limit of a minute with a warning 50 seconds before
/// stops what runs at one of Slurm's looks, every 30 seconds; one run is warned in any case. What is put back
/// into the queue waits there for two minutes, so that this is only done with `SDARTS_SLURM_LONG`.
#[test]
fn an_array_of_six_of_which_one_is_killed_and_others_are_preempted_equals_the_runs_alone() {
    if std::env::var_os("SDARTS_SLURM_LONG").is_none() || !there_is_a_cluster() {
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
    kill(&process_of(here, victim));
    process_of(here, warned);
    warn(&format!("{}_1", job(here)));
    let again = run(here, &submit);
    assert_eq!(again.code, Some(6), "{again:?}");
    wait_for_the_queue(false);
    must_have_lost(here, victim);
    assert_eq!(status(here)["done"], 5);

    // Submitted again, only what is missing.
    let outcome = run(here, &submit).done();
    assert!(outcome.stdout.contains("of Slurm has 1 runs"), "{outcome:?}");
    wait_for_the_queue(false);
    run(here, &["sweep", "resume", "swept"]).done();
    assert!(here.join("swept/compare/compare.html").exists());

    let mut processes = 0;
    for method in ["darts", "sdarts-rs"] {
        for seed in ["1", "2", "3"] {
            let name = format!("method={method},seed={seed}");
            let method = format!("--method={method}");
            let size = ["--epochs=30", "--set=data.train_images=480", &method, "--seed", seed];
            processes += processes_of(here, &name, &size);
        }
    }
    assert!(processes >= 8, "one was killed and one was preempted: {processes} processes");
}
