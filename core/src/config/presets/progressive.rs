//! The searches of P-DARTS and its smooth forms (Tables 1 and 2; spec §8.1), and a small one.

use super::Preset;

/// A search of P-DARTS on CIFAR-10 with the settings of its authors: a name, what it is, its method.
macro_rules! cifar10 {
    ($name:literal, $help:literal) => {
        Preset {
            name: $name,
            help: $help,
            settings: &[
                ("search.space", "darts"),
                ("search.method", $name),
                ("search.epochs", "75"),
                ("search.architecture_from", "10"),
                ("search.batch_size", "96"),
                ("stages.cells", "[5, 11, 17]"),
                ("stages.operations", "[8, 5, 3]"),
                ("stages.skip_dropout", "[0, 0.4, 0.7]"),
                ("weights.learning_rate_min", "0"),
                ("alpha.learning_rate", "6e-4"),
                ("alpha.clip", "5"),
                // One pass over the validation half, in lock-step with that over the other.
                ("quirks.alpha_batches", "pass"),
                ("data.name", "cifar10"),
            ],
        }
    };
}

/// All of them.
pub(super) const ALL: &[Preset] = &[
    cifar10!(
        "p-darts",
        "P-DARTS on CIFAR-10: three stages of 25 epochs with 5, 11 and 17 cells (the baseline of Tables 1 \
         and 2)"
    ),
    cifar10!(
        "p-darts-rs",
        "P-DARTS-RS on CIFAR-10: the same with random perturbation (Tables 1 and 2)"
    ),
    cifar10!(
        "p-darts-adv",
        "P-DARTS-ADV on CIFAR-10: the same with adversarial perturbation (Tables 1 and 2)"
    ),
    Preset {
        name: "p-darts-quick",
        help: "a small P-DARTS-RS search on the images that come with the program: three stages with 3, 4 and \
               5 cells, a minute on two CPU cores",
        // Rates that let alpha decide in as few steps as those of the preset quick.
        settings: &[
            ("search.space", "darts"),
            ("search.method", "p-darts-rs"),
            ("search.epochs", "18"),
            ("search.architecture_from", "2"),
            ("search.batch_size", "32"),
            ("search.channels", "4"),
            ("stages.cells", "[3, 4, 5]"),
            ("stages.operations", "[8, 5, 3]"),
            ("stages.skip_dropout", "[0, 0.4, 0.7]"),
            ("weights.learning_rate", "0.1"),
            ("weights.learning_rate_min", "0"),
            ("alpha.learning_rate", "0.02"),
            ("alpha.clip", "5"),
            ("perturbation.epsilon_max", "0.1"),
            ("quirks.alpha_batches", "pass"),
            ("data.name", "fashion-mnist"),
            ("data.image_size", "16"),
            ("data.train_images", "1600"),
            ("data.crop_padding", "2"),
        ],
    },
];
