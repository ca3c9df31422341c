//! A step of the attack.

use shaders::PgdStep;

use super::*;

/// A step of the attack from random tables, some of whose rows the clip empties.
#[test]
fn a_step_of_the_attack_equals_plain_ops() {
    let table = (1..20_usize, 1..9_usize, 0.0f32..0.4, 0.0f32..1.5, 0u64..1000);
    for (name, device) in crate::devices::all() {
        // Every length and radius is a kernel of its own on a GPU.
        let cases = if name == "cpu" { 256 } else { 16 };
        runner(cases)
            .run(&table, |(rows, columns, length, epsilon, seed)| {
                let [p, current, gradient] = [1, 2, 3].map(|part| {
                    let mut values = noise(rows * columns, 10 * seed + part);
                    // A gradient of zero has no sign.
                    values.iter_mut().step_by(5).for_each(|value| *value *= f32::from(part < 3));
                    vector(&values, &device).reshape([rows, columns])
                });
                let step = |kernels| {
                    let pgd_step = PgdStep { length, epsilon };
                    pgd_step.forward(kernels, p.clone(), current.clone(), gradient.clone())
                };
                let (displaced, clipped) = step(Kernels::Fused);
                let (wanted_displaced, wanted_clipped) = step(Kernels::Composed);
                let error = difference(&numbers(displaced), &numbers(wanted_displaced))
                    .max(difference(&numbers(clipped.clone()), &numbers(wanted_clipped)));
                prop_assert!(error < 1e-6, "{}: {:e}", name, error);
                let sums = numbers(clipped.sum_dim(1));
                prop_assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{:?}", sums);
                Ok(())
            })
            .unwrap();
    }
}
