//! What the WGSL kernels share: filling a template, launching it, and the sum over chunks.
//!
//! Every size is a constant of the template, so a kernel is compiled once for each shape that
//! occurs (about twenty in a search) and needs no uniform buffer. Threads are numbered over a two
//! dimensional grid, because one dimension ends at 65,535 workgroups.

mod built;
mod lanes;

use burn::backend::wgpu::{CubeTensor, SourceTemplate, into_contiguous};
use burn::tensor::Shape;

use crate::device::{self, Variant};

pub(crate) use built::{Built, built};
pub(crate) use lanes::Lanes;

/// Threads of a workgroup: what every WebGPU device allows.
pub(crate) const WORKGROUP: usize = 256;

/// Workgroups in one dimension that every WebGPU device allows.
const COLUMNS: usize = 65_535;

/// Inputs are declared writable natively, where memory pages are shared: an input may lie in the
/// same buffer as the output, and wgpu refuses one buffer in both modes. In a browser each tensor
/// has a buffer of its own and the opposite holds.
pub(crate) const ACCESS: &str = if cfg!(target_family = "wasm") { "read" } else { "read_write" };

/// A WGSL template with its constants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    name: &'static str,
    sources: Vec<&'static str>,
    workgroups: usize,
    constants: Vec<(&'static str, String)>,
}

impl Program {
    /// A template for this many threads. It finds their number as `COUNT` and its own as
    /// `thread(group, local)`.
    pub(crate) fn new(name: &'static str, source: &'static str, threads: usize) -> Self {
        Self::of_pieces(name, [source], threads)
    }

    /// A template in several pieces.
    pub(crate) fn of_pieces<const N: usize>(
        name: &'static str,
        sources: [&'static str; N],
        threads: usize,
    ) -> Self {
        let workgroups = threads.div_ceil(WORKGROUP);
        let columns = workgroups.clamp(1, COLUMNS);
        Self { name, sources: sources.to_vec(), workgroups, constants: Vec::new() }
            .constant("count", threads)
            .constant("columns", columns)
            .constant("access", ACCESS)
    }

    /// The template with more pieces behind.
    pub(crate) fn and_pieces<const N: usize>(mut self, sources: [&'static str; N]) -> Self {
        self.sources.extend(sources);
        self
    }

    /// Fills the placeholder of this name.
    pub(crate) fn constant(mut self, name: &'static str, value: impl ToString) -> Self {
        self.constants.push((name, value.to_string()));
        self
    }

    /// Fills several placeholders with sizes.
    pub(crate) fn sizes<const N: usize>(self, sizes: [(&'static str, usize); N]) -> Self {
        sizes.into_iter().fold(self, |program, (name, value)| program.constant(name, value))
    }

    /// Makes a number of the template a vector of so many: 4 or 1.
    pub(crate) fn number(self, width: usize) -> Self {
        self.constant("number", if width == 4 { "vec4<f32>" } else { "f32" })
    }

    /// The template, filled.
    fn source(&self) -> SourceTemplate {
        let prelude = SourceTemplate::new(include_str!("prelude.wgsl"));
        let template =
            self.sources.iter().fold(prelude, |template, source| template.add_template(*source));
        self.constants
            .iter()
            .fold(template, |template, (name, value)| template.register(*name, value.clone()))
    }
}

/// The tensor with its numbers in row-major order.
pub(crate) fn contiguous(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(tensor)
}

/// A tensor of unspecified numbers on the device of `like`.
pub(crate) fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let buffer = like.client.empty(shape.num_elements() * size_of::<f32>());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

/// Bytes that the threads of a workgroup share on the device of a tensor; WebGPU grants 16 KiB at least.
pub(crate) fn workgroup_memory(tensor: &CubeTensor) -> usize {
    tensor.client.properties().hardware.max_shared_memory_size
}

/// Threads that keep a large GPU at work.
const BUSY: usize = 1 << 18;

/// Into how many chunks a sum over `rows` is cut that takes so many threads for a chunk: enough to fill a
/// GPU, few enough that the second pass over them stays short.
pub(crate) fn chunks(rows: usize, threads: usize) -> usize {
    let enough = BUSY.div_ceil(threads.max(1)).min(256);
    rows.div_ceil(32).clamp(1, enough)
}

/// out[i] = Σ over chunks of partial[chunk, i].
pub(crate) fn fold(partial: &CubeTensor, chunks: usize, shape: impl Into<Shape>) -> CubeTensor {
    let out = empty(partial, shape);
    let count = out.meta.shape().num_elements();
    let settings = (count, chunks, device::variant());
    built(settings, |settings| fold_program(settings.0, settings.1, settings.2))
        .launch(&[partial, &out]);
    out
}

/// Threads that share the chunks of a number, at most: those that are left of a workgroup read 32 bytes side
/// by side, which is what a GPU reads at once.
const LANES: usize = 32;

fn fold_program(count: usize, chunks: usize, variant: Variant) -> Program {
    let lanes = chunks.next_power_of_two().min(LANES);
    let program = match variant {
        Variant::Plain => Program::new("fold", include_str!("fold.wgsl"), count),
        Variant::Tiled => Program::new("fold", include_str!("fold_tiled.wgsl"), count * lanes)
            .sizes([("numbers", count), ("lanes", lanes)]),
    };
    program.constant("chunks", chunks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for variant in [Variant::Plain, Variant::Tiled] {
            for (count, chunks) in [(1, 1), (5, 2), (300, 7), (40_000, 256)] {
                let program = fold_program(count, chunks, variant);
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }

    impl Program {
        /// The filled template.
        pub(crate) fn text(&self) -> String {
            self.source().complete()
        }

        /// What naga, which compiles WGSL natively, has against the text. In a browser a module that
        /// fails is only logged, and old numbers come back. A template that fills what is filled for all of them,
        /// such as the number of threads, would be valid.
        pub(crate) fn validate(&self) -> Result<(), String> {
            self.validate_within(8)
        }

        /// The same on a device that binds so many buffers.
        pub(crate) fn validate_within(&self, buffers: usize) -> Result<(), String> {
            for own in ["count", "columns", "access"] {
                if self.constants.iter().filter(|(name, _)| *name == own).count() > 1 {
                    return Err(format!("{own} is filled in two ways"));
                }
            }
            let text = self.text();
            let module =
                naga::front::wgsl::parse_str(&text).map_err(|error| error.emit_to_string(&text))?;
            naga::valid::Validator::new(Default::default(), naga::valid::Capabilities::empty())
                .validate(&module)
                .map_err(|error| error.emit_to_string(&text))?;
            let variables = module.global_variables.iter();
            match variables.filter(|(_, variable)| variable.binding.is_some()).count() {
                count if count <= buffers => Ok(()),
                count => Err(format!("{count} buffers, of which {buffers} are bound")),
            }
        }
    }
}
