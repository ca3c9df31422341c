//! The hash by which NAS-Bench-101 names a network (`graph_util.hash_module` of the benchmark; spec §7.5).

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};

use super::{Graph, GraphError};

/// The hash of a network; its text has 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 16]);

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        let refused = || GraphError::Hash { text: text.to_owned() };
        // Capitals would name a hash a second time.
        let digit = |byte: &u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(refused()),
        };
        let digits = text.bytes().map(|byte| digit(&byte)).collect::<Result<Vec<u8>, _>>()?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, it| sum << 4 | it)).collect();
        let whole = digits.len() == 32;
        bytes.try_into().ok().filter(|_| whole).map(Self).ok_or_else(refused)
    }
}

/// The hash of a graph as it is. Every vertex starts from the MD5 of Python's text of (edges out, edges
/// in, label). As many times as there are vertices it becomes the MD5 of what its neighbours have, in
/// order; the MD5 of Python's text of the sorted list is the hash of the graph.
pub(super) fn of(graph: &Graph) -> Hash {
    let mut hashes: Vec<Hash> = (0..graph.vertices()).map(|vertex| start(graph, vertex)).collect();
    for _ in 0..graph.vertices() {
        hashes = (0..graph.vertices()).map(|vertex| step(graph, &hashes, vertex)).collect();
    }
    hashes.sort_unstable();
    let list: Vec<String> = hashes.iter().map(|hash| format!("'{hash}'")).collect();
    md5(format!("[{}]", list.join(", ")).as_bytes())
}

fn start(graph: &Graph, vertex: usize) -> Hash {
    let entering = (0..vertex).filter(|&from| graph.has_edge(from, vertex)).count();
    let leaving = graph.feeds[vertex].count_ones();
    md5(format!("({leaving}, {entering}, {})", label(graph, vertex)).as_bytes())
}

/// −1 for the input, −2 for the output, else the place among the operations of the benchmark.
fn label(graph: &Graph, vertex: usize) -> i8 {
    if vertex == 0 {
        return -1;
    }
    graph.operations.get(vertex - 1).map_or(-2, |&operation| operation as i8)
}

fn step(graph: &Graph, hashes: &[Hash], vertex: usize) -> Hash {
    let mut text = Vec::with_capacity(32 * (hashes.len() + 1));
    for entering in [true, false] {
        let is_neighbour = |other: usize| match entering {
            true => graph.has_edge(other, vertex),
            false => graph.has_edge(vertex, other),
        };
        let all = hashes.iter().enumerate();
        let mut found: Vec<&Hash> =
            all.filter(|(other, _)| is_neighbour(*other)).map(|(_, hash)| hash).collect();
        // Hexadecimal digits sort as the bytes that they stand for.
        found.sort_unstable();
        found.into_iter().for_each(|hash| spell(hash, &mut text));
        text.push(b'|');
    }
    spell(&hashes[vertex], &mut text);
    md5(&text)
}

/// Adds the digits of a hash; `fmt` would take ten times as long, and spaces have millions of these.
fn spell(hash: &Hash, text: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS[usize::from(nibble)];
    text.extend(hash.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

fn md5(text: &[u8]) -> Hash {
    Hash(Md5::digest(text).into())
}
