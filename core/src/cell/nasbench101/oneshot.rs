//! The three spaces of NAS-Bench-1Shot1 (Zela et al., ICLR 2020, arXiv 2001.10422) as sets of cells of
//! NAS-Bench-101: how many there are by each way of counting, and which networks (spec §7.1, §7.2).
//!
//! A cell has choice blocks 1 to N between the input, vertex 0, and the output, vertex N + 1. A block has
//! one of three operations and reads as many of the vertices before it as the space says; the output reads
//! blocks, or the input itself. These numbers always add up to nine edges.

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use super::{Graph, Hash, Operation, hash};

/// A space of NAS-Bench-1Shot1.
#[derive(Debug)]
pub struct OneShot {
    /// Its name everywhere.
    pub name: &'static str,
    /// How many vertices block 1, 2, … reads; the last entry is that of the output.
    pub parents: &'static [usize],
    /// Lowest test error of its cells in NAS-Bench-101, from 0 to 1: the mean over the three repeats at
    /// 108 epochs (spec §7.4). Regret is counted from here.
    pub best_test_error: f64,
    /// Lowest validation error of its cells, likewise.
    pub best_valid_error: f64,
    networks: OnceLock<BTreeSet<Hash>>,
}

/// The spaces 1, 2 and 3.
pub static ALL: [OneShot; 3] = [
    OneShot {
        name: "oneshot-1",
        parents: &[1, 2, 2, 2, 2],
        best_test_error: 0.054_487_168_788_909_91,
        best_valid_error: 0.049_278_855_323_791_504,
        networks: OnceLock::new(),
    },
    OneShot {
        name: "oneshot-2",
        parents: &[1, 1, 2, 2, 3],
        best_test_error: 0.057_592_153_549_194_336,
        best_valid_error: 0.051_582_515_239_715_576,
        networks: OnceLock::new(),
    },
    OneShot {
        name: "oneshot-3",
        parents: &[1, 1, 1, 2, 2, 2],
        best_test_error: 0.053_385_436_534_881_59,
        best_valid_error: 0.048_477_590_084_075_93,
        networks: OnceLock::new(),
    },
];

/// The space of this name.
pub fn find(name: &str) -> Option<&'static OneShot> {
    ALL.iter().find(|space| space.name == name)
}

impl OneShot {
    /// Number of choice blocks, N.
    pub fn blocks(&self) -> usize {
        self.parents.len() - 1
    }

    /// Every way to connect a cell: the edges (from, to) of each. All blocks are there, also those that
    /// nothing reads.
    pub fn connections(&self) -> Vec<Vec<(usize, usize)>> {
        let mut ways: Vec<Vec<(usize, usize)>> = vec![Vec::new()];
        for (to, &count) in (1..).zip(self.parents) {
            let chosen = (0_u32..1 << to).filter(|set| set.count_ones() as usize == count);
            let chosen: Vec<u32> = chosen.collect();
            let longer = |way: &Vec<(usize, usize)>| {
                let way = way.clone();
                chosen.iter().map(move |set| {
                    let edges = (0..to).filter(|from| set >> from & 1 == 1).map(|from| (from, to));
                    way.iter().copied().chain(edges).collect()
                })
            };
            ways = ways.iter().flat_map(longer).collect();
        }
        ways
    }

    /// The size of the space if operations of all blocks count: connections · 3^N. The paper counts so in
    /// space 2.
    pub fn assignments(&self) -> usize {
        self.connections().len() * 3_usize.pow(self.blocks() as u32)
    }

    /// The size of the space if only operations of blocks count that something reads. The paper counts so
    /// in spaces 1 and 3.
    pub fn assignments_of_read_blocks(&self) -> usize {
        let read = |way: &Vec<(usize, usize)>| self.read_blocks(way) as u32;
        self.connections().iter().map(|way| 3_usize.pow(read(way))).sum()
    }

    /// How many connections leave no block unread.
    pub fn connections_of_all_blocks(&self) -> usize {
        let ways = self.connections();
        ways.iter().filter(|way| self.read_blocks(way) == self.blocks()).count()
    }

    fn read_blocks(&self, way: &[(usize, usize)]) -> usize {
        (1..=self.blocks()).filter(|block| way.iter().any(|(from, _)| from == block)).count()
    }

    /// The networks of the space: the hashes of all of its cells. The first call takes a second or so in
    /// space 3.
    pub fn networks(&self) -> &BTreeSet<Hash> {
        self.networks.get_or_init(|| self.hashes())
    }

    fn hashes(&self) -> BTreeSet<Hash> {
        let ways = self.connections();
        let drawn: BTreeSet<Graph> = ways.iter().filter_map(|way| self.drawn(way)).collect();
        let with_operations = drawn.iter().flat_map(|graph| {
            let count = 3_usize.pow(graph.operations.len() as u32);
            (0..count).map(move |number| with_operations(graph, number))
        });
        // Of the 118,524 graphs in space 3 half are another one in another order of their vertices.
        let different: HashMap<Vec<u64>, Graph> =
            with_operations.map(|graph| (hash::class(&graph), graph)).collect();
        different.values().map(hash::of).collect()
    }

    /// What is left of such connections. Many become equal here, before there are operations to count:
    /// of 5,400 in space 3 there remain 596.
    fn drawn(&self, way: &[(usize, usize)]) -> Option<Graph> {
        let operations = vec![Operation::Conv3x3; self.blocks()];
        Graph::from_edges(operations, way.iter().copied()).ok()?.pruned()
    }
}

/// The graph with the operations that are the digits of a number in base 3.
fn with_operations(graph: &Graph, number: usize) -> Graph {
    let digits = (0..graph.operations.len() as u32).map(|place| number / 3_usize.pow(place) % 3);
    Graph {
        feeds: graph.feeds.clone(),
        operations: digits.map(|digit| Operation::ALL[digit]).collect(),
    }
}
