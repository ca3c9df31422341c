//! The checks of `hessian/matrix` and `hessian/eigenvalues`.

use burn::tensor::{Device, Tensor};
use pollster::block_on;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use shaders::Kernels;
use smoothdarts::measure::hessian::{Hessian, eigenvalues};
use smoothdarts::policy::softmax::relax;

use super::cnn_search::{Case, rng};
use super::fixture::{Fixture, Report};

/// How near the matrix has to be, relative to its largest entry.
const TOLERANCE: f32 = 2e-2;

pub fn check_matrix(fixture: &Fixture, device: &Device) {
    let case = Case::new(fixture, device, Kernels::Fused);
    let began = std::time::Instant::now();
    let matrix = block_on(hessian(&case).matrix()).unwrap();
    let mut report = Report::default();
    let entries: Vec<f32> = matrix.iter().flatten().map(|&entry| entry as f32).collect();
    report.relative("matrix", &entries, fixture.values("hessian/matrix"), TOLERANCE);
    let found: Vec<f32> = eigenvalues(&matrix).unwrap().iter().map(|&value| value as f32).collect();
    report.relative("eigenvalues", &found, fixture.values("hessian/eigenvalues"), TOLERANCE);
    let largest = entries.iter().fold(0.0f32, |largest, entry| largest.max(entry.abs()));
    report.absolute("null", &along_null(&case, &matrix, largest), &[0.0], TOLERANCE);
    report.finish(&format!("{} Hessian, {:.1?}", fixture.name, began.elapsed()));
}

/// Four columns of the matrix, where all of them would take too long.
pub fn check_columns(fixture: &Fixture, device: &Device) {
    let case = Case::new(fixture, device, Kernels::Fused);
    let began = std::time::Instant::now();
    let expected = fixture.values("hessian/matrix");
    let size = fixture.values("hessian/eigenvalues").len();
    let largest = expected.iter().fold(0.0f32, |largest, entry| largest.max(entry.abs()));
    let mut report = Report::default();
    for column in [0, size / 3, 2 * size / 3, size - 1] {
        let found = block_on(hessian(&case).column(column)).unwrap();
        assert_eq!(found.len(), size);
        // The matrix is symmetric: a column is a row.
        let expected = &expected[column * size..][..size];
        let differences = found.iter().zip(expected).map(|(found, wanted)| *found as f32 - wanted);
        let worst = differences.fold(0.0f32, |worst, difference| worst.max(difference.abs()));
        report.absolute("column", &[worst / largest], &[0.0], TOLERANCE);
    }
    report.finish(&format!("{} Hessian, 4 columns, {:.1?}", fixture.name, began.elapsed()));
}

/// Largest entry of H·v, relative to `largest`, over the directions v that add 1 to all of a row.
fn along_null(case: &Case, matrix: &[Vec<f64>], largest: f32) -> [f32; 1] {
    let mut start = 0;
    let mut worst = 0.0f64;
    for [rows, columns] in case.alpha.iter().map(Tensor::dims) {
        for _ in 0..rows {
            let sum = |line: &Vec<f64>| line[start..start + columns].iter().sum::<f64>().abs();
            worst = matrix.iter().map(sum).fold(worst, f64::max);
            start += columns;
        }
    }
    [worst as f32 / largest]
}

/// Both ends of the spectrum from at most 30 gradients, each within 2 % of its own size.
pub fn check_extremes(fixture: &Fixture, device: &Device, starts: u64) {
    let case = Case::new(fixture, device, Kernels::Fused);
    let expected = fixture.values("hessian/eigenvalues");
    let (smallest, largest) = (expected[0], expected[expected.len() - 1]);
    let began = std::time::Instant::now();
    let mut report = Report::default();
    for seed in 0..starts {
        let found = block_on(hessian(&case).extremes(&mut Pcg64::seed_from_u64(seed))).unwrap();
        assert!(found.gradients <= 30, "{}", found.gradients);
        report.relative("smallest", &[found.smallest() as f32], &[smallest], 2e-2);
        report.relative("largest", &[found.largest() as f32], &[largest], 2e-2);
        println!("{} gradients", found.gradients);
    }
    report.finish(&format!("{} Lanczos, {device:?}, {:.1?}", fixture.name, began.elapsed()));
}

fn hessian<'a>(case: &'a Case) -> Hessian<'a, impl Fn(&[Tensor<2>]) -> Vec<Tensor<2>> + 'a> {
    let at = case.at(&case.weights);
    let pattern = case.model.pattern(at, &relax(&case.alpha), &case.valid, rng());
    let gradient = move |alpha: &[Tensor<2>]| {
        case.model.gradient_within(&pattern, at, alpha, &relax, &case.valid, rng())
    };
    Hessian::new(&case.alpha, gradient)
}
