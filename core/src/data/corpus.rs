//! The catalogue of texts, and how their files are read: words between white space, `<eos>` at the end of
//! every line, the vocabulary over all three parts in the order in which words appear (spec §10).

use std::collections::HashMap;

use super::files::{Files, Read};
use super::input::{Input, MAX_BYTES};
use super::text::Text;
use super::{DataError, Part};

/// The word that ends a line.
pub const END_OF_LINE: &str = "<eos>";

/// The word that stands for all that are not in the vocabulary.
pub const UNKNOWN: &str = "<unk>";

/// A row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// Its name in a config.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How its files are had; empty where they come with the program.
    pub how: &'static str,
    /// Words of the training, validation and test text and of the vocabulary, where they are known.
    pub counts: Option<[usize; 4]>,
}

/// The tragedies that come with the program.
pub const SHAKESPEARE: &str = "shakespeare";

/// A text of the user's own.
pub const OWN: &str = "text";

/// All texts.
pub static TEXTS: &[Corpus] = &[
    Corpus {
        name: SHAKESPEARE,
        help: "five tragedies by Shakespeare and Macbeth, 167,822 + 13,347 + 8,661 words; comes with the program",
        how: "",
        counts: Some([167_822, 13_347, 8_661, 11_315]),
    },
    Corpus {
        name: "ptb",
        help: "Penn Treebank as Mikolov prepared it, 929,589 + 73,760 + 82,430 words, 10,000 in the vocabulary; \
               get it yourself: --data-dir DIR with ptb.train.txt, ptb.valid.txt and ptb.test.txt",
        how: "its text belongs to the LDC: take ptb.train.txt, ptb.valid.txt and ptb.test.txt of Mikolov's \
              simple-examples.tgz (folder data), and set --data-dir to their folder",
        counts: Some([929_589, 73_760, 82_430, 10_000]),
    },
    Corpus {
        name: "wikitext-2",
        help: "WikiText-2, 2,088,628 + 217,646 + 245,569 words, 33,278 in the vocabulary; get it yourself: \
               --data-dir DIR with wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens",
        how: "take wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens of wikitext-2-v1.zip (Merity et al. \
              2016), and set --data-dir to their folder",
        counts: Some([2_088_628, 217_646, 245_569, 33_278]),
    },
    Corpus {
        name: OWN,
        help: "a text of your own: --data-dir DIR with train.txt, valid.txt and test.txt, plain or .gz",
        how: "set --data-dir to a folder with train.txt, valid.txt and test.txt: words between blanks, a sentence \
              on every line",
        counts: None,
    },
];

/// The text of this name.
pub fn find_text(name: &str) -> Option<&'static Corpus> {
    TEXTS.iter().find(|text| text.name == name)
}

/// Most words of a text: places in it are numbers of 32 bits.
const MOST_WORDS: u64 = u32::MAX as u64;

impl Corpus {
    /// Reads the text. `read` gets the name of a file and returns its bytes, or `None` where there is no such
    /// file; names are asked for as they are and with `.gz` behind them. Of a vocabulary of more than `limit`
    /// words (0: any) the most frequent of the training text stay, the others become `<unk>`.
    ///
    /// # Errors
    /// A file that is missing, cannot be read, is not UTF-8 or has no words, and a text that is not the one
    /// of the catalogue.
    pub fn decode<'a>(&self, limit: usize, read: &'a mut Read<'a>) -> Result<Text, DataError> {
        let mut files = Files::new(self.name, read);
        let mut reading = Reading::default();
        let mut part = |part| reading.part(part, &mut files);
        let (train, valid, test) = (part(Part::Train)?, part(Part::Valid)?, part(Part::Test)?);
        let text =
            Text { name: self.name.to_owned(), train, valid, test, vocabulary: reading.vocabulary };
        self.check(&text)?;
        Ok(if limit > 0 && limit < text.vocabulary.len() { limited(text, limit) } else { text })
    }

    /// Whether it has as many words as the text of this name.
    fn check(&self, text: &Text) -> Result<(), DataError> {
        let Text { train, valid, test, vocabulary, .. } = text;
        let found = [train.len(), valid.len(), test.len(), vocabulary.len()];
        match self.counts.filter(|expected| *expected != found) {
            None => Ok(()),
            Some(expected) => Err(DataError::unusable(
                format!(
                    "this is not {}: it has {} words and a vocabulary of {}, instead of {} and {}",
                    self.name,
                    words(&found[..3]),
                    found[3],
                    words(&expected[..3]),
                    expected[3]
                ),
                format!("read it as a text of your own with `--data {OWN}`, or {}", self.how),
            )),
        }
    }
}

/// The sizes of three parts.
fn words(counts: &[usize]) -> String {
    counts.iter().map(usize::to_string).collect::<Vec<_>>().join(" + ")
}

/// What is known of the words so far.
#[derive(Default)]
struct Reading {
    vocabulary: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Reading {
    /// The words of a part, as numbers.
    fn part(&mut self, part: Part, files: &mut Files) -> Result<Vec<u32>, DataError> {
        let name = match part {
            Part::Train => "train",
            Part::Valid => "valid",
            Part::Test => "test",
        };
        let names =
            [format!("{name}.txt"), format!("ptb.{name}.txt"), format!("wiki.{name}.tokens")];
        let (file, bytes) = files.get(&names.each_ref().map(String::as_str))?;
        let text = plain(&file, &bytes)?;
        let mut numbers = Vec::new();
        // Windows puts a mark before a text, which is no part of its first word.
        for line in text.trim_start_matches('\u{feff}').lines() {
            for word in line.split_whitespace().chain([END_OF_LINE]) {
                numbers.push(self.number(word));
            }
        }
        let ends = self.numbers.get(END_OF_LINE).copied();
        if numbers.iter().all(|number| Some(*number) == ends) {
            return Err(DataError::Malformed {
                file,
                expected: "words between blanks, a sentence on every line".to_owned(),
                found: "no word at all".to_owned(),
                remedy: "give it a text, or set --data-dir to another folder",
            });
        }
        if numbers.len() as u64 > MOST_WORDS {
            let found = format!("{} words", numbers.len());
            return Err(DataError::malformed(&file, format!("at most {MOST_WORDS} words"), found));
        }
        Ok(numbers)
    }

    /// The number of a word; the next one, of a new word.
    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.vocabulary.len() as u32;
        self.vocabulary.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }
}

/// The text of a file, through gzip where it begins like that.
fn plain(file: &str, bytes: &[u8]) -> Result<String, DataError> {
    let mut input = Input::new(file, bytes);
    let bytes = input.up_to(MAX_BYTES)?;
    input.end("2,000,000,000 bytes")?;
    String::from_utf8(bytes).map_err(|error| {
        let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        DataError::Malformed {
            file: file.to_owned(),
            expected: "text in UTF-8".to_owned(),
            found: format!("another byte ({:#04x}) in line {line}, byte {at}", bytes[at]),
            remedy: "convert it, e.g. with `iconv -f LATIN1 -t UTF-8`",
        }
    })
}

/// The text with the `limit` most frequent words of its training text, `<eos>` and `<unk>` among them. Of
/// words that are equally frequent those stay that appeared first, and all keep their order.
fn limited(text: Text, limit: usize) -> Text {
    let mut counts = vec![0u64; text.vocabulary.len()];
    text.train.iter().for_each(|&word| counts[word as usize] += 1);
    let mut order: Vec<usize> = (0..counts.len()).collect();
    // Stable: what is equal stays in the order of appearance. The two words that must stay come first.
    let must = |word: usize| [END_OF_LINE, UNKNOWN].contains(&text.vocabulary[word].as_str());
    order.sort_by_key(|&word| (!must(word), std::cmp::Reverse(counts[word])));
    let has_unknown = text.vocabulary.iter().any(|word| word == UNKNOWN);
    let room = limit.max(2) - usize::from(!has_unknown);
    let mut kept = vec![false; counts.len()];
    order.into_iter().take(room).for_each(|word| kept[word] = true);
    let Text { name, train, valid, test, vocabulary } = text;
    let mut words: Vec<String> = Vec::with_capacity(limit);
    let mut numbers = vec![None; kept.len()];
    for (word, spelled) in vocabulary.into_iter().enumerate().filter(|(word, _)| kept[*word]) {
        numbers[word] = Some(words.len() as u32);
        words.push(spelled);
    }
    let unknown = words.iter().position(|word| word == UNKNOWN).unwrap_or(words.len()) as u32;
    if !has_unknown {
        words.push(UNKNOWN.to_owned());
    }
    let renumber = |part: Vec<u32>| -> Vec<u32> {
        part.into_iter().map(|word| numbers[word as usize].unwrap_or(unknown)).collect()
    };
    let (train, valid, test) = (renumber(train), renumber(valid), renumber(test));
    Text { name, train, valid, test, vocabulary: words }
}
