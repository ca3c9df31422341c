//! The loops of a unit one by one, over an image that stays in the cache: what a core reaches in them is the most that
//! a step can.

use super::aligned::Aligned;
use super::convolve::{Plan, Windows};
use super::correlate::Correlation;
use super::matrix::{Product, rows_at_once};
use super::outer::Gradient;
use super::{Scratch, dispatch, lanes};

/// A loop of a unit: of its depthwise convolution D, its pointwise product P, and their ways back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitLoop {
    /// The image by D.
    Convolution,
    /// That by P.
    Product,
    /// A gradient back through D.
    WayBack,
    /// The gradient of P.
    ProductGradient,
    /// The gradient of D.
    ConvolutionGradient,
}

impl UnitLoop {
    /// All of them, in the order of a unit.
    pub const ALL: [Self; 5] = [
        Self::Convolution,
        Self::Product,
        Self::WayBack,
        Self::ProductGradient,
        Self::ConvolutionGradient,
    ];

    /// What `sdarts bench --loops` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convolution => "convolution",
            Self::Product => "product",
            Self::WayBack => "way back",
            Self::ProductGradient => "gradient of P",
            Self::ConvolutionGradient => "gradient of D",
        }
    }
}

/// The loops of a unit of stride 1 over one image of so many channels, in this thread.
pub struct UnitLoops {
    windows: Windows,
    forward: Plan,
    back: Plan,
    product: Product,
    image: Vec<f32>,
    scratch: Scratch,
    out: Aligned,
    of_product: Vec<f32>,
    of_convolution: Vec<f32>,
}

impl UnitLoops {
    /// A square image of `side` × `side` pixels and `channels` channels; a window of `size` × `size` pixels that lie
    /// `dilation` apart.
    pub fn new([side, channels]: [usize; 2], size: usize, dilation: usize) -> Self {
        let windows = Windows { image: [side, side, channels], size, stride: 1, dilation };
        let depthwise = numbers(channels * windows.taps());
        let pointwise = numbers(channels * channels);
        let forward = Plan::forward(&windows, &depthwise, lanes());
        let back = Plan::transposed(&windows, &depthwise, lanes());
        let at = |input: usize, output: usize| pointwise[output * channels + input];
        let product = Product::new([channels; 2], lanes(), at);
        let image = numbers(side * side * channels);
        let mut scratch = Scratch::default();
        forward.planes.copy(&image, 0.0, &mut scratch.x);
        back.planes.copy(&image, 0.0, &mut scratch.gradient);
        forward.rows(&scratch.x, 0..side, 0, &mut scratch.rows);
        Self {
            out: Aligned::from(&image[..]),
            of_product: vec![0.0; channels * channels],
            of_convolution: vec![0.0; channels * windows.taps()],
            windows,
            forward,
            back,
            product,
            image,
            scratch,
        }
    }

    /// Floating-point operations of a loop: two for each multiply-add.
    pub fn operations(&self, which: UnitLoop) -> u64 {
        let each = match which {
            UnitLoop::Product | UnitLoop::ProductGradient => self.windows.image[2],
            _ => self.windows.taps(),
        };
        2 * (self.image.len() * each) as u64
    }

    /// Goes through a loop once.
    pub fn run(&mut self, which: UnitLoop) {
        let Self { windows, forward, back, product, image, scratch, out, .. } = self;
        let Scratch { x, gradient, rows, filled, dealt, .. } = scratch;
        let [height, width, channels] = windows.image;
        // Blocks of one size, so that what one leaves in `rows` is as much as the next loop reads.
        let most = rows_at_once(width * channels);
        let step = (1..=most).rev().find(|step| height.is_multiple_of(*step)).unwrap_or(1);
        let blocks = (0..height).step_by(step).map(|first| first..first + step);
        match which {
            UnitLoop::Convolution => blocks.for_each(|block| forward.rows(x, block, 0, rows)),
            UnitLoop::Product => {
                let blocks = out.chunks_mut(step * width * channels);
                blocks.for_each(|out| product.multiply(rows, out, [channels; 2], dealt));
            }
            UnitLoop::WayBack => {
                let blocks = blocks.zip(out.chunks_mut(step * width * channels));
                blocks.for_each(|(block, out)| back.image_rows(gradient, block, true, filled, out));
            }
            UnitLoop::ProductGradient => {
                let (pixel, inputs, outputs) = (channels, channels, channels);
                let (x, gradient, out) = (&out[..], &image[..], &mut self.of_product[..]);
                dispatch(Gradient { pixel, inputs, outputs, x, gradient, out, filled, dealt });
            }
            UnitLoop::ConvolutionGradient => {
                let (x, gradient) = ((&forward.planes, &x[..]), (&back.planes, &gradient[..]));
                let windows = &*windows;
                dispatch(Correlation { windows, x, gradient, out: &mut self.of_convolution });
            }
        }
    }
}

/// Numbers from −1 to 1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|index| (index * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loop_computes_and_counts_its_operations() {
        for (which, each) in UnitLoop::ALL.into_iter().zip([9, 16, 9, 16, 9]) {
            let mut loops = UnitLoops::new([8, 16], 3, 1);
            assert_eq!(loops.operations(which), 2 * 8 * 8 * 16 * each, "{which:?}");
            if which == UnitLoop::Convolution {
                loops.scratch.rows.fill(0.0);
            }
            let written = |loops: &UnitLoops| match which {
                UnitLoop::Convolution => loops.scratch.rows.to_vec(),
                UnitLoop::Product | UnitLoop::WayBack => loops.out.to_vec(),
                UnitLoop::ProductGradient => loops.of_product.clone(),
                UnitLoop::ConvolutionGradient => loops.of_convolution.clone(),
            };
            let before = written(&loops);
            loops.run(which);
            let after = written(&loops);
            assert_ne!(before, after, "{which:?}");
            assert!(after.iter().all(|value| value.is_finite()), "{which:?}");
        }
    }
}
