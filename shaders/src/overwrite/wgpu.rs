//! The WGSL kernel: one thread for each number.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::OverwriteOps;
use crate::wgpu::{Program, built, contiguous};

impl OverwriteOps for CubeBackend {
    fn overwrite(target: CubeTensor, source: CubeTensor) -> CubeTensor {
        let source = contiguous(source);
        let count = target.meta.shape().num_elements();
        built(count, |count| program(*count)).launch(&[&source, &target]);
        target
    }
}

fn program(count: usize) -> Program {
    Program::new("overwrite", include_str!("overwrite.wgsl"), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_valid_wgsl() {
        assert_eq!(program(7).validate(), Ok(()));
    }
}
