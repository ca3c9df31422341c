//! `sdarts derive`: the genotype of a run or a checkpoint.

use smoothdarts::cell::{Cell, Genotype, Output, codec};

use crate::cli::DeriveArgs;
use crate::exit::Exit;
use crate::{genotype, output};

/// Prints the genotype that the architecture parameters derive.
///
/// # Errors
/// If there is no checkpoint that can be read, or the text is no genotype.
pub fn run(args: &DeriveArgs) -> anyhow::Result<Exit> {
    let genotype = genotype::of(&args.source)?;
    let text = if args.json {
        serde_json::to_string(&genotype)?
    } else if args.python {
        text(&genotype)
    } else {
        table(&genotype)
    };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// The genotype as the programs of its field read it: the Python tuple, or the string of a
/// benchmark.
pub fn text(genotype: &Genotype) -> String {
    let codec = codec::of(genotype);
    codec.and_then(|codec| (codec.encode)(genotype)).unwrap_or_default()
}

/// Cells that concatenate, a line for each edge; a cell that does not is the text of its
/// benchmark.
pub fn table(genotype: &Genotype) -> String {
    if genotype.cells.iter().any(|cell| cell.output == Output::Last) {
        return text(genotype);
    }
    let cell = |cell: &Cell| {
        let edges = cell.edges().map(|(node, edge)| {
            let operation = edge.operation.as_deref().unwrap_or_default();
            format!("  {} -> {}  {operation}\n", cell.label(edge.source), cell.label(node))
        });
        let output: Vec<String> =
            cell.outputs().into_iter().map(|state| cell.label(state)).collect();
        let (name, output) = (&cell.name, output.join(", "));
        format!("{name} cell\n{}  output: {output}\n", edges.collect::<String>())
    };
    let cells: String = genotype.cells.iter().map(cell).collect();
    cells.trim_end().to_owned()
}
