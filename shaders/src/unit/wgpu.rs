//! The WGSL kernels: one thread for each number of an output, or for each weight and chunk of rows;
//! all units of a bank in one launch. The prologue is part of every kernel that reads x.

use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::backend::{Backend, TensorMetadata};

use super::depthwise::{depthwise, x_gradient};
use super::joined::{Block, joined};
use super::product::{Way, product};
use super::tiles;
use super::{BankGradients, BankOps, Operands, Prologue, Sizes, Unit};
use crate::device::{self, Variant};
use crate::norm::wgpu::{GROUPS, STANDARD, declare, gradient_products, pull_through, sums};
use crate::norm::{NormGradients, Standard};
use crate::wgpu::{Built, Program, built, chunks, contiguous, empty, fold, workgroup_memory};

impl BankOps for CubeBackend {
    fn bank(operands: Operands<Self>, sizes: Sizes) -> CubeTensor {
        Inputs::new(operands, sizes).forward()
    }

    fn bank_and_moments(operands: Operands<Self>, sizes: Sizes) -> (CubeTensor, CubeTensor) {
        let (units, inputs) = (sizes.units.len(), Inputs::new(operands, sizes));
        inputs.forward_with_moments().unwrap_or_else(|| {
            let z = inputs.forward();
            (z.clone(), Self::moments(z, units))
        })
    }
}

impl BankGradients for CubeBackend {
    fn bank_x_gradient(operands: Operands<Self>, gradient: CubeTensor, sizes: Sizes) -> CubeTensor {
        let inputs = Inputs::new(operands, sizes);
        let gradient = contiguous(gradient);
        inputs.x_gradient(&inputs.middle_gradient(&gradient))
    }

    fn bank_weight_gradient(
        operands: Operands<Self>,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> CubeTensor {
        let inputs = Inputs::new(operands, sizes);
        let gradient = contiguous(gradient);
        inputs.weight_gradient(&inputs.middle_gradient(&gradient), &gradient)
    }

    fn bank_gradients(
        operands: Operands<Self>,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> (CubeTensor, CubeTensor) {
        let inputs = Inputs::new(operands, sizes);
        let gradient = contiguous(gradient);
        let middle = inputs.middle_gradient(&gradient);
        (inputs.x_gradient(&middle), inputs.weight_gradient(&middle, &gradient))
    }

    fn bank_all_gradients(
        operands: Operands<Self>,
        gradient: CubeTensor,
        sizes: Sizes,
    ) -> (CubeTensor, CubeTensor, CubeTensor) {
        let inputs = Inputs::new(operands, sizes);
        let gradient = contiguous(gradient);
        let middle = inputs.middle_gradient(&gradient);
        let (x, sums) = inputs.x_gradient_and_sums(&middle);
        let weights = inputs.weight_gradient(&middle, &gradient);
        // Σ g is for β, which comes second.
        let affine = sums.map_or_else(|| inputs.affine.clone(), swapped::<Self>);
        (x, weights, affine)
    }
}

/// The rows the other way round.
fn swapped<B: Backend>(rows: FloatTensor<B>) -> FloatTensor<B> {
    B::float_flip(rows, &[0])
}

/// The inputs of the op in row-major order.
struct Inputs {
    x: CubeTensor,
    norm: CubeTensor,
    affine: CubeTensor,
    weights: CubeTensor,
    sizes: Sizes,
}

impl Inputs {
    fn new(operands: Operands<CubeBackend>, sizes: Sizes) -> Self {
        let Operands { x, norm, affine, weights } = operands;
        let [x, norm, affine, weights] = [x, norm, affine, weights].map(contiguous);
        Self { x, norm, affine, weights, sizes }
    }

    /// x and, where the prologue normalises, its moments, its γ and its β, before the other buffers of a
    /// kernel.
    fn launch(&self, program: Built, others: &[&CubeTensor]) {
        let mut buffers = vec![&self.x];
        let norm = self.sizes.prologue.norm;
        buffers.extend(norm.map(|_| &self.norm));
        buffers.extend(norm.filter(|norm| norm.affine).map(|_| &self.affine));
        buffers.extend(others);
        program.launch(&buffers);
    }

    /// What a workgroup keeps where a unit is one launch.
    fn block(&self) -> Option<Block> {
        Block::new(&self.sizes, workgroup_memory(&self.x)).filter(|_| device::joins_units())
    }

    fn forward(&self) -> CubeTensor {
        let z = empty(&self.x, self.sizes.output_shape());
        let Some(block) = self.block() else {
            self.product(Way::Forward, &[&self.middle(), &self.weights, &z]);
            return z;
        };
        let program =
            built((self.sizes.clone(), block), |(sizes, block)| joined(sizes, block, None));
        self.launch(program, &[&self.weights, &z]);
        z
    }

    /// The outputs and their moments, where one launch finds both.
    fn forward_with_moments(&self) -> Option<(CubeTensor, CubeTensor)> {
        let block = self.block().filter(|_| device::finds_moments())?;
        let blocks = block.blocks(&self.sizes)?;
        let (units, shape) = (self.sizes.units.len(), self.sizes.output_shape());
        let z = empty(&self.x, shape.clone());
        let moments = blocks.moments(&z, &shape, units, |found| {
            let settings = (self.sizes.clone(), block, blocks);
            let program =
                built(settings, |(sizes, block, blocks)| joined(sizes, block, Some(*blocks)));
            self.launch(program, &[&self.weights, &z, found]);
        });
        Some((z, moments))
    }

    fn product(&self, way: Way, buffers: &[&CubeTensor]) {
        let settings = (self.sizes.clone(), way, device::variant());
        built(settings, |(sizes, way, variant)| product(sizes, *way, *variant)).launch(buffers);
    }

    fn settings(&self) -> (Sizes, Variant) {
        (self.sizes.clone(), device::variant())
    }

    /// Output of the depthwise convolutions.
    fn middle(&self) -> CubeTensor {
        let u = empty(&self.x, self.sizes.middle_shape());
        let program = built(self.settings(), |(sizes, variant)| depthwise(sizes, *variant));
        self.launch(program, &[&self.weights, &u]);
        u
    }

    /// Its gradient.
    fn middle_gradient(&self, gradient: &CubeTensor) -> CubeTensor {
        let out = empty(&self.x, self.sizes.middle_shape());
        self.product(Way::Back, &[gradient, &self.weights, &out]);
        out
    }

    fn weight_gradient(&self, middle: &CubeTensor, gradient: &CubeTensor) -> CubeTensor {
        let (chunks, count) = (self.sizes.chunks(), self.sizes.weight_count());
        let partial = empty(&self.x, [chunks, count]);
        let program = built(self.settings(), |(sizes, variant)| weight_gradient(sizes, *variant));
        self.launch(program, &[middle, gradient, &self.middle(), &partial]);
        fold(&partial, chunks, [count])
    }

    fn x_gradient(&self, middle: &CubeTensor) -> CubeTensor {
        self.x_gradient_and_sums(middle).0
    }

    /// With the sums over all pixels that γ, β and the moments of the batch ask for.
    fn x_gradient_and_sums(&self, middle: &CubeTensor) -> (CubeTensor, Option<CubeTensor>) {
        let out = empty(&self.x, self.sizes.input_shape());
        let program = built(self.settings(), |(sizes, variant)| x_gradient(sizes, *variant));
        self.launch(program, &[&self.weights, middle, &out]);
        let Some(norm) = self.sizes.prologue.norm.filter(|norm| norm.of_batch || norm.affine)
        else {
            return (out, None);
        };
        let shape = self.x.shape();
        let sums = sums(&out, norm.groups, |lanes, partial| {
            let plain = Standard { affine: false, ..norm };
            gradient_products(&shape, norm.groups, Some(plain), lanes)
                .launch(&[&self.x, &self.norm, &out, partial]);
        });
        let pulled = empty(&self.x, shape.clone());
        let pull = built((shape, norm), |(shape, norm)| pull_through("unit_pull", shape, *norm));
        self.launch(pull, &[&out, &sums, &pulled]);
        (pulled, Some(sums))
    }
}

impl Sizes {
    /// Chunks of output rows that the sum for a weight is cut into.
    fn chunks(&self) -> usize {
        let [height, width] = self.out();
        let threads = self.threads_before(self.units.len());
        chunks(self.batch * height * width, threads).min(self.batch * height)
    }

    /// Taps of the largest depthwise kernel.
    pub(super) fn most_taps(&self) -> usize {
        self.units.iter().map(|unit| unit.size * unit.size).max().unwrap_or(1)
    }

    /// A template with all sizes.
    pub(super) fn fill(&self, program: Program) -> Program {
        let [height, width, channels] = self.image;
        let [out_height, out_width] = self.out();
        program.number(1).constant("units", self.unit_cases()).sizes([
            ("batch", self.batch),
            ("height", height),
            ("width", width),
            ("channels", channels),
            ("outputs", self.outputs),
            ("out_height", out_height),
            ("out_width", out_width),
            ("stride", self.stride),
            ("groups", self.sources()),
            ("pixels", self.batch * height * width),
        ])
    }

    /// The cases of a switch that returns what a kernel must know of a unit.
    fn unit_cases(&self) -> String {
        let unit = |(index, unit): (usize, &Unit)| {
            let Unit { source, size, dilation } = *unit;
            let (depthwise, pointwise) = self.places(index);
            let padding = self.windows(index).padding();
            let (depthwise, pointwise) = (depthwise.start, pointwise.start);
            let thread = self.threads_before(index);
            let fields = [source, size, dilation, padding, depthwise, pointwise, thread];
            case(index, self.units.len(), "Unit", &fields)
        };
        self.units.iter().enumerate().map(unit).collect()
    }

    /// Threads for the weight gradients of a chunk, of the units before this one: one for a row of a
    /// depthwise kernel, one for four rows and columns of the pointwise weights.
    fn threads_before(&self, unit: usize) -> usize {
        let pointwise = self.outputs.div_ceil(4) * self.channels().div_ceil(4);
        let threads = |unit: &Unit| unit.size * self.channels() + pointwise;
        self.units[..unit].iter().map(threads).sum()
    }

    /// The cases of a switch that returns the units of a source.
    pub(super) fn source_cases(&self) -> String {
        let source = |source| {
            let units = self.of_source(source);
            case(source, self.sources(), "vec2<u32>", &[units.start, units.end])
        };
        (0..self.sources()).map(source).collect()
    }
}

/// A case of a switch; the last of `count` is the default, which WGSL wants.
fn case(index: usize, count: usize, name: &str, fields: &[usize]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| format!("{field}u")).collect();
    let case = if index + 1 == count { "default".to_owned() } else { format!("case {index}u") };
    format!("        {case}: {{ return {name}({}); }}\n", fields.join(", "))
}

/// A template that reads x through the prologue.
pub(super) fn program<const N: usize>(
    name: &'static str,
    sources: [&'static str; N],
    sizes: &Sizes,
    threads: usize,
) -> Program {
    let Prologue { relu, norm } = sizes.prologue;
    let shared = [GROUPS, STANDARD, include_str!("sizes.wgsl"), include_str!("activation.wgsl")];
    let program = sizes.fill(Program::of_pieces(name, shared, threads).and_pieces(sources));
    declare(program.constant("live", if relu { "value > 0.0" } else { "true" }), norm)
}

fn weight_gradient(sizes: &Sizes, variant: Variant) -> Program {
    let (chunks, threads) = (sizes.chunks(), sizes.threads_before(sizes.units.len()));
    let [height, _] = sizes.out();
    let source = include_str!("weight_gradient.wgsl");
    let arguments = "unit, number, channel, i, rows, start";
    let fours = [sizes.channels(), sizes.outputs].iter().all(|count| count.is_multiple_of(4));
    let pointwise = match variant {
        Variant::Tiled if fours => include_str!("for_pointwise_tiled.wgsl"),
        _ => include_str!("for_pointwise.wgsl"),
    };
    let kinds = tiles::functions(sizes, |kind| tiles::for_depthwise(sizes, kind, variant));
    program("unit_weight_gradient", [pointwise, source], sizes, chunks * threads)
        .constant("kinds", kinds)
        .constant("fours", variant == Variant::Tiled && fours)
        .constant("calls", tiles::calls(sizes, "for_depthwise", arguments))
        .sizes([
            ("unit_count", sizes.units.len()),
            ("threads", threads),
            ("weight_count", sizes.weight_count()),
            ("chunk_rows", (sizes.batch * height).div_ceil(chunks)),
        ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        let banks = [
            vec![(0, 3, 1)],
            vec![(0, 3, 1), (0, 5, 1), (0, 3, 2), (0, 5, 2)],
            vec![(0, 5, 1), (1, 3, 1), (1, 7, 1), (2, 5, 2)],
        ];
        for (units, (batch, image, stride)) in
            banks.into_iter().zip([(2, [8, 8, 16], 1), (1, [7, 5, 6], 2), (64, [32, 32, 64], 1)])
        {
            let unit = |(source, size, dilation)| Unit { source, size, dilation };
            let units: Vec<Unit> = units.into_iter().map(unit).collect();
            let groups = units[units.len() - 1].source + 1;
            let norms = [(true, false), (false, false), (true, true), (false, true)];
            let norms = norms
                .map(|(of_batch, affine)| Some(Standard { groups, of_batch, eps: 1e-5, affine }));
            for norm in norms.into_iter().chain([None]) {
                for relu in [true, false] {
                    let (units, prologue) = (units.clone().into(), Prologue { relu, norm });
                    let sizes = Sizes {
                        batch,
                        image,
                        stride,
                        outputs: 8,
                        units,
                        prologue,
                        deferred: Default::default(),
                    };
                    let mut programs = Vec::new();
                    for variant in [Variant::Plain, Variant::Tiled] {
                        programs.extend([
                            depthwise(&sizes, variant),
                            product(&sizes, Way::Forward, variant),
                            product(&sizes, Way::Back, variant),
                            x_gradient(&sizes, variant),
                            weight_gradient(&sizes, variant),
                        ]);
                    }
                    let blocks = [16, 48].map(|kib| Block::new(&sizes, kib << 10));
                    for block in blocks.iter().flatten() {
                        let blocks = [None, block.blocks(&sizes)];
                        programs.extend(blocks.map(|blocks| joined(&sizes, block, blocks)));
                    }
                    for program in programs {
                        assert_eq!(program.validate(), Ok(()), "{program:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn units_of_a_kind_share_their_text_and_no_loop_over_taps_can_be_unrolled() {
        let unit = |source: usize| Unit { source, size: 3 + source % 2 * 2, dilation: 1 };
        let units: Vec<Unit> = (0..8).map(unit).collect();
        let prologue = Prologue { relu: true, norm: None };
        let image = [16, 16, 8];
        let sizes = Sizes {
            batch: 8,
            image,
            stride: 1,
            outputs: 8,
            units: units.into(),
            prologue,
            deferred: Default::default(),
        };
        for (program, name) in [
            (depthwise(&sizes, Variant::Plain), "depthwise"),
            (x_gradient(&sizes, Variant::Plain), "back"),
            (weight_gradient(&sizes, Variant::Plain), "for_depthwise"),
        ] {
            let text = program.text();
            for kind in ["3_1", "5_1"] {
                // Where it is written, and where it is called.
                assert_eq!(text.matches(&format!(" {name}_{kind}(")).count(), 2, "{text}");
            }
            assert!(!text.contains("i < 4u") && !text.contains("x < OUT_WIDTH;"), "{text}");
        }
    }
}
