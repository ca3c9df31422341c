//! The WGSL kernels: one thread for each number of the output or of the input.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{Pool, PoolGradients, PoolOps, Windows};
use crate::wgpu::{Program, contiguous, empty};

impl PoolOps for CubeBackend {
    fn pool(x: CubeTensor, windows: Windows) -> CubeTensor {
        let x = contiguous(x);
        let y = empty(&x, windows.output_shape());
        forward(&windows).launch(&[&x, &y]);
        y
    }
}

impl PoolGradients for CubeBackend {
    fn max_pool_gradient(x: CubeTensor, gradient: CubeTensor, windows: Windows) -> CubeTensor {
        let (x, gradient) = (contiguous(x), contiguous(gradient));
        let out = empty(&x, windows.shape);
        backward(&windows).launch(&[&gradient, &out, &x]);
        out
    }

    fn average_pool_gradient(gradient: CubeTensor, windows: Windows) -> CubeTensor {
        let gradient = contiguous(gradient);
        let out = empty(&gradient, windows.shape);
        backward(&windows).launch(&[&gradient, &out]);
        out
    }
}

fn forward(windows: &Windows) -> Program {
    let source = match windows.kind {
        Pool::Max => include_str!("max.wgsl"),
        Pool::Average => include_str!("average.wgsl"),
    };
    let threads = windows.output_shape().num_elements();
    windows.program(windows.name(), source, threads)
}

fn backward(windows: &Windows) -> Program {
    let (name, source) = match windows.kind {
        Pool::Max => ("max_pool_gradient", include_str!("max_gradient.wgsl")),
        Pool::Average => ("average_pool_gradient", include_str!("average_gradient.wgsl")),
    };
    windows.program(name, source, windows.shape.iter().product())
}

impl Windows {
    fn name(&self) -> &'static str {
        match self.kind {
            Pool::Max => "max_pool",
            Pool::Average => "average_pool",
        }
    }

    fn program(&self, name: &'static str, source: &'static str, threads: usize) -> Program {
        let program = Program::of_pieces(name, [include_str!("windows.wgsl"), source], threads);
        let ([height, width, channels], [out_height, out_width, _]) = (self.image(), self.output());
        program.sizes([
            ("height", height),
            ("width", width),
            ("channels", channels),
            ("out_height", out_height),
            ("out_width", out_width),
            ("stride", self.stride),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for kind in [Pool::Max, Pool::Average] {
            for (shape, stride) in [([2, 8, 8, 16], 1), ([1, 7, 5, 6], 2), ([3, 1, 1, 1], 2)] {
                let windows = Windows { shape, kind, stride };
                for program in [forward(&windows), backward(&windows)] {
                    assert_eq!(program.validate(), Ok(()), "{program:?}");
                }
            }
        }
    }
}
