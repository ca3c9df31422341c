//! The sum of the edges of a node: affine batch norms, masks, and what is added as it is.

use shaders::Incoming;

use super::*;

/// One to five edges: whether each has masks, a batch norm, γ and β.
#[derive(Clone, Debug)]
struct Nodes {
    shape: [usize; 4],
    edges: Vec<(By, bool, bool)>,
    permuted: bool,
}

impl Case for Nodes {
    fn strategy() -> BoxedStrategy<Self> {
        let edges = prop::collection::vec((by(), any::<bool>(), any::<bool>()), 1..6_usize);
        (shapes().prop_map(enough), edges, any::<bool>())
            .prop_map(|(shape, edges, permuted)| Self { shape, edges, permuted })
            .boxed()
    }

    /// Every edge has γ and β among them, which count where there is a batch norm that is affine.
    fn inputs(&self) -> Vec<Vec<f32>> {
        let edge = |(index, (by, is_affine, _)): (usize, &(By, bool, bool))| {
            let images = noise(self.shape.iter().product(), 30 + index as u64);
            let affine = (*is_affine && *by != By::Nothing)
                .then(|| affine(self.shape[3], 40 + index as u64));
            std::iter::once(images).chain(affine).collect::<Vec<_>>()
        };
        self.edges.iter().enumerate().flat_map(edge).collect()
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| {
            let mut inputs = inputs.into_iter();
            let edges = case.edges.iter().enumerate().map(|(index, (by, is_affine, masked))| {
                let x = images(inputs.next().unwrap(), case.shape, case.permuted);
                let device = x.device().inner();
                let mut value = pending_norm(kernels, x, *by, 1);
                if *is_affine && *by != By::Nothing {
                    value = with_affine(value, inputs.next().unwrap());
                }
                let masks = masked.then(|| vector(&masks(case.shape[0], index), &device));
                Incoming { value, masks }
            });
            shaders::node(kernels, edges.collect()).unwrap()
        })
    }
}

/// As drop-path draws them: some images out, the others scaled.
fn masks(batch: usize, edge: usize) -> Vec<f32> {
    (0..batch).map(|image| if (image + edge).is_multiple_of(3) { 0.0 } else { 1.25 }).collect()
}

#[test]
fn a_node_equals_plain_ops() {
    equals_plain_ops::<Nodes>();
}

#[test]
fn a_node_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Nodes>(0.01);
}

#[test]
fn a_node_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Nodes>();
}

#[test]
fn a_node_tracks_each_input_alone() {
    tracks_each_input_alone::<Nodes>();
}

#[test]
fn a_node_of_many_pixels_equals_plain_ops() {
    for shape in MANY_PIXELS {
        equals_plain_ops_everywhere(&Nodes {
            shape,
            edges: vec![
                (By::Batch, true, true),
                (By::Nothing, false, false),
                (By::Given, true, true),
                (By::Nothing, false, true),
                (By::Batch, false, false),
            ],
            permuted: false,
        });
    }
}

#[test]
fn a_node_without_edges_is_nothing() {
    for kernels in [Kernels::Composed, Kernels::Fused] {
        assert!(shaders::node(kernels, Vec::new()).is_none());
    }
}
