//! report.html: a run in one file that needs no network, no script and no program but a browser.
//!
//! The page is a template that the compiler checks (`templates/report.html`). It escapes all text;
//! only the pictures go in as they are, and they escape theirs ([`smoothdarts::draw`]).

mod read;
mod words;

use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use smoothdarts::draw::cell::{self, Kind};
use smoothdarts::draw::chart::{self, Chart};
use smoothdarts::draw::heatmap::{self, Scale};
use smoothdarts::draw::history::History;
use smoothdarts::draw::{csv, figures};
use smoothdarts::genotype::Derived;

use self::words::{Tile, quoted};
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
    /// The run directory, as the user names it.
    pub run: String,
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
    let page = Page {
        title: words::title(history),
        lead: words::lead(history),
        running: history.finished.is_none(),
        tiles: words::tiles(history),
        collapse: words::collapse(history),
        alarm: words::needs_a_second_look(history),
        mode: config.map(|config| words::mode(config.mode)),
        warnings: words::warnings(history),
        cells: cells(history),
        curves: charts(history),
        heatmaps: heatmaps(history),
        texts: texts(history.derived())?,
        curves_csv: data_uri(&csv::curves(history)),
        settings: &run.settings,
        facts: &run.facts,
        report: format!("sdarts report {}", quoted(&run.run)),
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
    heatmaps: Vec<Figure>,
    texts: Vec<CopyBox>,
    curves_csv: String,
    settings: &'a [(String, String, String)],
    facts: &'a [(String, String)],
    /// Commands that write this page again, and that repeat the run.
    report: String,
    repeat: String,
    run: &'a str,
}

/// A picture with its data.
struct Figure {
    svg: String,
    caption: String,
    /// Name of the file that its data is saved as, and the data.
    file: String,
    data: String,
}

/// A text to copy.
struct CopyBox {
    name: &'static str,
    text: String,
}

fn cells(history: &History) -> Vec<Figure> {
    let Some(genotype) = history.genotype() else { return Vec::new() };
    let figure = |kind: Kind| Figure {
        svg: cell::draw(genotype, kind, history.probabilities(kind.name())),
        caption: "c_{k-2} and c_{k-1} are the outputs of the two cells before; every node adds \
                  its two inputs. Thicker: more probable. Dashed: without weights."
            .to_owned(),
        file: format!("cell-{}.csv", kind.name()),
        data: data_uri(&csv::cell(kind.of(genotype).0)),
    };
    Kind::ALL.map(figure).into()
}

fn charts(history: &History) -> Vec<Figure> {
    let figure = |(name, chart): (&str, Chart)| Figure {
        svg: chart::draw(&chart),
        file: format!("{name}.csv"),
        data: data_uri(&csv::chart(&chart)),
        caption: chart.description,
    };
    let charts = [
        ("accuracy", figures::accuracy(history)),
        ("loss", figures::loss(history)),
        ("parameter-free", figures::parameter_free(history)),
        ("steps", figures::steps(history)),
        ("epsilon", figures::epsilon(history)),
        ("learning-rate", figures::learning_rate(history)),
    ];
    charts.into_iter().map(figure).collect()
}

fn heatmaps(history: &History) -> Vec<Figure> {
    let figure = |cell: &str| {
        Some(Figure {
            svg: heatmap::draw(history, cell, Scale::Fitted)?,
            caption: "Softmax of α on every edge, epoch by epoch, before any perturbation. Names \
                      are node←source, counted as states: 0 and 1 are c_{k-2} and c_{k-1}, state 2 \
                      is node 0. The colours go from the smallest p of both cells to the largest."
                .to_owned(),
            file: format!("probabilities-{cell}.csv"),
            data: data_uri(&csv::probabilities(history, cell)?),
        })
    };
    let names = history.architecture().iter().map(|architecture| architecture.name.as_str());
    names.filter_map(figure).collect()
}

fn texts(genotype: Option<&Derived>) -> anyhow::Result<Vec<CopyBox>> {
    let Some(genotype) = genotype else { return Ok(Vec::new()) };
    Ok(vec![
        CopyBox { name: "JSON (genotype.json)", text: serde_json::to_string(genotype)? },
        CopyBox { name: "Python (for the code bases of the field)", text: genotype.to_python() },
    ])
}

/// A text as the address of a file to save. What RFC 3986 reserves is written as %XX, except the
/// commas, which are half of a CSV and allowed in the data of such an address.
fn data_uri(csv: &str) -> String {
    let mut address = String::from("data:text/csv;charset=utf-8,");
    for byte in csv.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b',' => {
                address.push(char::from(byte));
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}
