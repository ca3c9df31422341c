//! The WGSL kernels: a launch for each edge, which adds it to the sum of those before.

use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::tensor::Shape;

use super::{Edge, Edges, NodeGradients, NodeOps, OfEdge, Sum};
use crate::device;
use crate::norm::Standard;
use crate::norm::wgpu::{GROUPS, STANDARD, declare, sized_in};
use crate::wgpu::{ACCESS, Lanes, Program, built, contiguous, empty};

impl NodeOps for CubeBackend {
    fn node(edges: Edges<Self>, sum: Sum) -> CubeTensor {
        let (base, places) = edges.into_parts();
        let base = contiguous(base);
        let mut known = sum.base.then(|| base.clone());
        for (edge, it) in sum.edges.iter().zip(places) {
            let it = Inputs::new(*edge, it);
            let y = empty(&it.x, Shape::from(sum.shape));
            let mut buffers = it.normed(edge.norm);
            buffers.push(&y);
            buffers.extend(it.masks());
            buffers.extend(&known);
            built((*edge, known.is_some()), |(edge, base)| added(edge, *base)).launch(&buffers);
            known = Some(y);
        }
        known.unwrap_or(base)
    }
}

impl NodeGradients for CubeBackend {
    fn edge_sums(it: OfEdge<Self>, gradient: CubeTensor, edge: Edge) -> CubeTensor {
        let (it, gradient) = (Inputs::new(edge, it), contiguous(gradient));
        let pixels = edge.shape[..3].iter().product();
        let lanes = Lanes::new(edge.channels(), pixels, device::variant());
        lanes.summed(&gradient, [2, edge.channels()], |partial| {
            let mut buffers = it.normed(without_affine(&edge));
            buffers.extend([&gradient, partial]);
            buffers.extend(it.masks());
            built((edge, lanes), |(edge, lanes)| sums(edge, *lanes)).launch(&buffers);
        })
    }

    fn edge_gradient(
        it: OfEdge<Self>,
        gradient: CubeTensor,
        sums: CubeTensor,
        edge: Edge,
    ) -> CubeTensor {
        let (it, gradient, sums) = (Inputs::new(edge, it), contiguous(gradient), contiguous(sums));
        let out = empty(&gradient, Shape::from(edge.shape));
        if edge.norm.is_none() {
            built(edge, masked).launch(&[&gradient, &it.masks, &out]);
            return out;
        }
        let mut buffers = it.normed(edge.norm);
        buffers.extend([&gradient, &out]);
        buffers.extend(it.masks());
        buffers.extend(edge.of_batch().then_some(&sums));
        built(edge, x_gradient).launch(&buffers);
        out
    }
}

/// The tensors of an edge in row-major order.
struct Inputs {
    x: CubeTensor,
    moments: CubeTensor,
    affine: CubeTensor,
    masks: CubeTensor,
    edge: Edge,
}

impl Inputs {
    fn new(edge: Edge, it: OfEdge<CubeBackend>) -> Self {
        let OfEdge { x, moments, affine, masks } = it;
        let [x, moments, affine, masks] = [x, moments, affine, masks].map(contiguous);
        Self { x, moments, affine, masks, edge }
    }

    /// What [`declare`] declares.
    fn normed(&self, norm: Option<Standard>) -> Vec<&CubeTensor> {
        let mut buffers = vec![&self.x];
        buffers.extend(norm.map(|_| &self.moments));
        buffers.extend(norm.filter(|norm| norm.affine).map(|_| &self.affine));
        buffers
    }

    fn masks(&self) -> Option<&CubeTensor> {
        self.edge.masked.then_some(&self.masks)
    }
}

/// x̂ alone.
fn without_affine(edge: &Edge) -> Option<Standard> {
    edge.norm.map(|norm| Standard { affine: false, ..norm })
}

/// Fills what every template has: the norm, and the buffers behind what [`declare`] declares, in this order.
fn filled(program: Program, edge: &Edge, norm: Option<Standard>, buffers: &[&str]) -> Program {
    filled_in(1, program, edge, norm, buffers)
}

/// The same for vectors of so many channels.
fn filled_in(
    vector: usize,
    program: Program,
    edge: &Edge,
    norm: Option<Standard>,
    buffers: &[&str],
) -> Program {
    let [_, height, width, _] = edge.shape;
    let first = match norm {
        None => 1,
        Some(norm) => 2 + usize::from(norm.affine),
    };
    let buffer = |(index, name): (usize, &&str)| {
        // The outputs.
        let access = if ["y", "out", "sums"].contains(name) { "read_write" } else { ACCESS };
        let binding = first + index;
        let number = if *name == "masks" { "f32" } else { "Number" };
        format!("@group(0) @binding({binding}) var<storage, {access}> {name}: array<{number}>;\n")
    };
    let buffers: String = buffers.iter().enumerate().map(buffer).collect();
    let mask = match edge.masked {
        true => format!("masks[pixel / {}u]", height * width),
        false => "1.0".to_owned(),
    };
    declare(sized_in(vector, program, &Shape::from(edge.shape), 1), norm)
        .constant("buffers", buffers)
        .constant("mask", mask)
}

/// The names of the buffers, of which some are there only where a condition holds.
fn names<const N: usize>(named: [(&'static str, bool); N]) -> Vec<&'static str> {
    named.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

const MASKS: &str = include_str!("masks.wgsl");

fn added(edge: &Edge, base: bool) -> Program {
    let pieces = [GROUPS, STANDARD, MASKS, include_str!("node.wgsl")];
    let program = Program::of_pieces("node", pieces, edge.shape.iter().product());
    let buffers = names([("y", true), ("masks", edge.masked), ("base", base)]);
    let start = if base { "base[index]" } else { "0.0" };
    filled(program, edge, edge.norm, &buffers).constant("start", start)
}

fn sums(edge: &Edge, lanes: Lanes) -> Program {
    let source = include_str!("sums.wgsl");
    let declarations = [GROUPS, STANDARD, MASKS];
    let program = lanes.program("edge_sums", declarations, source, edge.channels());
    let buffers = names([("gradient", true), ("sums", true), ("masks", edge.masked)]);
    filled_in(lanes.width(), program, edge, without_affine(edge), &buffers)
}

fn x_gradient(edge: &Edge) -> Program {
    let pieces = [GROUPS, STANDARD, MASKS, include_str!("gradient.wgsl")];
    let program = Program::of_pieces("edge_gradient", pieces, edge.shape.iter().product());
    let of_batch = edge.of_batch();
    let buffers =
        names([("gradient", true), ("out", true), ("masks", edge.masked), ("sums", of_batch)]);
    // Without the means x is read in vain: every buffer that is bound has to be used.
    let means = match of_batch {
        true => {
            "(sums[COLUMNS_OF_ALL + column] + standard(x[index], norm) * sums[column]) / f32(PIXELS)"
        }
        false => "0.0 * x[index]",
    };
    filled(program, edge, edge.norm, &buffers).constant("means", means)
}

fn masked(edge: &Edge) -> Program {
    let source = include_str!("masked.wgsl");
    let program = Program::new("edge_masked", source, edge.shape.iter().product());
    program.sizes([("numbers", edge.image())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Variant;

    #[test]
    fn every_template_is_valid_wgsl() {
        let standards = [(true, true), (true, false), (false, true), (false, false)];
        let norms = standards
            .map(|(of_batch, affine)| Some(Standard { groups: 1, of_batch, affine, eps: 1e-5 }));
        for norm in norms.into_iter().chain([None]) {
            for (masked, shape) in [(true, [2, 8, 8, 16]), (false, [1, 3, 5, 6])] {
                let edge = Edge { shape, norm, masked };
                let mut programs = vec![added(&edge, true), added(&edge, false)];
                if norm.is_some() {
                    let lanes =
                        |variant| Lanes::new(shape[3], shape[..3].iter().product(), variant);
                    programs.push(x_gradient(&edge));
                    programs.extend(
                        [Variant::Plain, Variant::Tiled].map(|kind| sums(&edge, lanes(kind))),
                    );
                }
                for program in programs {
                    assert_eq!(program.validate(), Ok(()), "{program:?}");
                }
            }
            let edge = Edge { shape: [2, 3, 4, 5], norm: None, masked: true };
            assert_eq!(masked(&edge).validate(), Ok(()));
        }
    }
}
