//! Every setting of a run, once. The struct below is what the file config.toml holds, what
//! `--set section.key=value` changes and what the documentation lists ([`SETTINGS`]).
//!
//! The defaults are the *faithful* mode with the paper's hyper-parameters for CIFAR-10 (spec §2.4
//! and §3): what the authors' code does, every quirk of it a named option in [`Quirks`]. *Paper*
//! mode ([`Config::set_mode`]) changes those options to what the text of the paper says.

pub mod layers;
pub mod presets;
mod schedule;
mod validate;

pub use validate::ConfigError;

use serde::{Deserialize, Serialize};

/// Help text of one setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its section; empty for the settings of the top level.
    pub section: &'static str,
    /// Its key inside the section.
    pub key: &'static str,
    /// What it means, its unit, and its symbol in the paper where it has one.
    pub help: &'static str,
}

/// Defines a section: the struct, its defaults and its rows of [`SETTINGS`] from one text.
macro_rules! section {
    ($(#[doc = $about:literal])+ $rows:ident = $section:literal, $name:ident {
        $($(#[doc = $help:literal])+ $field:ident: $type:ty = $default:expr,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        pub(super) const $rows: &[Setting] = &[
            $(Setting {
                section: $section,
                key: stringify!($field),
                help: concat!($($help),+),
            },)+
        ];
    };
}

/// Defines an enumeration whose values are written in kebab-case.
macro_rules! choice {
    ($(#[doc = $about:literal])+ $name:ident { $($(#[doc = $help:literal])+ $variant:ident,)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[doc = $help])+ $variant,)+
        }
    };
}

// Below the macros that they use.
mod images;
mod quirks;
mod recurrent;
mod run;
mod sampling;
mod sharpness;
mod stages;
mod train;

pub use images::{AlphaBatches, Keep, Split, Transform};
pub use quirks::Quirks;
pub use recurrent::{Lengths, Recurrent};
pub use run::{Device, Kernels, Replay, Run};
pub use sampling::Sampling;
pub use sharpness::{EarlyStop, Hessian, Penalty};
pub use stages::Stages;
pub use train::{LAST_EPOCHS, Schedule, Select, Stem, Train};

choice! {
    /// Which of two accounts of the method a result follows.
    Mode {
        /// What the authors' code does.
        Faithful,
        /// What the paper says.
        Paper,
    }
}

choice! {
    /// How the gradient of the validation loss with respect to α is taken.
    Order {
        /// At the current weights (all results of the paper).
        First,
        /// At the weights after one virtual step (spec §2.3).
        Second,
    }
}

choice! {
    /// The ball that an adversarial perturbation stays in.
    Norm {
        /// ‖δ‖∞ ≤ ε, for every entry.
        Linf,
        /// ‖δ‖₂ ≤ ε, for every row.
        L2,
    }
}

choice! {
    /// Which epochs ε grows over.
    EpsilonSchedule {
        /// All epochs of the run.
        Run,
        /// The epochs of a stage.
        Stage,
    }
}

choice! {
    /// How a perturbed row becomes a probability vector again.
    Projection {
        /// Clamp to [0, 1], then divide by the sum (the code; the result can leave the ε-ball).
        RowClip,
        /// The nearest point of ε-ball ∩ simplex.
        Exact,
    }
}

section! {
    /// The space, the method and the size of the supernet.
    SEARCH = "search", Search {
        /// Search space: see `sdarts list spaces`.
        space: String = "s5".to_owned(),
        /// Search method: see `sdarts list methods`.
        method: String = "sdarts-adv".to_owned(),
        /// Order of the α-gradient: first or second.
        order: Order = Order::First,
        /// Epochs of the search (E).
        epochs: usize = 50,
        /// Epochs of the schedules of learning rate, ε and drop-path, which then stay at their last
        /// values; 0: all epochs.
        schedule_epochs: usize = 0,
        /// Images in a batch, for w and for α.
        batch_size: usize = 64,
        /// Cells of the supernet; reductions stand at 1/3 and 2/3. With N cells in a stage,
        /// nasbench201 has 3N + 2; oneshot-1, -2 and -3 have 9 in the paper.
        cells: usize = 8,
        /// Channels of the first cell (C).
        channels: usize = 16,
        /// What a supernet of DARTS cells starts with: cifar (one convolution) or imagenet (three of stride 2).
        stem: Stem = Stem::Cifar,
        /// Channels of the stem, as a multiple of `channels`; nasbench201 and the oneshot spaces always have 1.
        stem_multiplier: usize = 3,
        /// Epochs at the start, of every stage where there are several, in which the weights learn and α does not.
        architecture_from: usize = 0,
        /// Probability of drop-path on every edge in the last epoch, growing linearly from 0 (R-DARTS(DP)).
        drop_path: f64 = 0.0,
        /// One in so many channels goes through the operations in method pc-darts (K).
        partial_channels: usize = 4,
        /// Give every edge of a node a weight (β), beside the p of its operations, in method pc-darts.
        edge_weights: bool = false,
    }
}

section! {
    /// The optimiser of the weights w: SGD with momentum and a cosine schedule.
    WEIGHTS = "weights", WeightsOptimiser {
        /// Learning rate in the first epoch.
        learning_rate: f64 = 0.025,
        /// Learning rate that the cosine schedule falls to.
        learning_rate_min: f64 = 0.001,
        /// Momentum.
        momentum: f64 = 0.9,
        /// Weight decay, added to the gradient.
        weight_decay: f64 = 3e-4,
        /// Largest 2-norm of the whole gradient; 0 switches the clip off.
        clip: f64 = 5.0,
    }
}

section! {
    /// The optimiser of the architecture parameters α: Adam.
    ALPHA = "alpha", AlphaOptimiser {
        /// Learning rate.
        learning_rate: f64 = 3e-4,
        /// Decay of the first moment.
        beta1: f64 = 0.5,
        /// Decay of the second moment.
        beta2: f64 = 0.999,
        /// Added to the root of the second moment.
        eps: f64 = 1e-8,
        /// Weight decay, added to the gradient.
        weight_decay: f64 = 1e-3,
        /// Standard deviation of the initial α.
        init_scale: f64 = 1e-3,
        /// Largest 2-norm of the gradient of all α; 0 switches the clip off.
        clip: f64 = 0.0,
    }
}

section! {
    /// The perturbation of the architecture during the w-step.
    PERTURBATION = "perturbation", Perturbation {
        /// Which one: see `sdarts list perturbations`; by-method takes that of the method's name.
        kind: String = "by-method".to_owned(),
        /// Radius ε in the first epoch.
        epsilon_min: f64 = 0.03,
        /// Radius that ε grows to (ε_max).
        epsilon_max: f64 = 0.3,
        /// Epochs that ε grows over: those of the run, or in p-darts those of every stage anew.
        schedule: EpsilonSchedule = EpsilonSchedule::Run,
        /// Steps of the adversarial ascent (PGD).
        steps: usize = 7,
        /// Length of one ascent step, as a multiple of ε / steps.
        step_scale: f64 = 2.0,
        /// Start the ascent at a random point of the ball.
        random_start: bool = true,
        /// Ball of the adversarial perturbation: linf or l2.
        norm: Norm = Norm::Linf,
        /// Perturb the weights of edges (β), too.
        edge_weights: bool = false,
    }
}

section! {
    /// The images.
    DATA = "data", Data {
        /// Data set: see `sdarts list data`.
        name: String = "fashion-mnist".to_owned(),
        /// Folder of its files; empty takes the images that come with the program.
        dir: String = String::new(),
        /// Height and width that images are resized to; 0 keeps the size of the files.
        image_size: usize = 0,
        /// Training images to use, from the first on; 0 uses all.
        train_images: usize = 0,
        /// Share of the training images of every class that a search uses, drawn at random; 1 uses all.
        class_share: f64 = 1.0,
        /// Share of the training images that trains w; the rest trains α.
        train_portion: f64 = 0.5,
        /// How a training image becomes an input: crop (of the padded image) or resized-crop (ImageNet: a random part at a random scale; no padding).
        transform: Transform = Transform::Crop,
        /// Pixels of padding of the random crop; 0 switches it off.
        crop_padding: usize = 4,
        /// Flip half of the images left to right.
        flip: bool = true,
        /// Side of the square that cutout blanks; 0 switches it off.
        cutout: usize = 0,
        /// Strength of random changes of brightness, contrast and saturation (ImageNet: 0.4); 0 switches them off.
        colour_jitter: f64 = 0.0,
        /// Strength of random changes of the hue, as a share of the circle of hues, at most 0.5 (ImageNet: 0.2).
        hue_jitter: f64 = 0.0,
        /// Where the images of a folder are kept: memory, disk (read when their turn comes), or auto.
        keep: Keep = Keep::Auto,
        /// Leave files out that are no images or damaged, with a warning, instead of ending the run.
        skip_damaged: bool = false,
        /// Words of the vocabulary of a text, the most frequent of its training text; all others become `<unk>`. 0 keeps all.
        vocabulary_limit: usize = 0,
    }
}

section! {
    /// A table of trained networks, which tells the true accuracy of what a search derives.
    TABLE = "table", Table {
        /// CSV file of trained NAS-Bench-201 cells, or in a one-shot space a table that `sdarts table
        /// convert` made of NAS-Bench-101; empty for none.
        path: String = String::new(),
        /// Column of accuracies of the CSV; empty takes the only one of a file of two columns.
        column: String = String::new(),
    }
}

section! {
    /// Every setting of a run: a search, or the training of what one found.
    TOP = "", Config {
        /// Account that the result follows: faithful (the authors' code) or paper (the text).
        mode: Mode = Mode::Faithful,
        /// Seed of every random stream.
        seed: u64 = 2,
        /// See [`Search`].
        search: Search = Search::default(),
        /// See [`Stages`].
        stages: Stages = Stages::default(),
        /// See [`WeightsOptimiser`].
        weights: WeightsOptimiser = WeightsOptimiser::default(),
        /// See [`AlphaOptimiser`].
        alpha: AlphaOptimiser = AlphaOptimiser::default(),
        /// See [`Recurrent`].
        recurrent: Recurrent = Recurrent::default(),
        /// See [`Sampling`].
        sampling: Sampling = Sampling::default(),
        /// See [`Perturbation`].
        perturbation: Perturbation = Perturbation::default(),
        /// See [`Hessian`].
        hessian: Hessian = Hessian::default(),
        /// See [`EarlyStop`].
        early_stop: EarlyStop = EarlyStop::default(),
        /// See [`Penalty`].
        penalty: Penalty = Penalty::default(),
        /// See [`Train`].
        train: Train = Train::default(),
        /// See [`Select`].
        select: Select = Select::default(),
        /// See [`Data`].
        data: Data = Data::default(),
        /// See [`Table`].
        table: Table = Table::default(),
        /// See [`Quirks`].
        quirks: Quirks = Quirks::default(),
        /// See [`Run`].
        run: Run = Run::default(),
    }
}

/// The rows of every section, in the order of the file config.toml.
pub const SETTINGS: &[&[Setting]] = &[
    TOP,
    SEARCH,
    stages::STAGES,
    WEIGHTS,
    ALPHA,
    recurrent::RECURRENT,
    sampling::SAMPLING,
    PERTURBATION,
    sharpness::HESSIAN,
    sharpness::EARLY_STOP,
    sharpness::PENALTY,
    train::TRAIN,
    train::SELECT,
    DATA,
    TABLE,
    quirks::QUIRKS,
    run::RUN,
];

impl Config {
    /// Changes the options in which the two accounts differ; returns `section.key` of each.
    pub fn set_mode(&mut self, mode: Mode) -> &'static [&'static str] {
        self.mode = mode;
        let paper = mode == Mode::Paper;
        self.quirks.projection = if paper { Projection::Exact } else { Projection::RowClip };
        self.quirks.epsilon_reaches_max = paper;
        self.quirks.oneshot_norm_momentum = if paper { 0.003 } else { 0.997 };
        self.quirks.oneshot_pool_padding = !paper;
        self.quirks.gdas_temperature_stops = !paper;
        self.quirks.gdas_soft_inputs = !paper;
        self.quirks.nasp_softmax = !paper;
        self.quirks.unrolled_keeps_embedding = !paper;
        self.quirks.unrolled_clip_uncapped = !paper;
        self.quirks.last_word_rests = !paper;
        &[
            "quirks.projection",
            "quirks.epsilon_reaches_max",
            "quirks.oneshot_norm_momentum",
            "quirks.oneshot_pool_padding",
            "quirks.gdas_temperature_stops",
            "quirks.gdas_soft_inputs",
            "quirks.nasp_softmax",
            "quirks.unrolled_keeps_embedding",
            "quirks.unrolled_clip_uncapped",
            "quirks.last_word_rests",
        ]
    }
}
