//! What a sweep tells Slurm, and what it makes of the answers: with programs in the place of Slurm's, which
//! run anywhere.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use native::run_dir;
use serde_json::Value;
use tempfile::TempDir;

use super::command_line::{FLAGS, SHARED, events, write};
use crate::command::{Outcome, run, sdarts};

/// Keeps the batch script, and says the number of the job.
const SBATCH: &str = "cp \"$2\" submitted; echo 7";

/// The same, and does every task then, one after another.
const WORKING_SBATCH: &str = "echo 7\n\
    for id in $(sed -n 's/^#SBATCH --array=\\([0-9,]*\\)%.*/\\1/p' \"$2\" | tr , ' '); do\n\
    SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$id bash \"$2\" >&2; done\n";

/// A program of Slurm in `here`/bin. Another process writes it: a process that a test beside this one is
/// starting would keep our open file for a moment, and a file that is open for writing cannot be run.
fn program(here: &Path, name: &str, text: &str) {
    let bin = here.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let source = here.join(name);
    fs::write(&source, format!("#!/bin/sh\n{text}\n")).unwrap();
    let mut install = Command::new("install");
    install.args(["-m", "755"]).arg(&source).arg(bin.join(name));
    assert!(install.status().unwrap().success(), "{name}");
}

/// A folder with a Slurm whose queue is empty and whose `sbatch` does this.
fn cluster(sbatch: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), "sbatch", sbatch);
    program(folder.path(), "squeue", "");
    folder
}

/// `sdarts` where these programs come first.
fn ask(here: &Path, arguments: &[&str]) -> Outcome {
    let mut command = sdarts(here, arguments);
    command.env("PATH", format!("{}/bin:/usr/bin:/bin", here.display()));
    Outcome::of(command)
}

/// The options of the batch script that was submitted last.
fn submitted(here: &Path) -> Vec<String> {
    let text = fs::read_to_string(here.join("submitted")).unwrap();
    let options = text.lines().filter_map(|line| line.strip_prefix("#SBATCH "));
    options.flat_map(|line| line.split(' ')).map(str::to_owned).collect()
}

const SUBMIT: [&str; 4] = ["sweep", "sweep.toml", "--out=swept", "--slurm"];

#[test]
fn options_of_slurm_stand_in_the_file_and_flags_win_over_them() {
    let folder = cluster(SBATCH);
    let here = folder.path();
    let axes = "[axes]\nseed = [1, 2]\n";
    let table = "[slurm]\npartition = \"cpu\"\ntime = 30\ngpus = 2\nmemory = \"4G\"\n\
                 account = \"us\"\nwarn_seconds = 90\nsbatch = [\"--nice=5\"]\n";
    write(here, &format!("{SHARED}{axes}{table}"));
    ask(here, &SUBMIT).done();
    let options = submitted(here);
    for option in [
        "--requeue",
        "--array=0,1%1",
        "--partition=cpu",
        "--time=30",
        "--gpus=2",
        "--mem=4G",
        "--account=us",
        "--signal=B:USR1@90",
        "--nice=5",
    ] {
        assert!(options.iter().any(|it| it == option), "{option} is not in {options:?}");
    }
    let flags = ["--time=4:00:00", "--warn-seconds=60", "--sbatch=--nice=7"];
    ask(here, &[&SUBMIT[..], &flags].concat()).done();
    let options = submitted(here);
    for option in ["--time=4:00:00", "--partition=cpu", "--signal=B:USR1@60"] {
        assert!(options.iter().any(|it| it == option), "{option} is not in {options:?}");
    }
    assert!(!options.iter().any(|it| it == "--time=30"), "{options:?}");
    // sbatch takes the last of two.
    let place = |option: &str| options.iter().position(|it| it == option).unwrap();
    assert!(place("--nice=5") < place("--nice=7"));

    // Another partition is no other sweep, and `resume` knows it.
    write(here, &format!("{SHARED}{axes}{}", table.replace("\"cpu\"", "\"gpu\"")));
    ask(here, &SUBMIT).done();
    ask(here, &["sweep", "resume", "swept", "--slurm"]).done();
    assert!(submitted(here).iter().any(|it| it == "--partition=gpu"), "{:?}", submitted(here));
}

#[test]
fn wrong_options_of_slurm_are_refused_with_the_key() {
    let folder = cluster(SBATCH);
    let here = folder.path();
    for (table, said) in [
        ("partitions = \"cpu\"", "partitions"),
        ("time = 04:00:00", "time = \"4:00:00\""),
        ("gpus = 1.5", "whole number"),
        ("account = \"us\\nrm\"", "line break"),
    ] {
        write(here, &format!("{SHARED}[axes]\nseed = [1, 2]\n[slurm]\n{table}\n"));
        let refused = ask(here, &SUBMIT);
        assert_eq!(refused.code, Some(2), "{table}: {refused:?}");
        assert!(refused.stderr.contains(said), "{table}: {refused:?}");
        assert!(!here.join("submitted").exists());
    }
}

/// State, exit code and message of every run.
fn states(here: &Path) -> Vec<(String, i64, String)> {
    let printed = ask(here, &["sweep", "status", "swept", "--json"]).done().stdout;
    let told: Value = serde_json::from_str(printed.trim()).unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let state = |run: &Value| {
        let code = run["code"].as_i64().unwrap_or_default();
        (word(&run["state"]), code, word(&run["message"]))
    };
    told["runs"].as_array().unwrap().iter().map(state).collect()
}

#[test]
fn status_tells_how_tasks_ended_that_could_not_say_it_themselves() {
    let folder = cluster(SBATCH);
    let here = folder.path();
    program(here, "sacct", "exit 1");
    write(here, &format!("{SHARED}[axes]\nseed = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"));
    ask(here, &SUBMIT).done();
    assert!(states(here).iter().all(|(state, ..)| state == "waiting"), "sacct knows nothing");

    let lines = [
        "7_0|TIMEOUT|0:15",
        "7_1|NODE_FAIL|0:0",
        "7_2|PREEMPTED|0:15",
        "7_3|FAILED|3:0",
        "7_4|FAILED|143:0",
        "7_5|CANCELLED by 0|0:15",
        "7_[6-7%1]|PENDING|0:0",
        "7_8|FAILED|4:0",
        "17_6|FAILED|1:0",
    ];
    program(here, "sacct", &format!("echo '{}'", lines.join("\n")));
    fs::write(here.join("swept/slurm/seed=9.code"), "4\n").unwrap();
    fs::write(here.join("swept/slurm/seed=9.log"), "error: the search diverged\n").unwrap();
    let failed = |code, said: &str| ("failed".to_owned(), code, said.to_owned());
    let waiting = || ("waiting".to_owned(), 0, String::new());
    let expected = [
        failed(143, "Slurm says TIMEOUT"),
        failed(137, "Slurm says NODE_FAIL"),
        failed(143, "Slurm says PREEMPTED"),
        failed(3, "Slurm says FAILED"),
        // Ended by a signal that somebody sent: it can go on, as one that was cancelled.
        waiting(),
        waiting(),
        waiting(),
        waiting(),
        // What the run says itself, it says better.
        failed(4, "the search diverged"),
    ];
    assert_eq!(states(here), expected);
    let text = ask(here, &["sweep", "status", "swept"]).done().stdout;
    assert!(text.contains("exit code 137: Slurm says NODE_FAIL"), "{text}");
    // All that is missing is submitted again.
    ask(here, &SUBMIT).done();
    assert!(submitted(here).iter().any(|it| it == "--array=0,1,2,3,4,5,6,7,8%1"));
}

/// A node that Slurm has given up may still be at work: the task that comes after it used to fail.
#[test]
fn a_task_whose_run_another_process_still_has_goes_back_into_the_queue() {
    // `sweep` sees who works where; a task starts only after it has looked.
    let folder = cluster(&format!("mv kept swept/seed=1/.lock\n{WORKING_SBATCH}"));
    let here = folder.path();
    program(here, "scontrol", "echo \"$@\" >> asked");
    write(here, &format!("{SHARED}[axes]\nseed = [1, 2]\n"));
    let lost = here.join("swept/seed=1");
    fs::create_dir_all(&lost).unwrap();
    let lock = run_dir::lock(&lost).unwrap();
    fs::rename(lost.join(".lock"), here.join("kept")).unwrap();
    ask(here, &SUBMIT).done();
    assert_eq!(fs::read_to_string(here.join("asked")).unwrap(), "requeue 7_0\n");
    let told = states(here);
    assert_eq!((told[0].0.as_str(), told[1].0.as_str()), ("running", "done"), "{told:?}");
    drop(lock);
    ask(here, &SUBMIT).done();
    assert_eq!(fs::read_to_string(here.join("asked")).unwrap(), "requeue 7_0\n");
    for seed in ["1", "2"] {
        let out = format!("--out=alone-{seed}");
        run(here, &[FLAGS, &["--seed", seed, &out]].concat()).done();
        let [swept, alone] = [format!("swept/seed={seed}"), format!("alone-{seed}")];
        assert_eq!(events(&here.join(swept)), events(&here.join(alone)), "seed {seed}");
    }
}
