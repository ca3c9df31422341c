//! The figures of cells: while they are searched, perturbed, and as they would be derived.

use std::fmt::Write as _;

use super::picture::{Picture, Pictures, Scene};
use crate::draw::cell::{self, Kind};
use crate::draw::heatmap::{self, Scale};
use crate::draw::history::History;
use crate::draw::perturbation::{self, Perturbed};
use crate::draw::table::Table;
use crate::draw::{csv, mixture};
use crate::event::{Architecture, Rows};
use crate::genotype::Genotype;

/// The watched cell with all of its candidate operations.
pub(super) fn mixture(scene: Scene) -> Pictures {
    let mixture = scene.mixture().map(|(cell, p)| Mixture { cell, p });
    mixture.into_iter().map(|it| Box::new(it) as Box<dyn Picture>).collect()
}

struct Mixture<'a> {
    cell: &'a Architecture,
    p: &'a Rows,
}

impl Picture for Mixture<'_> {
    fn caption(&self) -> String {
        "Every edge is a bundle of its candidate operations, as wide as their probabilities. Edges \
         that would be kept are strong, the others pale."
            .to_owned()
    }

    fn svg(&self) -> String {
        mixture::draw(self.cell, self.p)
    }

    fn csv(&self) -> String {
        let mut table = String::from("node,source,operation,p\n");
        for (edge, row) in self.cell.edges.iter().zip(self.p) {
            for (operation, p) in edge.operations.iter().zip(row) {
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
        for (edge, ((p, displaced), perturbed)) in self.cell.edges.iter().zip(rows) {
            let values = p.iter().zip(displaced).zip(perturbed);
            for (operation, ((p, displaced), perturbed)) in edge.operations.iter().zip(values) {
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
    let picture = |kind: Kind| {
        let p = scene.history.probabilities(kind.name());
        Box::new(Derived { genotype, kind, p }) as Box<dyn Picture>
    };
    Kind::ALL.map(picture).into()
}

struct Derived<'a> {
    genotype: &'a Genotype,
    kind: Kind,
    p: Option<(&'a Architecture, &'a Rows)>,
}

impl Picture for Derived<'_> {
    fn part(&self) -> &str {
        self.kind.name()
    }

    fn subject(&self) -> String {
        format!("{} cell", self.kind.name())
    }

    fn caption(&self) -> String {
        "c_{k-2} and c_{k-1} are the outputs of the two cells before; every node adds its two \
         inputs. Thicker: more probable. Dashed: without weights."
            .to_owned()
    }

    fn svg(&self) -> String {
        cell::draw(self.genotype, self.kind, self.p)
    }

    fn csv(&self) -> String {
        csv::cell(self.kind.of(self.genotype).0)
    }

    fn table(&self) -> Option<Table> {
        Some(Table::of_genes(self.kind.of(self.genotype).0, self.p))
    }
}

/// The probabilities of every edge over the epochs, for every architecture tensor.
pub(super) fn probabilities(scene: Scene) -> Pictures {
    let scale = if scene.beside_others { Scale::One } else { Scale::Fitted };
    let history = scene.history;
    let picture = |cell| Box::new(Probabilities { history, cell, scale }) as Box<dyn Picture>;
    history.architecture().iter().map(picture).collect()
}

struct Probabilities<'a> {
    history: &'a History,
    cell: &'a Architecture,
    scale: Scale,
}

impl Picture for Probabilities<'_> {
    fn part(&self) -> &str {
        &self.cell.name
    }

    fn subject(&self) -> String {
        format!("{} cell", self.cell.name)
    }

    fn caption(&self) -> String {
        let states = match self.cell.name.as_str() {
            "edges" => "0 is the input of the cell, 1 its first node",
            _ => "0 and 1 are c_{k-2} and c_{k-1}, state 2 is node 0",
        };
        let colours = match (self.scale, self.history.architecture().len()) {
            (Scale::One, _) => "0 to 1",
            (Scale::Fitted, 1) => "the smallest p to the largest",
            (Scale::Fitted, _) => "the smallest p of both cells to the largest",
        };
        format!(
            "Softmax of α on every edge, epoch by epoch, before any perturbation. Names are \
             node←source, counted as states: {states}. The colours go from {colours}."
        )
    }

    fn svg(&self) -> String {
        heatmap::draw(self.history, &self.cell.name, self.scale).unwrap_or_default()
    }

    fn csv(&self) -> String {
        csv::probabilities(self.history, &self.cell.name).unwrap_or_default()
    }

    /// The probabilities after the last epoch. All epochs together are for programs: 50 epochs of
    /// 98 numbers.
    fn table(&self) -> Option<Table> {
        let (cell, rows) = self.history.probabilities(&self.cell.name)?;
        Some(Table::of_probabilities(cell, rows))
    }
}
