//! What the passes of an attack share.

use burn::tensor::Tensor;
use shaders::PendingNorm;

/// Activations that do not depend on p, in the order in which a pass comes to them. Passes that differ
/// in p alone, such as the steps of an attack, compute them once.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    kept: Vec<PendingNorm>,
    next: usize,
}

impl Constants {
    /// Before the first one.
    pub(super) fn rewound(self) -> Self {
        Self { next: 0, ..self }
    }

    /// The next one, if an earlier pass computed it.
    pub(super) fn next(&mut self) -> Option<PendingNorm> {
        let known = self.kept.get(self.next).cloned();
        self.next += usize::from(known.is_some());
        known
    }

    /// Keeps the next one, without its place in a graph.
    pub(super) fn keep(&mut self, PendingNorm { x, mut norm, .. }: PendingNorm) {
        if let Some(norm) = &mut norm {
            norm.affine = norm.affine.take().map(plain);
        }
        let x = plain(x);
        self.kept.push(PendingNorm::new(x, norm));
        self.next += 1;
    }
}

fn plain<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if x.is_autodiff() { x.inner() } else { x }
}
