//! How P-DARTS drops operations between its stages, and derives cells of what is left after the last one
//! (spec §8.1).
//!
//! It differs from the derivation of DARTS in every tie and in its order: the larger index wins among equal
//! operations and among equal edges, and the edges of a node are listed by the states that they read. Then
//! skip connections are restricted, in the normal cell alone: the weakest one that is kept loses its p, and
//! all operations and edges are picked anew, until no more than a number of them is left. An edge that was
//! not kept before can come back by that.

use std::cmp::Ordering;

use crate::cell::codec::darts;
use crate::cell::{Cell, Choice, Edge, Genotype, Node, Rows};
use crate::ops::{NONE, SKIP};

/// The largest number of skip connections that the normal cell is restricted to: that of its edges.
pub const MOST_SKIPS: usize = 8;

/// Which options of a choice stay where each row keeps so many: those of largest p; among equals the first
/// fall.
pub fn kept(probabilities: &Rows, count: usize) -> Vec<Vec<bool>> {
    let row = |p: &Vec<f32>| {
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&one, &other| p[one].total_cmp(&p[other]));
        let mut on = vec![true; p.len()];
        order.iter().take(p.len().saturating_sub(count)).for_each(|&fallen| on[fallen] = false);
        on
    };
    probabilities.iter().map(row).collect()
}

/// What is derived, where the normal cell may keep so many skip connections. A choice without
/// probabilities gives a cell without nodes.
pub fn derive(choices: &[Choice], probabilities: &[Rows], skips: usize) -> Genotype {
    let none = Rows::new();
    let cells = choices.iter().enumerate().map(|(index, choice)| {
        let edges = Weighed::new(choice, probabilities.get(index).unwrap_or(&none));
        // The reduction cell is not restricted.
        if index == 0 { edges.restricted(skips).cell() } else { edges.cell() }
    });
    Genotype { cells: cells.collect() }
}

/// What is derived at every restriction, from the loosest to none at all.
pub fn restrictions(choices: &[Choice], probabilities: &[Rows]) -> Vec<(usize, Genotype)> {
    let at = |skips| (skips, derive(choices, probabilities, skips));
    (0..=MOST_SKIPS).rev().map(at).collect()
}

/// Skip connections that the normal cell of a genotype keeps.
pub fn skips(genotype: &Genotype) -> usize {
    genotype.cells.first().map_or(0, |cell| cell.operations().filter(|it| *it == SKIP).count())
}

/// The strongest operation of every row, as its column; `none` is never one.
pub fn strongest(choice: &Choice, probabilities: &Rows) -> Vec<Option<usize>> {
    let edges = Weighed::new(choice, probabilities);
    (0..edges.p.len()).map(|edge| edges.strongest(edge)).collect()
}

/// The edges of a cell with their p.
struct Weighed<'a> {
    choice: &'a Choice,
    /// That of `none` is 0.
    p: Rows,
}

impl<'a> Weighed<'a> {
    fn new(choice: &'a Choice, probabilities: &Rows) -> Self {
        let rows = choice.rows.iter().zip(probabilities);
        let without = |option: &String, p: f32| if option == NONE { 0.0 } else { p };
        let p = rows.map(|(row, p)| {
            row.options.iter().zip(p).map(|(option, &p)| without(option, p)).collect()
        });
        Self { choice, p: p.collect() }
    }

    fn name(&self, edge: usize, column: usize) -> &'a str {
        &self.choice.rows[edge].options[column]
    }

    /// The operation of an edge with the largest p; among equals the last.
    fn strongest(&self, edge: usize) -> Option<usize> {
        let columns = (0..self.p[edge].len()).filter(|&column| self.name(edge, column) != NONE);
        columns.max_by(|&one, &other| self.p[edge][one].total_cmp(&self.p[edge][other]))
    }

    fn strength(&self, edge: usize) -> f32 {
        self.strongest(edge).map_or(0.0, |column| self.p[edge][column])
    }

    /// The edges that the nodes keep, node by node and in the order of their sources; among equals the last
    /// are kept.
    fn kept(&self) -> Vec<Vec<usize>> {
        let edges: Vec<usize> = (0..self.p.len()).collect();
        let node = |edge: &usize| self.choice.rows[*edge].node;
        let of_node = |entering: &[usize]| {
            let mut ranked = entering.to_vec();
            ranked.sort_by(|&one, &other| self.strength(one).total_cmp(&self.strength(other)));
            let mut kept = ranked.split_off(ranked.len().saturating_sub(darts::EDGES));
            kept.sort_unstable();
            kept
        };
        edges.chunk_by(|one, other| node(one) == node(other)).map(of_node).collect()
    }

    /// The skip connections that are kept: edge and column.
    fn skips(&self) -> Vec<(usize, usize)> {
        let skip = |edge| Some((edge, self.strongest(edge)?));
        let kept = self.kept().into_iter().flatten().filter_map(skip);
        kept.filter(|&(edge, column)| self.name(edge, column) == SKIP).collect()
    }

    /// With the weakest skip connections at 0, one after another, until no more than so many are kept. Among
    /// equals the first goes first.
    fn restricted(mut self, most: usize) -> Self {
        loop {
            let skips = self.skips();
            let weaker = |one: &&(usize, usize), other: &&(usize, usize)| -> Ordering {
                self.p[one.0][one.1].total_cmp(&self.p[other.0][other.1])
            };
            // One that is at 0 already is all that its edge has.
            let left = skips.iter().filter(|&&(edge, column)| self.p[edge][column] > 0.0);
            match left.min_by(weaker) {
                Some(&(edge, column)) if skips.len() > most => self.p[edge][column] = 0.0,
                _ => return self,
            }
        }
    }

    fn cell(&self) -> Cell {
        let edge = |edge: usize| {
            let operation = self.name(edge, self.strongest(edge)?).to_owned();
            Some(Edge { source: self.choice.rows[edge].source, operation: Some(operation) })
        };
        let node = |kept: Vec<usize>| Node {
            operation: None,
            edges: kept.into_iter().filter_map(edge).collect(),
        };
        let nodes: Vec<Node> = self.kept().into_iter().map(node).collect();
        let concat = (darts::INPUTS.len()..).take(nodes.len()).collect();
        darts::from_nodes(&self.choice.name, nodes, concat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space;

    fn choices() -> Vec<Choice> {
        space::ALL[0].choices()
    }

    /// Every edge of a cell with these p, whose columns are those of the space `darts`.
    fn even(p: [f32; 8]) -> Rows {
        vec![p.to_vec(); 14]
    }

    fn genes(cell: &Cell) -> Vec<(&str, usize)> {
        cell.edges()
            .map(|(_, edge)| (edge.operation.as_deref().unwrap_or(""), edge.source))
            .collect()
    }

    #[test]
    fn among_equal_operations_the_first_fall() {
        let p = vec![vec![0.2, 0.1, 0.1, 0.3, 0.1, 0.1, 0.05, 0.05]];
        let on = kept(&p, 5);
        assert_eq!(on[0], [true, false, true, true, true, true, false, false]);
        assert_eq!(kept(&p, 8)[0], [true; 8]);
    }

    #[test]
    fn among_equals_the_last_operation_and_the_last_edges_win_and_none_never_does() {
        let choices = choices();
        let p = even([0.9, 0.0, 0.02, 0.02, 0.02, 0.02, 0.02, 0.0]);
        let genotype = derive(&choices, &[p.clone(), p], MOST_SKIPS);
        let expected: Vec<(&str, usize)> =
            [0, 1, 1, 2, 2, 3, 3, 4].map(|source| ("dil_conv_3x3", source)).to_vec();
        assert_eq!(genes(&genotype.cells[0]), expected);
        let frames = derive(&choices, &[], MOST_SKIPS);
        assert!(frames.cells.iter().all(|cell| cell.nodes.is_empty()));
    }

    #[test]
    fn the_weakest_skip_connection_goes_first_and_edges_can_come_back() {
        let choices = choices();
        let mut normal = even([0.0, 0.1, 0.0, 0.0, 0.2, 0.0, 0.0, 0.0]);
        // Node 3 reads states 1 and 2 by skip connections; state 0 only by a convolution.
        normal[3] = vec![0.0, 0.0, 0.0, 0.6, 0.3, 0.0, 0.0, 0.0];
        normal[4] = vec![0.0, 0.0, 0.0, 0.5, 0.1, 0.0, 0.0, 0.0];
        let p = [normal.clone(), normal];
        let cell = |most| derive(&choices, &p, most).cells.remove(0);
        assert_eq!(genes(&cell(2))[2..4], [("skip_connect", 1), ("skip_connect", 2)]);
        assert_eq!(genes(&cell(1))[2..4], [("sep_conv_3x3", 0), ("skip_connect", 1)]);
        assert_eq!(genes(&cell(0))[2..4], [("sep_conv_3x3", 0), ("sep_conv_3x3", 1)]);
        let whole = derive(&choices, &p, 0);
        assert_eq!(genes(&whole.cells[1])[2..4], [("skip_connect", 1), ("skip_connect", 2)]);
        let all = restrictions(&choices, &p);
        assert_eq!(
            all.iter().map(|(most, _)| *most).collect::<Vec<_>>(),
            [8, 7, 6, 5, 4, 3, 2, 1, 0]
        );
        assert!(all.iter().all(|(most, genotype)| skips(genotype) <= *most));
    }

    #[test]
    fn an_edge_that_has_nothing_but_a_skip_connection_keeps_it() {
        let options = vec![NONE.to_owned(), SKIP.to_owned()];
        let mut choices = choices();
        choices[0].rows.iter_mut().for_each(|row| row.options.clone_from(&options));
        let p = vec![vec![vec![0.5, 0.5]; 14]];
        assert_eq!(skips(&derive(&choices[..1], &p, 2)), 8);
    }
}
