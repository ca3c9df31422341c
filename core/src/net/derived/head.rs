//! The auxiliary head (spec §9.1, §9.2): a second classifier, after the cell at 2/3, that is trained
//! along with the network and left out afterwards.

use burn::tensor::{Tensor, TensorData};

use crate::net::{LinearClassifier, Stem};
use crate::nn::{
    ActivationInfo, Builder, GradientTarget, Init, Layer, NormOptions, Pass, Sequence, WeightId,
};

/// Channels after its first and its second convolution.
const CHANNELS: [usize; 2] = [128, 768];

/// Height and width of the images that its second convolution reads, which leaves one pixel.
const SIDE: usize = 2;

/// Height and width of the windows that are averaged.
const WINDOW: usize = 5;

/// ReLU, average, 1×1 convolution, batch norm, ReLU, 2×2 convolution \[, batch norm\], ReLU, linear.
pub(super) struct AuxiliaryHead {
    stride: usize,
    first: Sequence,
    square: WeightId,
    second_norm: Sequence,
    classifier: LinearClassifier,
}

impl AuxiliaryHead {
    /// Builds it at `auxiliary_head` for an activation of so many channels.
    ///
    /// Quirk: the head for ImageNet has no second batch norm. The authors left it out because the
    /// networks of the original were trained so; P-DARTS has it.
    pub fn new(builder: &mut Builder, inputs: usize, classes: usize, stem: Stem) -> Self {
        let (stride, has_second_norm) = match stem {
            Stem::Small => (3, true),
            Stem::ImageNet => (2, false),
        };
        let norm = NormOptions::pending();
        let mut builder = builder.child("auxiliary_head");
        let mut features = builder.child("features");
        let [narrow, wide] = CHANNELS;
        let first = Layer::convolution(&mut features, "2", [narrow, inputs, 1, 1], 1);
        let first = Sequence(vec![first.and_norm(&mut features, "3", norm), Layer::Relu]);
        let square = features.child("5").weight(
            "weight",
            &[wide, narrow, SIDE, SIDE],
            Init::FanIn(narrow * SIDE * SIDE),
        );
        let mut second_norm = Vec::new();
        if has_second_norm {
            second_norm.push(Layer::norm(&mut features.child("6"), wide, norm));
        }
        second_norm.push(Layer::Relu);
        let classifier = LinearClassifier::new(&mut builder.child("classifier"), wide, classes);
        Self { stride, first, square, second_norm: Sequence(second_norm), classifier }
    }

    /// Multiply-adds for one image; see [`Layer::multiply_adds`].
    pub fn multiply_adds(&self, info: ActivationInfo) -> u64 {
        let mut info = ActivationInfo { size: [SIDE; 2], ..info };
        let first = self.first.multiply_adds(&mut info);
        let [narrow, wide] = CHANNELS;
        let square = (narrow * wide * SIDE * SIDE) as u64 * info.products();
        let tracked = info.tracked || info.target == GradientTarget::Weights;
        let info = ActivationInfo { size: [1; 2], tracked, ..info };
        first + square + self.classifier.multiply_adds(info)
    }

    /// Logits, from the rectified output of the cell.
    ///
    /// # Shapes
    /// - `x`: [batch, height, width, channels]
    /// - output: [batch, classes]
    pub fn forward(&self, x: Tensor<4>, pass: &mut Pass) -> Tensor<2> {
        let x = self.first.forward(averaged(x, self.stride).into(), pass);
        let x = pass.apply(x);
        let [batch, _, _, narrow] = x.dims();
        let inputs = narrow * SIDE * SIDE;
        let wide = CHANNELS[1];
        // One window is left: the convolution is a product of matrices.
        let weight = pass.weight(self.square, [wide, inputs]);
        let x = x.permute([0, 3, 1, 2]).reshape([batch, inputs]).matmul(weight.transpose());
        let x = self.second_norm.forward(x.reshape([batch, 1, 1, wide]).into(), pass);
        let x = pass.apply(x);
        self.classifier.forward(x, pass)
    }
}

/// The mean of windows, as a product with a constant matrix.
///
/// # Shapes
/// - output: [batch, 2, 2, channels]
fn averaged(x: Tensor<4>, stride: usize) -> Tensor<4> {
    let [batch, height, width, channels] = x.dims();
    let (rows, columns) = (windows(height, stride), windows(width, stride));
    let mut shares = Vec::with_capacity(SIDE * SIDE * height * width);
    for (top, bottom) in rows {
        for (left, right) in columns {
            let share = 1.0 / ((bottom - top) * (right - left)) as f32;
            for pixel in 0..height * width {
                let (row, column) = (pixel / width, pixel % width);
                let inside = (top..bottom).contains(&row) && (left..right).contains(&column);
                shares.push(if inside { share } else { 0.0 });
            }
        }
    }
    let shares = TensorData::new(shares, [1, SIDE * SIDE, height * width]);
    let shares = Tensor::<3>::from_data(shares, &x.device().inner());
    let shares = if x.is_autodiff() { shares.autodiff() } else { shares };
    let pixels = x.reshape([batch, height * width, channels]);
    let shares = shares.expand([batch, SIDE * SIDE, height * width]);
    shares.matmul(pixels).reshape([batch, SIDE, SIDE, channels])
}

/// Where the two windows of an axis begin and end: 5 pixels at the stride of the authors where those
/// give two, which images of 32×32 and 224×224 do; else halves, which meet in the middle pixel of an odd
/// axis (their code ends with an error there).
fn windows(size: usize, stride: usize) -> [(usize, usize); SIDE] {
    if size >= WINDOW && (size - WINDOW) / stride + 1 == SIDE {
        return [0, stride].map(|start| (start, start + WINDOW));
    }
    [(0, size.div_ceil(2)), (size / 2, size)]
}
