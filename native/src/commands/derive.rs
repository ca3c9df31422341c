//! `sdarts derive`: the genotype of a run or a checkpoint.

use anyhow::anyhow;
use smoothdarts::cell::codec::nb101;
use smoothdarts::cell::nasbench101::Graph;
use smoothdarts::cell::{Cell, Genotype, Output, codec};
use smoothdarts::draw::table::Table;
use smoothdarts::space::darts::progressive;
use smoothdarts::space::oneshot;

use crate::cli::DeriveArgs;
use crate::exit::Exit;
use crate::genotype::Found;
use crate::{genotype, output};

/// Prints the genotype that the architecture parameters derive; of p-darts also what they derive at every
/// restriction of the skip connections.
///
/// # Errors
/// If there is no checkpoint that can be read, or the text is no genotype; if a restriction is asked for that
/// there is not.
pub fn run(args: &DeriveArgs) -> anyhow::Result<Exit> {
    let Found { genotype, restrictions, .. } = genotype::found(args.source.as_os_str())?;
    let genotype = match args.skips {
        None => genotype,
        Some(skips) => restricted(&restrictions, skips)?,
    };
    let text = if args.json {
        serde_json::to_string(&genotype)?
    } else if args.python {
        text(&genotype)
    } else {
        table(&genotype)
    };
    output::line(&text)?;
    if !(args.json || args.python || restrictions.is_empty()) {
        output::line(&format!("\n{}", restriction_table(&restrictions).text()))?;
    }
    Ok(Exit::Done)
}

fn restricted(restrictions: &[(usize, Genotype)], skips: usize) -> anyhow::Result<Genotype> {
    // A cell has no more of them than its loosest restriction allows.
    let loosest = restrictions.first().map_or(0, |(most, _)| *most);
    let found = restrictions.iter().find(|(most, _)| *most == skips.min(loosest));
    let genotype = found.map(|(_, genotype)| genotype.clone());
    genotype.ok_or_else(|| {
        anyhow!("--skips: only a run or a checkpoint of p-darts restricts skip connections")
            .context(Exit::Usage)
    })
}

/// The normal cells of restrictions, one in a row.
pub fn restriction_table(restrictions: &[(usize, Genotype)]) -> Table {
    let header = ["skips at most", "skips", "normal cell"].map(str::to_owned).to_vec();
    let row = |(most, genotype): &(usize, Genotype)| {
        let genes = codec::of(genotype).map(|codec| (codec.columns)(genotype));
        let normal = genes.and_then(|genes| genes.into_iter().next());
        let normal = normal.map_or(String::new(), |(_, genes)| genes);
        vec![most.to_string(), progressive::skips(genotype).to_string(), normal]
    };
    Table { header, rows: restrictions.iter().map(row).collect() }
}

/// The genotype as the programs of its field read it: the Python tuple, or the string of a
/// benchmark.
pub fn text(genotype: &Genotype) -> String {
    let codec = codec::of(genotype);
    codec.and_then(|codec| (codec.encode)(genotype)).unwrap_or_default()
}

/// The same of a genotype by what names it; where a text is read, a recurrent one.
///
/// # Errors
/// As for [`genotype::found`].
pub fn meant(source: &str, on_text: bool) -> anyhow::Result<String> {
    Ok(text(&genotype::meant(source.as_ref(), on_text)?.genotype))
}

/// Cells that concatenate, a line for each edge; a cell that does not is the text of its
/// benchmark.
pub fn table(genotype: &Genotype) -> String {
    if genotype.cells.iter().any(|cell| cell.output == Output::Last) {
        return text(genotype);
    }
    if let Some(graph) = nb101::graph(genotype) {
        return matrix(genotype, &graph);
    }
    let cell = |cell: &Cell| {
        let edges = cell.edges().map(|(node, edge)| {
            let operation = edge.operation.as_deref().unwrap_or_default();
            format!("  {} -> {}  {operation}\n", cell.label(edge.source), cell.label(node))
        });
        let output: Vec<String> =
            cell.outputs().into_iter().map(|state| cell.label(state)).collect();
        let mean = if cell.is_recurrent() { "mean of " } else { "" };
        let name = if cell.is_recurrent() { "recurrent" } else { &cell.name };
        let output = format!("{mean}{}", output.join(", "));
        format!("{name} cell\n{}  output: {output}\n", edges.collect::<String>())
    };
    let cells: String = genotype.cells.iter().map(cell).collect();
    cells.trim_end().to_owned()
}

/// A cell of NAS-Bench-101: its matrix with the labels, as the authors' code asks the benchmark for it, and
/// the hash that names it there.
fn matrix(genotype: &Genotype, cell: &Graph) -> String {
    let asked = oneshot::matrix(genotype).unwrap_or_else(|_| cell.clone());
    let row = |(from, label): (usize, &str)| {
        let bit = |to| if asked.has_edge(from, to) { "1 " } else { "0 " };
        format!("  {} {label}\n", (0..asked.vertices()).map(bit).collect::<String>())
    };
    let rows: String = asked.labels().enumerate().map(row).collect();
    let hash = cell.hash().map_or_else(|| "none".to_owned(), |hash| hash.to_string());
    format!("{}\n{rows}  hash: {hash}", text(genotype))
}
