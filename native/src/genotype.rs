//! A genotype that the user names: in a file, as text, or by the name of a published one.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use smoothdarts::cell::codec::{darts, nb201};
use smoothdarts::cell::{Genotype, published};

use crate::exit::Exit;
use crate::{open_run, run_dir};

/// The genotype of a run, else of a checkpoint, else what [`read`] makes of `source`.
///
/// # Errors
/// If it is none of them, with what is wrong.
pub fn of(source: &str) -> anyhow::Result<Genotype> {
    let path = Path::new(source);
    let is_checkpoint = path.extension().is_some_and(|it| it == "safetensors");
    if path.is_dir() {
        return Ok(open_run::checkpoint(path)?.genotype()?);
    }
    if is_checkpoint && path.is_file() {
        return Ok(run_dir::read_checkpoint(path)?.genotype()?);
    }
    read(source)
}

/// Reads it: the file that `source` names, else `source` itself. The text is the JSON of
/// genotype.json, the tuple of the Python code bases, or the string of NAS-Bench-201.
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
             Python, nor a string of NAS-Bench-201 like |nor_conv_3x3~0|+|…"
        );
        anyhow!(fault).context(Exit::Usage)
    })
}

/// Whether a text is meant as a genotype, right or wrong.
pub fn is_one(text: &str) -> bool {
    let text = text.trim_start();
    text.contains("Genotype(") || text.starts_with(['{', '|']) || text.starts_with("\"|")
}

/// The genotype of a text; `None` if it is in none of the forms.
fn parse(text: &str) -> anyhow::Result<Option<Genotype>> {
    let text = text.trim();
    if text.contains("Genotype(") {
        return Ok(Some(darts::from_python(text)?));
    }
    if text.starts_with('{') {
        return Ok(Some(darts::from_json(text)?));
    }
    let string = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    if !string.starts_with('|') {
        return Ok(None);
    }
    let genotype = nb201::decode(string)?;
    genotype.validate()?;
    Ok(Some(genotype))
}
