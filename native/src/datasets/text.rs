//! Texts as files: train.txt, valid.txt and test.txt of a folder.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use smoothdarts::config::Config;
use smoothdarts::data::text::{Text, TextLoader};

/// The end of a line, as a word.
const END: &str = "<eos>";

/// The text in the folder `data.dir`.
///
/// # Errors
/// If a file cannot be read.
pub fn open(config: &Config) -> anyhow::Result<Text> {
    let dir = Path::new(&config.data.dir);
    let (mut numbers, mut vocabulary) = (HashMap::new(), Vec::new());
    let mut part = |name: &str| -> anyhow::Result<Vec<u32>> {
        let path = dir.join(format!("{name}.txt"));
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let words = text.lines().flat_map(|line| line.split_whitespace().chain([END]));
        let number = |word: &str| {
            *numbers.entry(word.to_owned()).or_insert_with(|| {
                vocabulary.push(word.to_owned());
                vocabulary.len() as u32 - 1
            })
        };
        Ok(words.map(number).collect())
    };
    let (train, valid, test) = (part("train")?, part("valid")?, part("test")?);
    Ok(Text { name: config.data.name.clone(), train, valid, test, vocabulary })
}

/// The batches of a search of the text that settings name.
///
/// # Errors
/// As for [`open`], and a part that is shorter than a batch.
pub fn search(config: &Config) -> anyhow::Result<TextLoader> {
    Ok(TextLoader::for_search(open(config)?, config)?)
}
