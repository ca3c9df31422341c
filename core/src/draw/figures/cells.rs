//! The figures of cells: while they are searched, perturbed, and as they would be derived.

use std::fmt::Write as _;
use std::ops::Range;

use super::picture::{Picture, Pictures, Scene};
use crate::cell::{Cell, Choice, Output, Row, Rows};
use crate::draw::cell;
use crate::draw::heatmap::{self, Scale};
use crate::draw::history::History;
use crate::draw::perturbation::{self, Perturbed};
use crate::draw::table::Table;
use crate::draw::{blocks, csv, mixture};

/// The watched cell with all of its candidate operations.
pub(super) fn mixture(scene: Scene) -> Pictures {
    scene.mixture().into_iter().map(|it| Box::new(it) as Box<dyn Picture>).collect()
}

/// A choice with its p, and what would be derived of it.
pub(super) struct Mixture<'a> {
    pub choice: &'a Choice,
    pub p: &'a Rows,
    pub derived: Cell,
    /// All choices of the search and their p.
    pub choices: &'a [Choice],
    pub probabilities: &'a [Rows],
}

impl Picture for Mixture<'_> {
    fn caption(&self) -> String {
        if self.choice.rows.iter().all(Row::is_of_node) {
            return "Every node is a bar of its candidate operations, as long as their probabilities; \
                    every line is as wide as the weight of what it brings. What would be kept is strong."
                .to_owned();
        }
        "Every edge is a bundle of its candidate operations, as wide as their probabilities. Edges \
         that would be kept are strong, the others pale."
            .to_owned()
    }

    fn svg(&self) -> String {
        if self.choice.rows.iter().all(Row::is_of_node) {
            return blocks::mixture(self.choices, self.probabilities, &self.derived);
        }
        mixture::draw(self.choice, self.p, &self.derived)
    }

    fn csv(&self) -> String {
        let mut table = String::from("node,source,operation,p\n");
        for (edge, row) in self.choice.rows.iter().zip(self.p) {
            for (operation, p) in edge.options.iter().zip(row) {
                let _ = writeln!(table, "{},{},{operation},{p}", edge.node, edge.source);
            }
        }
        table
    }
}

/// The perturbation of the watched cell.
pub(super) fn perturbation(scene: Scene) -> Pictures {
    let perturbed = scene.perturbed.filter(|it| !it.p.is_empty());
    perturbed.into_iter().map(|it| Box::new(it) as Box<dyn Picture>).collect()
}

impl Picture for Perturbed<'_> {
    fn caption(&self) -> String {
        "The edge that the perturbation moved most: p, p + δ, and p̂ with its rows clipped to \
         probability vectors."
            .to_owned()
    }

    fn svg(&self) -> String {
        perturbation::draw(self).unwrap_or_default()
    }

    fn csv(&self) -> String {
        let mut table = String::from("node,source,operation,p,displaced,perturbed\n");
        let rows = self.p.iter().zip(self.displaced).zip(self.perturbed);
        for (edge, ((p, displaced), perturbed)) in self.choice.rows.iter().zip(rows) {
            let values = p.iter().zip(displaced).zip(perturbed);
            for (operation, ((p, displaced), perturbed)) in edge.options.iter().zip(values) {
                let (node, source) = (edge.node, edge.source);
                let _ = writeln!(table, "{node},{source},{operation},{p},{displaced},{perturbed}");
            }
        }
        table
    }
}

/// The cells that would be derived now, or that were.
pub(super) fn derived(scene: Scene) -> Pictures {
    let Some(genotype) = scene.history.genotype() else { return Vec::new() };
    // Of a training no choices are known.
    let choices = scene.history.cell_choices().map(Some).chain(std::iter::repeat(None));
    let mut pictures: Pictures = Vec::new();
    for (cell, choice) in genotype.cells.iter().zip(choices) {
        let p = choice.and_then(|choice| scene.history.latest(choice));
        pictures.push(Box::new(Derived { cell, p }));
    }
    pictures
}

struct Derived<'a> {
    cell: &'a Cell,
    p: Option<(&'a Choice, &'a Rows)>,
}

impl Picture for Derived<'_> {
    fn part(&self) -> &str {
        // Where a space has one cell, the figure is called like it.
        if self.cell.name == "cell" { "" } else { &self.cell.name }
    }

    fn subject(&self) -> String {
        self.cell.words()
    }

    fn caption(&self) -> String {
        if self.cell.is_recurrent() {
            let thicker = if self.p.is_some() { " Thicker: more probable." } else { "" };
            return format!(
                "Node 0 is made of the word x and of the hidden state h. Every other node moves the one that \
                 it reads towards an activation of it, as far as a gate lets it. The next hidden state is \
                 the mean of the nodes that lead to it.{thicker}"
            );
        }
        let inputs = match self.cell.inputs.as_slice() {
            [input] => format!("The {input} is the output of the block before"),
            inputs => format!("{} are the outputs of the cells before", inputs.join(" and ")),
        };
        if self.cell.has_operations_on_nodes() {
            return format!(
                "{inputs}; every node adds what it reads and then does its operation. The output \
                 concatenates what it reads. Below: the matrix of NAS-Bench-101, as the authors' code \
                 asks for it, and the hash that names the network there. Pale: not reached."
            );
        }
        let output = match self.cell.output {
            Output::Concatenation(_) | Output::Mean(_) => "",
            Output::Last => "The last node is the output. ",
        };
        // A genotype that was given has no probabilities.
        let thicker = if self.p.is_some() { "Thicker: more probable. " } else { "" };
        format!(
            "{inputs}; every node adds what its edges bring. {output}{thicker}Dashed: without weights."
        )
    }

    fn svg(&self) -> String {
        cell::draw(self.cell, self.p)
    }

    fn csv(&self) -> String {
        csv::cell(self.cell)
    }

    fn table(&self) -> Option<Table> {
        Some(Table::of_cell(self.cell, self.p))
    }
}

/// The probabilities of every edge over the epochs, for every architecture tensor.
pub(super) fn probabilities(scene: Scene) -> Pictures {
    let scale = if scene.beside_others { Scale::One } else { Scale::Fitted };
    let history = scene.history;
    let picture = |group: Range<usize>| {
        let choice = &history.choices()[group.start];
        Box::new(Probabilities { history, group, choice, scale }) as Box<dyn Picture>
    };
    history.groups().into_iter().map(picture).collect()
}

struct Probabilities<'a> {
    history: &'a History,
    /// The choices that it shows, and the first of them.
    group: Range<usize>,
    choice: &'a Choice,
    scale: Scale,
}

impl Picture for Probabilities<'_> {
    /// Weights of edges have the names of their cell and of their node.
    fn part(&self) -> &str {
        let name = self.choice.name.as_str();
        let of_nodes = name.rsplit_once('_').filter(|_| self.choice.weighs_edges());
        of_nodes.map_or(name, |(cell, _)| cell)
    }

    fn subject(&self) -> String {
        self.history.cell(self.group.start).words()
    }

    fn caption(&self) -> String {
        let colours = match (self.scale, self.history.choices().len()) {
            (Scale::One, _) => "0 to 1",
            (Scale::Fitted, 1) => "the smallest p to the largest",
            (Scale::Fitted, _) => "the smallest p of both cells to the largest",
        };
        let numbering = self.history.cell(self.group.start).numbering();
        if self.choice.rows.iter().all(Row::is_of_node) {
            return format!(
                "p of every row, epoch by epoch, before any perturbation. Names are nodes, counted as \
                 states: {numbering}. The colours go from {colours}."
            );
        }
        format!(
            "Softmax of α on every edge, epoch by epoch, before any perturbation. Names are \
             node←source, counted as states: {numbering}. The colours go from {colours}."
        )
    }

    fn svg(&self) -> String {
        heatmap::draw(self.history, &self.choice.name, self.scale).unwrap_or_default()
    }

    fn csv(&self) -> String {
        csv::probabilities(self.history, &self.choice.name).unwrap_or_default()
    }

    /// The probabilities after the last epoch. All epochs together are for programs: 50 epochs of
    /// 98 numbers.
    fn table(&self) -> Option<Table> {
        let (first, _) = self.history.latest(self.group.start)?;
        let latest = self.group.clone().filter_map(|index| self.history.latest(index));
        let rows = latest.flat_map(|(choice, rows)| choice.rows.iter().cloned().zip(rows.clone()));
        let (rows, p): (Vec<Row>, Rows) = rows.unzip();
        Some(Table::of_probabilities(&Choice { rows, ..first.clone() }, &p))
    }
}
