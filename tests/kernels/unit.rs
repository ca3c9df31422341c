//! Banks of units: depthwise and pointwise convolution in one, many at once.

use shaders::{Bank, Unit};

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Banks {
    /// Of one activation.
    pub(super) shape: [usize; 4],
    outputs: usize,
    pub(super) bank: Bank,
    by: By,
    /// Whether the batch norm has γ and β.
    affine: bool,
    permuted: bool,
}

/// One to four units, of which some read the same activation.
fn units() -> impl Strategy<Value = Vec<Unit>> {
    let size = prop::sample::select(vec![3, 3, 5, 5, 7]);
    prop::collection::vec((any::<bool>(), size, 1..3_usize), 1..5_usize).prop_map(|units| {
        let mut source = 0;
        let unit = |(index, (moves_on, size, dilation))| {
            source += usize::from(index > 0 && moves_on);
            Unit { source, size, dilation }
        };
        units.into_iter().enumerate().map(unit).collect()
    })
}

impl Case for Banks {
    fn strategy() -> BoxedStrategy<Self> {
        let outputs = prop::sample::select(vec![0, 0, 1, 5, 16]);
        let sizes = (shapes().prop_map(enough), outputs, units(), 1..3_usize);
        (sizes, any::<bool>(), by(), any::<bool>(), any::<bool>())
            .prop_map(|((shape, outputs, units, stride), relu, by, affine, permuted)| {
                // A unit of a cell has as many outputs as channels.
                let outputs = if outputs == 0 { shape[3] } else { outputs };
                let bank = Bank { units, relu, stride, moments: false };
                let affine = affine && by != By::Nothing;
                Self { shape, outputs, bank, by, affine, permuted }
            })
            .boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        let channels = self.shape[3];
        let weights = |unit: &Unit| channels * (unit.size * unit.size + self.outputs);
        let images = noise(stack(self.shape, self.sources()).iter().product(), 1);
        let mut inputs = vec![images, noise(self.bank.units.iter().map(weights).sum(), 2)];
        inputs.extend(self.affine.then(|| affine(self.sources() * channels, 3)));
        inputs
    }

    fn op(&self) -> Box<Op> {
        let case = self.clone();
        Box::new(move |kernels, inputs| {
            let mut inputs = inputs.into_iter();
            let (x, weights) = (inputs.next().unwrap(), inputs.next().unwrap());
            case.bank.forward(kernels, case.input(kernels, x, inputs.next()), weights).0.x
        })
    }
}

impl Banks {
    fn sources(&self) -> usize {
        self.bank.units.last().unwrap().source + 1
    }

    /// How far the moments that the kernel takes on the way are from those of its outputs.
    fn error_of_moments(&self, device: &Device) -> f32 {
        let inputs = self.inputs();
        let [x, weights] = [0, 1].map(|i| vector(&inputs[i], device));
        let bank = Bank { moments: true, ..self.bank.clone() };
        let affine = inputs.get(2).map(|values| vector(values, device));
        let input = self.input(Kernels::Fused, x, affine);
        let (z, moments) = bank.forward(Kernels::Fused, input, weights);
        error_of_moments(moments.unwrap(), z.x, bank.units.len())
    }

    pub(super) fn input(
        &self,
        kernels: Kernels,
        x: Tensor<1>,
        affine: Option<Tensor<1>>,
    ) -> PendingNorm {
        let x = images(x, stack(self.shape, self.sources()), self.permuted);
        let pending = pending_norm(kernels, x, self.by, self.sources());
        match affine {
            Some(affine) => with_affine(pending, affine),
            None => pending,
        }
    }
}

#[test]
fn a_bank_equals_plain_ops() {
    equals_plain_ops::<Banks>();
}

#[test]
fn a_bank_does_not_depend_on_threads() {
    does_not_depend_on_threads::<Banks>();
}

#[test]
fn a_bank_tracks_each_input_alone() {
    tracks_each_input_alone::<Banks>();
}

/// Without the ReLU, at whose corner finite differences say nothing.
#[derive(Clone, Debug)]
struct Smooth(Banks);

impl Case for Smooth {
    fn strategy() -> BoxedStrategy<Self> {
        let smooth = |case: Banks| Self(Banks { bank: Bank { relu: false, ..case.bank }, ..case });
        Banks::strategy().prop_map(smooth).boxed()
    }

    fn inputs(&self) -> Vec<Vec<f32>> {
        self.0.inputs()
    }

    fn op(&self) -> Box<Op> {
        self.0.op()
    }
}

#[test]
fn a_bank_agrees_with_finite_differences() {
    agrees_with_finite_differences::<Smooth>(0.01);
}

/// Pixels of four channels are dealt out to planes in blocks of 256: several blocks and a part of one,
/// with and without a stride, and two units whose gradients meet.
#[test]
fn many_pixels_of_four_channels_equal_plain_ops() {
    let unit = |size, dilation| Unit { source: 0, size, dilation };
    for stride in [1, 2] {
        equals_plain_ops_everywhere(&Banks {
            shape: [2, 33, 29, 4],
            outputs: 4,
            bank: Bank { units: vec![unit(3, 2), unit(5, 1)], relu: true, stride, moments: false },
            by: By::Batch,
            affine: false,
            permuted: false,
        });
    }
}

/// 36, 72 and 48 channels, those of the networks that are trained, are no power of two of vectors.
#[test]
fn a_unit_of_a_derived_network_equals_plain_ops() {
    let unit = |size, dilation| Unit { source: 0, size, dilation };
    for (channels, units) in
        [(36, vec![unit(3, 1)]), (72, vec![unit(5, 2)]), (48, vec![unit(3, 2), unit(5, 1)])]
    {
        for stride in [1, 2] {
            equals_plain_ops_everywhere(&Banks {
                shape: [2, 13, 11, channels],
                outputs: channels,
                bank: Bank { units: units.clone(), relu: true, stride, moments: false },
                by: By::Batch,
                affine: true,
                permuted: false,
            });
        }
    }
}

/// The widths of a network that is searched, with banks as large as it has, whose pixels do not fill a tile of
/// a workgroup; among them fours of channels that are no power of two, and more than a workgroup stages.
#[test]
fn banks_of_a_network_equal_plain_ops() {
    let unit = |index: usize| Unit {
        source: index / 3,
        size: 3 + index % 2 * 2,
        dilation: 1 + index / 2 % 2,
    };
    for (channels, outputs, units, by) in [
        (16, 16, 8, By::Nothing),
        (32, 32, 8, By::Batch),
        (64, 64, 5, By::Given),
        (64, 32, 2, By::Batch),
        (16, 64, 1, By::Nothing),
        (12, 20, 3, By::Batch),
        (96, 144, 2, By::Nothing),
        (128, 128, 2, By::Nothing),
    ] {
        for stride in [1, 2] {
            equals_plain_ops_everywhere(&Banks {
                shape: [3, 9, 7, channels],
                outputs,
                bank: Bank {
                    units: (0..units).map(unit).collect(),
                    relu: true,
                    stride,
                    moments: false,
                },
                by,
                affine: by == By::Batch,
                permuted: false,
            });
        }
    }
}

/// So many pixels that a thread of a tile takes 4 and 8 of them.
#[test]
fn pixels_that_fill_a_gpu_equal_plain_ops() {
    for (shape, units) in [([3, 153, 149, 16], 1), ([3, 151, 147, 16], 2), ([2, 61, 149, 64], 2)] {
        let unit = |index: usize| Unit { source: 0, size: 3 + 2 * index, dilation: 1 };
        equals_plain_ops_everywhere(&Banks {
            shape,
            outputs: shape[3],
            bank: Bank {
                units: (0..units).map(unit).collect(),
                relu: true,
                stride: 1,
                moments: false,
            },
            by: By::Nothing,
            affine: false,
            permuted: false,
        });
    }
}

/// The moments that a bank takes on the way are those of its outputs.
#[test]
fn a_bank_knows_the_moments_of_its_outputs() {
    for (name, device) in crate::devices::all() {
        runner(8)
            .run(&Banks::strategy(), |case| {
                let error = case.error_of_moments(&device);
                prop_assert!(error < 1e-5, "{}: {:e}", name, error);
                Ok(())
            })
            .unwrap();
    }
}

/// Those of the widths of a network: in one block of a workgroup and in several, of which the last is not full;
/// with rows that end within the numbers of a thread, and with columns that do not share a workgroup evenly.
#[test]
fn a_bank_of_a_network_knows_the_moments_of_its_outputs() {
    for (name, device) in crate::devices::all() {
        for (shape, outputs, stride, by) in [
            ([2, 8, 8, 64], 64, 1, By::Nothing),
            ([3, 33, 32, 16], 16, 1, By::Batch),
            ([5, 17, 16, 32], 32, 1, By::Nothing),
            ([5, 30, 32, 16], 32, 2, By::Batch),
            ([3, 15, 12, 20], 12, 1, By::Given),
            ([3, 21, 11, 16], 16, 1, By::Nothing),
            ([2, 20, 16, 128], 128, 1, By::Nothing),
        ] {
            let unit = |source| Unit { source, size: 3 + 2 * source, dilation: 1 };
            let units = [0, 0, 1].map(unit).to_vec();
            let bank = Bank { units, relu: by != By::Batch, stride, moments: true };
            let case = Banks { shape, outputs, bank, by, affine: by == By::Batch, permuted: false };
            let error = case.error_of_moments(&device);
            assert!(error < 1e-5, "{name}, {shape:?}: {error:e}");
        }
    }
}

/// A unit of a bank computes what it computes by itself.
#[test]
fn units_of_a_bank_do_not_disturb_each_other() {
    let cpu = Device::flex();
    runner(16)
        .run(&Banks::strategy(), |case| {
            let case = Banks { affine: false, ..case };
            let (x, weights) = (case.inputs().remove(0), case.inputs().remove(1));
            let op = case.op();
            let all = numbers(op(Kernels::Fused, vec![vector(&x, &cpu), vector(&weights, &cpu)]));
            let (image, mut start) = (case.shape.iter().product::<usize>(), 0);
            let outputs = all.chunks_exact(all.len() / case.bank.units.len());
            // By given moments, which differ from group to group, only whole stacks can be compared.
            for (unit, expected) in case.bank.units.iter().zip(outputs) {
                let count = case.shape[3] * (unit.size * unit.size + case.outputs);
                let own = vector(&weights[start..start + count], &cpu);
                start += count;
                if case.by == By::Given || case.permuted {
                    continue;
                }
                let x = vector(&x[unit.source * image..][..image], &cpu);
                let units = vec![Unit { source: 0, ..*unit }];
                let bank = Bank { units, ..case.bank.clone() };
                let alone = Banks { bank, ..case.clone() };
                let found = numbers(alone.op()(Kernels::Fused, vec![x, own]));
                prop_assert!(difference(&found, expected) < 1e-6);
            }
            Ok(())
        })
        .unwrap();
}
