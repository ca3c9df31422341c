//! What a core can do at most: multiply-adds between registers, with the widest vectors that the kernels use.

use std::hint::black_box;

use macerator::{Scalar, Simd, Vector};

use super::{Kernel, dispatch, store, zero};

/// Sums side by side. A multiply-add takes four cycles and two begin in each, so eight keep a core at work;
/// twelve leave room for slower ones and stay within the 16 registers of AVX2.
const SUMS: usize = 12;

/// Does so many rounds of multiply-adds in registers, in this thread. Their number of floating-point
/// operations: two for each multiply-add of each lane.
pub fn multiply_adds(rounds: usize) -> u64 {
    dispatch(Rounds(rounds))
}

struct Rounds(usize);

impl Kernel for Rounds {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) -> u64 {
        // Numbers that the compiler does not know, or it computes the sums itself. They stay finite.
        let [factor, term]: [Vector<S, f32>; 2] = black_box([0.5_f32, 1.0]).map(Scalar::splat);
        let mut sums: [Vector<S, f32>; SUMS] = [zero(); SUMS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, term);
            }
        }
        for sum in &sums {
            let _: [f32; L] = black_box(store(*sum));
        }
        (2 * L * SUMS * self.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::cpu::aligned::Aligned;
    use crate::cpu::convolve::{Plan, Windows};
    use crate::cpu::correlate::Correlation;
    use crate::cpu::matrix::{Product, rows_at_once};
    use crate::cpu::outer::Gradient;
    use crate::cpu::{Scratch, lanes};

    #[test]
    fn operations_are_counted_lane_by_lane() {
        let lanes = lanes() as u64;
        assert_eq!(multiply_adds(0), 0);
        assert_eq!(multiply_adds(10), 10 * 2 * lanes * SUMS as u64);
    }

    /// How often a loop is timed; the fastest time counts, as others use the machine too.
    const ROUNDS: usize = 15;

    /// Height and channels of the images in the three parts of the paper's network.
    const IMAGES: [[usize; 2]; 3] = [[32, 16], [16, 32], [8, 64]];

    #[test]
    #[expect(clippy::print_stdout)]
    #[ignore = "prints GFLOP/s: cargo test --locked core_reaches -- --ignored --nocapture"]
    fn what_a_core_reaches_in_the_loops_of_a_unit() {
        let mut flops = 0;
        let time = fastest(|| flops = multiply_adds(10_000));
        println!("vectors of {} floats: {:.0} between registers", lanes(), giga(flops, time));
        println!(
            "{:>18} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "", "convolved", "product", "back", "∂P", "∂D"
        );
        for [side, channels] in IMAGES {
            for (size, dilation) in [(3, 1), (5, 1), (3, 2), (5, 2)] {
                let windows = Windows { image: [side, side, channels], size, stride: 1, dilation };
                let reached = loops(&windows).map(|reached| format!("{reached:9.0}"));
                let name = format!("{side}x{side}x{channels}, {size}x{size}/{dilation}");
                println!("{name:>18} {}", reached.join(" "));
            }
        }
    }

    /// GFLOP/s of the depthwise convolution, the product, the way back of the convolution, and the gradients of P and D.
    fn loops(windows: &Windows) -> [f64; 5] {
        let [height, width, channels] = windows.image;
        let (depthwise, pointwise) =
            (numbers(channels * windows.taps()), numbers(channels * channels));
        let forward = Plan::forward(windows, &depthwise, lanes());
        let back = Plan::transposed(windows, &depthwise, lanes());
        let at = |input: usize, output: usize| pointwise[output * channels + input];
        let product = Product::new([channels; 2], lanes(), at);
        let image = numbers(height * width * channels);
        let mut scratch = Scratch::default();
        let Scratch { x, gradient, rows, filled, dealt } = &mut scratch;
        forward.planes.copy(&image, 0.0, x);
        back.planes.copy(&image, 0.0, gradient);
        let mut out = Aligned::from(&image[..]);
        let step = rows_at_once(width * channels);
        let blocks = || (0..height).step_by(step).map(|first| first..(first + step).min(height));

        let convolved = fastest(|| blocks().for_each(|block| forward.rows(x, block, 0, rows)));
        let multiplied = fastest(|| {
            let blocks = out.chunks_mut(step * width * channels);
            blocks.for_each(|out| product.multiply(rows, out, [channels; 2], dealt));
        });
        let came_back = fastest(|| {
            for (block, out) in blocks().zip(out.chunks_mut(step * width * channels)) {
                back.image_rows(gradient, block, true, filled, out);
            }
        });
        forward.rows(x, 0..height, 0, rows);
        let mut of_p = vec![0.0; channels * channels];
        let outer = fastest(|| {
            let (pixel, out) = (forward.planes.pixel, &mut of_p[..]);
            let (x, gradient, dealt) = (&rows[..], &image[..], &mut *dealt);
            let (inputs, outputs) = (channels, channels);
            dispatch(Gradient { pixel, inputs, outputs, x, gradient, out, filled, dealt });
        });
        let mut of_d = vec![0.0; channels * windows.taps()];
        let correlated = fastest(|| {
            let (x, gradient) = ((&forward.planes, &x[..]), (&back.planes, &gradient[..]));
            dispatch(Correlation { windows, x, gradient, out: &mut of_d });
        });
        let [taps, products] =
            [windows.taps(), channels].map(|each| 2 * (image.len() * each) as u64);
        [
            giga(taps, convolved),
            giga(products, multiplied),
            giga(taps, came_back),
            giga(products, outer),
            giga(taps, correlated),
        ]
    }

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|index| (index * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
    }

    /// The time of a call, the fastest of several rounds.
    fn fastest(mut call: impl FnMut()) -> Duration {
        let round = |_| {
            let (start, mut calls) = (Instant::now(), 0);
            while start.elapsed() < Duration::from_millis(6) {
                call();
                calls += 1;
            }
            start.elapsed() / calls
        };
        (0..ROUNDS).map(round).min().unwrap_or_default()
    }

    fn giga(flops: u64, time: Duration) -> f64 {
        flops as f64 / time.as_secs_f64() * 1e-9
    }
}
