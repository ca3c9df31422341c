//! Directions in a ball, ways into it, and from there back to probability vectors: by the row clip
//! (faithful mode), or by the exact projection onto ε-ball ∩ simplex (paper mode). Both sets are
//! convex and both contain the centre, so the nearest point exists and is unique; one monotone
//! equation in one unknown gives it, solved by bisection in double precision.

use burn::tensor::{Tensor, TensorData};
use shaders::row_clip;

use super::Ball;
use crate::config::{Norm, Projection};
use crate::nn::{ReadError, read};

/// Halvings of an interval: enough to exhaust the 52 bits of a double.
const HALVINGS: usize = 60;

pub(super) fn direction(gradient: Tensor<2>, norm: Norm) -> Tensor<2> {
    match norm {
        Norm::Linf => gradient.sign(),
        Norm::L2 => {
            let length = row_norm(gradient.clone()).clamp_min(f32::MIN_POSITIVE);
            gradient / length
        }
    }
}

pub(super) fn into_ball(delta: Tensor<2>, ball: Ball) -> Tensor<2> {
    match ball.norm {
        Norm::Linf => delta.clamp(-ball.epsilon, ball.epsilon),
        Norm::L2 => {
            let length = row_norm(delta.clone()).clamp_min(f32::MIN_POSITIVE);
            delta * length.recip().mul_scalar(ball.epsilon).clamp_max(1.0)
        }
    }
}

fn row_norm(rows: Tensor<2>) -> Tensor<2> {
    rows.square().sum_dim(1).sqrt()
}

pub(super) async fn into_simplex(
    center: &Tensor<2>,
    moved: Tensor<2>,
    ball: Ball,
) -> Result<Tensor<2>, ReadError> {
    match ball.projection {
        Projection::RowClip => Ok(row_clip(moved)),
        Projection::Exact => exact(center, moved, ball).await,
    }
}

/// The nearest point of ball ∩ simplex, row by row on the host: 14 short rows, a few thousand
/// operations, for which no kernel is worth its launch.
async fn exact(center: &Tensor<2>, moved: Tensor<2>, ball: Ball) -> Result<Tensor<2>, ReadError> {
    let shape @ [_, operations] = center.dims();
    let device = center.device();
    let (centers, points) = (read(center.clone()).await?, read(moved).await?);
    let rows = centers.chunks_exact(operations).zip(points.chunks_exact(operations));
    let projected: Vec<f32> = rows.flat_map(|(center, point)| row(center, point, ball)).collect();
    Ok(Tensor::from_data(TensorData::new(projected, shape), &device))
}

/// The point of {q : ‖q − center‖ ≤ ε, q ≥ 0, Σq = 1} that is nearest to `point`.
pub fn row(center: &[f32], point: &[f32], ball: Ball) -> Vec<f32> {
    let wide = |row: &[f32]| row.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    let (center, point) = (wide(center), wide(point));
    let nearest = match ball.norm {
        Norm::Linf => within_box(&center, &point, ball.epsilon),
        Norm::L2 => within_sphere(&center, &point, ball.epsilon),
    };
    nearest.into_iter().map(|value| value as f32).collect()
}

/// Box ∩ simplex: qᵢ = clamp(pointᵢ − λ, max(0, cᵢ − ε), cᵢ + ε) with the λ for which Σq = 1.
fn within_box(center: &[f64], point: &[f64], epsilon: f64) -> Vec<f64> {
    let at = |shift: f64| -> Vec<f64> {
        let entry = |(&center, &point): (&f64, &f64)| {
            (point - shift).clamp((center - epsilon).max(0.0), center + epsilon)
        };
        center.iter().zip(point).map(entry).collect()
    };
    let reach = spread(center, point) + epsilon + 1.0;
    let shift = bisect(-reach, reach, |shift| at(shift).iter().sum::<f64>() > 1.0);
    normalised(at(shift))
}

/// Sphere ∩ simplex: the simplex projection of (point + μ·center) / (1 + μ), with the smallest
/// μ ≥ 0 for which it lies in the ball. With t = μ / (1 + μ) in [0, 1], the distance falls with t.
fn within_sphere(center: &[f64], point: &[f64], epsilon: f64) -> Vec<f64> {
    let at = |t: f64| {
        let blend = |(&center, &point): (&f64, &f64)| point + t * (center - point);
        onto_simplex(&center.iter().zip(point).map(blend).collect::<Vec<f64>>())
    };
    let outside = |t: f64| distance(&at(t), center) > epsilon;
    if outside(0.0) { at(bisect(0.0, 1.0, outside)) } else { at(0.0) }
}

/// Simplex: qᵢ = max(0, pointᵢ − λ) with the λ for which Σq = 1.
fn onto_simplex(point: &[f64]) -> Vec<f64> {
    let at = |shift: f64| point.iter().map(|&value| (value - shift).max(0.0)).collect::<Vec<f64>>();
    let largest = point.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shift = bisect(largest - 1.0, largest, |shift| at(shift).iter().sum::<f64>() > 1.0);
    normalised(at(shift))
}

/// The point where `low_side` turns false, which it does once between `low` and `high`.
fn bisect(mut low: f64, mut high: f64, low_side: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if low_side(middle) { low = middle } else { high = middle }
    }
    high
}

/// Removes what bisection left of Σq − 1, at most 1e-15 an entry.
fn normalised(mut row: Vec<f64>) -> Vec<f64> {
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|value| *value /= sum);
    row
}

fn spread(center: &[f64], point: &[f64]) -> f64 {
    center.iter().chain(point).map(|value| value.abs()).fold(0.0, f64::max)
}

fn distance(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}
