//! `corpus unpack DIR` writes the seeds of every reader, and what fuzzing found before, into DIR/READER, and
//! their words into DIR/READER.dict;
//! `corpus pack DIR` keeps what lies there (after `cargo fuzz cmin`) for the ordinary tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
// The counters of the readers are its.
use libfuzzer_sys as _;

use fuzz::readers::{ALL, packed};

/// Longer inputs, and more of them, are not kept: all together are to stay small.
const LONGEST: usize = 16 << 10;
const MOST: usize = 10_000;

/// How the files of seeds are called.
const SEED: &str = "seed";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, folder] = &arguments[..] else {
        bail!("usage: corpus unpack DIR, or corpus pack DIR")
    };
    for reader in ALL {
        let folder = Path::new(folder).join(reader.name);
        match command.as_str() {
            "unpack" => {
                fs::create_dir_all(&folder)?;
                let seeds = (reader.seeds)();
                fs::write(folder.with_extension("dict"), words(&seeds))?;
                for (kind, inputs) in [(SEED, seeds), ("found", reader.found())] {
                    for (index, input) in inputs.iter().enumerate() {
                        fs::write(folder.join(format!("{kind}-{index:04}")), input)?;
                    }
                }
            }
            "pack" => {
                let (inputs, left) = chosen(&folder)?;
                let kept = packed(&inputs);
                println!(
                    "{}: {} inputs, {left} left out, {} bytes",
                    reader.name,
                    inputs.len(),
                    kept.len()
                );
                let name = format!("../data/fuzz/{}.gz", reader.name);
                fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), kept)?;
            }
            _ => bail!("{command} is neither pack nor unpack"),
        }
    }
    Ok(())
}

/// The words of seeds, in the form that libFuzzer reads.
fn words(seeds: &[Vec<u8>]) -> String {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let all = seeds.iter().flat_map(|seed| seed.split(|byte| !is_part(byte)));
    let words =
        all.filter(|it| (2..=32).contains(&it.len()) && it.iter().any(u8::is_ascii_alphabetic));
    let words: BTreeSet<&[u8]> = words.collect();
    words.iter().map(|word| format!("\"{}\"\n", word.escape_ascii())).collect()
}

/// Of the inputs in a folder as many as may be kept, the shortest first; and how many are left out.
fn chosen(folder: &Path) -> anyhow::Result<(Vec<Vec<u8>>, usize)> {
    let mut all = Vec::new();
    for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = file?.path();
        // The readers have their seeds themselves.
        if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SEED)) {
            all.push(fs::read(path)?);
        }
    }
    let count = all.len();
    all.sort_by_key(|input| (input.len(), input.clone()));
    all.retain(|input| input.len() <= LONGEST);
    while packed(&all).len() > MOST {
        // Every tenth, so that short and long ones are left.
        let mut place = 0;
        all.retain(|_| {
            place += 1;
            place % 10 != 0
        });
        if all.len() < 10 {
            all.truncate(all.len().saturating_sub(1));
        }
    }
    let left = count - all.len();
    Ok((all, left))
}
