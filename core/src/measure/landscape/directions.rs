//! The two directions of a landscape.

use burn::tensor::{Tensor, TensorData};

use super::LandscapeError;
use crate::nn::read;
use crate::rng::{Stream, Streams, normal};

/// The two directions, one tensor of [edges, operations] for every architecture tensor.
#[derive(Clone, Debug)]
pub struct Directions {
    /// The gradient of the validation loss, scaled.
    pub gradient: Vec<Tensor<2>>,
    /// At a right angle to it, as long.
    pub orthogonal: Vec<Tensor<2>>,
}

/// Both directions on the host, in double precision: a right angle to 1e-5 needs it.
pub(super) async fn directions(
    gradient: Vec<Tensor<2>>,
    seed: u64,
) -> Result<Directions, LandscapeError> {
    let (mut g, mut o) = (Vec::new(), Vec::new());
    for (index, tensor) in gradient.iter().enumerate() {
        let [rows, columns] = tensor.dims();
        let values = read(tensor.clone()).await?;
        let noise =
            normal(&mut Streams::new(seed).at(Stream::Landscape, index as u64), rows * columns);
        g.extend(centred(&values, columns));
        o.extend(centred(&noise, columns));
    }
    let rows: usize = gradient.iter().map(|tensor| tensor.dims()[0]).sum();
    let length = (rows as f64).sqrt();
    let g = scaled(g, length)?;
    let along = dot(&g, &o) / dot(&g, &g);
    let o = scaled(o.iter().zip(&g).map(|(o, g)| o - along * g).collect(), length)?;
    Ok(Directions { gradient: split(&g, &gradient), orthogonal: split(&o, &gradient) })
}

/// Rows without their mean.
fn centred(values: &[f32], columns: usize) -> Vec<f64> {
    let centre = |row: &[f32]| {
        let row: Vec<f64> = row.iter().copied().map(f64::from).collect();
        let mean = row.iter().sum::<f64>() / columns as f64;
        row.into_iter().map(move |value| value - mean)
    };
    values.chunks(columns).flat_map(centre).collect()
}

fn scaled(values: Vec<f64>, length: f64) -> Result<Vec<f64>, LandscapeError> {
    let norm = dot(&values, &values).sqrt();
    if !norm.is_finite() {
        return Err(LandscapeError::NoDirection { what: "not finite" });
    }
    // What centring leaves of a row of equal numbers is rounding, near 1e-17, and no direction.
    if norm < 1e-15 {
        return Err(LandscapeError::NoDirection { what: "zero" });
    }
    Ok(values.iter().map(|value| value / norm * length).collect())
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// The parts of a flat vector, in the shapes of `like`.
fn split(values: &[f64], like: &[Tensor<2>]) -> Vec<Tensor<2>> {
    let mut rest = values;
    let part = |tensor: &Tensor<2>| {
        let shape = tensor.dims();
        let (part, after) = rest.split_at(shape[0] * shape[1]);
        rest = after;
        let part: Vec<f32> = part.iter().map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(part, shape), &tensor.device())
    };
    like.iter().map(part).collect()
}
