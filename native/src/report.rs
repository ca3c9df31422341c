//! report.html: a run in one file that needs no network, no script and no program but a browser.
//!
//! The page is a template that the compiler checks (`templates/report.html`). It escapes all text;
//! only the pictures go in as they are, and they escape theirs ([`smoothdarts::draw`]).

pub(crate) mod figure;
pub(crate) mod landscape;
pub(crate) mod read;
pub(crate) mod words;

pub use self::read::ReportInput;

use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use smoothdarts::cell::{Genotype, codec};
use smoothdarts::draw::csv;
use smoothdarts::draw::figures::{self, Scene, Section};
use smoothdarts::draw::history::History;
use smoothdarts::draw::table::Table;

use self::figure::{Html, data_uri};
use self::words::{Tile, quoted};
use crate::commands::derive;
use crate::run_dir;

/// Writes report.html of a run, also of one that still runs.
///
/// # Errors
/// If the files of the run cannot be read or the report cannot be written.
pub fn write(run: &Path) -> anyhow::Result<()> {
    let page = render(&read::input(run)?)?;
    run_dir::write(&run.join("report.html"), page.as_bytes())
}

/// The text of report.html.
///
/// # Errors
/// If the template cannot be filled, which no input should bring about.
pub fn render(run: &ReportInput) -> anyhow::Result<String> {
    let history = &run.history;
    let config = history.started.as_ref().map(|started| &started.config);
    let landscape = run.landscape.as_ref();
    let scene = Scene {
        landscape: landscape.map(|it| landscape::alone(it, history)),
        ..Scene::of(history)
    };
    let (report, measure) = (
        format!("sdarts report {}", quoted(&run.run)),
        format!("sdarts landscape {}", quoted(&run.run)),
    );
    let trains = history.training.is_some();
    let course = if trains { Section::Training } else { Section::Course };
    let (word, command) = if trains { ("training", "train") } else { ("search", "search") };
    let page = Page {
        word,
        title: words::title(history),
        lead: words::lead(history),
        running: history.finished.is_none() && history.trained.is_none(),
        tiles: words::tiles(history),
        collapse: words::collapse(history),
        alarm: words::needs_a_second_look(history),
        mode: config.map(|config| words::mode(config.mode)),
        warnings: words::warnings(history),
        candidates: run.candidates.as_ref(),
        cells: section(Section::Cells, scene, &report),
        curves: section(course, scene, &report),
        landscape: section(Section::Landscape, scene, &measure),
        flatness: landscape.map(landscape::flatness_table),
        heatmaps: section(Section::Edges, scene, &report),
        texts: texts(history.genotype())?,
        restrictions: restrictions(history),
        curves_csv: data_uri(
            "text/csv",
            &if trains { csv::training(history) } else { csv::curves(history) },
        ),
        settings: &run.settings,
        facts: &run.facts,
        report: &report,
        repeat: format!(
            "sdarts {command} --config {}",
            quoted(&format!("{}/config.toml", run.run))
        ),
        run: &run.run,
    };
    page.render().context("the report cannot be written from its template")
}

/// What the template shows.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    /// What the run is called.
    word: &'a str,
    title: String,
    lead: String,
    running: bool,
    tiles: Vec<Tile>,
    collapse: Option<String>,
    alarm: bool,
    mode: Option<&'static str>,
    warnings: Vec<String>,
    /// What a selection chose it from.
    candidates: Option<&'a Table>,
    cells: Vec<Html>,
    curves: Vec<Html>,
    landscape: Vec<Html>,
    flatness: Option<Table>,
    heatmaps: Vec<Html>,
    texts: Vec<CopyBox>,
    /// Normal cells with fewer and fewer skip connections, and how to write one of them.
    restrictions: Option<Table>,
    curves_csv: String,
    settings: &'a [(String, String, String)],
    facts: &'a [(String, String)],
    /// Commands that write this page again, and that repeat the run.
    report: &'a str,
    repeat: String,
    run: &'a str,
}

/// What p-darts derives at every restriction of the skip connections.
fn restrictions(history: &History) -> Option<Table> {
    let found = history.restrictions();
    (!found.is_empty()).then(|| derive::restriction_table(&found))
}

/// A text to copy.
struct CopyBox {
    name: &'static str,
    text: String,
}

/// The figures of a section of the page.
fn section(section: Section, scene: Scene, command: &str) -> Vec<Html> {
    let here = figures::ALL.iter().filter(|figure| figure.report == Some(section));
    let pictures = here.flat_map(|figure| {
        let pictures = (figure.pictures)(scene).into_iter();
        pictures.map(move |picture| Html::of(figure, None, picture.as_ref(), command))
    });
    pictures.collect()
}

fn texts(genotype: Option<&Genotype>) -> anyhow::Result<Vec<CopyBox>> {
    let Some(genotype) = genotype else { return Ok(Vec::new()) };
    let json = CopyBox { name: "JSON (genotype.json)", text: serde_json::to_string(genotype)? };
    let text = codec::of(genotype)
        .map(|codec| CopyBox { name: codec.title, text: derive::text(genotype) });
    Ok([json].into_iter().chain(text).collect())
}
