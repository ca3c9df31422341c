//! Inputs: seeds, changed in the ways in which files are wrong.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Longest input; what grows beyond is cut.
const LONGEST: usize = 1 << 20;

/// Numbers at which readers go wrong.
const NUMBERS: [u64; 9] =
    [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0xffff_ffff, 1 << 32, u64::MAX / 2, u64::MAX];

/// Texts at which readers of text go wrong.
const TEXTS: [&str; 16] = [
    "-1",
    "1e999",
    "NaN",
    "null",
    "true",
    "\"",
    "'",
    "[",
    "{",
    "}",
    ",",
    "\\u0000",
    "\u{feff}",
    "é",
    "99999999999999999999",
    "\r\n",
];

/// Changes seeds; the same ones for the same name.
pub struct Mutator(Pcg64Mcg);

impl Mutator {
    pub fn new(name: &str) -> Self {
        Self(Pcg64Mcg::seed_from_u64(crc32c::crc32c(name.as_bytes()).into()))
    }

    /// One of the seeds with one change, or two or four.
    pub fn change(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.0.random_range(0..seeds.len())].clone();
        for _ in 0..1 << self.0.random_range(0..3) {
            self.change_once(&mut input, seeds);
        }
        input.truncate(LONGEST);
        input
    }

    fn change_once(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let rng = &mut self.0;
        let at = Self::place(rng, input.len());
        let end = (at + (1 << rng.random_range(0..8))).min(input.len());
        match rng.random_range(0..9) {
            0 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
            1 if at < input.len() => input[at] = rng.random(),
            2 => input.truncate(at),
            3 => drop(input.drain(at..end)),
            4 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            5 => {
                let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
                let size = 1 << rng.random_range(0..4);
                let bytes = if rng.random() {
                    number.to_le_bytes()
                } else {
                    number.rotate_left(8 * (8 - size as u32)).to_be_bytes()
                };
                let bytes = bytes.into_iter().take(size);
                input[at..].iter_mut().zip(bytes).for_each(|(byte, value)| *byte = value);
            }
            6 => {
                let text = TEXTS[rng.random_range(0..TEXTS.len())];
                let after = if rng.random() { at } else { end };
                input.splice(at..after, text.bytes());
            }
            7 => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let from = Self::place(rng, other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let other = &seeds[rng.random_range(0..seeds.len())];
                let from = Self::place(rng, other.len());
                let part = &other[from..(from + end - at).min(other.len())];
                input.splice(at..end, part.iter().copied());
            }
        }
    }

    /// Half of the places lie in the first 256 bytes, where the headers are.
    fn place(rng: &mut Pcg64Mcg, length: usize) -> usize {
        let reach = if rng.random() { length.min(256) } else { length };
        rng.random_range(0..=reach)
    }
}

/// An input for a message: as a literal of Rust, its start if it is long.
pub fn short(input: &[u8]) -> String {
    let shown = &input[..input.len().min(4096)];
    format!("b\"{}\" ({} bytes)", shown.escape_ascii(), input.len())
}
