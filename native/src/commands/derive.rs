//! `sdarts derive`: the genotype of a run or a checkpoint.

use smoothdarts::genotype::{Gene, Genotype};

use crate::cli::DeriveArgs;
use crate::exit::Exit;
use crate::{open_run, output};

/// Prints the genotype that the architecture parameters derive.
///
/// # Errors
/// If there is no checkpoint that can be read.
pub fn run(args: &DeriveArgs) -> anyhow::Result<Exit> {
    let genotype = open_run::checkpoint(&args.source)?.genotype()?;
    let text = if args.json {
        serde_json::to_string(&genotype)?
    } else if args.python {
        genotype.to_python()
    } else {
        table(&genotype)
    };
    output::line(&text)?;
    Ok(Exit::Done)
}

/// Both cells, a line for each gene.
pub fn table(genotype: &Genotype) -> String {
    let cells = [
        ("normal", &genotype.normal, &genotype.normal_concat),
        ("reduce", &genotype.reduce, &genotype.reduce_concat),
    ];
    let cell = |(name, genes, concat): (&str, &Vec<Gene>, &Vec<usize>)| {
        let genes = genes.iter().enumerate().map(|(index, gene)| {
            format!("  {} -> {}  {}\n", state(gene.source), state(2 + index / 2), gene.operation)
        });
        let concat = concat.iter().map(|&index| state(index)).collect::<Vec<_>>().join(", ");
        format!("{name} cell\n{}  output: {concat}\n", genes.collect::<String>())
    };
    cells.map(cell).concat().trim_end().to_owned()
}

/// The names that drawings of cells use: c_{k−2} and c_{k−1} are the outputs of the two cells
/// before, nodes count from 0.
fn state(index: usize) -> String {
    match index {
        0 => "c_{k-2}".to_owned(),
        1 => "c_{k-1}".to_owned(),
        node => format!("node {}", node - 2),
    }
}
