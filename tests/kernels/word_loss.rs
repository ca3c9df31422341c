//! The loss of a vocabulary.

use burn::tensor::Int;

use super::*;

#[derive(Clone, Debug)]
struct Decoder {
    words: usize,
    vocabulary: usize,
    hidden: usize,
    scale: f32,
}

impl Decoder {
    fn targets(&self, device: &Device) -> Tensor<1, Int> {
        let targets: Vec<i64> =
            (0..self.words).map(|word| (word * 7 % self.vocabulary) as i64).collect();
        Tensor::from_data(TensorData::new(targets, [self.words]), device)
    }

    fn loss(&self, kernels: Kernels, inputs: Vec<Tensor<1>>) -> shaders::WordLoss {
        let [outputs, decoder, bias] = inputs.try_into().unwrap();
        let targets = self.targets(&outputs.device());
        let outputs = outputs.reshape([self.words, self.hidden]);
        let decoder = decoder.reshape([self.vocabulary, self.hidden]);
        shaders::word_loss(kernels, outputs, decoder, bias, targets)
    }
}

impl Case for Decoder {
    /// Plain ops there: random ones would be compared with themselves.
    const ON_WGPU: u32 = 0;

    fn strategy() -> BoxedStrategy<Self> {
        (1..40_usize, 1..80_usize, 1..40_usize)
            .prop_map(|(words, vocabulary, hidden)| Self { words, vocabulary, hidden, scale: 1.0 })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let scaled = |count, seed| -> Vec<f32> {
            noise(count, seed).into_iter().map(|x| x * self.scale).collect()
        };
        vec![
            scaled(self.words * self.hidden, 1),
            noise(self.vocabulary * self.hidden, 2),
            noise(self.vocabulary, 3),
        ]
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| case.loss(kernels, inputs).loss.reshape([1, 1, 1, 1]))
    }
}

#[test]
fn the_loss_of_words_equals_plain_ops() {
    equals_plain_ops::<Decoder>();
}

#[test]
fn the_loss_of_words_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Decoder>(0.01);
}

#[test]
fn the_loss_of_words_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Decoder>();
}

#[test]
fn the_loss_of_words_tracks_each_input_alone() {
    tracks_each_input_alone::<Decoder>();
}

/// More rows than a block has.
#[test]
fn the_loss_of_many_words_equals_plain_ops() {
    equals_plain_ops_everywhere(&Decoder { words: 1100, vocabulary: 301, hidden: 20, scale: 1.0 });
}

/// Logits of some thousands, where exp would overflow.
#[test]
fn the_loss_of_extreme_logits_equals_plain_ops() {
    equals_plain_ops_everywhere(&Decoder { words: 9, vocabulary: 50, hidden: 12, scale: 1e3 });
}

#[test]
fn words_are_right_where_the_target_has_the_first_of_the_largest_logits() {
    for (words, vocabulary) in [(30, 5), (600, 3), (4, 1)] {
        let case = Decoder { words, vocabulary, hidden: 6, scale: 1.0 };
        for (name, device) in crate::devices::all() {
            let of = |kernels| {
                let inputs = case.inputs().iter().map(|input| vector(input, &device)).collect();
                numbers(case.loss(kernels, inputs).right)
            };
            assert_eq!(of(Kernels::Fused), of(Kernels::Composed), "{name}");
        }
    }
    let device = Device::flex();
    let zeros = |count: usize| Tensor::<1>::zeros([count], &device);
    let case = Decoder { words: 3, vocabulary: 4, hidden: 2, scale: 1.0 };
    let tied = case.loss(Kernels::Fused, vec![zeros(6), zeros(8), zeros(4)]);
    // The targets are 0, 3 and 2.
    assert_eq!(numbers(tied.right), [1.0]);
}
