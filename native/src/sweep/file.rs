//! The file of a sweep.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Deserialize;
use serde_json::Value;
use smoothdarts::config::layers::{Origin, Resolver};
use toml::de::{DeTable, DeValue};

use super::definition::{Axis, Definition, GENOTYPE, Kind, Point};
use super::name::plain;
use super::options::Options;
use crate::exit::Exit;
use crate::settings;

/// Runs of a sweep, at most.
const MOST: usize = 10_000;

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    command: Kind,
    preset: Option<String>,
    config: Option<String>,
    genotype: Option<String>,
    #[serde(default)]
    candidates: Vec<String>,
    #[serde(default)]
    set: toml::Table,
    #[serde(default)]
    axes: toml::Table,
    #[serde(default)]
    exclude: Vec<toml::Table>,
    #[serde(default)]
    slurm: Options,
}

/// Reads a file.
///
/// # Errors
/// What is wrong in it, with the file and the key; exit code 2.
pub fn read(path: &Path) -> anyhow::Result<Definition> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the sweep {name}"))
        .context(Exit::Usage)?;
    let definition = parse(&text).and_then(|definition| {
        check(&definition, path)?;
        Ok(definition)
    });
    definition.with_context(|| name.to_string()).context(Exit::Usage)
}

/// Reads the text of a file; whether it makes sense is not known then.
fn parse(text: &str) -> anyhow::Result<Definition> {
    let places = places(text)?;
    let file: File = toml::from_str(text)?;
    let in_order = |table: toml::Table, name: &str| {
        let mut pairs = flat(table);
        pairs.sort_by_key(|(key, _)| places.get(&format!("{name}.{key}")).copied());
        pairs
    };
    let axes = in_order(file.axes, "axes").into_iter().map(|(key, values)| match values {
        Value::Array(values) => Ok(Axis { key, values }),
        value => Err(anyhow!("axes: {key} = {value} is no list; write {key} = [{value}]")),
    });
    Ok(Definition {
        command: file.command,
        preset: file.preset,
        config: file.config,
        genotype: file.genotype,
        candidates: file.candidates,
        set: in_order(file.set, "set"),
        axes: axes.collect::<anyhow::Result<_>>()?,
        exclude: file.exclude.into_iter().map(flat).collect(),
        slurm: file.slurm,
    })
}

/// The settings of a table, `[section] key = …` as `section.key`.
fn flat(table: toml::Table) -> Point {
    let pairs = table.into_iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => {
            let named = |(rest, value): (String, Value)| (format!("{key}.{rest}"), value);
            flat(inner).into_iter().map(named).collect()
        }
        value => vec![(key, settings::json(value))],
    });
    pairs.collect()
}

/// Where the values stand in the text: a table of toml has no order of its own.
fn places(text: &str) -> anyhow::Result<BTreeMap<String, usize>> {
    fn walk(table: &DeTable<'_>, prefix: &str, found: &mut BTreeMap<String, usize>) {
        for (key, value) in table.iter() {
            let key = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => walk(inner, &format!("{key}."), found),
                _ => drop(found.insert(key, value.span().start)),
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(DeTable::parse(text)?.get_ref(), "", &mut found);
    Ok(found)
}

/// Refuses what is wrong whatever the other settings are.
fn check(definition: &Definition, path: &Path) -> anyhow::Result<()> {
    let Definition { command, axes, .. } = definition;
    let word = command.word();
    if axes.is_empty() {
        return Err(anyhow!("it varies nothing; write e.g. [axes] with seed = [1, 2]"));
    }
    if definition.genotype.is_some() && *command != Kind::Train {
        return Err(anyhow!("genotype is of command = \"train\", and this is a sweep of {word}"));
    }
    if definition.candidates.is_empty() == (*command == Kind::Select) {
        return Err(anyhow!(
            "candidates = [\"RUN\", …] belongs to command = \"select\" and to no other"
        ));
    }
    let count = definition.combinations().filter(|count| *count <= MOST);
    count.with_context(|| format!("there are more than {MOST} combinations; split the sweep"))?;
    for (key, value) in &definition.set {
        known(key, value, path).context("set")?;
    }
    for axis in axes {
        check_axis(axis, *command, path).context("axes")?;
    }
    for (index, entry) in definition.exclude.iter().enumerate() {
        check_excluded(entry, axes).with_context(|| format!("exclude {}", index + 1))?;
    }
    Ok(())
}

fn check_axis(axis: &Axis, command: Kind, path: &Path) -> anyhow::Result<()> {
    let Axis { key, values } = axis;
    if values.is_empty() {
        return Err(anyhow!("{key} has no values"));
    }
    for (index, value) in values.iter().enumerate() {
        if values[..index].contains(value) {
            return Err(anyhow!("{key} has the value {value} twice"));
        }
        match (key.as_str(), command, value) {
            (GENOTYPE, Kind::Train, Value::String(_)) => {}
            (GENOTYPE, Kind::Train, _) => return Err(anyhow!("{key} = {value} is no text")),
            _ => known(key, value, path)?,
        }
    }
    Ok(())
}

/// An exclusion that can never apply has a slip in it.
fn check_excluded(entry: &Point, axes: &[Axis]) -> anyhow::Result<()> {
    if entry.is_empty() {
        return Err(anyhow!("it is empty, and would leave out everything"));
    }
    for (key, value) in entry {
        let axis = axes.iter().find(|axis| axis.key == *key);
        let Some(axis) = axis else {
            let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
            return Err(anyhow!("{key} is not varied; that is: {}", keys.join(", ")));
        };
        if !axis.values.contains(value) {
            let values: Vec<String> = axis.values.iter().map(plain).collect();
            let (value, values) = (plain(value), values.join(", "));
            return Err(anyhow!("{key} is never {value}; its values are: {values}"));
        }
    }
    Ok(())
}

/// Whether there is such a setting, and the value is of its kind.
fn known(key: &str, value: &Value, path: &Path) -> anyhow::Result<()> {
    let layer = Value::Object([(key.to_owned(), value.clone())].into_iter().collect());
    let origin = Origin::File(path.display().to_string());
    Ok(Resolver::default().table(&layer, &origin)?)
}
