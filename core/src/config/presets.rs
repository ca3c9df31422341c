//! Named settings to start from. A preset says only what differs from the defaults, which are the
//! paper's settings of the CIFAR-10 search (spec §2.4).

mod oneshot;
mod partial;
mod progressive;
mod text;

/// One preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name everywhere.
    pub name: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// `section.key` and value, the value as text ([`super::layers::Resolver::texts`]).
    pub settings: &'static [(&'static str, &'static str)],
}

/// A search of the paper: a name, what it is, and what it searches with which method on what data.
macro_rules! search {
    ($name:literal, $help:literal, $space:literal, $method:literal, $data:literal $(, $key:literal = $value:literal)*) => {
        Preset {
            name: $name,
            help: $help,
            settings: &[
                ("search.space", $space),
                ("search.method", $method),
                ("data.name", $data),
                $(($key, $value),)*
            ],
        }
    };
}

/// What `sdarts bench` times when nothing is asked for.
pub const BENCH: &str = "bench";

/// What `sdarts bench --train` times when nothing is asked for.
pub const BENCH_TRAIN: &str = "train-cifar10";

/// What `sdarts train` trains with when nothing is asked for.
pub const TRAIN: &str = "train-quick";

/// The same of a recurrent genotype, or on a text.
pub const TRAIN_TEXT: &str = "train-ptb-quick";

/// The same of a cell of NAS-Bench-101.
pub const TRAIN_NASBENCH101: &str = "train-nasbench101-small";

impl Preset {
    /// Whether it is one of a training.
    pub fn trains(&self) -> bool {
        self.settings.iter().any(|(key, _)| key.starts_with("train."))
    }
}

/// All presets; the first is what `sdarts search` runs when nothing is asked for.
pub static ALL: &[Preset] = &joined::<{ IMAGES.len() + text::ALL.len() }>(IMAGES, text::ALL);

/// Those of images.
const IMAGES: &[Preset] =
    &joined::<{ WITH_PARTIAL.len() + progressive::ALL.len() }>(WITH_PARTIAL, progressive::ALL);

const WITH_PARTIAL: &[Preset] =
    &joined::<{ WITH_ONESHOT.len() + partial::ALL.len() }>(WITH_ONESHOT, partial::ALL);

const WITH_ONESHOT: &[Preset] = &joined::<{ OWN.len() + oneshot::ALL.len() }>(OWN, oneshot::ALL);

/// Two lists as one.
const fn joined<const N: usize>(first: &[Preset], second: &[Preset]) -> [Preset; N] {
    let mut all = [first[0]; N];
    let mut index = 0;
    while index < N {
        all[index] = if index < first.len() { first[index] } else { second[index - first.len()] };
        index += 1;
    }
    all
}

/// Those of all spaces of images but the one-shot ones, of methods without stages.
const OWN: &[Preset] = &[
    Preset {
        name: "quick",
        help: "a small SDARTS-ADV search on the images that come with the program: half a \
               minute on two CPU cores",
        // Rates that let alpha decide in 375 steps, and an epsilon that is left to the convolutions to
        // learn under: native/repro/quick has what else was tried.
        settings: &[
            ("search.space", "s5"),
            ("search.method", "sdarts-adv"),
            ("search.epochs", "15"),
            ("search.batch_size", "32"),
            ("search.cells", "4"),
            ("search.channels", "4"),
            ("weights.learning_rate", "0.1"),
            ("alpha.learning_rate", "0.01"),
            ("perturbation.epsilon_max", "0.1"),
            ("perturbation.steps", "3"),
            ("data.name", "fashion-mnist"),
            ("data.image_size", "16"),
            ("data.train_images", "1600"),
            ("data.crop_padding", "2"),
        ],
    },
    Preset {
        name: "browser",
        help: "what the page searches (cargo run -p web): as small as a search can be, with high \
               learning rates, so that a few seconds of one core show its course",
        settings: &[
            ("search.space", "s2"),
            ("search.method", "sdarts-rs"),
            ("search.epochs", "10"),
            ("search.batch_size", "16"),
            ("search.cells", "3"),
            ("search.channels", "4"),
            ("weights.learning_rate", "0.1"),
            ("alpha.learning_rate", "0.03"),
            ("perturbation.steps", "1"),
            ("data.name", "fashion-mnist"),
            ("data.image_size", "8"),
            ("data.train_images", "480"),
            ("data.crop_padding", "1"),
        ],
    },
    search!(
        "cifar10-s5-sdarts-adv",
        "the paper's main search: SDARTS-ADV on CIFAR-10, 7 operations (Table 1)",
        "s5",
        "sdarts-adv",
        "cifar10"
    ),
    search!(
        "cifar10-s5-sdarts-rs",
        "SDARTS-RS on CIFAR-10, 7 operations (Table 1)",
        "s5",
        "sdarts-rs",
        "cifar10"
    ),
    search!(
        "cifar10-s5-darts",
        "the baseline: first-order DARTS on CIFAR-10, 7 operations",
        "s5",
        "darts",
        "cifar10"
    ),
    search!(
        "cifar10-s5-darts-2nd",
        "the baseline: second-order DARTS on CIFAR-10, 7 operations",
        "s5",
        "darts",
        "cifar10",
        "search.order" = "second"
    ),
    search!(
        "cifar10-s5-darts-es",
        "baseline DARTS-ES: stops where the landscape becomes sharp (Zela et al. 2020)",
        "s5",
        "darts-es",
        "cifar10"
    ),
    search!(
        "cifar10-s5-darts-hessian",
        "baseline: DARTS with an explicit penalty on the Hessian (Fig. 3)",
        "s5",
        "darts-hessian",
        "cifar10"
    ),
    search!(
        "cifar10-s5-rdarts-l2",
        "baseline R-DARTS(L2): DARTS with 27 times its weight decay (Zela et al. 2020; they try 1, \
         3, 9, 27 and 81 times 3e-4)",
        "s5",
        "darts",
        "cifar10",
        "weights.weight_decay" = "0.0081"
    ),
    search!(
        "cifar10-s5-rdarts-dp",
        "baseline R-DARTS(DP): DARTS with scheduled drop-path and cutout (Zela et al. 2020; they \
         try 0, 0.2, 0.4 and 0.6)",
        "s5",
        "darts",
        "cifar10",
        "search.drop_path" = "0.2",
        "data.cutout" = "16"
    ),
    search!(
        "darts-original",
        "the space of the DARTS paper, 8 operations with `none`, first order, on CIFAR-10",
        "darts",
        "darts",
        "cifar10"
    ),
    search!(
        "nasbench201-sdarts-adv",
        "SDARTS-ADV in NAS-Bench-201 on CIFAR-10, as the authors' script searches it",
        "nasbench201",
        "sdarts-adv",
        "cifar10",
        "search.epochs" = "100",
        "search.cells" = "17"
    ),
    search!(
        "nasbench201-sdarts-rs",
        "the same with SDARTS-RS",
        "nasbench201",
        "sdarts-rs",
        "cifar10",
        "search.epochs" = "100",
        "search.cells" = "17"
    ),
    search!(
        "nasbench201-darts",
        "the same with first-order DARTS",
        "nasbench201",
        "darts",
        "cifar10",
        "search.epochs" = "100",
        "search.cells" = "17"
    ),
    search!("s1", "SDARTS-ADV in space S1 on CIFAR-10 (Table 4)", "s1", "sdarts-adv", "cifar10"),
    search!("s2", "SDARTS-ADV in space S2 on CIFAR-10 (Table 4)", "s2", "sdarts-adv", "cifar10"),
    search!("s3", "SDARTS-ADV in space S3 on CIFAR-10 (Table 4)", "s3", "sdarts-adv", "cifar10"),
    search!("s4", "SDARTS-ADV in space S4 on CIFAR-10 (Table 4)", "s4", "sdarts-adv", "cifar10"),
    search!(
        "s1-cifar100",
        "SDARTS-ADV in space S1 on CIFAR-100 (Table 4)",
        "s1",
        "sdarts-adv",
        "cifar100"
    ),
    search!(
        "s2-cifar100",
        "SDARTS-ADV in space S2 on CIFAR-100 (Table 4)",
        "s2",
        "sdarts-adv",
        "cifar100"
    ),
    search!(
        "s3-cifar100",
        "SDARTS-ADV in space S3 on CIFAR-100 (Table 4)",
        "s3",
        "sdarts-adv",
        "cifar100"
    ),
    search!(
        "s4-cifar100",
        "SDARTS-ADV in space S4 on CIFAR-100 (Table 4)",
        "s4",
        "sdarts-adv",
        "cifar100"
    ),
    search!("s1-svhn", "SDARTS-ADV in space S1 on SVHN (Table 4)", "s1", "sdarts-adv", "svhn"),
    search!("s2-svhn", "SDARTS-ADV in space S2 on SVHN (Table 4)", "s2", "sdarts-adv", "svhn"),
    search!("s3-svhn", "SDARTS-ADV in space S3 on SVHN (Table 4)", "s3", "sdarts-adv", "svhn"),
    search!("s4-svhn", "SDARTS-ADV in space S4 on SVHN (Table 4)", "s4", "sdarts-adv", "svhn"),
    Preset {
        name: BENCH,
        help: "the paper's main search at batch size 16: what `sdarts bench` times",
        settings: &[
            ("search.space", "s5"),
            ("search.method", "sdarts-adv"),
            ("search.batch_size", "16"),
            ("data.name", "cifar10"),
        ],
    },
    Preset {
        name: TRAIN,
        help: "a small network of a genotype, trained on the images that come with the program: \
               about a minute on two CPU cores",
        settings: &[
            ("train.cells", "8"),
            ("train.channels", "8"),
            ("train.auxiliary", "false"),
            ("train.drop_path", "0.1"),
            ("train.epochs", "20"),
            ("train.batch_size", "32"),
            ("data.name", "fashion-mnist"),
            ("data.image_size", "16"),
            ("data.crop_padding", "2"),
            ("data.cutout", "4"),
        ],
    },
    Preset {
        name: TRAIN_NASBENCH101,
        help: "a small network of a cell of NAS-Bench-101, trained on the images that come with the program: \
               what `sdarts table fill` trains",
        settings: &[
            ("train.cells", "3"),
            ("train.channels", "16"),
            ("train.auxiliary", "false"),
            ("train.drop_path", "0"),
            ("train.epochs", "12"),
            ("train.batch_size", "32"),
            ("data.name", "fashion-mnist"),
            ("data.image_size", "16"),
            ("data.crop_padding", "2"),
        ],
    },
    Preset {
        name: "train-cifar10",
        help: "the paper's training on CIFAR-10: 20 cells, 36 channels, 600 epochs, auxiliary head, \
               drop-path, cutout (Tables 1 and 4)",
        settings: &[
            ("train.cells", "20"),
            ("train.channels", "36"),
            ("data.name", "cifar10"),
            ("data.cutout", "16"),
        ],
    },
    Preset {
        name: "train-cifar100",
        help: "the paper's training on CIFAR-100: 8 cells, 16 channels (Table 4)",
        settings: &[
            ("train.cells", "8"),
            ("train.channels", "16"),
            ("data.name", "cifar100"),
            ("data.cutout", "16"),
        ],
    },
    Preset {
        name: "train-svhn",
        help: "the paper's training on SVHN: 8 cells, 16 channels (Table 4)",
        settings: &[
            ("train.cells", "8"),
            ("train.channels", "16"),
            ("data.name", "svhn"),
            ("data.cutout", "16"),
        ],
    },
    Preset {
        name: "train-imagenet",
        help: "the paper's training on ImageNet: 14 cells, 48 channels, 250 epochs, label smoothing \
               colour jitter (Table 2)",
        settings: &[
            ("train.stem", "imagenet"),
            ("train.cells", "14"),
            ("train.channels", "48"),
            ("train.drop_path", "0"),
            ("train.label_smoothing", "0.1"),
            ("train.epochs", "250"),
            ("train.batch_size", "1024"),
            ("train.schedule", "linear"),
            ("train.learning_rate", "0.5"),
            ("train.warmup_epochs", "5"),
            ("train.weight_decay", "3e-5"),
            ("data.name", "imagenet"),
            ("data.image_size", "224"),
            ("data.transform", "resized-crop"),
            ("data.colour_jitter", "0.4"),
            ("data.hue_jitter", "0.2"),
        ],
    },
    Preset {
        name: TRAIN_TEXT,
        help: "a small network of a recurrent genotype, trained on the text that comes with the program: about \
               two minutes on two CPU cores",
        settings: &[
            ("recurrent.hidden", "64"),
            ("recurrent.lengths", "jittered"),
            ("recurrent.dropout", "0.2"),
            ("recurrent.dropout_hidden", "0.1"),
            ("recurrent.dropout_input", "0.1"),
            ("recurrent.dropout_embedding", "0.1"),
            ("train.epochs", "8"),
            ("train.batch_size", "32"),
            ("train.learning_rate", "20"),
            ("train.momentum", "0"),
            ("train.weight_decay", "8e-7"),
            ("train.clip", "0.25"),
            ("train.nonmonotone", "2"),
            ("data.name", "shakespeare"),
            ("data.vocabulary_limit", "2000"),
        ],
    },
    Preset {
        name: "train-ptb",
        help: "the paper's training on Penn Treebank: 850 units, batch 64, SGD and then averaged SGD (Table 3)",
        settings: &[
            ("seed", "1267"),
            ("recurrent.hidden", "850"),
            ("recurrent.lengths", "jittered"),
            ("recurrent.dropout_word", "0.1"),
            ("train.epochs", "8000"),
            ("train.batch_size", "64"),
            ("train.learning_rate", "20"),
            ("train.momentum", "0"),
            ("train.weight_decay", "8e-7"),
            ("train.clip", "0.25"),
            ("data.name", "ptb"),
        ],
    },
];
