//! A genotype that the user names: a run, a selection, a checkpoint, a file, a text, or the name of a
//! published one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use smoothdarts::cell::codec::{self, darts, nb101, nb201, recurrent};
use smoothdarts::cell::{Genotype, published};
use smoothdarts::config::Config;
use smoothdarts::run::Phase;

use crate::exit::Exit;
use crate::selection::Selection;
use crate::{open_run, run_dir};

/// A genotype, and where it is from.
pub struct Found {
    /// The genotype.
    pub genotype: Genotype,
    /// Settings of the run that it was found in.
    pub run: Option<Config>,
    /// Whether that run is not over, so that another genotype may follow.
    pub unfinished: bool,
    /// What the run derives at every restriction of the skip connections, from the loosest; of p-darts.
    pub restrictions: Vec<(usize, Genotype)>,
}

impl Found {
    fn alone(genotype: Genotype) -> Self {
        Self { genotype, run: None, unfinished: false, restrictions: Vec::new() }
    }
}

/// The genotype of a run or of its checkpoint, the one that a selection chose, else what [`read`] makes
/// of `source`.
///
/// # Errors
/// If it is none of them, with what is wrong; exit code 2. A file that is damaged or cannot be read.
pub fn found(source: &OsStr) -> anyhow::Result<Found> {
    let path = Path::new(source);
    if let Some(selection) = Selection::read(path)? {
        return Ok(Found::alone(selection.winner(path)?));
    }
    if path.is_dir() || is_checkpoint(path) {
        let checkpoint = open_run::checkpoint(path)?;
        let unfinished = checkpoint.progress.phase != Phase::Done;
        let (genotype, restrictions) = (checkpoint.genotype()?, checkpoint.restrictions()?);
        return Ok(Found { genotype, run: Some(checkpoint.config), unfinished, restrictions });
    }
    let text = source.to_str().with_context(|| format!("{} is no file", path.display()));
    Ok(Found::alone(read(text.context(Exit::Usage)?)?))
}

/// As [`found`]. Two recurrent cells share their names with cells for images: where a text is read, the recurrent
/// ones are meant.
///
/// # Errors
/// As for [`found`].
pub fn meant(source: &OsStr, on_text: bool) -> anyhow::Result<Found> {
    match source.to_str().and_then(published::find_recurrent) {
        Some(row) if on_text => Ok(Found::alone(row.genotype())),
        _ => found(source),
    }
}

/// The genotype alone.
///
/// # Errors
/// As for [`found`].
pub fn of(source: impl AsRef<OsStr>) -> anyhow::Result<Genotype> {
    Ok(found(source.as_ref())?.genotype)
}

/// Whether a file is meant as a checkpoint: by its name, or as its first eight bytes are the length of a
/// header that fits into it, which no text begins with.
fn is_checkpoint(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let header = || {
        let (mut file, mut first) = (File::open(path).ok()?, [0; 8]);
        file.read_exact(&mut first).ok()?;
        Some(u64::from_le_bytes(first) < file.metadata().ok()?.len())
    };
    path.extension().is_some_and(|it| it == "safetensors") || header().unwrap_or(false)
}

/// Reads it: the file that `source` names, else `source` itself. The text is the JSON of
/// genotype.json, the tuple of the Python code bases, the string of NAS-Bench-201, or the matrix and labels of
/// NAS-Bench-101.
///
/// # Errors
/// If it is none of them, with what is wrong; exit code 2. A damaged file of a run, or one that cannot
/// be read.
pub fn read(source: &str) -> anyhow::Result<Genotype> {
    if let Some(row) = published::find(source) {
        return Ok(row.genotype());
    }
    let path = Path::new(source);
    if !path.is_file() {
        let genotype = parse(source).context(Exit::Usage)?;
        return genotype.ok_or_else(|| {
            let fault = format!(
                "{source:?} is no run directory, no file, no published genotype (`sdarts list \
                 genotypes`) and no text of one"
            );
            anyhow!(fault).context(Exit::Usage)
        });
    }
    let text = run_dir::text(path)?.with_context(|| format!("cannot read {source}"))?;
    let genotype = parse(&text).with_context(|| source.to_owned()).context(Exit::Usage)?;
    genotype.ok_or_else(|| {
        let fault = format!(
            "{source} holds no genotype: neither the JSON of a genotype.json, nor a `Genotype(…)` of \
             Python, nor a string of NAS-Bench-201 like |nor_conv_3x3~0|+|…, nor a matrix and labels of \
             NAS-Bench-101 like 011001000 input,conv3x3-bn-relu,output"
        );
        anyhow!(fault).context(Exit::Usage)
    })
}

/// The genotype of a text; `None` if it is in none of the forms.
fn parse(text: &str) -> anyhow::Result<Option<Genotype>> {
    let text = text.trim();
    if recurrent::is_meant(text) {
        return Ok(Some(codec::read(text)?));
    }
    if text.contains("Genotype(") {
        return Ok(Some(darts::from_python(text)?));
    }
    if text.starts_with('{') {
        return Ok(Some(darts::from_json(text)?));
    }
    let string = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if nb101::is_meant(string) {
        return Ok(Some(nb101::decode(string)?));
    }
    if !string.starts_with('|') {
        return Ok(None);
    }
    let genotype = nb201::decode(string)?;
    genotype.validate()?;
    Ok(Some(genotype))
}
