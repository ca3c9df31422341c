//! The searches of Figures 3, 4 and 5: every method in every space of NAS-Bench-1Shot1, as the authors' code
//! runs them (spec §7.3), and small ones.

use super::Preset;

/// A method in the three spaces, as in the paper and small: its name in that of the presets, its title and
/// what it sets.
macro_rules! method {
    ($name:literal, $title:literal $(, $key:literal = $value:literal)+) => {
        [
            method!(whole "1", $name, $title $(, $key = $value)+),
            method!(whole "2", $name, $title $(, $key = $value)+),
            method!(whole "3", $name, $title $(, $key = $value)+),
            method!(small "1", $name, $title $(, $key = $value)+),
            method!(small "2", $name, $title $(, $key = $value)+),
            method!(small "3", $name, $title $(, $key = $value)+),
        ]
    };
    (whole $space:literal, $name:literal, $title:literal $(, $key:literal = $value:literal)+) => {
        Preset {
            name: concat!("oneshot-", $space, "-", $name),
            help: concat!(
                $title, " in space ", $space,
                " of NAS-Bench-1Shot1 on CIFAR-10: 100 epochs, batch 96 (Figures 3 to 5)"
            ),
            settings: &[
                ("search.space", concat!("oneshot-", $space)),
                ("search.epochs", "100"),
                ("search.batch_size", "96"),
                ("search.cells", "9"),
                // One pass over the validation half, in lock-step with that over the other.
                ("quirks.alpha_batches", "pass"),
                ("data.name", "cifar10"),
                $(($key, $value),)+
            ],
        }
    };
    // Rates that let alpha decide in as few steps as those of the preset quick.
    (small $space:literal, $name:literal, $title:literal $(, $key:literal = $value:literal)+) => {
        Preset {
            name: concat!("oneshot-", $space, "-", $name, "-small"),
            help: concat!(
                $title, " in space ", $space, " of NAS-Bench-1Shot1, small: 3 cells of 8 channels on \
                 the images that come with the program, minutes of two CPU cores"
            ),
            settings: &[
                ("search.space", concat!("oneshot-", $space)),
                ("search.epochs", "15"),
                ("search.batch_size", "32"),
                ("search.cells", "3"),
                ("search.channels", "8"),
                ("quirks.alpha_batches", "pass"),
                ("weights.learning_rate", "0.1"),
                ("alpha.learning_rate", "0.01"),
                ("perturbation.epsilon_max", "0.1"),
                ("perturbation.steps", "3"),
                ("data.name", "fashion-mnist"),
                ("data.image_size", "16"),
                ("data.train_images", "1600"),
                ("data.crop_padding", "2"),
                // For random-ws and enas.
                ("sampling.architectures", "100"),
                ("sampling.batches", "2"),
                ("sampling.every", "5"),
                ("sampling.rounds", "30"),
                $(($key, $value),)+
            ],
        }
    };
}

/// All of them, method after method.
pub(super) const ALL: &[Preset] = METHODS.as_flattened();

const METHODS: &[[Preset; 6]] = &[
    method!("darts", "first-order DARTS", "search.method" = "darts"),
    method!(
        "darts-2nd",
        "second-order DARTS",
        "search.method" = "darts",
        "search.order" = "second"
    ),
    method!("sdarts-rs", "SDARTS-RS", "search.method" = "sdarts-rs"),
    method!("sdarts-adv", "SDARTS-ADV", "search.method" = "sdarts-adv"),
    method!(
        "darts-hessian",
        "DARTS with an explicit penalty on the Hessian",
        "search.method" = "darts-hessian"
    ),
    method!("pc-darts", "PC-DARTS as released there", "search.method" = "pc-darts"),
    method!("gdas", "GDAS as released there", "search.method" = "gdas"),
    method!("nasp", "NASP as released there", "search.method" = "nasp"),
    method!("snas", "SNAS", "search.method" = "snas", "alpha.init_scale" = "0.01"),
    method!("random-ws", "random search with weight sharing", "search.method" = "random-ws"),
    method!(
        "enas",
        "ENAS",
        "search.method" = "enas",
        "data.train_portion" = "0.9",
        "quirks.alpha_batches" = "fresh"
    ),
];
