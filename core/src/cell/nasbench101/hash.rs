//! The hash by which NAS-Bench-101 names a network (`graph_util.hash_module` of the benchmark; spec §7.5).

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
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
    let start =
        |leaving, entering, label| md5(format!("({leaving}, {entering}, {label})").as_bytes());
    let list = refined(graph, start, join).into_iter().map(|hash| format!("'{hash}'"));
    md5(format!("[{}]", list.collect::<Vec<_>>().join(", ")).as_bytes())
}

/// What tells graphs apart as their hashes do, without MD5. It means nothing outside of this program.
pub(super) fn class(graph: &Graph) -> Vec<u64> {
    let number = |value: &dyn Fn(&mut DefaultHasher)| {
        let mut hasher = DefaultHasher::new();
        value(&mut hasher);
        hasher.finish()
    };
    let start = |leaving: u32, entering: usize, label: i8| {
        number(&|hasher| (leaving, entering, label).hash(hasher))
    };
    let join = |entering: &[u64], leaving: &[u64], own: u64| {
        number(&|hasher| (entering, leaving, own).hash(hasher))
    };
    refined(graph, start, join)
}

/// What the vertices have in the end, sorted: each starts from its numbers of edges out and in and its
/// label, and is joined with what its neighbours before and behind it have, sorted, once for each vertex
/// of the graph.
fn refined<T: Copy + Ord>(
    graph: &Graph,
    start: impl Fn(u32, usize, i8) -> T,
    join: impl Fn(&[T], &[T], T) -> T,
) -> Vec<T> {
    let vertices = graph.vertices();
    let start = |vertex: usize| {
        let entering = (0..vertex).filter(|&from| graph.has_edge(from, vertex)).count();
        start(graph.feeds[vertex].count_ones(), entering, label(graph, vertex))
    };
    let mut values: Vec<T> = (0..vertices).map(start).collect();
    let (mut entering, mut leaving) = (Vec::with_capacity(vertices), Vec::with_capacity(vertices));
    for _ in 0..vertices {
        let before = values.clone();
        for (vertex, value) in values.iter_mut().enumerate() {
            entering.clear();
            leaving.clear();
            entering.extend(
                (0..vertex).filter(|&from| graph.has_edge(from, vertex)).map(|it| before[it]),
            );
            leaving.extend(
                (vertex..vertices).filter(|&to| graph.has_edge(vertex, to)).map(|it| before[it]),
            );
            entering.sort_unstable();
            leaving.sort_unstable();
            *value = join(&entering, &leaving, *value);
        }
    }
    values.sort_unstable();
    values
}

/// −1 for the input, −2 for the output, else the place among the operations of the benchmark.
fn label(graph: &Graph, vertex: usize) -> i8 {
    if vertex == 0 {
        return -1;
    }
    graph.operations.get(vertex - 1).map_or(-2, |&operation| operation as i8)
}

/// Hexadecimal digits sort as the bytes that they stand for, so the neighbours are in Python's order.
fn join(entering: &[Hash], leaving: &[Hash], own: Hash) -> Hash {
    let mut text = Vec::with_capacity(32 * (entering.len() + leaving.len() + 1) + 2);
    entering.iter().for_each(|hash| spell(hash, &mut text));
    text.push(b'|');
    leaving.iter().for_each(|hash| spell(hash, &mut text));
    text.push(b'|');
    spell(&own, &mut text);
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
