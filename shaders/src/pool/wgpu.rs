//! The WGSL kernels: one thread for each window, or for each number of the input. The place of every
//! maximum is kept: to look for it again takes 81 reads for a pixel, and took seven times as long as the
//! gradient of the mean.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{Pool, PoolGradients, PoolOps, Windows};
use crate::wgpu::{ACCESS, Program, built, contiguous, empty};

impl PoolOps for CubeBackend {
    fn pool(x: CubeTensor, windows: Windows) -> (CubeTensor, CubeTensor) {
        let x = contiguous(x);
        let y = empty(&x, windows.output_shape());
        if !windows.has_maximum() {
            built(windows, forward).launch(&[&x, &y]);
            return (y.clone(), y);
        }
        let places = empty(&x, windows.places_shape());
        built(windows, forward).launch(&[&x, &y, &places]);
        (y, places)
    }
}

impl PoolGradients for CubeBackend {
    fn pool_gradient(kept: CubeTensor, gradient: CubeTensor, windows: Windows) -> CubeTensor {
        let gradient = contiguous(gradient);
        let out = empty(&gradient, windows.shape);
        let has_maximum = windows.has_maximum();
        let program = built(windows, backward);
        match has_maximum {
            true => program.launch(&[&gradient, &out, &contiguous(kept)]),
            false => program.launch(&[&gradient, &out]),
        }
        out
    }
}

fn forward(windows: &Windows) -> Program {
    let store = |(output, kind): (usize, &Pool)| {
        let value = match kind {
            Pool::Max => "best",
            Pool::Average => "mean",
        };
        format!("    y[{output}u * COUNT + index] = {value};\n")
    };
    let mut stores: String = windows.kinds.iter().enumerate().map(store).collect();
    if windows.has_maximum() {
        stores += "    places[index] = f32(place);\n";
    }
    let threads = windows.places_shape().num_elements();
    windows
        .program("pool", include_str!("pool.wgsl"), threads, "read_write")
        .constant("stores", stores)
}

fn backward(windows: &Windows) -> Program {
    let sum = |(output, kind): (usize, &Pool)| {
        let gradient = format!("gradient[{output}u * WINDOWS + window]");
        let part = match kind {
            Pool::Max => format!("select(0.0, {gradient}, places[window] == f32(place))"),
            Pool::Average => format!("{gradient} / f32(size)"),
        };
        format!("            sum += {part};\n")
    };
    let sums: String = windows.kinds.iter().enumerate().map(sum).collect();
    let threads = windows.shape.iter().product();
    windows
        .program("pool_gradient", include_str!("gradient.wgsl"), threads, ACCESS)
        .constant("sums", sums)
}

impl Windows {
    /// A template; `access` is how it binds the places.
    fn program(
        &self,
        name: &'static str,
        source: &'static str,
        threads: usize,
        access: &str,
    ) -> Program {
        let program = Program::of_pieces(name, [include_str!("windows.wgsl"), source], threads);
        let ([height, width, channels], [out_height, out_width, _]) = (self.image(), self.output());
        let places = format!("@group(0) @binding(2) var<storage, {access}> places: array<f32>;\n");
        program.constant("places", if self.has_maximum() { places } else { String::new() }).sizes([
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
        for kinds in [&[Pool::Max][..], &[Pool::Average], &[Pool::Max, Pool::Average]] {
            for (shape, stride) in [([2, 8, 8, 16], 1), ([1, 7, 5, 6], 2), ([3, 1, 1, 1], 2)] {
                let windows = Windows { shape, kinds: kinds.into(), stride };
                for program in [forward(&windows), backward(&windows)] {
                    assert_eq!(program.validate(), Ok(()), "{program:?}");
                }
            }
        }
    }
}
