//! A search that works for days: its memory and its open files stay what they are, and what it wrote is
//! whole and quick to open.
//!
//! `SDARTS_SOAK` sets how many steps each search has, `SDARTS_SOAK_DEVICE` where it computes. With
//! `--nocapture` the figures are printed.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use native::events::EventLog;
use smoothdarts::event::{Event, Step};

use crate::command::{Outcome, run, sdarts};
use crate::drawings::story;

/// Steps of a search in an ordinary run of the tests.
const STEPS: usize = 2_000;

/// Steps of an epoch: 400 images of each half in batches of 4.
const EPOCH: usize = 100;

/// How often memory and files are looked at, at even distances.
const SAMPLES: usize = 200;

/// By how many kB the fitted line may rise from the end of the warm-up to the end of the search.
///
/// Resident memory moves by what an evaluation, a checkpoint or a Hessian takes for a moment, and by blocks that
/// the allocator keeps: by 30 kB in searches of 20,000 steps, and by less than 2 MB if all of this network's
/// memory came and went. If it moved by A in the worst order, low in the first half and high in the second, the
/// line would rise by 1.5·A. A leak of 100 bytes a step is found from 56,000 steps on, one of a kilobyte
/// from 5,600.
const RISE: f64 = 4.0 * 1024.0;

/// Address space in kB that the report of 200,000 steps may take, the program's own 160 MB included. 200,000 are
/// enough; 400,000 were not when all events were in memory at once.
const ADDRESSES: usize = 300_000;

/// The smallest network that there is: one cell of two channels.
const SEARCH: &[&str] = &[
    "search",
    "--preset=browser",
    "--set=search.cells=1",
    "--set=search.channels=2",
    "--set=search.batch_size=4",
    "--set=data.image_size=8",
    "--set=data.crop_padding=1",
    "--set=data.train_images=800",
    "--threads=1",
    "--out=run",
    "--json",
    "--quiet",
];

/// What a process holds at a step.
struct Sample {
    step: f64,
    /// Resident memory in kB.
    memory: f64,
    files: usize,
}

impl Sample {
    /// `None` of a process that has ended.
    fn of(process: u32, step: usize) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory = memory.trim().trim_end_matches(" kB").parse().ok()?;
        let files = fs::read_dir(format!("/proc/{process}/fd")).ok()?.count();
        Some(Self { step: step as f64, memory, files })
    }
}

/// Slope of the line of least squares, in kB a step.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |of: fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (step, memory) = (mean(|it| it.step), mean(|it| it.memory));
    let [mut both, mut square] = [0.0; 2];
    for it in samples {
        both += (it.step - step) * (it.memory - memory);
        square += (it.step - step) * (it.step - step);
    }
    both / square
}

/// A search of so many epochs: its samples, and the checksum of all that it printed.
fn search(folder: &Path, epochs: usize, more: &[&str]) -> (Vec<Sample>, u32) {
    let device = std::env::var("SDARTS_SOAK_DEVICE").unwrap_or("cpu".into());
    let flags = [format!("--epochs={epochs}"), format!("--device={device}")];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut child = sdarts(folder, &[SEARCH, &flags, more].concat()).spawn().unwrap();
    let (mut samples, mut steps, mut sum) = (Vec::new(), 0, 0);
    let every = (epochs * EPOCH / SAMPLES).max(1);
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let mut line = Vec::new();
    while printed.read_until(b'\n', &mut line).unwrap() > 0 {
        sum = crc32c::crc32c_append(sum, &line);
        if line.starts_with(br#"{"type":"step""#) {
            steps += 1;
            samples.extend((steps % every == 0).then(|| Sample::of(child.id(), steps)).flatten());
        }
        line.clear();
    }
    Outcome::from(child.wait_with_output().unwrap()).done();
    assert_eq!(steps, epochs * EPOCH);
    (samples, sum)
}

fn soak(name: &str, more: &[&str]) {
    let steps = std::env::var("SDARTS_SOAK").map_or(STEPS, |steps| steps.parse().unwrap());
    let epochs = steps.div_ceil(EPOCH);
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let (samples, printed) = search(folder.path(), epochs, more);
    let minutes = began.elapsed().as_secs_f64() / 60.0;

    let events = fs::read(folder.path().join("run/events.jsonl")).unwrap();
    assert_eq!(crc32c::crc32c(&events), printed, "the file has what was printed, and no more");
    let began = Instant::now();
    run(folder.path(), &["report", "run"]).done();
    let seconds = began.elapsed().as_secs_f64();
    let page = fs::read_to_string(folder.path().join("run/report.html")).unwrap();
    assert!(page.trim_end().ends_with("</html>"), "the report is cut");
    let curves = fs::read_to_string(folder.path().join("run/curves.csv")).unwrap();
    assert_eq!(curves.lines().count(), 1 + epochs);

    let warm = &samples[samples.len() / 4..];
    let (first, last) = (warm.first().unwrap(), warm.last().unwrap());
    let (slope, span) = (slope(warm), last.step - first.step);
    let memory = |it: fn(f64, f64) -> f64| warm.iter().map(|it| it.memory).reduce(it).unwrap();
    // A leak shows in all quarters, what a kernel takes that is compiled late in one.
    let quarters =
        samples.chunks(samples.len().div_ceil(4)).map(|part| part[part.len() / 2].memory);
    let quarters: Vec<String> = quarters.map(|memory| format!("{memory:.0}")).collect();
    eprintln!(
        "{name}: {} steps, {epochs} epochs, {minutes:.1} minutes; {:.3} kB in 1,000 steps, {:.0} kB in all \
         ({} to {} kB, in the middle of the quarters {}); handles {} first, {} last; events.jsonl {} kB, report {} kB in {seconds:.2} s",
        epochs * EPOCH,
        1000.0 * slope,
        slope * span,
        memory(f64::min),
        memory(f64::max),
        quarters.join(", "),
        first.files,
        last.files,
        events.len() / 1024,
        page.len() / 1024,
    );
    assert!(slope * span < RISE, "the memory grows");
    assert!(last.files <= first.files, "files stay open");
}

#[test]
fn a_long_search_takes_no_more_memory_and_files_at_its_end_than_at_its_start() {
    soak("search", &[]);
}

#[test]
fn so_does_one_that_measures_its_hessian() {
    soak("search with Hessian", &["--hessian=every=1"]);
}

#[test]
fn the_report_of_a_search_with_200000_steps_fits_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir(&run).unwrap();
    fs::write(run.join("config.toml"), "").unwrap();
    let mut log = EventLog::open(&run.join("events.jsonl"), 0).unwrap();
    let story = story::events(1);
    let step = story.iter().find_map(|event| match event {
        Event::Step(step) => Some(step.clone()),
        _ => None,
    });
    let step = step.unwrap();
    log.write(&story[0]).unwrap();
    for at in 0..200_000 {
        log.write(&Event::Step(Step { step: at, ..step.clone() })).unwrap();
    }
    log.sync().unwrap();
    let program = sdarts(&run, &[]).get_program().to_owned();
    let mut shell = Command::new("sh");
    let script = format!("ulimit -v {ADDRESSES}; exec \"$0\" report .");
    shell.args(["-c", &script]).arg(program).current_dir(&run);
    Outcome::of(shell).done();
    assert!(run.join("report.html").exists());
}
