//! One golden file and the comparison with it.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use safetensors::SafeTensors;

/// A golden file in memory.
pub struct Fixture {
    /// File name.
    pub name: String,
    metadata: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Fixture {
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (&str, safetensors::tensor::TensorView)| {
            let values = match view.dtype() {
                safetensors::Dtype::F32 => floats(view.data(), f32::from_le_bytes),
                safetensors::Dtype::I64 => floats(view.data(), |b| i64::from_le_bytes(b) as f32),
                safetensors::Dtype::I32 => floats(view.data(), |b| i32::from_le_bytes(b) as f32),
                other => panic!("{name} has the type {other:?}"),
            };
            (name.to_owned(), (view.shape().to_vec(), values))
        };
        Self {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            metadata: header.metadata().clone().unwrap(),
            tensors: file.iter().map(tensor).collect(),
        }
    }

    /// The file as that of one network, of which these are the metadata: the tensors that begin so, without that,
    /// and those that belong to no `group`. Names of modules as this project has them.
    pub fn part(&self, name: &str, group: &str, metadata: &[(&str, String)]) -> Self {
        let prefix = format!("{name}/");
        let of_part = |(key, value): (&String, &(Vec<usize>, Vec<f32>))| {
            let key = key.strip_prefix(&prefix).or((!key.starts_with(group)).then_some(key))?;
            Some((key.replace("cell_ops", "_ops").replace("m_ops", "_ops"), value.clone()))
        };
        let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        Self {
            name: format!("{} {name}", self.name),
            metadata: self.metadata.clone().into_iter().chain(metadata).collect(),
            tensors: self.tensors.iter().filter_map(of_part).collect(),
        }
    }

    pub fn kind(&self) -> &str {
        &self.metadata["kind"]
    }

    pub fn text(&self, key: &str) -> &str {
        &self.metadata[key]
    }

    /// Whether the metadata have this key.
    pub fn says(&self, key: &str) -> bool {
        self.metadata.contains_key(key)
    }

    pub fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(&self, key: &str) -> T {
        self.metadata[key].parse().unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub fn values(&self, name: &str) -> &[f32] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("{} lacks {name}", self.name)).1
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors.get(name).unwrap_or_else(|| panic!("{} lacks {name}", self.name)).0
    }

    pub fn matrix(&self, name: &str, device: &Device) -> Tensor<2> {
        let (shape, values) = &self.tensors[name];
        Tensor::from_data(TensorData::new(values.clone(), [shape[0], shape[1]]), device)
    }

    /// A matrix; a vector as one row.
    pub fn rows(&self, name: &str, device: &Device) -> Tensor<2> {
        let (shape, values) = &self.tensors[name];
        let shape = match shape[..] {
            [columns] => [1, columns],
            _ => [shape[0], shape[1]],
        };
        Tensor::from_data(TensorData::new(values.clone(), shape), device)
    }

    /// Images in our layout: [batch, height, width, channels].
    pub fn images(&self, name: &str, device: &Device) -> Tensor<4> {
        let (shape, values) = &self.tensors[name];
        let shape: [usize; 4] = shape.clone().try_into().unwrap();
        Tensor::<4>::from_data(TensorData::new(values.clone(), shape), device).permute([0, 2, 3, 1])
    }

    pub fn labels(&self, name: &str, device: &Device) -> Tensor<1, Int> {
        let labels: Vec<i32> = self.values(name).iter().map(|&label| label as i32).collect();
        Tensor::from_data(TensorData::new(labels.clone(), [labels.len()]), device)
    }
}

fn floats<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.chunks_exact(N).map(|chunk| number(chunk.try_into().unwrap())).collect()
}

/// Largest errors of each quantity, and which of them are too large.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    failures: Vec<String>,
}

impl Report {
    /// Largest difference, relative to the largest expected magnitude.
    pub fn relative(&mut self, what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
        let scale = expected.iter().fold(0.0f32, |scale, value| scale.max(value.abs()));
        self.add(what, largest(found, expected) / scale.max(f32::MIN_POSITIVE), tolerance);
    }

    /// Largest difference.
    pub fn absolute(&mut self, what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
        self.add(what, largest(found, expected), tolerance);
    }

    /// Share of entries that differ by more than `each`.
    pub fn share(&mut self, what: &str, found: &[f32], expected: &[f32], each: f32, share: f32) {
        assert_eq!(found.len(), expected.len(), "{what}: lengths");
        let off =
            found.iter().zip(expected).filter(|(a, b)| exceeds((*a - *b).abs(), each)).count();
        self.add(what, off as f32 / found.len() as f32, share);
    }

    /// Whether everything so far was within its tolerance.
    pub fn passes(&self) -> bool {
        self.failures.is_empty()
    }

    /// Adds what another report found.
    pub fn extend(&mut self, other: Report) {
        self.lines.extend(other.lines);
        self.failures.extend(other.failures);
    }

    /// Prints one line for the fixture and fails if anything was out of its tolerance.
    pub fn finish(self, title: &str) {
        println!("{title}: {}", self.lines.join(", "));
        assert!(self.failures.is_empty(), "{title}: {}", self.failures.join("; "));
    }

    fn add(&mut self, what: &str, error: f32, tolerance: f32) {
        self.lines.push(format!("{what} {error:.1e}"));
        if exceeds(error, tolerance) {
            self.failures.push(format!("{what} is off by {error:e}, allowed {tolerance:e}"));
        }
    }
}

/// A NaN exceeds every tolerance.
fn exceeds(error: f32, tolerance: f32) -> bool {
    error > tolerance || error.is_nan()
}

fn largest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let mut worst = 0.0f32;
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs();
        worst = if error > worst || error.is_nan() { error } else { worst };
    }
    worst
}
