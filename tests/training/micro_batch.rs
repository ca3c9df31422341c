//! A batch in parts: the step is that of the whole batch, up to rounding and batch norm.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::{Device, Tensor};
use pollster::block_on;
use smoothdarts::cell::codec;
use smoothdarts::config::Config;
use smoothdarts::data::{Batch, Loader, embedded};
use smoothdarts::event::Event;
use smoothdarts::net::{Classifier, Logits};
use smoothdarts::nn::{Builder, GradientTarget, Init, Layout, Pass, Trace, WeightId};
use smoothdarts::run::{Run, Train};
use smoothdarts::task::Training;

/// A linear layer on the pixels: no batch norm that would see the parts.
struct Linear {
    layout: Layout,
    weight: WeightId,
    inputs: usize,
    /// Most images of a pass so far.
    most: Arc<AtomicUsize>,
}

impl Linear {
    fn new(inputs: usize) -> Self {
        let mut layout = Layout::default();
        let mut builder = Builder::new(&mut layout);
        let weight = builder.weight("weight", &[10, inputs], Init::FanIn(inputs));
        Self { layout, weight, inputs, most: Arc::default() }
    }
}

impl Classifier for Linear {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn multiply_adds(&self, _: usize, _: GradientTarget) -> u64 {
        10 * self.inputs as u64
    }

    fn forward(&self, images: Tensor<4>, pass: &mut Pass) -> Logits {
        let count = images.dims()[0];
        self.most.fetch_max(count, Ordering::Relaxed);
        let images = images.reshape([count, self.inputs]);
        let weight = pass.weight(self.weight, [10, self.inputs]);
        Logits { logits: images.matmul(weight.transpose()), auxiliary: None }
    }

    fn trace(&self) -> Trace<'_> {
        unreachable!("nobody exports it")
    }
}

/// What a training in parts of so many images leaves.
struct Trained {
    weights: Vec<f32>,
    /// Loss and accuracy on the test images after every epoch.
    evaluated: Vec<[f64; 2]>,
    /// Most images of a pass, in a step or an evaluation.
    most: usize,
}

/// After three epochs.
fn trained(micro_batch: usize) -> Trained {
    let mut config = Config::default();
    config.train.genotype = "c10_s5_pgd".to_owned();
    (config.train.epochs, config.train.batch_size) = (3, 32);
    config.train.micro_batch = micro_batch;
    (config.data.image_size, config.data.train_images) = (8, 90);
    let mut loader = Loader::for_training(embedded().unwrap(), &config).unwrap();
    let task = Training { image_size: 8, label_smoothing: 0.1, auxiliary_weight: 0.0 };
    let linear = Linear::new(64);
    let most = linear.most.clone();
    let network: Box<dyn Classifier> = Box::new(linear);
    let genotype = codec::read(&config.train.genotype).unwrap();
    let job = Train::new(&config, genotype, (task, network), 3, &Device::flex());
    let mut run = Run::from_start(job).unwrap();
    let mut evaluated = Vec::new();
    while let Some(event) = block_on(run.advance(&mut loader)).unwrap() {
        if let Event::TrainEpoch(epoch) = event {
            evaluated.push([epoch.loss, epoch.accuracy]);
        }
    }
    let checkpoint = block_on(run.checkpoint()).unwrap();
    let weights = checkpoint.array("weights", &[640]).unwrap().values.clone();
    Trained { weights, evaluated, most: most.load(Ordering::Relaxed) }
}

#[test]
fn parts_of_a_batch_change_the_weights_only_by_rounding() {
    let whole = trained(0).weights;
    assert!(whole == trained(32).weights, "a batch in one part is not even rounded");
    for size in [1, 5, 16, 31] {
        let parts = trained(size).weights;
        let error = whole.iter().zip(&parts).map(|(one, other)| (one - other).abs());
        let error = error.fold(0.0, f32::max);
        // Weights lie within 1; float32 has 6e-8, and nine steps add up.
        assert!(error < 2e-6, "parts of {size}: {error}");
    }
}

#[test]
fn evaluations_see_no_larger_parts_than_steps_and_say_the_same() {
    let whole = trained(0);
    assert_eq!((whole.most, whole.evaluated.len()), (32, 3));
    for size in [5, 16] {
        let parts = trained(size);
        assert!(parts.most <= size, "{} images at once", parts.most);
        assert_eq!(parts.evaluated.len(), 3);
        for ([loss, accuracy], [same, right]) in whole.evaluated.iter().zip(&parts.evaluated) {
            assert!((loss - same).abs() < 1e-5 && accuracy == right, "{loss} {same}");
        }
    }
}

#[test]
fn parts_hold_the_images_in_their_order_and_are_even() {
    let batch = Batch {
        images: (0..14).map(|value| value as f32).collect(),
        labels: (0..7).collect(),
        shape: [7, 1, 2, 1],
    };
    for (largest, sizes) in [
        (0, vec![7]),
        (7, vec![7]),
        (9, vec![7]),
        (6, vec![3, 4]),
        (3, vec![2, 2, 3]),
        (1, vec![1; 7]),
    ] {
        let parts = batch.clone().parts(largest);
        assert_eq!(parts.iter().map(|part| part.shape[0]).collect::<Vec<_>>(), sizes);
        assert!(parts.iter().all(|part| part.labels.len() == part.shape[0]));
        assert_eq!(parts.iter().flat_map(|it| it.labels.clone()).collect::<Vec<_>>(), batch.labels);
        assert_eq!(parts.iter().flat_map(|it| it.images.clone()).collect::<Vec<_>>(), batch.images);
    }
}
