//! `sdarts stats`: width, depth and parameter-free share of cells, over the epochs of a run, of the
//! published genotypes, or of any genotype.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::Graph;
use smoothdarts::cell::{Cell, CellStatistics, Genotype, published};
use smoothdarts::draw::csv;
use smoothdarts::draw::history::History;
use smoothdarts::event::EpochFinished;
use smoothdarts::net::Evaluation;
use smoothdarts::ops::Activation;
use smoothdarts::paper;

use crate::cli::StatsArgs;
use crate::exit::Exit;
use crate::{events, genotype, output, run_dir};

/// Prints the statistics of what the flags name.
///
/// # Errors
/// If the source is neither a run nor a genotype, or cannot be read.
pub fn run(args: &StatsArgs) -> anyhow::Result<Exit> {
    let table = match args.source.as_deref() {
        None => published_table(),
        Some(source) if Path::new(source).is_dir() => epochs(Path::new(source))?,
        Some(source) => single(&genotype::of(source)?),
    };
    output::line(&if args.json {
        table.json()
    } else if args.csv {
        table.csv()
    } else {
        table.text()
    })?;
    Ok(Exit::Done)
}

/// Named columns of numbers, texts and gaps.
struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

/// Columns of the two cells, in the order of [`cells`].
const CELLS: [&str; 6] = [
    "normal_width",
    "normal_depth",
    "normal_parameter_free",
    "reduce_width",
    "reduce_depth",
    "reduce_parameter_free",
];

/// `None` of cells that have neither width nor depth.
fn cells(genotype: &Genotype) -> Option<impl Iterator<Item = Value>> {
    let cells = CellStatistics::all(genotype)?;
    let values =
        |cell: CellStatistics| [json!(cell.width), json!(cell.depth), json!(cell.parameter_free)];
    Some(cells.into_iter().flat_map(values))
}

/// Columns of a cell of NAS-Bench-101, in the order of [`benchmarked`].
const BENCHMARKED: [&str; 5] = ["vertices", "edges", "depth", "parameter_free", "hash"];

/// What the benchmark keeps of a cell of NAS-Bench-101, and the share of pooling among what was searched;
/// `None` of other genotypes. Gaps where nothing leads from the input to the output.
fn benchmarked(genotype: &Genotype) -> Option<Vec<Value>> {
    let graph = nb101::graph(genotype)?.pruned();
    let count = |of: fn(&Graph) -> usize| graph.as_ref().map_or(Value::Null, |it| json!(of(it)));
    let hash = graph.as_ref().and_then(Graph::hash).map(|hash| hash.to_string());
    let share = genotype.cells.first().map(share);
    let (edges, depth) = (count(|graph| graph.edges().count()), count(depth));
    Some(vec![count(Graph::vertices), edges, depth, json!(share), json!(hash)])
}

/// Edges on the longest way from the input.
fn depth(graph: &Graph) -> usize {
    let mut depths = vec![0; graph.vertices()];
    // Edges lead to later vertices and come in the order of where they start.
    for (from, to) in graph.edges() {
        depths[to] = depths[to].max(depths[from] + 1);
    }
    depths.last().copied().unwrap_or(0)
}

/// A row for each epoch of a run.
fn epochs(run: &Path) -> anyhow::Result<Table> {
    run_dir::must_be_run(run)?;
    let history: History = events::of_run(run)?;
    if let Some(genotype) = &history.training {
        return Ok(single(genotype));
    }
    let first = |epoch: &EpochFinished| json!(epoch.epoch + 1);
    let row = |epoch: &EpochFinished| {
        let columns = benchmarked(&epoch.genotype)?;
        Some([first(epoch)].into_iter().chain(columns).collect())
    };
    let rows = history.epochs.iter().map(row).collect::<Option<Vec<_>>>();
    if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
        return Ok(Table { columns: ["epoch"].into_iter().chain(BENCHMARKED).collect(), rows });
    }
    if history.epochs.iter().any(|epoch| epoch.genotype.cells.iter().any(Cell::is_recurrent)) {
        return Ok(recurrent_epochs(&history));
    }
    let row = |epoch: &EpochFinished| {
        let cells = cells(&epoch.genotype)?;
        Some([first(epoch)].into_iter().chain(cells).collect())
    };
    let rows = history.epochs.iter().map(row).collect::<Option<Vec<_>>>();
    let rows = rows.with_context(|| {
        let run = run.display();
        format!("{run} searched a space whose cells have no width and depth: see its report")
    })?;
    Ok(Table { columns: ["epoch"].into_iter().chain(CELLS).collect(), rows })
}

/// A row for each epoch of a search of recurrent cells.
fn recurrent_epochs(history: &History) -> Table {
    let tables = history.epochs.iter().map(|epoch| (epoch.epoch, single(&epoch.genotype)));
    let mut all = Table { columns: Vec::new(), rows: Vec::new() };
    for (epoch, Table { columns, rows }) in tables {
        all.columns = ["epoch"].into_iter().chain(columns).collect();
        let first = || [json!(epoch + 1)].into_iter();
        all.rows.extend(rows.into_iter().map(|row| first().chain(row).collect()));
    }
    all
}

/// One row, with the sizes of the networks that would be trained.
fn single(genotype: &Genotype) -> Table {
    if let Some(row) = benchmarked(genotype) {
        return Table { columns: BENCHMARKED.to_vec(), rows: vec![row] };
    }
    if let [cell] = genotype.cells.as_slice()
        && cell.is_recurrent()
    {
        return recurrent(genotype, cell);
    }
    let Some(cells) = cells(genotype) else { return shares(genotype) };
    let sizes = [Evaluation::CIFAR10, Evaluation::IMAGENET]
        .map(|network| network.parameters(genotype).map_or(Value::Null, Value::from));
    Table {
        columns: CELLS.into_iter().chain(["cifar10_parameters", "imagenet_parameters"]).collect(),
        rows: vec![cells.chain(sizes).collect()],
    }
}

/// Words of the Penn Treebank, and units of the network that the paper trains on it.
const PENN: (usize, usize) = (10_000, 850);

/// One row of a recurrent cell: how many nodes it has and how deep they stand, which activations, the size of the
/// network on the Penn Treebank, and what the paper reports of it.
fn recurrent(genotype: &Genotype, cell: &Cell) -> Table {
    let mut depths = vec![0usize; cell.states()];
    cell.edges().for_each(|(node, edge)| depths[node] = depths[edge.source] + 1);
    let count = |wanted: Activation| cell.operations().filter(|it| *it == wanted.name()).count();
    let (words, width) = PENN;
    let parameters =
        words * width + words + 4 * width * width + cell.nodes.len() * 2 * width * width;
    let paper = published::of(genotype).and_then(|row| paper::perplexities(row.name));
    let columns = ["nodes", "depth", "tanh", "relu", "sigmoid", "identity", "ptb_parameters"];
    let kinds = [Activation::Tanh, Activation::Relu, Activation::Sigmoid, Activation::Identity];
    let mut row = vec![json!(cell.nodes.len()), json!(depths.iter().max())];
    row.extend(kinds.map(|kind| json!(count(kind))));
    row.push(json!(parameters));
    row.extend([json!(paper.map(|it| it.valid)), json!(paper.map(|it| it.test))]);
    let columns = columns.into_iter().chain(["paper_valid_perplexity", "paper_test_perplexity"]);
    Table { columns: columns.collect(), rows: vec![row] }
}

/// One row for each cell that has neither width nor depth, such as that of NAS-Bench-201.
fn shares(genotype: &Genotype) -> Table {
    let row = |cell: &Cell| vec![json!(cell.name), json!(share(cell))];
    Table {
        columns: vec!["cell", "parameter_free"],
        rows: genotype.cells.iter().map(row).collect(),
    }
}

fn share(cell: &Cell) -> f64 {
    (f64::from(cell.parameter_free()) * 1e6).round() / 1e6
}

/// The published genotypes, our figures beside the paper's.
fn published_table() -> Table {
    let columns = vec![
        "genotype",
        "width",
        "paper_width",
        "depth",
        "paper_depth",
        "parameter_free",
        "paper_parameter_free",
        "reduce_parameter_free",
        "cifar10_parameters",
        "paper_millions",
        "equal",
    ];
    Table { columns, rows: published::ALL.iter().filter_map(published_row).collect() }
}

fn published_row(row: &published::Published) -> Option<Vec<Value>> {
    let genotype = row.genotype();
    let [normal, reduce] = CellStatistics::all(&genotype)?.try_into().ok()?;
    let figures = paper::genotypes::find(row.name);
    let parameters = Evaluation::CIFAR10.parameters(&genotype);
    let millions = parameters.map(|count| (count as f64 / 1e5).round() / 10.0);
    let checks = [
        figures.shape.map(|shape| shape == (normal.width, normal.depth)),
        figures.parameter_free().map(|share| share == normal.parameter_free),
        figures.millions.map(|paper| Some(paper) == millions),
    ];
    let known: Vec<bool> = checks.into_iter().flatten().collect();
    Some(vec![
        json!(row.name),
        json!(normal.width),
        json!(figures.shape.map(|shape| shape.0)),
        json!(normal.depth),
        json!(figures.shape.map(|shape| shape.1)),
        json!(normal.parameter_free),
        json!(figures.parameter_free()),
        json!(reduce.parameter_free),
        json!(parameters),
        json!(figures.millions),
        json!((!known.is_empty()).then(|| known.iter().all(|equal| *equal))),
    ])
}

impl Table {
    fn json(&self) -> String {
        let object = |row: &Vec<Value>| {
            let entries = self.columns.iter().zip(row);
            entries.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>()
        };
        json!(self.rows.iter().map(object).collect::<Vec<_>>()).to_string()
    }

    fn csv(&self) -> String {
        let header = self.columns.iter().map(|&name| name.to_owned()).collect();
        let line = |row: &Vec<Value>| row.iter().map(|value| plain(value, "")).collect();
        let table = csv::table([header].into_iter().chain(self.rows.iter().map(line)));
        table.trim_end().to_owned()
    }

    /// Columns of ASCII and ticks, each character one column of a terminal wide: these lines do, and not
    /// the 2,200 of comfy-table 8.
    fn text(&self) -> String {
        let tick = |value: &Value| match value {
            Value::Bool(true) => "✓".to_owned(),
            Value::Bool(false) => "✗ differs".to_owned(),
            value => plain(value, "-"),
        };
        let header = self.columns.iter().map(|name| name.replace('_', " ")).collect();
        let mut lines: Vec<Vec<String>> = vec![header];
        lines.extend(self.rows.iter().map(|row| row.iter().map(tick).collect()));
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let join = |line: &Vec<String>| {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> =
                cells.map(|(text, &width)| format!("{text:<width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        };
        lines.iter().map(join).collect::<Vec<_>>().join("\n")
    }
}

fn plain(value: &Value, gap: &str) -> String {
    match value {
        Value::Null => gap.to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
