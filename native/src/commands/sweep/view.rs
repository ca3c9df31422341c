//! What people and programs see of a sweep.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use serde_json::json;
use smoothdarts::draw::table::Table;

use crate::cli::SweepRunArgs;
use crate::output;
use crate::sweep::plan::Run;
use crate::sweep::standing::{Standing, State, duration, left};
use crate::sweep::workers::{Ended, News};

/// How often the line of a terminal is drawn anew.
const DRAW: Duration = Duration::from_millis(500);

/// Parts of a run on the bar.
const PARTS: f64 = 1000.0;

/// How far a sweep is.
pub struct Status<'a> {
    out: &'a Path,
    standings: &'a [Standing],
    /// Seconds until all is done, where they can be told.
    left: Option<f64>,
}

impl<'a> Status<'a> {
    /// Of runs of which so many run at a time.
    pub fn of(out: &'a Path, runs: &[Run], standings: &'a [Standing], jobs: usize) -> Self {
        Self { out, standings, left: left(runs, standings, jobs) }
    }

    /// Whether every run is done.
    pub fn all_done(&self) -> bool {
        self.standings.iter().all(|it| it.state == State::Done)
    }

    /// How many are done, run, failed and wait.
    fn counts(&self) -> [(&'static str, usize); 4] {
        ["done", "running", "failed", "waiting"].map(|state| {
            let count = self.standings.iter().filter(|it| word(&it.state) == state).count();
            (state, count)
        })
    }

    /// As one line of JSON.
    ///
    /// # Errors
    /// None that any input should bring about.
    pub fn machine(&self) -> anyhow::Result<String> {
        let mut object = json!({
            "type": "sweep",
            "directory": self.out,
            "runs": self.standings,
            "seconds_left": self.left,
        });
        for (state, count) in self.counts() {
            object[state] = json!(count);
        }
        Ok(serde_json::to_string(&object)?)
    }

    /// As a table, with the sums below.
    pub fn human(&self) -> String {
        let row = |it: &Standing| {
            let reason = match &it.state {
                State::Failed(failure) => {
                    let first = failure.message.lines().next().unwrap_or_default();
                    format!("exit code {}: {first}", failure.code)
                }
                _ => String::new(),
            };
            let progress = format!("{:.0} %", 100.0 * it.progress);
            let seconds = format!("{:.1}", it.seconds);
            vec![it.name.clone(), word(&it.state).to_owned(), progress, seconds, reason]
        };
        let header = ["run", "state", "steps", "seconds", ""].map(str::to_owned).into();
        let table = Table { header, rows: self.standings.iter().map(row).collect() };
        let counts = self.counts().map(|(state, count)| format!("{count} {state}")).join(", ");
        let left = self.left.filter(|_| !self.all_done()).map_or(String::new(), |seconds| {
            format!("; about {} left", HumanDuration(duration(seconds)))
        });
        format!("{}\n\n{counts}{left}", table.text())
    }
}

fn word(state: &State) -> &'static str {
    match state {
        State::Done => "done",
        State::Running => "running",
        State::Failed(_) => "failed",
        State::Waiting => "waiting",
    }
}

/// The progress of a sweep that runs: one line that moves on a terminal, a line for every run that
/// begins and ends elsewhere.
pub struct View<'a> {
    bar: ProgressBar,
    runs: &'a [Run],
    out: &'a Path,
    standings: Vec<Standing>,
    jobs: usize,
    json: bool,
    quiet: bool,
    drawn: Option<Instant>,
}

impl<'a> View<'a> {
    /// Of these runs, which are so far.
    pub fn new(
        runs: &'a [Run],
        out: &'a Path,
        standings: Vec<Standing>,
        how: &SweepRunArgs,
        jobs: usize,
    ) -> Self {
        let visible = !how.quiet && std::io::stderr().is_terminal();
        let bar = match visible {
            true => ProgressBar::new((runs.len() as f64 * PARTS) as u64),
            false => ProgressBar::hidden(),
        };
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:20} {percent}%  {wide_msg}")
        {
            bar.set_style(style);
        }
        let (json, quiet) = (how.json, how.quiet);
        Self { bar, runs, out, standings, jobs, json, quiet, drawn: None }
    }

    /// A function that says something without tearing the line, from any thread.
    pub fn teller(&self) -> impl Fn(&str) + Send + 'static {
        let bar = self.bar.clone();
        move |text| bar.suspend(|| output::note(text))
    }

    /// Says how much there is to do.
    ///
    /// # Errors
    /// What writing says.
    pub fn begin(&self, missing: usize) -> anyhow::Result<()> {
        let (all, jobs, out) = (self.runs.len(), self.jobs, self.out.display());
        let done =
            if missing < all { format!(", {} are done", all - missing) } else { String::new() };
        self.say(&format!("{all} runs in {out}{done}; {jobs} at a time"));
        Ok(())
    }

    /// Shows what happened.
    ///
    /// # Errors
    /// What writing says.
    pub fn tell(&mut self, news: &News) -> anyhow::Result<()> {
        match news {
            News::Began(run) => {
                self.say(&format!("{} begins", run.name));
                self.print(&json!({ "type": "began", "run": run.name }))?;
                self.set(run, State::Running);
            }
            News::Ended(run, ended) => {
                let (words, state) = match ended {
                    Ended::Done => ("is done".to_owned(), State::Done),
                    Ended::Stopped => ("was stopped, and can go on".to_owned(), State::Waiting),
                    Ended::Failed(failure) => (
                        format!("failed with exit code {}: {}", failure.code, failure.message),
                        State::Failed(failure.clone()),
                    ),
                };
                match state {
                    State::Failed(_) => self.alarm(&format!("{} {words}", run.name)),
                    _ => self.say(&format!("{} {words}", run.name)),
                }
                self.set(run, state);
                let standing = self.standings.iter().find(|it| it.name == run.name);
                self.print(&json!({ "type": "ended", "run": run.name, "how": standing }))?;
            }
            News::Tick => {}
        }
        self.draw();
        Ok(())
    }

    /// Takes the line away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) {
        if !self.quiet {
            self.alarm(text);
        }
    }

    fn alarm(&self, text: &str) {
        self.bar.suspend(|| output::note(text));
    }

    /// Writes a line to stdout. That nobody reads there any more ends no sweep.
    fn print(&mut self, object: &serde_json::Value) -> anyhow::Result<()> {
        if self.json {
            self.json = output::told(&object.to_string())?;
        }
        Ok(())
    }

    fn set(&mut self, run: &Run, state: State) {
        for standing in self.standings.iter_mut().filter(|it| it.name == run.name) {
            *standing = Standing { state: state.clone(), ..Standing::of(run, self.out, None) };
        }
    }

    /// Reads how far the running ones are, and shows it.
    fn draw(&mut self) {
        if self.bar.is_hidden() || self.drawn.is_some_and(|at| at.elapsed() < DRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let mut running = Vec::new();
        for (run, standing) in self.runs.iter().zip(&mut self.standings) {
            if standing.state == State::Running {
                *standing = Standing { state: State::Running, ..Standing::of(run, self.out, None) };
                running.push(format!("{} {:.0}%", run.name, 100.0 * standing.progress));
            }
        }
        let progress: f64 = self.standings.iter().map(|it| it.progress).sum();
        let over = self.standings.iter().filter(|it| it.state == State::Done).count();
        let left = left(self.runs, &self.standings, self.jobs)
            .map_or(String::new(), |it| format!("about {} left  ", HumanDuration(duration(it))));
        self.bar.set_position((PARTS * progress) as u64);
        self.bar.set_prefix(format!("{over} of {} runs", self.runs.len()));
        self.bar.set_message(format!("{left}{}", running.join("  ")));
    }
}
