//! report.html: a run in one file that needs no network, no script and no program but a browser.
//!
//! The page is a template that the compiler checks (`templates/report.html`). It escapes all text;
//! only the pictures go in as they are, and they escape theirs ([`smoothdarts::draw`]).

pub(crate) mod figure;
pub(crate) mod landscape;
mod read;
pub(crate) mod words;

use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use smoothdarts::cell::{Cell, Choice, Genotype, Output};
use smoothdarts::draw::cell;
use smoothdarts::draw::chart::Chart;
use smoothdarts::draw::heatmap::{self, Scale};
use smoothdarts::draw::history::History;
use smoothdarts::draw::{csv, figures};
use smoothdarts::measure::landscape::Landscape;

use self::figure::{Figure, Table, data_uri};
use self::words::{Tile, quoted};
use crate::commands::derive;
use crate::run_dir;

/// Everything that a report is made of.
#[derive(Clone, Debug, Default)]
pub struct ReportInput {
    /// What the search said.
    pub history: History,
    /// Every setting: `section.key`, value, origin of the value.
    pub settings: Vec<(String, String, String)>,
    /// What else made the result: versions, adapter, times.
    pub facts: Vec<(String, String)>,
    /// The validation landscape, where it was computed.
    pub landscape: Option<Landscape>,
    /// The run directory, as the user names it.
    pub run: String,
}

/// What the picture of a cell means.
pub(crate) fn cell_caption(cell: &Cell) -> String {
    let inputs = match cell.inputs.as_slice() {
        [input] => format!("The {input} is the output of the block before"),
        inputs => format!("{} are the outputs of the cells before", inputs.join(" and ")),
    };
    let output = match cell.output {
        Output::Concatenation(_) => "",
        Output::Last => "The last node is the output. ",
    };
    format!(
        "{inputs}; every node adds what its edges bring. {output}Thicker: more probable. Dashed: \
         without weights."
    )
}

/// Writes report.html of a run, also of one that still runs.
///
/// # Errors
/// If the files of the run cannot be read or the report cannot be written.
pub fn write(run: &Path) -> anyhow::Result<()> {
    let page = render(&read::input(run)?)?;
    run_dir::replace(&run.join("report.html"), page.as_bytes())
}

/// The text of report.html.
///
/// # Errors
/// If the template cannot be filled, which no input should bring about.
pub fn render(run: &ReportInput) -> anyhow::Result<String> {
    let history = &run.history;
    let config = history.started.as_ref().map(|started| &started.config);
    let landscape = run.landscape.as_ref();
    let report = format!("sdarts report {}", quoted(&run.run));
    let page = Page {
        title: words::title(history),
        lead: words::lead(history),
        running: history.finished.is_none(),
        tiles: words::tiles(history),
        collapse: words::collapse(history),
        alarm: words::needs_a_second_look(history),
        mode: config.map(|config| words::mode(config.mode)),
        warnings: words::warnings(history),
        cells: cells(history, &report),
        curves: charts(history, &report),
        landscape: landscape.map_or_else(Vec::new, |it| {
            let command = format!("sdarts landscape {}", quoted(&run.run));
            landscape::figures(landscape::alone(it), &command)
        }),
        flatness: landscape.map(landscape::flatness_table),
        heatmaps: heatmaps(history, &report),
        texts: texts(history.genotype())?,
        curves_csv: data_uri("text/csv", &csv::curves(history)),
        settings: &run.settings,
        facts: &run.facts,
        report: &report,
        repeat: format!("sdarts search --config {}", quoted(&format!("{}/config.toml", run.run))),
        run: &run.run,
    };
    page.render().context("the report cannot be written from its template")
}

/// What the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    lead: String,
    running: bool,
    tiles: Vec<Tile>,
    collapse: Option<String>,
    alarm: bool,
    mode: Option<&'static str>,
    warnings: Vec<String>,
    cells: Vec<Figure>,
    curves: Vec<Figure>,
    landscape: Vec<Figure>,
    flatness: Option<Table>,
    heatmaps: Vec<Figure>,
    texts: Vec<CopyBox>,
    curves_csv: String,
    settings: &'a [(String, String, String)],
    facts: &'a [(String, String)],
    /// Commands that write this page again, and that repeat the run.
    report: &'a str,
    repeat: String,
    run: &'a str,
}

/// A text to copy.
struct CopyBox {
    name: &'static str,
    text: String,
}

fn cells(history: &History, command: &str) -> Vec<Figure> {
    let Some(genotype) = history.genotype() else { return Vec::new() };
    let figure = |(index, cell): (usize, &Cell)| {
        let p = history.latest(index);
        Figure {
            picture: cell::draw(cell, p),
            caption: cell_caption(cell),
            file: format!("{}.csv", cell_file(cell)),
            data: data_uri("text/csv", &csv::cell(cell)),
            table: Some(figure::cell_table(cell, p)),
            command: command.to_owned(),
        }
    };
    genotype.cells.iter().enumerate().map(figure).collect()
}

/// Name of the file of a cell: `cell-normal`, or `cell` where there is only one.
fn cell_file(cell: &Cell) -> String {
    if cell.name == "cell" { cell.name.clone() } else { format!("cell-{}", cell.name) }
}

fn charts(history: &History, command: &str) -> Vec<Figure> {
    let charts = [
        ("anytime", figures::anytime(history)),
        ("accuracy", Some(figures::accuracy(history))),
        ("loss", Some(figures::loss(history))),
        ("parameter-free", Some(figures::parameter_free(history))),
        ("cell-statistics", figures::shape(history)),
        ("hessian", figures::hessian(history)),
        ("steps", Some(figures::steps(history))),
        ("epsilon", Some(figures::epsilon(history))),
        ("learning-rate", Some(figures::learning_rate(history))),
    ];
    let figure = |(name, chart): (&str, Option<Chart>)| Some(Figure::chart(name, &chart?, command));
    charts.into_iter().filter_map(figure).collect()
}

fn heatmaps(history: &History, command: &str) -> Vec<Figure> {
    let choices = history.choices();
    let figure = |(index, choice): (usize, &Choice)| {
        let (name, last) = (&choice.name, history.latest(index));
        Some(Figure {
            picture: heatmap::draw(history, name, Scale::Fitted)?,
            caption: format!(
                "Softmax of α on every edge, epoch by epoch, before any perturbation. Names are \
                 node←source, counted as states: {}. The colours go from the smallest p of {} to \
                 the largest.",
                history.cell(index).numbering(),
                if choices.len() == 1 { "the cell" } else { "both cells" },
            ),
            file: format!("probabilities-{name}.csv"),
            data: data_uri("text/csv", &csv::probabilities(history, name)?),
            table: last.map(|(choice, rows)| figure::last_probabilities(choice, rows)),
            command: command.to_owned(),
        })
    };
    choices.iter().enumerate().filter_map(figure).collect()
}

fn texts(genotype: Option<&Genotype>) -> anyhow::Result<Vec<CopyBox>> {
    let Some(genotype) = genotype else { return Ok(Vec::new()) };
    Ok(vec![
        CopyBox { name: "JSON (genotype.json)", text: serde_json::to_string(genotype)? },
        CopyBox { name: "Python (for the code bases of the field)", text: derive::text(genotype) },
    ])
}
