//! Several runs beside each other: compare.html, and every figure of it as SVG and CSV.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use askama::Template;
use serde::Serialize;
use smoothdarts::draw::compare::{
    self, Curves, Difference, Group, Run, RunFlatness, Spread, Summary,
};
use smoothdarts::draw::figures::{self, Compare, Figure, Picture};
use smoothdarts::draw::history::History;
use smoothdarts::draw::table::Table;

use crate::exit::Exit;
use crate::report::figure::{Html, data_uri};
use crate::report::{landscape, read, words};
use crate::table::Later;
use crate::{events, output, run_dir};

/// Runs, and what their comparison says.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The runs, as the user names them.
    #[serde(serialize_with = "names")]
    pub runs: Vec<Run>,
    /// Settings that differ.
    pub differences: Vec<Difference>,
    /// Runs of equal settings.
    #[serde(skip)]
    pub groups: Vec<Group>,
    /// Their last numbers, in the order of the groups.
    pub groups_summary: Vec<Summary>,
    /// How flat the landscapes are of those runs that have one.
    pub flatness: Vec<RunFlatness>,
    /// The table that they were held against after they had ended, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

fn names<S: serde::Serializer>(runs: &[Run], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(runs.iter().map(|run| &run.name))
}

impl Comparison {
    /// Reads the runs, and what a `table` (FILE or FILE:COLUMN) says of their cells, if there is one.
    ///
    /// # Errors
    /// If a run is no run directory, cannot be read or has not begun; if the table cannot be read, or is none of
    /// the space of a run.
    pub fn read(paths: &[PathBuf], table: Option<&str>) -> anyhow::Result<Self> {
        let mut later = table.map(Later::new);
        let (mut runs, mut places) = (Vec::new(), Vec::new());
        for path in paths {
            run_dir::must_be_run(path)?;
            let place = path.canonicalize().with_context(|| path.display().to_string())?;
            if places.contains(&place) {
                output::note(&format!("{} is given twice and counts once", path.display()));
                continue;
            }
            places.push(place);
            let name = path.display().to_string();
            let mut history: History = events::of_run(path)?;
            if history.started.is_none() {
                bail!("{name} has said nothing yet: wait for its first epoch, or leave it out");
            }
            if let Some(later) = &mut later {
                later.look_up(&mut history).with_context(|| name.clone())?;
            }
            runs.push(Run { name, history, landscape: read::landscape(path)? });
        }
        if runs.len() < 2 {
            let fault = anyhow!("there is one run only, so there is nothing to compare");
            return Err(fault.context(Exit::Usage));
        }
        Ok(Self { table: table.map(str::to_owned), ..Self::of(runs) })
    }

    /// Of runs without files.
    pub fn of(runs: Vec<Run>) -> Self {
        let groups = compare::groups(&runs);
        Self {
            differences: compare::differences(&runs),
            groups_summary: compare::summaries(&groups, &runs),
            flatness: compare::flatness(&runs),
            groups,
            runs,
            table: None,
        }
    }

    /// Writes compare.html and the files of its figures to `out`; returns the path of the page.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, out: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(out)
            .with_context(|| format!("cannot create the folder {}", out.display()))?;
        let page = out.join("compare.html");
        run_dir::replace(&page, self.render(out)?.as_bytes())?;
        for (name, text) in self.files() {
            run_dir::replace(&out.join(name), text.as_bytes())?;
        }
        Ok(page)
    }

    /// The figures and tables: name of the file and its text.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![
            ("summary.csv".to_owned(), compare::summaries_csv(&self.groups_summary)),
            ("settings.csv".to_owned(), compare::differences_csv(&self.differences, &self.runs)),
        ];
        for curves in compare::charts(&self.groups, &self.runs) {
            let name = curves.figure.stem(None, curves.part());
            files.push((format!("{name}.svg"), curves.svg()));
            files.push((format!("{name}.csv"), curves.csv()));
        }
        for Shown { figure, number, picture, .. } in
            self.of_best().into_iter().chain(self.of_every())
        {
            let name = |part| figure.stem(Some(number), part);
            files.push((format!("{}.svg", name(picture.part())), picture.svg()));
            files.push((format!("{}.csv", name(picture.numbers())), picture.csv()));
        }
        if !self.flatness.is_empty() {
            files.push(("flatness.csv".to_owned(), compare::flatness_csv(&self.flatness)));
        }
        files
    }

    /// The text of compare.html, which lies in `out`.
    ///
    /// # Errors
    /// If the template cannot be filled, which no input should bring about.
    pub fn render(&self, out: &Path) -> anyhow::Result<String> {
        let names: Vec<String> = self.runs.iter().map(|run| words::quoted(&run.name)).collect();
        let names = names.join(" ");
        let out = words::quoted(&out.display().to_string());
        let table = self
            .table
            .as_deref()
            .map_or(String::new(), |table| format!(" --table {}", words::quoted(table)));
        let command = format!("sdarts compare {names}{table} --out {out}");
        let landscape = format!("sdarts landscape {names}");
        let chart = |it: &Curves| Html::of(it.figure, None, it, &command);
        let html = |shown: Vec<Shown>| shown.iter().map(|it| it.html(&command)).collect();
        let page = Page {
            runs: self.runs.len(),
            summary: self.summary(),
            summary_csv: data_uri("text/csv", &compare::summaries_csv(&self.groups_summary)),
            charts: compare::charts(&self.groups, &self.runs).iter().map(chart).collect(),
            cells: html(self.of_best()),
            landscapes: html(self.of_every()),
            flatness: self.flatness(),
            flatness_csv: data_uri("text/csv", &compare::flatness_csv(&self.flatness)),
            comparable: compare::comparable(&self.flatness),
            landscape: &landscape,
            settings: self.settings(),
            settings_csv: data_uri(
                "text/csv",
                &compare::differences_csv(&self.differences, &self.runs),
            ),
            command: &command,
        };
        page.render().context("the page cannot be written from its template")
    }

    /// The summary for people: on the page and in the terminal.
    pub(crate) fn summary(&self) -> Table {
        let header = [
            "group",
            "seeds",
            "valid. accuracy",
            "best",
            "valid. perplexity",
            "true test accuracy",
            "top-5",
            "parameter-free",
            "paper (Table 5)",
            "max |λ|",
            "mean drop",
            "paper: test error",
        ];
        let mut table = Table {
            header: header.map(str::to_owned).into(),
            rows: self.groups_summary.iter().map(summary_row).collect(),
        };
        if self.groups_summary.iter().all(|it| it.valid_perplexity.is_none()) {
            table.header.remove(PERPLEXITY);
            table.rows.iter_mut().for_each(|row| drop(row.remove(PERPLEXITY)));
        }
        if self.groups_summary.iter().any(is_of_text) {
            let more = ["test perplexity", "paper (Table 3): valid., test"];
            table.header.extend(more.map(str::to_owned));
            let all = table.rows.iter_mut().zip(&self.groups_summary);
            all.for_each(|(row, summary)| row.extend(text_columns(summary)));
        }
        table
    }

    /// How flat every landscape is: on the page and in the terminal; no row without landscapes.
    pub(crate) fn flatness(&self) -> Table {
        let header = ["run", "what moves", "range", "grid", "images"].into_iter();
        let row = |row: &RunFlatness| {
            let mut texts = vec![row.run.clone(), row.space.name().to_owned()];
            texts.extend([row.range.to_string(), row.grid.to_string(), row.images.to_string()]);
            texts.extend(landscape::flatness(&row.flatness));
            texts
        };
        Table {
            header: header.chain(landscape::FLATNESS).map(str::to_owned).collect(),
            rows: self.flatness.iter().map(row).collect(),
        }
    }

    fn settings(&self) -> Table {
        let names = self.runs.iter().map(|run| run.name.clone());
        let row = |row: &Difference| {
            [row.setting.clone()].into_iter().chain(row.values.iter().cloned()).collect()
        };
        Table {
            header: ["setting".to_owned()].into_iter().chain(names).collect(),
            rows: self.differences.iter().map(row).collect(),
        }
    }

    /// The pictures of the best run of every group: a row of the page for each group.
    fn of_best(&self) -> Vec<Shown<'_>> {
        let scenes = compare::scenes(&self.runs);
        let mut shown = Vec::new();
        for figure in figures::ALL.iter().filter(|it| matches!(it.compare, Some(Compare::Best))) {
            for (index, group) in self.groups.iter().enumerate() {
                let Some(run) = compare::best(group, &self.runs) else { continue };
                let name = &self.runs[run].name;
                shown.extend((figure.pictures)(scenes[run]).into_iter().map(|picture| Shown {
                    figure,
                    number: index + 1,
                    before: format!("{}: {} of {name}. ", group.name, picture.subject()),
                    picture,
                }));
            }
        }
        shown
    }

    /// The pictures of every run.
    fn of_every(&self) -> Vec<Shown<'_>> {
        let scenes = compare::scenes(&self.runs);
        let mut shown = Vec::new();
        for figure in figures::ALL.iter().filter(|it| matches!(it.compare, Some(Compare::Every))) {
            for (index, (run, scene)) in self.runs.iter().zip(&scenes).enumerate() {
                shown.extend((figure.pictures)(*scene).into_iter().map(|picture| Shown {
                    figure,
                    number: index + 1,
                    before: format!("{}: ", run.name),
                    picture,
                }));
            }
        }
        shown
    }
}

/// A picture of one of the runs.
struct Shown<'a> {
    figure: &'static Figure,
    /// Of the group or of the run, in the names of its files.
    number: usize,
    /// What stands before its caption.
    before: String,
    picture: Box<dyn Picture + 'a>,
}

impl Shown<'_> {
    fn html(&self, command: &str) -> Html {
        let html = Html::of(self.figure, Some(self.number), self.picture.as_ref(), command);
        Html { caption: format!("{}{}", self.before, html.caption), ..html }
    }
}

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    runs: usize,
    summary: Table,
    summary_csv: String,
    charts: Vec<Html>,
    cells: Vec<Html>,
    landscapes: Vec<Html>,
    flatness: Table,
    flatness_csv: String,
    comparable: bool,
    landscape: &'a str,
    settings: Table,
    settings_csv: String,
    command: &'a str,
}

/// The column of the summary that only text has.
const PERPLEXITY: usize = 4;

/// What stands where nothing was measured or reported.
const NOTHING: &str = "–";

fn summary_row(summary: &Summary) -> Vec<String> {
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let nothing = || NOTHING.to_owned();
    let free = summary.parameter_free.map(|it| it.mean);
    let paper_free = summary.published_parameter_free.map(|paper| {
        // Shares are eighths, exact in binary: a tick means the same number of operations.
        let tick = if free == Some(paper) { " ✓" } else { "" };
        format!("{:.1} %{tick}", 100.0 * paper)
    });
    let error = summary.published.map(|it| match (it.deviation, it.top5_error) {
        (Some(deviation), _) => format!("{:.2} ± {deviation:.2} %", it.test_error),
        (None, Some(top5)) => format!("{:.2} %, top-5 {top5:.2} %", it.test_error),
        (None, None) => format!("{:.2} %", it.test_error),
    });
    let (runs, tested) = (summary.seeds.len(), summary.tested);
    let only = if tested == 0 || tested == runs {
        String::new()
    } else {
        format!(" ({tested} of {runs})")
    };
    vec![
        summary.group.clone(),
        seeds.join(", "),
        percent(summary.valid_accuracy),
        summary.best_valid_accuracy.map_or_else(nothing, |best| format!("{:.2} %", 100.0 * best)),
        perplexity(summary.valid_perplexity),
        percent(summary.test_accuracy) + &only,
        percent(summary.top5_accuracy),
        percent(summary.parameter_free),
        paper_free.unwrap_or_else(nothing),
        plain(summary.spectral_norm),
        percent(summary.mean_drop),
        error.unwrap_or_else(nothing),
    ]
}

/// Whether it is of trainings of recurrent cells.
fn is_of_text(summary: &Summary) -> bool {
    summary.test_perplexity.is_some() || summary.published_perplexities.is_some()
}

/// What such a group has besides.
fn text_columns(summary: &Summary) -> [String; 2] {
    let paper = summary.published_perplexities;
    let paper = paper.map(|it| format!("{:.1}, {:.1}", it.valid, it.test));
    [perplexity(summary.test_perplexity), paper.unwrap_or_else(|| NOTHING.to_owned())]
}

fn percent(spread: Option<Spread>) -> String {
    match spread {
        None => NOTHING.to_owned(),
        Some(Spread { mean, deviation: None }) => format!("{:.2} %", 100.0 * mean),
        Some(Spread { mean, deviation: Some(deviation) }) => {
            format!("{:.2} ± {:.2} %", 100.0 * mean, 100.0 * deviation)
        }
    }
}

fn perplexity(spread: Option<Spread>) -> String {
    match spread {
        None => NOTHING.to_owned(),
        Some(Spread { mean, deviation: None }) => format!("{mean:.2}"),
        Some(Spread { mean, deviation: Some(deviation) }) => format!("{mean:.2} ± {deviation:.2}"),
    }
}

fn plain(spread: Option<Spread>) -> String {
    match spread {
        None => NOTHING.to_owned(),
        Some(Spread { mean, deviation: None }) => format!("{mean:.4}"),
        Some(Spread { mean, deviation: Some(deviation) }) => {
            format!("{mean:.4} ± {deviation:.4}")
        }
    }
}
