//! What the paper reports (Tables 1 to 5), to set beside what a search finds; [`genotypes`]:
//! what it says of published ones.

pub mod genotypes;

use serde::Serialize;

/// A published result of a method in a space on a data set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Published {
    /// Data set, space and method, by the names of this program.
    pub data: &'static str,
    /// See `data`.
    pub space: &'static str,
    /// See `data`.
    pub method: &'static str,
    /// Test error in percent of the network trained from scratch.
    pub test_error: f64,
    /// Its standard deviation over runs, where there is one.
    pub deviation: Option<f64>,
    /// Share in percent of test images whose class is not among the five strongest, where that is
    /// reported.
    pub top5_error: Option<f64>,
}

/// The published result of a search; `None` where the paper has none.
pub fn test_error(data: &str, space: &str, method: &str) -> Option<Published> {
    let main = TABLE_1.iter().copied();
    main.chain(table_4()).find(|row| (row.data, row.space, row.method) == (data, space, method))
}

/// The published share of parameter-free operations in the normal cell on CIFAR-10 (Table 5).
pub fn parameter_free(data: &str, space: &str, method: &str) -> Option<f64> {
    let column = TABLE_5_METHODS.iter().position(|name| *name == method)?;
    let (_, shares) = TABLE_5.iter().find(|(name, _)| data == "cifar10" && *name == space)?;
    shares.get(column).copied()
}

const fn main_row(method: &'static str, test_error: f64, deviation: f64) -> Published {
    let (data, deviation) = ("cifar10", Some(deviation));
    Published { data, space: "s5", method, test_error, deviation, top5_error: None }
}

const fn imagenet_row(method: &'static str, test_error: f64, top5_error: f64) -> Published {
    let (data, top5_error) = ("imagenet", Some(top5_error));
    Published { data, space: "s5", method, test_error, deviation: None, top5_error }
}

/// Table 1, the rows whose method exists here; `darts-2nd` is DARTS of second order.
pub const TABLE_1: &[Published] = &[
    main_row("darts", 3.00, 0.14),
    main_row("darts-2nd", 2.76, 0.09),
    main_row("r-darts-l2", 2.95, 0.21),
    main_row("sdarts-rs", 2.67, 0.03),
    main_row("sdarts-adv", 2.61, 0.02),
];

/// Table 2, the rows whose genotype exists here: networks of 14 cells on ImageNet, whose cells were
/// found on CIFAR-10. No search on ImageNet is among them, so [`test_error`] does not look here.
pub const TABLE_2: &[Published] = &[
    imagenet_row("darts-2nd", 26.7, 8.7),
    imagenet_row("gdas", 26.0, 8.5),
    imagenet_row("p-darts", 24.4, 7.4),
    imagenet_row("pc-darts", 25.1, 7.8),
    imagenet_row("sdarts-rs", 25.6, 8.2),
    imagenet_row("sdarts-adv", 25.2, 7.8),
];

/// A published result of a recurrent cell on Penn Treebank (Table 3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Perplexities {
    /// Name of the cell in [`crate::cell::published`].
    pub name: &'static str,
    /// The method that found it.
    pub method: &'static str,
    /// Perplexity on the validation text.
    pub valid: f64,
    /// Perplexity on the test text.
    pub test: f64,
}

const fn recurrent(
    name: &'static str,
    method: &'static str,
    valid: f64,
    test: f64,
) -> Perplexities {
    Perplexities { name, method, valid, test }
}

/// Table 3, the rows whose cell exists here: networks of 23 million weights. The text of the paper says that
/// SDARTS is the best of them, and DARTS of second order is better: its authors publish 55.7 and 55.68.
pub const TABLE_3: &[Perplexities] = &[
    recurrent("penn_ENAS", "enas", 60.8, 58.6),
    recurrent("penn_DARTS_V1", "darts", 60.2, 57.6),
    recurrent("penn_DARTS_V2", "darts-2nd", 58.1, 55.7),
    recurrent("penn_random", "sdarts-rs", 58.7, 56.4),
    recurrent("penn_pgd", "sdarts-adv", 58.3, 56.1),
];

/// What Table 3 says of a published recurrent cell.
pub fn perplexities(name: &str) -> Option<Perplexities> {
    TABLE_3.iter().find(|row| row.name == name).copied()
}

/// The columns of [`TABLE_4`].
pub const TABLE_4_METHODS: [&str; 7] =
    ["darts", "r-darts-dp", "r-darts-l2", "darts-es", "pc-darts", "sdarts-rs", "sdarts-adv"];

/// Table 4: test errors in percent, by data set and space. The means of the relative reductions
/// that follow from these numbers are those of the paper's text, which a test checks.
pub const TABLE_4: &[(&str, &str, [f64; 7])] = &[
    ("cifar10", "s1", [3.84, 3.11, 2.78, 3.01, 3.11, 2.78, 2.73]),
    ("cifar10", "s2", [4.85, 3.48, 3.31, 3.26, 3.02, 2.75, 2.65]),
    ("cifar10", "s3", [3.34, 2.93, 2.51, 2.74, 2.51, 2.53, 2.49]),
    ("cifar10", "s4", [7.20, 3.58, 3.56, 3.71, 3.02, 2.93, 2.87]),
    ("cifar100", "s1", [29.46, 25.93, 24.25, 28.37, 24.69, 23.51, 22.33]),
    ("cifar100", "s2", [26.05, 22.30, 22.44, 23.25, 22.48, 22.28, 20.56]),
    ("cifar100", "s3", [28.90, 22.36, 23.99, 23.73, 21.69, 21.09, 21.08]),
    ("cifar100", "s4", [22.85, 22.18, 21.94, 21.26, 21.50, 21.46, 21.25]),
    ("svhn", "s1", [4.58, 2.55, 4.79, 2.72, 2.47, 2.35, 2.29]),
    ("svhn", "s2", [3.53, 2.52, 2.51, 2.60, 2.42, 2.39, 2.35]),
    ("svhn", "s3", [3.41, 2.49, 2.48, 2.50, 2.41, 2.36, 2.40]),
    ("svhn", "s4", [3.05, 2.61, 2.50, 2.51, 2.43, 2.46, 2.42]),
];

fn table_4() -> impl Iterator<Item = Published> {
    TABLE_4.iter().flat_map(|&(data, space, errors)| {
        TABLE_4_METHODS.iter().zip(errors).map(move |(&method, test_error)| Published {
            data,
            space,
            method,
            test_error,
            deviation: None,
            top5_error: None,
        })
    })
}

/// The columns of [`TABLE_5`].
pub const TABLE_5_METHODS: [&str; 5] = ["darts", "pc-darts", "darts-es", "sdarts-rs", "sdarts-adv"];

/// Table 5: share of parameter-free operations in the normal cell found on CIFAR-10.
pub const TABLE_5: &[(&str, [f64; 5])] = &[
    ("s1", [1.0, 0.5, 0.375, 0.125, 0.125]),
    ("s2", [0.875, 0.75, 0.25, 0.375, 0.125]),
    ("s3", [1.0, 0.125, 1.0, 0.125, 0.125]),
    ("s4", [0.625, 0.125, 0.0, 0.0, 0.0]),
];
