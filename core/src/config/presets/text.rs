//! Searches of recurrent cells on text (spec §10).

use super::Preset;

/// A search on Penn Treebank: a name, what it is, and its method.
macro_rules! search {
    ($name:literal, $help:literal, $method:literal $(, $key:literal = $value:literal)*) => {
        Preset {
            name: $name,
            help: $help,
            settings: &[
                ("seed", "3"),
                ("search.space", "recurrent"),
                ("search.method", $method),
                ("search.epochs", "50"),
                ("search.batch_size", "256"),
                ("weights.learning_rate", "20"),
                ("weights.learning_rate_min", "20"),
                ("weights.momentum", "0"),
                ("weights.weight_decay", "5e-7"),
                ("weights.clip", "0.25"),
                ("alpha.learning_rate", "0.003"),
                ("alpha.beta1", "0.9"),
                ("data.name", "ptb"),
                $(($key, $value),)*
            ],
        }
    };
}

/// All of them.
pub(super) const ALL: &[Preset] = &[
    Preset {
        name: "ptb-quick",
        help: "a small SDARTS-ADV search of recurrent cells on the text that comes with the program: a \
               minute on two CPU cores",
        settings: &[
            ("search.space", "recurrent"),
            ("search.method", "sdarts-adv"),
            ("search.epochs", "8"),
            ("search.batch_size", "32"),
            ("weights.learning_rate", "20"),
            ("weights.learning_rate_min", "20"),
            ("weights.momentum", "0"),
            ("weights.weight_decay", "5e-7"),
            ("weights.clip", "0.25"),
            ("alpha.learning_rate", "0.02"),
            ("alpha.beta1", "0.9"),
            ("perturbation.steps", "2"),
            ("perturbation.epsilon_max", "0.1"),
            ("recurrent.hidden", "32"),
            ("recurrent.bptt", "16"),
            ("recurrent.dropout", "0.2"),
            ("recurrent.dropout_input", "0.2"),
            ("recurrent.dropout_hidden", "0.1"),
            ("recurrent.dropout_embedding", "0.1"),
            ("data.name", "shakespeare"),
            ("data.vocabulary_limit", "2000"),
        ],
    },
    search!(
        "ptb-sdarts-adv",
        "the paper's search of recurrent cells: SDARTS-ADV on Penn Treebank (Table 3)",
        "sdarts-adv"
    ),
    search!("ptb-sdarts-rs", "the same with SDARTS-RS (Table 3)", "sdarts-rs"),
    search!("ptb-darts", "the baseline: first-order DARTS on Penn Treebank (Table 3)", "darts"),
    search!(
        "ptb-darts-2nd",
        "the baseline: second-order DARTS on Penn Treebank (Table 3)",
        "darts",
        "search.order" = "second"
    ),
];
