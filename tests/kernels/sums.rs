//! Sums of more numbers than burn adds up rightly on wgpu: losses, accuracies, norms.

use burn::tensor::Int;
use smoothdarts::nn::{correct, cross_entropy, mean, smoothed_cross_entropy, sum};
use smoothdarts::optim::norm;

use super::*;

/// Lengths around the rows that are added up, and far above.
const COUNTS: [usize; 7] = [1, 1023, 1024, 1025, 65_536, 96_001, 420_000];

fn close(found: Vec<f32>, expected: f64, what: &str) {
    let [found] = found[..] else { panic!("{what}: {} numbers", found.len()) };
    let error = (f64::from(found) - expected).abs() / expected.abs().max(1e-3);
    assert!(error < 1e-4, "{what}: {found} instead of {expected}");
}

#[test]
fn no_number_is_lost_in_a_sum_a_mean_or_a_norm() {
    for (name, device) in crate::devices::all() {
        for count in COUNTS {
            let squares: Vec<f32> = noise(count, 3).iter().map(|x| x * x + 0.1).collect();
            let expected: f64 = squares.iter().map(|x| f64::from(*x)).sum();
            let x = vector(&squares, &device);
            let what = format!("{name}, {count} numbers");
            close(numbers(sum(x.clone())), expected, &what);
            close(numbers(mean(x.clone())), expected / count as f64, &what);
            close(numbers(norm(&[x.sqrt()])), expected.sqrt(), &what);
        }
    }
}

/// 96 images of 1,000 classes, a batch of ImageNet, and an evaluation of 3,000 images: loss, gradient and
/// right answers are those of the CPU.
#[test]
fn a_loss_over_many_classes_or_images_is_the_same_on_every_device() {
    for [batch, classes] in [[96, 1000], [3000, 10]] {
        let logits = noise(batch * classes, 5);
        let labels: Vec<i32> = (0..batch).map(|image| (image * 7 % classes) as i32).collect();
        let on = |device: &Device| {
            let leaf = vector(&logits, device).autodiff().require_grad();
            let labels = TensorData::new(labels.clone(), [batch]);
            let labels = Tensor::<1, Int>::from_data(labels, device);
            let x = leaf.clone().reshape([batch, classes]);
            let smoothed = smoothed_cross_entropy(x.clone(), labels.clone(), 0.1);
            let mut gradients = smoothed.backward();
            let gradient = numbers(leaf.grad_remove(&mut gradients).unwrap());
            let plain = cross_entropy(x.clone().inner(), labels.clone());
            let right = correct(x.inner(), labels);
            (numbers(smoothed.inner()), numbers(plain), numbers(right), gradient)
        };
        let expected = on(&Device::flex());
        for (name, device) in crate::devices::all() {
            let found = on(&device);
            assert!(difference(&found.0, &expected.0) < 1e-5, "{name}: {:?}", found.0);
            assert!(difference(&found.1, &expected.1) < 1e-5, "{name}: {:?}", found.1);
            assert_eq!(found.2, expected.2, "{name}: right answers");
            assert!(difference(&found.3, &expected.3) < 1e-4, "{name}: the gradient");
        }
    }
}
