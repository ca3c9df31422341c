//! The Hessian of the validation loss with respect to raw α: how sharp the landscape is where a
//! search stands (spec §5.1; Fig. 3 of the paper).
//!
//! No second derivative is taken. Central differences of the α-gradient give columns of the matrix
//! ([`Hessian::matrix`], 2n gradients for n numbers of α) or its products with directions, from
//! which the method of Lanczos finds the ends of the spectrum ([`Hessian::extremes`], at most 30
//! gradients). As the loss sees α through a softmax of each row, adding one number to a whole row
//! changes nothing: every row has the all-ones direction as a null direction, and 0 is always an
//! eigenvalue. Weight decay is not part of this Hessian.

use burn::tensor::{Tensor, TensorData};
use linfa_linalg::eigh::Eigh as _;
use ndarray::Array2;
use rand_pcg::Pcg64;

use crate::event;
use crate::nn::{ReadError, read};
use crate::rng::normal;

/// How far a logit moves to either side for a column of the matrix. On the golden networks the
/// matrix is then within 3e-4 of its largest entry.
const STEP: f64 = 1e-2;

/// Length of the step along a direction of all logits: at 0.14, which is 1e-2 for each of 196, the
/// fourth derivative shifts an end of the golden spectra by 3 %. The shift shrinks with the square.
const LENGTH: f64 = 0.03;

/// Products of the Hessian with a direction that Lanczos may ask for, of two gradients each.
const PRODUCTS: usize = 15;

/// Lanczos ends early where both ends of the spectrum are known to this share of the larger one.
const ACCURACY: f64 = 2e-3;

/// Why there are no eigenvalues.
#[derive(Debug, thiserror::Error)]
pub enum HessianError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] ReadError),
    /// A number is infinite or none.
    #[error(
        "the gradient of the validation loss with respect to α is not finite; the search diverges: lower weights.learning_rate"
    )]
    NotFinite,
    /// The method of the search has no α.
    #[error("the method of this search has no alpha, and so no Hessian")]
    NoAlpha,
    /// The decomposition failed.
    #[error("the eigenvalues of the Hessian could not be computed: {0}")]
    Decomposition(String),
}

/// What is known of the eigenvalues of a Hessian.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// In ascending order: all of them, or the ends that Lanczos found with estimates between.
    pub eigenvalues: Vec<f64>,
    /// Gradients that they cost.
    pub gradients: usize,
}

impl Spectrum {
    /// The smallest eigenvalue.
    pub fn smallest(&self) -> f64 {
        self.eigenvalues.first().copied().unwrap_or_default()
    }

    /// The largest eigenvalue.
    pub fn largest(&self) -> f64 {
        self.eigenvalues.last().copied().unwrap_or_default()
    }

    /// What a search says of it.
    pub fn event(&self, epoch: usize) -> event::Eigenvalues {
        let (smallest, largest) = (self.smallest(), self.largest());
        event::Eigenvalues { epoch, smallest, largest, gradients: self.gradients }
    }
}

/// The Hessian at `alpha` of a loss that is known by its gradient.
///
/// The gradient has to be a smooth function: a loss that draws random numbers must draw the same
/// ones each time, and one with kinks must be held to a side of them ([`crate::nn::ActivationPattern`]).
pub struct Hessian<'a, F> {
    alpha: &'a [Tensor<2>],
    gradient: F,
}

impl<'a, F: Fn(&[Tensor<2>]) -> Vec<Tensor<2>>> Hessian<'a, F> {
    /// # Shapes
    /// - `alpha`, and what `gradient` takes and gives: [edges, operations] for every architecture
    ///   tensor
    pub fn new(alpha: &'a [Tensor<2>], gradient: F) -> Self {
        Self { alpha, gradient }
    }

    /// The matrix, n rows of n numbers, in the order of the architecture tensors, their rows and
    /// columns. It costs 2n gradients and is made symmetric.
    ///
    /// # Errors
    /// [`HessianError::NotFinite`], or if the device failed.
    pub async fn matrix(&self) -> Result<Vec<Vec<f64>>, HessianError> {
        let size = self.size();
        let mut columns = Vec::with_capacity(size);
        for index in 0..size {
            columns.push(self.column(index).await?);
        }
        let mean = |row: usize, column: usize| (columns[column][row] + columns[row][column]) / 2.0;
        let row = |row| (0..size).map(|column| mean(row, column)).collect();
        Ok((0..size).map(row).collect())
    }

    /// A column of the matrix, before that is made symmetric. It costs 2 gradients.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    pub async fn column(&self, index: usize) -> Result<Vec<f64>, HessianError> {
        let direction: Vec<f64> =
            (0..self.size()).map(|place| f64::from(u8::from(place == index))).collect();
        self.product(&direction, STEP).await
    }

    /// All eigenvalues, from the matrix.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    pub async fn spectrum(&self) -> Result<Spectrum, HessianError> {
        let eigenvalues = eigenvalues(&self.matrix().await?)?;
        Ok(Spectrum { eigenvalues, gradients: 2 * self.size() })
    }

    /// The ends of the spectrum by the method of Lanczos, from a random start, orthogonal to the
    /// null directions. At most 30 gradients.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    pub async fn extremes(&self, rng: &mut Pcg64) -> Result<Spectrum, HessianError> {
        let mut lanczos = Lanczos::default();
        let start = normal(rng, self.size()).into_iter().map(f64::from).collect();
        let mut direction = self.centred(start);
        while lanczos.basis.len() < PRODUCTS && lanczos.push(direction) {
            let newest = lanczos.basis.last().map_or(&[][..], Vec::as_slice);
            let product = self.product(newest, LENGTH).await?;
            direction = lanczos.residual(self.centred(product));
            if lanczos.is_accurate(&direction)? {
                break;
            }
        }
        let mut eigenvalues = lanczos.ritz_values()?;
        // The null directions, which Lanczos does not see.
        eigenvalues.push(0.0);
        eigenvalues.sort_by(f64::total_cmp);
        Ok(Spectrum { eigenvalues, gradients: 2 * lanczos.diagonal.len() })
    }

    /// H·d, by a central difference of the gradient.
    async fn product(&self, direction: &[f64], step: f64) -> Result<Vec<f64>, HessianError> {
        let side = |step: f64| (self.gradient)(&self.moved(direction, step));
        let difference = side(step).into_iter().zip(side(-step)).map(|(above, below)| {
            let [rows, columns] = above.dims();
            (above - below).div_scalar(2.0 * step).reshape([rows * columns])
        });
        let values = read(Tensor::<1>::cat(difference.collect(), 0)).await?;
        if values.iter().all(|value| value.is_finite()) {
            Ok(values.into_iter().map(f64::from).collect())
        } else {
            Err(HessianError::NotFinite)
        }
    }

    /// α + step·direction.
    fn moved(&self, direction: &[f64], step: f64) -> Vec<Tensor<2>> {
        let mut rest = direction;
        let moved = self.alpha.iter().map(|alpha| {
            let (own, others) = rest.split_at(alpha.shape().num_elements());
            rest = others;
            let offset: Vec<f32> = own.iter().map(|value| (value * step) as f32).collect();
            alpha.clone()
                + Tensor::from_data(TensorData::new(offset, alpha.dims()), &alpha.device())
        });
        moved.collect()
    }

    /// A vector without its part along the null directions: each row minus its mean.
    fn centred(&self, mut vector: Vec<f64>) -> Vec<f64> {
        let mut rest = vector.as_mut_slice();
        for [rows, columns] in self.alpha.iter().map(Tensor::dims) {
            let (own, others) = rest.split_at_mut(rows * columns);
            for row in own.chunks_mut(columns) {
                let mean = row.iter().sum::<f64>() / columns as f64;
                row.iter_mut().for_each(|value| *value -= mean);
            }
            rest = others;
        }
        vector
    }

    fn size(&self) -> usize {
        self.alpha.iter().map(|alpha| alpha.shape().num_elements()).sum()
    }
}

/// The Krylov space so far: in its orthonormal basis the matrix is tridiagonal.
#[derive(Default)]
struct Lanczos {
    basis: Vec<Vec<f64>>,
    diagonal: Vec<f64>,
    /// Norms of the residuals: `beside[i]` couples basis vector i to i + 1.
    beside: Vec<f64>,
}

impl Lanczos {
    /// Makes `residual` the next basis vector; `false` if nothing of it is left, because the space
    /// is complete.
    fn push(&mut self, mut residual: Vec<f64>) -> bool {
        let length = norm(&residual);
        let scale = self.diagonal.iter().chain(&self.beside).fold(0.0f64, |a, b| a.max(b.abs()));
        if length <= f64::EPSILON.sqrt() * scale || length == 0.0 {
            return false;
        }
        residual.iter_mut().for_each(|value| *value /= length);
        if !self.basis.is_empty() {
            self.beside.push(length);
        }
        self.basis.push(residual);
        true
    }

    /// What the product with the newest basis vector adds to the space. All basis vectors are
    /// taken out of it, twice: rounding would let copies of the extreme eigenvalues in.
    fn residual(&mut self, mut product: Vec<f64>) -> Vec<f64> {
        self.diagonal.push(self.basis.last().map_or(0.0, |newest| dot(newest, &product)));
        for _ in 0..2 {
            for vector in &self.basis {
                let along = dot(vector, &product);
                product.iter_mut().zip(vector).for_each(|(left, right)| *left -= along * right);
            }
        }
        product
    }

    /// Whether an eigenvalue lies within [`ACCURACY`] of either end. The residual of a Ritz pair
    /// bounds its error.
    fn is_accurate(&self, residual: &[f64]) -> Result<bool, HessianError> {
        let (values, vectors) = decompose(self.matrix())?;
        let last = self.diagonal.len() - 1;
        let ends = (0..values.len()).filter(|&index| {
            values.iter().all(|value| *value <= values[index])
                || values.iter().all(|value| *value >= values[index])
        });
        let scale = values.iter().fold(0.0f64, |scale, value| scale.max(value.abs()));
        let bound = norm(residual);
        Ok(ends
            .map(|index| bound * vectors[[last, index]].abs())
            .all(|error| error <= ACCURACY * scale))
    }

    fn ritz_values(&self) -> Result<Vec<f64>, HessianError> {
        Ok(decompose(self.matrix())?.0)
    }

    fn matrix(&self) -> Array2<f64> {
        let size = self.diagonal.len();
        Array2::from_shape_fn((size, size), |(row, column)| match row.abs_diff(column) {
            0 => self.diagonal[row],
            1 => self.beside[row.min(column)],
            _ => 0.0,
        })
    }
}

/// The eigenvalues of a symmetric matrix, in ascending order.
///
/// # Errors
/// [`HessianError::NotFinite`] or [`HessianError::Decomposition`].
pub fn eigenvalues(matrix: &[Vec<f64>]) -> Result<Vec<f64>, HessianError> {
    let size = matrix.len();
    let (mut values, _) =
        decompose(Array2::from_shape_fn((size, size), |(row, column)| matrix[row][column]))?;
    values.sort_by(f64::total_cmp);
    Ok(values)
}

/// Eigenvalues and eigenvectors (as columns). Of a number that is none the library would never
/// return.
fn decompose(matrix: Array2<f64>) -> Result<(Vec<f64>, Array2<f64>), HessianError> {
    if !matrix.iter().all(|value| value.is_finite()) {
        return Err(HessianError::NotFinite);
    }
    let failed = |error: linfa_linalg::LinalgError| HessianError::Decomposition(error.to_string());
    let (values, vectors) = matrix.eigh().map_err(failed)?;
    Ok((values.to_vec(), vectors))
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}
