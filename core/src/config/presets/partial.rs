//! PC-DARTS (spec §8.2): as its authors released it, in CIFAR-10 and in ImageNet, and as SmoothDARTS did.

use super::Preset;

/// A search in the original space with edge weights, in which α waits for the weights.
macro_rules! original {
    ($name:literal, $help:literal, $method:literal) => {
        Preset {
            name: $name,
            help: $help,
            settings: &[
                ("search.space", "darts"),
                ("search.method", $method),
                ("search.batch_size", "256"),
                ("search.edge_weights", "true"),
                ("weights.learning_rate", "0.1"),
                ("weights.learning_rate_min", "0"),
                ("alpha.learning_rate", "6e-4"),
                ("search.architecture_from", "15"),
                ("data.name", "cifar10"),
            ],
        }
    };
}

/// All of them.
pub(super) const ALL: &[Preset] = &[
    original!(
        "pc-darts",
        "PC-DARTS on CIFAR-10 as its authors released it: a quarter of the channels, edge weights, alpha frozen \
         for 15 epochs, batches of 256",
        "pc-darts"
    ),
    original!("pc-darts-rs", "the same with the random perturbation (Table 1)", "pc-darts-rs"),
    original!(
        "pc-darts-adv",
        "the same with the adversarial perturbation (Table 1)",
        "pc-darts-adv"
    ),
    Preset {
        name: "pc-darts-imagenet",
        help: "PC-DARTS searched on ImageNet (Table 2): half of the channels, a tenth of the images of every class \
               for the weights and 2.5 % for alpha, which is frozen for 35 epochs; batches of 1024",
        settings: &[
            ("search.space", "darts"),
            ("search.method", "pc-darts"),
            ("search.batch_size", "1024"),
            ("search.stem", "imagenet"),
            ("search.partial_channels", "2"),
            ("search.edge_weights", "true"),
            ("weights.learning_rate", "0.5"),
            ("weights.learning_rate_min", "0"),
            ("alpha.learning_rate", "6e-3"),
            ("search.architecture_from", "35"),
            ("data.name", "imagenet"),
            ("data.image_size", "224"),
            ("data.transform", "resized-crop"),
            ("data.class_share", "0.125"),
            ("data.train_portion", "0.8"),
            ("data.colour_jitter", "0.4"),
            ("data.hue_jitter", "0.2"),
        ],
    },
    Preset {
        name: "pc-darts-sdarts",
        help: "PC-DARTS as SmoothDARTS released it for S1 to S4 (Table 4; --space): no edge weights, no frozen \
               epochs, batches of 64",
        settings: &[
            ("search.space", "s5"),
            ("search.method", "pc-darts"),
            ("data.name", "cifar10"),
        ],
    },
];
