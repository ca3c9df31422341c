//! Networks that nobody trained, with weights and statistics that leave nothing at 0 or 1.

use burn::tensor::Device;
use native::cli::Format;
use native::export::{self, Trained};
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::arrays::{Array, Arrays, pair, state_dict, vector};
use smoothdarts::cell::codec::{darts, nb101, nb201};
use smoothdarts::cell::{Genotype, published};
use smoothdarts::data::Batch;
use smoothdarts::net::{DerivedShape, Stem, derived};
use smoothdarts::rng::{Streams, normal, uniform};
use smoothdarts::task::{ImageBatch, Model, Point, Training};

use crate::devices::host;

/// A network and its weights.
pub struct Net {
    pub name: &'static str,
    pub genotype: Genotype,
    pub shape: DerivedShape,
    pub arrays: Arrays,
    /// Height and width of images that it reads.
    pub sizes: Vec<[usize; 2]>,
}

/// Pixels of images, [batch, height, width, channels], and their shape.
pub struct Images {
    pub values: Vec<f32>,
    pub shape: [usize; 4],
}

pub const CLASSES: [&str; 5] = ["ape", "bear", "cat \"Tom\"", "dog", "eel"];

const SMALL: DerivedShape = DerivedShape {
    image_channels: 3,
    classes: 5,
    cells: 5,
    channels: 4,
    stem: Stem::Small,
    auxiliary: true,
};

/// Zeros, an identity, both poolings and both convolutions.
const BENCH201: &str =
    "|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|skip_connect~2|";

/// All labels, an edge from the input to the output, and vertices of 2 and of 1 channels at the output, of which
/// the second reads one that is wider.
const BENCH101: &str = "010101001001000011000010000001000000 input,conv3x3-bn-relu,conv3x3-bn-relu,\
     maxpool3x3,conv1x1-bn-relu,output";

/// What no published genotype has, at stride 1 and 2.
const RARE: &str = "Genotype(normal=[('conv_7x1_1x7', 0), ('none', 1), ('none', 0), ('none', 1), \
     ('sep_conv_7x7', 2), ('avg_pool_3x3', 1), ('max_pool_3x3', 4), ('dil_conv_5x5', 0)], \
     normal_concat=[2, 3, 4, 5], reduce=[('conv_7x1_1x7', 0), ('sep_conv_7x7', 1), ('none', 0), \
     ('none', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), \
     ('dil_conv_5x5', 3)], reduce_concat=[2, 3, 4, 5])";

/// One of every kind.
pub fn all() -> Vec<Net> {
    let named = |name: &str| published::find(name).unwrap().genotype();
    let imagenet = DerivedShape { stem: Stem::ImageNet, channels: 8, ..SMALL };
    let bench = DerivedShape { auxiliary: false, image_channels: 1, ..SMALL };
    let bench101 = DerivedShape { auxiliary: false, cells: 3, ..SMALL };
    let rare = DerivedShape { auxiliary: false, cells: 3, ..SMALL };
    let rows = [
        ("cifar", named("c10_s5_pgd"), SMALL, vec![[32, 32], [13, 18]]),
        ("darts", named("DARTS_V2"), SMALL, vec![[16, 16]]),
        ("imagenet", named("DARTS_V2"), imagenet, vec![[64, 64], [45, 39]]),
        ("bench201", nb201::decode(BENCH201).unwrap(), bench, vec![[12, 16]]),
        ("bench101", nb101::decode(BENCH101).unwrap(), bench101, vec![[16, 16], [8, 12]]),
        ("rare", darts::from_python(RARE).unwrap(), rare, vec![[16, 16], [11, 10]]),
    ];
    let net = |(name, genotype, shape, sizes): (_, Genotype, _, _)| {
        let arrays = arrays(&genotype, shape);
        Net { name, genotype, shape, arrays, sizes }
    };
    rows.map(net).into()
}

/// Random weights and statistics.
pub fn arrays(genotype: &Genotype, shape: DerivedShape) -> Arrays {
    let network = derived(genotype, shape).unwrap();
    let layout = network.layout();
    let flat = layout.initial_weights(&Streams::new(3));
    let mut rng = Pcg64::seed_from_u64(7);
    let mut arrays = Arrays::new();
    for slot in layout.weights() {
        let mut values = flat[slot.range.clone()].to_vec();
        if slot.shape.len() == 1 {
            values = uniform(&mut rng, values.len(), 0.5, 1.5);
        }
        arrays.insert(slot.name.clone(), Array { shape: slot.shape.clone(), values });
    }
    for slot in layout.norms() {
        // Small variances keep the differences of images large, so that logits tell more than biases.
        for (kind, low, high) in [("running_mean", -0.3, 0.7), ("running_var", 0.05, 0.15)] {
            let values = uniform(&mut rng, slot.range.len(), low, high);
            let shape = vec![values.len()];
            arrays.insert(format!("{}.{kind}", slot.name), Array { shape, values });
        }
    }
    arrays
}

impl Net {
    /// The file, with or without the normalisation of its images.
    pub fn file(&self, format: Format, normalises: bool) -> Vec<u8> {
        let classes = CLASSES.map(str::to_owned);
        let Self { genotype, shape, arrays, .. } = self;
        let normalisation = normalises.then(|| self.constants());
        let trained = Trained { genotype, shape: *shape, arrays, classes: &classes, normalisation };
        export::to_bytes(&trained, format).unwrap()
    }

    /// Mean and standard deviation.
    fn constants(&self) -> (Vec<f32>, Vec<f32>) {
        let channels = self.shape.image_channels;
        ([0.49, 0.48, 0.44][..channels].to_vec(), [0.24, 0.23, 0.27][..channels].to_vec())
    }

    /// So many images of a size, in [0, 1] where the network normalises them.
    pub fn images(&self, count: usize, [height, width]: [usize; 2], unit: bool) -> Images {
        let shape = [count, height, width, self.shape.image_channels];
        let (mut rng, numbers) = (Pcg64::seed_from_u64(2), shape.iter().product());
        let values = match unit {
            true => uniform(&mut rng, numbers, 0.0, 1.0),
            false => normal(&mut rng, numbers),
        };
        Images { values, shape }
    }

    /// Our logits.
    pub fn logits(&self, images: &Images, unit: bool) -> Vec<f32> {
        let (mean, std) = self.constants();
        let channels = mean.len();
        let normalise = |(at, x): (usize, &f32)| match unit {
            true => (x - mean[at % channels]) / std[at % channels],
            false => *x,
        };
        let values = images.values.iter().enumerate().map(normalise).collect();
        let labels = vec![0; images.shape[0]];
        let batch = Batch { images: values, labels, shape: images.shape };
        let device = Device::flex();
        let network = derived(&self.genotype, self.shape).unwrap();
        let flat = state_dict::read(network.layout(), &self.arrays).unwrap();
        let (weights, statistics) = (vector(flat.weights, &device), pair(flat.statistics, &device));
        let image_size = images.shape[1];
        let task = Training { image_size, label_smoothing: 0.0, auxiliary_weight: 0.0 };
        let model = Model::new(task, network, Kernels::Fused);
        let at = Point { weights: &weights, statistics: &statistics, eval: true };
        let batch = ImageBatch::new(batch, &device);
        host(model.loss(at, &[], &batch, Pcg64::seed_from_u64(0)).logits)
    }
}

impl Images {
    /// The same as [batch, channels, height, width].
    pub fn planes(&self) -> (Vec<f32>, [usize; 4]) {
        let [batch, height, width, channels] = self.shape;
        let mut planes = Vec::with_capacity(self.values.len());
        for image in self.values.chunks(height * width * channels) {
            for channel in 0..channels {
                planes.extend(image.iter().skip(channel).step_by(channels));
            }
        }
        (planes, [batch, channels, height, width])
    }
}

/// The largest difference of two logits of an image, relative to its largest logit.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let rows = found.chunks(CLASSES.len()).zip(expected.chunks(CLASSES.len()));
    let error = |(found, expected): (&[f32], &[f32])| {
        let largest = expected.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        assert!(largest > 0.0 && largest.is_finite(), "{expected:?}");
        let differences = found.iter().zip(expected).map(|(found, x)| (found - x).abs());
        // `max` would pass over a NaN.
        differences.fold(0.0f32, |worst, it| if it <= worst { worst } else { it }) / largest
    };
    rows.map(error).fold(0.0, |worst, it| if it <= worst { worst } else { it })
}
