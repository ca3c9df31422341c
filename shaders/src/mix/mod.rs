//! The mixed operation of DARTS: a weighted sum of the candidates of an edge.

use burn::tensor::Tensor;

/// Σₖ weights\[k\] · candidates\[k\]. At least one candidate and as many weights as candidates;
/// without candidates the result is an empty tensor on the device of the weights.
///
/// # Shapes
/// - `candidates` and output: [batch, height, width, channels]
/// - `weights`: [candidates]
pub fn mix(candidates: Vec<Tensor<4>>, weights: Tensor<1>) -> Tensor<4> {
    let device = weights.device();
    let weighted = candidates.into_iter().enumerate().map(|(index, candidate)| {
        candidate * weights.clone().slice([index..index + 1]).reshape([1, 1, 1, 1])
    });
    weighted.reduce(|sum, term| sum + term).unwrap_or_else(|| Tensor::zeros([0; 4], &device))
}
