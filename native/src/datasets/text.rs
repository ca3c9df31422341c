//! Texts: the one that comes with the program, and those in a folder.

use std::path::Path;

use anyhow::Context as _;
use smoothdarts::config::Config;
use smoothdarts::data::DataError;
use smoothdarts::data::corpus::{self, Corpus};
use smoothdarts::data::text::{Text, TextLoader};

use super::common::{home, unusable};
use super::open::{cannot_open, read};
use crate::exit::Exit;
use crate::output;

/// Whether `data.name` is that of a text.
pub fn is_text(name: &str) -> bool {
    corpus::find_text(name).is_some()
}

/// The text that `data.name` and `data.dir` ask for.
///
/// # Errors
/// A name that is no text, no folder where one is needed, and files that are missing or are none.
pub fn open(config: &Config) -> anyhow::Result<Text> {
    let (name, dir) = (config.data.name.as_str(), Path::new(&config.data.dir));
    let Some(text) = corpus::find_text(name) else {
        let problem = format!("a recurrent cell reads a text, and {name} has images");
        return Err(unusable(problem, remedy()).into());
    };
    let limit = config.data.vocabulary_limit;
    if dir.as_os_str().is_empty() || text.how.is_empty() {
        return embedded(text, limit);
    }
    if !dir.is_dir() {
        let problem = format!("{}, the folder of {name}, is not there", dir.display());
        return Err(unusable(problem, text.how).into());
    }
    for folder in [&home(dir, name), dir] {
        match text.decode(limit, &mut |file| read(&folder.join(file))) {
            Err(DataError::Missing { .. }) => {}
            result => return result.with_context(|| cannot_open(name, folder)),
        }
    }
    let files = "train.txt, valid.txt and test.txt (or ptb.….txt, wiki.….tokens; plain or .gz)";
    let problem = format!("{} does not have {files}", dir.display());
    Err(unusable(problem, text.how).into())
}

/// The batches of a search of the text that settings name.
///
/// # Errors
/// As for [`open`], and a part that is shorter than a batch.
pub fn search(config: &Config) -> anyhow::Result<TextLoader> {
    Ok(TextLoader::for_search(open(config)?, config)?)
}

/// A text of as many words as the one that is named, all of them the same: what a run would take does not
/// depend on what they say.
///
/// # Errors
/// Why it could not be opened, if that is not for its files, or how many words it has is not known.
pub fn stand_in(config: &Config, error: anyhow::Error) -> anyhow::Result<Text> {
    let known = corpus::find_text(&config.data.name).and_then(|it| Some((it.name, it.counts?)));
    let (Some((name, [train, valid, test, vocabulary])), Exit::Data) = (known, Exit::of(&error))
    else {
        return Err(error);
    };
    output::note(&format!("the files of {name} are not there; its sizes are known"));
    let part = |words: usize| vec![0; words];
    Ok(Text {
        name: name.to_owned(),
        train: part(train),
        valid: part(valid),
        test: part(test),
        vocabulary: (0..vocabulary).map(|word| word.to_string()).collect(),
    })
}

/// The text that comes with the program (300 kB; its notice is in the same folder).
fn embedded(text: &Corpus, limit: usize) -> anyhow::Result<Text> {
    if !text.how.is_empty() {
        let problem = format!("the text {} does not come with the program", text.name);
        return Err(unusable(problem, text.how).into());
    }
    let file = |name: &str| -> Option<&'static [u8]> {
        match name {
            "train.txt.gz" => Some(include_bytes!("../../data/shakespeare/train.txt.gz")),
            "valid.txt.gz" => Some(include_bytes!("../../data/shakespeare/valid.txt.gz")),
            "test.txt.gz" => Some(include_bytes!("../../data/shakespeare/test.txt.gz")),
            _ => None,
        }
    };
    Ok(text.decode(limit, &mut |name| Ok(file(name).map(<[u8]>::to_vec)))?)
}

fn remedy() -> String {
    let names: Vec<&str> = corpus::TEXTS.iter().map(|text| text.name).collect();
    format!(
        "start from a preset for text (`--preset ptb-quick`, of a training train-ptb-quick), or name one with \
         --data: {}",
        names.join(", ")
    )
}
