//! The runs of a sweep as a job array of Slurm.
//!
//! `DIR/slurm/array.sh` has every missing run as a task with its whole command. Before the time limit Slurm sends
//! SIGUSR1: the run checkpoints and ends with exit code 75, and the task is put back into the queue; so it is
//! after a failure of its node or a preemption, and goes on from the last checkpoint. What a task says is in
//! `DIR/slurm/NAME.log`; the exit code of one that failed in `DIR/slurm/NAME.code`. A shared file system
//! is all that nodes need.

mod accounts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, anyhow};

use super::options::Options;
use super::plan::Run;
use super::record::Failure;
use super::workers;
use crate::exit::Exit;
use crate::report::words::quoted;
use crate::run_dir;

/// The folder of what belongs to Slurm.
fn folder(out: &Path) -> PathBuf {
    out.join("slurm")
}

/// Writes the array for these runs, submits it, and returns the number of the job.
///
/// # Errors
/// What sbatch says, exit code 1; exit code 2 where there is none, 6 while an earlier array is not over.
pub fn submit(
    runs: &[(usize, &Run)],
    out: &Path,
    jobs: usize,
    options: &Options,
) -> anyhow::Result<String> {
    if let Some((job, tasks)) = tasks(out).filter(|(_, tasks)| !tasks.is_empty()) {
        let count = tasks.len();
        let fault =
            anyhow!("job {job} of Slurm has {count} runs of this sweep; wait, or `scancel {job}`");
        return Err(fault.context(Exit::Busy));
    }
    let folder = folder(out);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let file = folder.join("array.sh");
    run_dir::replace(&file, script(runs, out, jobs, options)?.as_bytes())?;
    let done = Command::new("sbatch").arg("--parsable").arg(&file).output();
    let done = done.context("cannot start sbatch: is this a machine of a Slurm cluster?");
    let done = done.context(Exit::Usage)?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        return Err(anyhow!("sbatch refuses {}: {said}", file.display()));
    }
    // With several clusters: the number, a semicolon, the name of the cluster.
    let printed = String::from_utf8_lossy(&done.stdout);
    let job = printed.trim().split(';').next().unwrap_or_default().to_owned();
    run_dir::replace(&folder.join("job"), job.as_bytes())?;
    Ok(job)
}

/// The batch script.
fn script(
    runs: &[(usize, &Run)],
    out: &Path,
    jobs: usize,
    options: &Options,
) -> anyhow::Result<String> {
    let numbers: Vec<String> = runs.iter().map(|(number, _)| number.to_string()).collect();
    let mut text = String::from("#!/bin/bash\n");
    writeln!(text, "#SBATCH --job-name=sdarts-sweep --requeue --output=/dev/null")?;
    writeln!(text, "#SBATCH --array={}%{jobs}", numbers.join(","))?;
    for argument in options.arguments()? {
        writeln!(text, "#SBATCH {argument}")?;
    }
    let program = workers::program()?.display().to_string();
    text += "case \"$SLURM_ARRAY_TASK_ID\" in\n";
    for (number, run) in runs {
        let place = run.directory(out).display().to_string();
        let said = folder(out).join(&run.name).display().to_string();
        let words = [program.as_str()].into_iter().chain(run.arguments.iter().map(String::as_str));
        let words: Vec<String> = words.chain(["--quiet", "--out", &place]).map(quoted).collect();
        writeln!(text, "{number}) said={}; set -- {} ;;", quoted(&said), words.join(" "))?;
    }
    text += "esac\n";
    text += TASK;
    Ok(text)
}

/// What every task does. A `wait` that a signal ends is waited again, until the run is over.
const TASK: &str = r#"
export RAYON_NUM_THREADS="${RAYON_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-0}}}"
rm -f "$said.code"
"$@" > /dev/null 2> "$said.log" &
run=$!
trap 'kill -USR1 "$run"' USR1
trap 'kill -TERM "$run"' TERM
while :; do
    wait "$run"
    code=$?
    kill -0 "$run" 2> /dev/null || break
done
case "$code" in
0 | 129 | 130 | 143) ;;
# 6: another process works there, as one of before does on a node that Slurm has given up.
# 138: SIGUSR1 came before the run listened.
6 | 75 | 138) scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" ;;
*) echo "$code" > "$said.code" ;;
esac
exit "$code"
"#;

/// How the last task of each run failed: as the run said it, else as the accounts of Slurm do.
pub fn failures(runs: &[Run], out: &Path) -> BTreeMap<String, Failure> {
    let told = job(out).map_or_else(BTreeMap::new, |job| accounts::failures(&job));
    let all = runs.iter().enumerate().filter_map(|(number, run)| {
        let said = said(run, out).or_else(|| told.get(&number).cloned())?;
        Some((run.name.clone(), said))
    });
    all.collect()
}

/// How the last task of a run failed, as its script noted it.
fn said(run: &Run, out: &Path) -> Option<Failure> {
    let [code, log] = ["code", "log"].map(|ending| {
        fs::read_to_string(folder(out).join(format!("{}.{ending}", run.name))).unwrap_or_default()
    });
    let code = code.trim().parse().ok()?;
    let lines: Vec<String> = log.lines().map(str::to_owned).collect();
    Some(Failure { code, message: workers::message(lines.iter()) })
}

/// The job that was submitted last.
fn job(out: &Path) -> Option<String> {
    fs::read_to_string(folder(out).join("job")).ok()
}

/// What the queue says of the array, as a line; `None` where there is no array or no queue.
pub fn queue(out: &Path) -> Option<String> {
    let (job, tasks) = tasks(out)?;
    let tasks = if tasks.is_empty() { "no task in the queue".to_owned() } else { tasks.join("; ") };
    Some(format!("job {job} of Slurm: {tasks}"))
}

/// The job, and each of its tasks that is not over: number, state, and why it waits.
fn tasks(out: &Path) -> Option<(String, Vec<String>)> {
    let job = job(out)?;
    let mut command = Command::new("squeue");
    command.args(["--noheader", "--array", "--format=%K %T %R", "--jobs", &job]);
    // A job that is over is one that squeue does not know.
    let asked = command.output().ok()?;
    let printed = String::from_utf8_lossy(&asked.stdout);
    let tasks = printed.lines().map(|line| line.trim().to_owned()).collect();
    Some((job, tasks))
}
