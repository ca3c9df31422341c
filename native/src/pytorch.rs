//! The tensors of a file that `torch.save` wrote, in the archive of PyTorch 1.6 and later or in the stream
//! before it, and such an archive of tensors. Only what a state_dict is made of is understood; nothing of the file is ever run.
//!
//! The archive is read by a library, what is in it by own code. (The reader behind burn-store,
//! pytorch-reader 0.22, brings zip with zlib-rs, which changes how gzip is built for the whole
//! workspace; serde-pickle 1.2 has no persistent ids, by which `torch.save` refers to its numbers.)

mod pickle;
mod write;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use rawzip::{CompressionMethod, ZipArchive, ZipVerification};
use smoothdarts::arrays::{Array, Arrays};

use pickle::{Pickle, Value};
pub use write::to_bytes;

/// Start of the archive, and of the older stream: protocol 2, then a long number of ten bytes.
const ARCHIVE: &[u8] = b"PK\x03\x04";
const STREAM: &[u8] = b"\x80\x02\x8a\x0a";

/// Where a checkpoint may have its state_dict.
const KEYS: [&str; 4] = ["state_dict", "model_state_dict", "model", "net"];

/// Whether the bytes are of such a file.
pub fn is_file(bytes: &[u8]) -> bool {
    bytes.starts_with(ARCHIVE) || bytes.starts_with(STREAM)
}

/// The tensors of floating point numbers, by name; integers, which only count batches, are left out.
///
/// # Errors
/// If the file is damaged or holds no state_dict.
pub fn state_dict(bytes: &[u8]) -> anyhow::Result<Arrays> {
    let (root, storages) = match bytes.starts_with(ARCHIVE) {
        true => archive(bytes)?,
        false => stream(bytes)?,
    };
    let entries = entries(&root).context(
        "it holds no state_dict; save one with torch.save(model.state_dict(), FILE), not the model",
    )?;
    let mut arrays = Arrays::new();
    for (name, value) in entries {
        if let (Value::Text(name), Value::Tensor(tensor)) = (name, value)
            && let Some(array) = array(tensor, &storages).with_context(|| name.clone())?
        {
            arrays.insert(name.clone(), array);
        }
    }
    Ok(arrays)
}

/// Bytes of the storages, by key.
type Storages<'a> = BTreeMap<String, &'a [u8]>;

/// The state_dict, at the root or below it.
fn entries(root: &Value) -> Option<&Vec<(Value, Value)>> {
    let Value::Dict(entries) = root else { return None };
    if entries.iter().any(|(_, value)| matches!(value, Value::Tensor(_))) {
        return Some(entries);
    }
    let at = |key: &str| entries.iter().find(|(name, _)| *name == Value::Text(key.to_owned()));
    KEYS.iter().find_map(|key| self::entries(&at(key)?.1))
}

fn array(tensor: &pickle::Tensor, storages: &Storages) -> anyhow::Result<Option<Array>> {
    let (size, number): (usize, fn(&[u8]) -> f32) = match tensor.storage.kind.as_str() {
        "FloatStorage" => (4, |b| b.try_into().map_or(f32::NAN, f32::from_le_bytes)),
        "DoubleStorage" => (8, |b| b.try_into().map_or(f64::NAN, f64::from_le_bytes) as f32),
        "LongStorage" | "IntStorage" => return Ok(None),
        other => bail!("it is a {other}; convert the weights with .float() before saving them"),
    };
    let key = &tensor.storage.key;
    let bytes = storages.get(key).with_context(|| format!("the numbers of storage {key} lack"))?;
    let pickle::Tensor { offset, shape, strides, .. } = tensor;
    ensure!(shape.len() == strides.len(), "its shape and its strides do not fit");
    let count = shape.iter().try_fold(1usize, |count, &side| count.checked_mul(side));
    let count = count.filter(|count| *count <= bytes.len() / size);
    let count = count.with_context(|| format!("{shape:?} is more than its storage holds"))?;
    let place = |index: usize| {
        let axes = shape.iter().zip(strides).rev();
        let (_, place) = axes.fold((index, *offset), |(rest, place), (side, stride)| {
            (rest / side, place.saturating_add((rest % side).saturating_mul(*stride)))
        });
        place.saturating_mul(size)
    };
    let value = |index| {
        let start = place(index);
        bytes.get(start..start.saturating_add(size)).map(number)
    };
    let values: Option<Vec<f32>> = (0..count).map(value).collect();
    let values = values.context("it reaches beyond its storage")?;
    Ok(Some(Array { shape: shape.clone(), values }))
}

/// A zip archive without compression, as PyTorch writes it.
fn archive(bytes: &[u8]) -> anyhow::Result<(Value, Storages<'_>)> {
    let mut pickle = None;
    let mut storages = Storages::new();
    for (name, content) in members(bytes).context("the archive is damaged or cut off")? {
        if name.ends_with("/data.pkl") {
            pickle = Some(content);
        } else if name.ends_with("/byteorder") {
            ensure!(content == b"little", "it was written on a big-endian machine");
        } else if let Some((_, key)) = name.split_once("/data/") {
            storages.insert(key.to_owned(), content);
        }
    }
    let pickle = pickle.context("the archive has no data.pkl: it is not of PyTorch")?;
    Ok((Pickle::new(pickle).load()?, storages))
}

/// Its files. The checksum of each is compared, as a changed weight would else pass for another one.
fn members(bytes: &[u8]) -> anyhow::Result<Vec<(String, &[u8])>> {
    let archive = ZipArchive::from_slice(bytes)?;
    let mut members = Vec::new();
    for entry in archive.entries() {
        let entry = entry?;
        let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
        ensure!(
            entry.compression_method() == CompressionMethod::STORE,
            "{name} in it is compressed, which torch.save does not do"
        );
        let found = archive.get_entry(entry.wayfinder())?;
        let (start, end) = found.compressed_data_range();
        let content = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let content = content.and_then(|(start, end)| bytes.get(start..end));
        let content = content.with_context(|| format!("{name} in it is cut off"))?;
        let sum = ZipVerification {
            crc: rawzip::crc32(content),
            uncompressed_size: content.len() as u64,
        };
        found.claim_verifier().valid(sum).with_context(|| format!("{name} in it is damaged"))?;
        members.push((name, content));
    }
    let (found, told) = (members.len() as u64, archive.entries_hint());
    ensure!(found == told, "{found} files are left of {told}");
    Ok(members)
}

/// Pickles one after another, then the numbers of each storage behind their count.
fn stream(bytes: &[u8]) -> anyhow::Result<(Value, Storages<'_>)> {
    let mut pickle = Pickle::new(bytes);
    // A magic number, the version of the format, and what machine wrote it.
    for _ in 0..3 {
        pickle.load()?;
    }
    let root = pickle.load()?;
    let Value::List(keys) = pickle.load()? else { bail!("the list of storages is damaged") };
    let sizes = pickle.storages();
    let mut rest = bytes.get(pickle.position()..).unwrap_or_default();
    let mut storages = Storages::new();
    for key in keys {
        let Value::Text(key) = key else { bail!("the list of storages is damaged") };
        let size = sizes.get(&key).with_context(|| format!("storage {key} is unknown"))?;
        let split = rest.split_at_checked(8).and_then(|(count, rest)| {
            let count = u64::from_le_bytes(count.try_into().ok()?);
            rest.split_at_checked(usize::try_from(count).ok()?.checked_mul(*size)?)
        });
        let (content, after) = split.context("the file ends within its numbers")?;
        storages.insert(key, content);
        rest = after;
    }
    Ok((root, storages))
}
