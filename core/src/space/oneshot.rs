//! The spaces `oneshot-1`, `oneshot-2` and `oneshot-3`: cells of NAS-Bench-101 that one network can share.
//!
//! # What they are
//!
//! NAS-Bench-1Shot1: Benchmarking and Dissecting One-shot Neural Architecture Search (Zela, Siems, Hutter;
//! ICLR 2020, arXiv 2001.10422). A cell has one input and N choice blocks, 4 in spaces 1 and 2 and 5 in
//! space 3. A block has one of three operations and reads some of the states before it, the input of the
//! cell and earlier blocks; the output concatenates some of all states. How many a block and the output
//! read is given by the space ([`crate::cell::nasbench101::oneshot`]), so that a derived cell has nine edges,
//! as many as a cell of NAS-Bench-101 may have. A search chooses the operation of every block, what every
//! block reads, and what the output reads: 24, 26 and 35 parameters of the architecture.
//!
//! A network is a stem and three stages of cells; between stages a 2×2 max pooling, and the channels double
//! ([`OneShotNet`]).
//!
//! # Settings
//!
//! `search.cells` is the number of cells, 9 in the paper; the second and the third stage begin at 1/3 and
//! 2/3. `search.channels` is that of the first stage, 16. `search.stem_multiplier` does nothing here.
//! `search.partial_channels` is for method pc-darts.
//!
//! # Derivation
//!
//! Every block takes its strongest operation and the strongest of what it may read, as many as the space
//! says; so does the output. The first of equals wins. Only what the output reaches is connected: a block that
//! nothing reads keeps its operation and loses its edges.
//!
//! # What the released code does differently
//!
//! Three quirks, of which two can be changed:
//!
//! - Batch norm has the momentum 0.997 of TensorFlow, where PyTorch means 0.003 by that: running statistics
//!   are nearly those of the last batch. Validation and attacks use them (`quirks.oneshot_norm_momentum`).
//! - The poolings between stages pad the image by a pixel: 32 → 17 → 9 (`quirks.oneshot_pool_padding`).
//! - Cells of spaces 1 and 2 get a dummy vertex before they are looked up, because the matrix of
//!   NAS-Bench-101 has seven ([`matrix`]). Nothing leads to it, so that the benchmark drops it, and the hash
//!   is that of the cell without it.
//!
//! # What the logged numbers mean
//!
//! `alpha` and `probabilities` have the tensors `mixed_op` (a row for every block), `output` (the input of the
//! cell, then the blocks) and `input_k` (what block k reads: the input, then the blocks before it). `genotype` is
//! the matrix and the labels of NAS-Bench-101. `parameter_free` is the share of pooling among the blocks,
//! those included that the output does not reach. With `table.path`, an event `anytime` tells what
//! NAS-Bench-101 knows of the cell that would be derived: test and validation accuracy after 108 epochs
//! and the regret to the best cell of the space, or nothing where the table lacks the cell.

use super::{Family, SpaceError, edges};
use crate::cell::codec::{Codec, nb101};
use crate::cell::nasbench101::oneshot::{ALL, OneShot};
use crate::cell::nasbench101::{Graph, GraphError, Operation};
use crate::cell::{Choice, ChoiceKind, Edge, Genotype, GenotypeError, Node, Row, Rows};
use crate::net::{BlockTable, Build, EdgeTable, Inputs, NetShape, OneShotNet, Supernet};

/// A space of these cells.
pub struct Blocks(&'static OneShot);

/// Space 1.
pub static SPACE_1: Blocks = Blocks(&ALL[0]);

/// Space 2.
pub static SPACE_2: Blocks = Blocks(&ALL[1]);

/// Space 3.
pub static SPACE_3: Blocks = Blocks(&ALL[2]);

/// In the order of the released code, which decides ties.
const OPERATIONS: [Operation; 3] = [Operation::MaxPool3x3, Operation::Conv3x3, Operation::Conv1x1];

/// The matrix and the labels that the released code asks NAS-Bench-101 for: those of the cell, and in spaces
/// 1 and 2 a vertex between the last block and the output that has no edges.
///
/// # Errors
/// If the genotype is no cell of NAS-Bench-101.
pub fn matrix(genotype: &Genotype) -> Result<Graph, GraphError> {
    let none = || GraphError::Size { vertices: 0 };
    let graph = nb101::graph(genotype).ok_or_else(none)?;
    let last = graph.vertices() - 1;
    if graph.vertices() != SPACE_1.0.blocks() + 2 {
        return Ok(graph);
    }
    let operations = graph.operations().iter().copied().chain([Operation::Conv1x1]);
    let moved = |to| if to == last { last + 1 } else { to };
    let edges = graph.edges().map(|(from, to)| (from, moved(to)));
    Graph::from_edges(operations.collect(), edges)
}

impl Blocks {
    /// Numbers of the blocks, which are the states 1 to N.
    fn blocks(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.0.blocks()
    }

    /// How many states a block reads, or the output where `state` is that after the blocks.
    fn parents(&self, state: usize) -> usize {
        self.0.parents[state - 1]
    }

    /// Whether a block has a choice: of as many states as it reads it has none.
    fn chooses(&self, block: usize) -> bool {
        self.parents(block) < block
    }

    /// The name of a state, as [`crate::cell::Cell::label`] has it.
    fn label(state: usize) -> String {
        match state {
            0 => nb101::INPUT.to_owned(),
            block => format!("node {}", block - 1),
        }
    }

    /// A choice of the states that `state` reads.
    fn reading(name: String, kind: ChoiceKind, state: usize) -> Choice {
        let options = (0..state).map(Self::label).collect();
        Choice { name, kind, rows: vec![Row::of_node(state, options)] }
    }

    /// What every block and the output read, the output last; `None` where p of a choice is missing.
    fn read(&self, probabilities: &[Rows]) -> Option<Vec<Vec<usize>>> {
        let mut inputs = probabilities.iter().skip(2);
        let mut read = Vec::new();
        for block in self.blocks() {
            read.push(match self.chooses(block) {
                true => strongest(inputs.next()?.first()?, self.parents(block)),
                false => (0..block).collect(),
            });
        }
        let output = self.0.blocks() + 1;
        read.push(strongest(probabilities.get(1)?.first()?, self.parents(output)));
        Some(read)
    }
}

/// The places of the `count` largest, in their order; the first of equals.
fn strongest(row: &[f32], count: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..row.len()).collect();
    places.sort_by(|&one, &other| row[other].total_cmp(&row[one]));
    places.truncate(count);
    places.sort_unstable();
    places
}

/// Which states the output reaches; `read` is what every block and the output read.
fn reached(read: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; read.len() + 1];
    reached[read.len()] = true;
    for state in (1..=read.len()).rev() {
        if reached[state] {
            read[state - 1].iter().for_each(|&source| reached[source] = true);
        }
    }
    reached
}

impl Family for Blocks {
    fn choices(&self) -> Vec<Choice> {
        let options = || OPERATIONS.map(|it| it.name().to_owned()).to_vec();
        let rows = self.blocks().map(|block| Row::of_node(block, options())).collect();
        let operations = Choice { name: "mixed_op".to_owned(), kind: ChoiceKind::Operation, rows };
        let output = Self::reading("output".to_owned(), ChoiceKind::Output, self.0.blocks() + 1);
        let input = |block| Self::reading(format!("input_{block}"), ChoiceKind::Input, block);
        let inputs = self.blocks().filter(|&block| self.chooses(block)).map(input);
        [operations, output].into_iter().chain(inputs).collect()
    }

    fn supernet(
        &self,
        choices: Vec<Choice>,
        shape: NetShape,
        build: &Build,
    ) -> Result<Box<dyn Supernet>, SpaceError> {
        super::parts_divide(shape, build)?;
        let operations = choices.first().map(|choice| edges(&choice.rows)).transpose()?;
        let mut choice = 2..;
        let mut block = |edges: EdgeTable| {
            let chosen = self.chooses(edges.node).then(|| choice.next()).flatten();
            let inputs = chosen.map_or(Inputs::All, Inputs::Chosen);
            BlockTable { inputs, operations: edges.operations }
        };
        let table: Vec<BlockTable> =
            operations.unwrap_or_default().into_iter().map(&mut block).collect();
        let takes = |choice: &Choice| match choice.kind {
            ChoiceKind::Operation => 1,
            _ => choice.rows.first().map_or(1, |row| self.parents(row.node)),
        };
        let takes = choices.iter().map(takes).collect();
        Ok(Box::new(OneShotNet::new((choices, takes), &table, shape, build)))
    }

    fn derive(&self, probabilities: &[Rows]) -> Genotype {
        let weighed = self.read(probabilities).zip(probabilities.first());
        let Some((read, operations)) = weighed else {
            return nb101::from_nodes(Vec::new(), Vec::new());
        };
        let reached = reached(&read);
        let node = |(block, row): (usize, &Vec<f32>)| {
            let operation = strongest(row, 1).first().map(|&best| OPERATIONS[best]);
            let sources = read[block - 1].iter().filter(|_| reached[block]);
            let edges = sources.map(|&source| Edge { source, operation: None }).collect();
            Node { operation: operation.map(|it| it.name().to_owned()), edges }
        };
        let nodes = self.blocks().zip(operations).map(node).collect();
        nb101::from_nodes(nodes, read.last().cloned().unwrap_or_default())
    }

    fn codec(&self) -> &'static Codec {
        &nb101::CODEC
    }

    /// Weights of 1 for the operation of every block and for what it and the output read, as the released
    /// code has them for the child of ENAS.
    fn one_hot(&self, genotype: &Genotype) -> Result<Vec<Rows>, GenotypeError> {
        let expected = self.0.blocks();
        let cell = genotype.cells.first().filter(|cell| cell.nodes.len() == expected);
        let Some((cell, _)) = cell.zip(nb101::graph(genotype)) else {
            let what = format!("it has not the {expected} blocks of this space");
            return Err(GenotypeError::Text { what });
        };
        let bits = |row: &Row, is_chosen: &dyn Fn(usize, &str) -> bool| {
            let bit =
                |(place, option): (usize, &String)| f32::from(u8::from(is_chosen(place, option)));
            row.options.iter().enumerate().map(bit).collect::<Vec<f32>>()
        };
        let row = |choice: &Choice, row: &Row| match choice.kind {
            ChoiceKind::Output => bits(row, &|place, _| cell.outputs().contains(&place)),
            ChoiceKind::Input | ChoiceKind::EdgeWeight => {
                let edges = &cell.nodes[row.node - 1].edges;
                bits(row, &|place, _| edges.iter().any(|edge| edge.source == place))
            }
            ChoiceKind::Operation => {
                let operation = cell.nodes[row.node - 1].operation.as_deref();
                bits(row, &|_, option| operation == Some(option))
            }
        };
        let rows = |choice: Choice| choice.rows.iter().map(|it| row(&choice, it)).collect();
        Ok(self.choices().into_iter().map(rows).collect())
    }
}
