//! Named arrays of numbers: on the host, as bytes, and as tensors. Checkpoints, weights and golden
//! files are such arrays; the file format is safetensors.

pub mod state_dict;

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::cell::Rows;
use crate::nn::{ReadError, read};

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

/// What waits for the device behind a trait object or a function pointer.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An array on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// Why arrays cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArrayError {
    /// Not a safetensors file, or a damaged one.
    #[error("{0}")]
    Malformed(String),
    /// There is none of this name and shape.
    #[error("there is no tensor `{name}` of shape {shape:?}")]
    Missing {
        /// Its name.
        name: String,
        /// The shape that it should have.
        shape: Vec<usize>,
    },
}

impl Array {
    /// The numbers of a tensor.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn of<const D: usize>(tensor: &Tensor<D>) -> Result<Self, ReadError> {
        Ok(Self { shape: tensor.dims().to_vec(), values: read(tensor.clone()).await? })
    }

    /// A matrix as rows.
    pub fn rows(&self) -> Rows {
        let columns = self.shape.last().copied().unwrap_or(1).max(1);
        self.values.chunks(columns).map(<[f32]>::to_vec).collect()
    }
}

/// The array of this name, if it has this shape.
///
/// # Errors
/// [`ArrayError::Missing`].
pub fn find<'a>(arrays: &'a Arrays, name: &str, shape: &[usize]) -> Result<&'a Array, ArrayError> {
    let found = arrays.get(name).filter(|array| array.shape == shape);
    found.ok_or_else(|| ArrayError::Missing { name: name.to_owned(), shape: shape.to_vec() })
}

/// A matrix on the device.
///
/// # Errors
/// [`ArrayError::Missing`].
pub fn matrix(
    arrays: &Arrays,
    name: &str,
    shape: [usize; 2],
    device: &Device,
) -> Result<Tensor<2>, ArrayError> {
    let array = find(arrays, name, &shape)?;
    Ok(Tensor::from_data(TensorData::new(array.values.clone(), shape), device))
}

/// Two rows on the device, of any length: statistics, of which a network may have none.
pub fn pair(values: Vec<f32>, device: &Device) -> Tensor<2> {
    let columns = values.len() / 2;
    Tensor::from_data(TensorData::new(values, [2, columns]), device)
}

/// A vector on the device.
pub fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A matrix on the device, from its rows.
pub fn from_rows(rows: &Rows, device: &Device) -> Tensor<2> {
    let columns = rows.first().map_or(0, Vec::len);
    vector(rows.concat(), device).reshape([rows.len(), columns])
}

/// Matrices on the host.
///
/// # Errors
/// If the device failed.
pub async fn to_rows(tensors: &[Tensor<2>]) -> Result<Vec<Rows>, ReadError> {
    let mut all = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        all.push(Array::of(tensor).await?.rows());
    }
    Ok(all)
}

/// A safetensors file.
///
/// # Errors
/// If a shape does not fit its numbers.
pub fn to_bytes<'a>(
    arrays: impl Iterator<Item = (&'a str, &'a Array)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>, ArrayError> {
    let views: Result<Vec<_>, _> = arrays
        .map(|(name, array)| {
            let bytes = bytemuck::cast_slice(&array.values);
            TensorView::new(Dtype::F32, array.shape.clone(), bytes).map(|view| (name, view))
        })
        .collect();
    safetensors::serialize(views.map_err(malformed)?, metadata).map_err(malformed)
}

/// The arrays of a safetensors file.
///
/// # Errors
/// [`ArrayError::Malformed`], also where an array is not of 32-bit floats. Only PyTorch's counts of
/// batches, which are integers and which nothing here needs, are left out.
pub fn from_bytes(bytes: &[u8]) -> Result<Arrays, ArrayError> {
    let file = SafeTensors::deserialize(bytes).map_err(malformed)?;
    let array = |(name, view): (&str, TensorView)| {
        if view.dtype() != Dtype::F32 {
            return Err(malformed(format!("tensor `{name}` is {:?}, not F32", view.dtype())));
        }
        let values = bytemuck::pod_collect_to_vec(view.data());
        Ok((name.to_owned(), Array { shape: view.shape().to_vec(), values }))
    };
    let is_count = |name: &str| name.ends_with(state_dict::BATCHES);
    file.iter().filter(|(name, _)| !is_count(name)).map(array).collect()
}

/// An entry of the metadata of a safetensors file; its arrays are not read.
///
/// # Errors
/// [`ArrayError::Malformed`].
pub fn metadata(bytes: &[u8], key: &str) -> Result<Option<String>, ArrayError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
    Ok(metadata.metadata().as_ref().and_then(|entries| entries.get(key)).cloned())
}

fn malformed(error: impl std::fmt::Display) -> ArrayError {
    ArrayError::Malformed(error.to_string())
}
