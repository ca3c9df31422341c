//! Published genotypes, to compare with, to draw and to test against.

use super::Genotype;
use super::codec::darts::{self, Gene};
use super::codec::recurrent;

/// One published genotype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name in the code that it was published with.
    pub name: &'static str,
    /// The method, the space and the data that it was searched with.
    pub help: &'static str,
    /// Its genes.
    pub genes: Genes,
}

/// The genes of a published genotype, as texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Genes {
    /// Of cells for images, node by node: a code of `CODES` and the state that is read.
    Images {
        /// The normal cell.
        normal: &'static str,
        /// The reduction cell.
        reduce: &'static str,
    },
    /// Of a recurrent cell: an activation and the state that it reads, for every node.
    Recurrent {
        /// The nodes, from node 1 on.
        nodes: &'static str,
        /// The states whose mean is the output.
        mean: &'static [usize],
    },
}

/// Two letters for an operation keep a genotype on one line.
const CODES: &[(&str, &str)] = &[
    ("no", "none"),
    ("mp", "max_pool_3x3"),
    ("ap", "avg_pool_3x3"),
    ("sk", "skip_connect"),
    ("s3", "sep_conv_3x3"),
    ("s5", "sep_conv_5x5"),
    ("d3", "dil_conv_3x3"),
    ("d5", "dil_conv_5x5"),
    ("nz", "noise"),
];

/// All of cells for images. `random` and `pgd` are the authors' words for SDARTS-RS and SDARTS-ADV.
#[rustfmt::skip]
pub static ALL: &[Published] = &[
    row("DARTS_V1", "DARTS, first order, on CIFAR-10", "s31 s30 / sk0 s31 / sk0 s31 / s30 sk2", "mp0 mp1 / sk2 mp0 / mp0 sk2 / sk2 ap0"),
    row("DARTS_V2", "DARTS, second order, on CIFAR-10", "s30 s31 / s30 s31 / s31 sk0 / sk0 d32", "mp0 mp1 / sk2 mp1 / mp0 sk2 / sk2 mp1"),
    row("PDARTS", "P-DARTS on CIFAR-10", "sk0 d31 / sk0 s31 / s31 s33 / s30 d54", "ap0 s51 / s30 d52 / mp0 d31 / d31 d53"),
    row("PC_DARTS_cifar", "PC-DARTS on CIFAR-10", "s31 sk0 / s30 d31 / s50 s31 / ap0 d31", "s51 mp0 / s51 s52 / s30 s33 / s31 s32"),
    row("PC_DARTS_image", "PC-DARTS on ImageNet", "sk1 s30 / s30 sk1 / s31 s33 / s31 d54", "s30 sk1 / d52 mp1 / s32 s31 / s50 s33"),
    row("c10_s1_random", "SDARTS-RS in space S1 on CIFAR-10", "d51 d30 / s31 sk2 / d33 s32 / s30 d32", "mp0 d31 / d52 mp1 / d53 s31 / d52 d53"),
    row("c10_s1_pgd", "SDARTS-ADV in space S1 on CIFAR-10", "d51 d30 / s31 sk2 / s32 d33 / s30 d32", "mp0 d31 / d52 mp0 / d53 d32 / d54 d52"),
    row("c10_s2_random", "SDARTS-RS in space S2 on CIFAR-10", "s30 s31 / s32 sk1 / s33 sk0 / s31 sk2", "s30 s31 / s31 s30 / s32 s31 / s32 s33"),
    row("c10_s2_pgd", "SDARTS-ADV in space S2 on CIFAR-10", "s31 sk0 / s32 s30 / s33 s32 / s34 s31", "sk0 sk1 / s30 s32 / s33 s30 / s34 s33"),
    row("c10_s3_random", "SDARTS-RS in space S3 on CIFAR-10", "s31 s30 / s31 s30 / s31 s32 / s34 sk0", "sk0 s31 / s32 s30 / s32 s33 / s30 s34"),
    row("c10_s3_pgd", "SDARTS-ADV in space S3 on CIFAR-10", "s31 s30 / s30 s32 / s31 s30 / s31 sk0", "s31 s30 / s32 s30 / s32 s30 / s31 s33"),
    row("c10_s4_random", "SDARTS-RS in space S4 on CIFAR-10", "s31 s30 / s32 s31 / s33 s32 / s34 s32", "s30 s31 / s30 s32 / s30 s33 / s30 s34"),
    row("c10_s4_pgd", "SDARTS-ADV in space S4 on CIFAR-10", "s31 s30 / s32 s31 / s33 s32 / s33 s34", "s31 s30 / s32 s31 / s32 s33 / s33 s34"),
    row("c10_s5_random", "SDARTS-RS in space S5 on CIFAR-10", "s31 s30 / s51 sk0 / s33 sk1 / s31 d32", "mp0 s31 / sk2 mp0 / d53 mp0 / s32 s53"),
    row("c10_s5_pgd", "SDARTS-ADV in space S5 on CIFAR-10", "s30 s31 / s31 sk0 / s50 d33 / d34 sk0", "mp0 s51 / sk2 mp0 / sk3 sk2 / sk2 s54"),
    row("c100_s1_random", "SDARTS-RS in space S1 on CIFAR-100", "d30 sk1 / d32 s31 / d33 s32 / sk0 d34", "mp0 mp1 / d52 mp1 / d53 d32 / d54 d53"),
    row("c100_s1_pgd", "SDARTS-ADV in space S1 on CIFAR-100", "d51 d30 / d32 s31 / d33 s32 / d32 s30", "d31 mp0 / d52 mp0 / d53 s31 / d53 d54"),
    row("c100_s2_random", "SDARTS-RS in space S2 on CIFAR-100", "s30 s31 / s32 s30 / s33 s32 / s34 s33", "s31 s30 / s32 s31 / s33 s31 / s34 sk0"),
    row("c100_s2_pgd", "SDARTS-ADV in space S2 on CIFAR-100", "sk0 s31 / s32 s31 / s33 s32 / s34 s33", "s31 s30 / s32 s31 / s33 s32 / s33 s34"),
    row("c100_s3_random", "SDARTS-RS in space S3 on CIFAR-100", "s31 s30 / s31 s32 / s31 s30 / s34 s31", "s30 s31 / s32 s31 / s33 s32 / s34 s33"),
    row("c100_s3_pgd", "SDARTS-ADV in space S3 on CIFAR-100", "s30 s31 / s30 s31 / s31 s32 / s32 s31", "sk1 s30 / s32 s30 / s33 s32 / s34 s33"),
    row("c100_s4_random", "SDARTS-RS in space S4 on CIFAR-100", "s30 s31 / s32 s30 / s32 s33 / s33 s32", "s30 s31 / s32 s30 / s33 s32 / s34 s33"),
    row("c100_s4_pgd", "SDARTS-ADV in space S4 on CIFAR-100", "s30 s31 / s30 s31 / s31 s30 / s30 s32", "s30 s31 / s31 s30 / s31 s33 / s33 s34"),
    row("svhn_s1_random", "SDARTS-RS in space S1 on SVHN", "sk0 d51 / sk1 sk0 / sk2 sk0 / sk1 sk2", "mp0 d31 / d52 mp0 / d53 d32 / d52 d53"),
    row("svhn_s1_pgd", "SDARTS-ADV in space S1 on SVHN", "d30 d51 / d32 d50 / d33 s32 / sk1 s30", "mp0 d31 / d52 mp0 / d53 d32 / d53 d52"),
    row("svhn_s2_random", "SDARTS-RS in space S2 on SVHN", "s31 sk0 / s32 s30 / s33 sk1 / sk0 s34", "s31 sk0 / s32 s31 / s33 s32 / s33 s34"),
    row("svhn_s2_pgd", "SDARTS-ADV in space S2 on SVHN", "sk0 s31 / s31 s32 / s30 sk3 / sk3 sk4", "s31 s30 / s31 s30 / s33 s30 / sk3 s30"),
    row("svhn_s3_random", "SDARTS-RS in space S3 on SVHN", "s31 s30 / s32 s31 / s31 s33 / s34 s32", "s31 s30 / s32 sk0 / s33 s32 / s34 s33"),
    row("svhn_s3_pgd", "SDARTS-ADV in space S3 on SVHN", "s31 s30 / s30 sk2 / sk3 s31 / sk2 s30", "s31 s30 / s31 s32 / s32 s31 / s31 s34"),
    row("svhn_s4_random", "SDARTS-RS in space S4 on SVHN", "s31 s30 / s31 s30 / s33 s31 / s34 s32", "s31 s30 / s32 s30 / s32 s33 / s34 s30"),
    row("svhn_s4_pgd", "SDARTS-ADV in space S4 on SVHN", "s31 s30 / s30 s31 / s30 s31 / s30 s31", "s31 s30 / s31 s32 / s32 s30 / s30 s31"),
    row("c10_s1_pcdarts", "PC-DARTS in space S1 on CIFAR-10", "d51 d30 / d50 s31 / sk2 mp0 / sk2 sk0", "mp0 mp1 / mp1 mp0 / s31 mp0 / d52 mp0"),
    row("c10_s2_pcdarts", "PC-DARTS in space S2 on CIFAR-10", "sk1 s30 / sk0 sk2 / sk3 s30 / sk3 sk4", "s30 s31 / s31 s32 / s32 s33 / s34 s32"),
    row("c10_s3_pcdarts", "PC-DARTS in space S3 on CIFAR-10", "s31 s30 / s32 s31 / s33 s32 / sk4 s32", "s30 s31 / s30 s32 / s30 s33 / s30 s34"),
    row("c10_s4_pcdarts", "PC-DARTS in space S4 on CIFAR-10", "s30 s31 / s30 s31 / s30 s31 / s30 nz3", "s30 s31 / s31 s32 / s33 s31 / s32 s30"),
    row("c100_s1_pcdarts", "PC-DARTS in space S1 on CIFAR-100", "d30 d51 / s31 d32 / d33 sk2 / d34 mp1", "mp0 d31 / d52 mp1 / s31 d32 / d52 d53"),
    row("c100_s2_pcdarts", "PC-DARTS in space S2 on CIFAR-100", "s31 sk0 / s31 sk2 / sk0 s31 / s34 sk3", "s31 s30 / s32 sk1 / s32 s33 / s31 s33"),
    row("c100_s3_pcdarts", "PC-DARTS in space S3 on CIFAR-100", "s30 s31 / s30 sk2 / s30 s33 / s31 s34", "s30 s31 / s30 s32 / s31 s33 / s31 s34"),
    row("c100_s4_pcdarts", "PC-DARTS in space S4 on CIFAR-100", "s31 s30 / s31 s30 / s31 s30 / s30 s31", "s30 s31 / s32 s30 / s32 s30 / s34 s30"),
    row("svhn_s1_pcdarts", "PC-DARTS in space S1 on SVHN", "d30 d51 / sk1 sk2 / sk3 sk0 / sk2 s30", "d31 ap0 / d52 mp0 / d53 s31 / d54 d53"),
    row("svhn_s2_pcdarts", "PC-DARTS in space S2 on SVHN", "sk1 sk0 / sk2 sk1 / sk2 sk1 / sk2 sk1", "s31 s30 / sk0 s32 / sk2 s33 / s34 s33"),
    row("svhn_s3_pcdarts", "PC-DARTS in space S3 on SVHN", "s30 s31 / sk0 sk2 / sk0 sk2 / sk0 sk2", "s30 s31 / s32 s31 / s33 s31 / s34 s31"),
    row("svhn_s4_pcdarts", "PC-DARTS in space S4 on SVHN", "s30 s31 / s32 s31 / s32 s33 / s32 s34", "s30 s31 / s30 s32 / s30 s31 / s30 s31"),
    row("SNAS_mild", "SNAS, mild constraint, on CIFAR-10", "s30 s31 / sk0 d31 / sk0 sk1 / sk0 s31", "mp0 mp1 / mp1 sk2 / mp1 sk2 / mp0 d52"),
    row("SNAS_moderate", "SNAS, moderate constraint, on CIFAR-10", "d50 sk1 / s30 sk1 / sk0 sk1 / s30 d51", "mp0 mp1 / s50 d51 / s50 s51 / s50 s51"),
    row("SNAS_aggressive", "SNAS, aggressive constraint, on CIFAR-10", "s50 sk1 / sk0 sk1 / d51 sk0 / sk0 d51", "s50 no1 / s50 no1 / no1 no0 / no1 no0"),
    row("GDAS_V1", "GDAS on CIFAR-10", "sk0 sk1 / sk0 s52 / s33 sk0 / s54 s33", "s50 s31 / s52 s51 / d52 s31 / s50 s51"),
];

/// The states that a recurrent cell of eight nodes averages: all of them.
const EIGHT: &[usize] = &[1, 2, 3, 4, 5, 6, 7, 8];

/// What stands before the names of recurrent cells: two of them share their names with cells for images.
pub const PENN: &str = "penn_";

/// All recurrent cells, searched on the Penn Treebank (spec §10). The authors' names are those without
/// `penn_` of the first three; [`find_recurrent`] knows them, too.
#[rustfmt::skip]
pub static RECURRENT: &[Published] = &[
    penn("penn_DARTS_V1", "DARTS, first order, on Penn Treebank", "relu0 relu1 tanh2 relu3 relu4 identity1 relu5 relu1", EIGHT),
    penn("penn_DARTS_V2", "DARTS, second order, on Penn Treebank", "sigmoid0 relu1 relu1 identity1 tanh2 sigmoid5 tanh3 relu5", EIGHT),
    penn("penn_ENAS", "ENAS on Penn Treebank", "tanh0 tanh1 relu1 tanh3 tanh3 relu3 relu4 relu7 relu8 relu8 relu8", &[2, 5, 6, 9, 10, 11]),
    penn("penn_random", "SDARTS-RS on Penn Treebank", "sigmoid0 sigmoid1 identity2 sigmoid1 tanh2 tanh2 sigmoid0 sigmoid3", EIGHT),
    penn("penn_pgd", "SDARTS-ADV on Penn Treebank", "relu0 relu1 tanh2 relu3 identity2 relu1 tanh2 relu7", EIGHT),
];

/// The genotype of this name, in whatever case its letters are.
pub fn find(name: &str) -> Option<&'static Published> {
    ALL.iter().chain(RECURRENT).find(|row| row.name.eq_ignore_ascii_case(name))
}

/// The recurrent cell of this name, with or without [`PENN`].
pub fn find_recurrent(name: &str) -> Option<&'static Published> {
    let named = |row: &&Published| {
        let bare = row.name.strip_prefix(PENN).unwrap_or(row.name);
        [row.name, bare].iter().any(|it| it.eq_ignore_ascii_case(name))
    };
    RECURRENT.iter().find(named)
}

/// The published genotype that equals this one.
pub fn of(genotype: &Genotype) -> Option<&'static Published> {
    ALL.iter().chain(RECURRENT).find(|row| row.genotype() == *genotype)
}

impl Published {
    /// The genotype; all published ones for images concatenate their four nodes.
    pub fn genotype(&self) -> Genotype {
        match self.genes {
            Genes::Images { normal, reduce } => {
                let cell = |name, text| darts::cell(name, &coded(text), &[2, 3, 4, 5]);
                let [first, second] = darts::CELLS;
                Genotype { cells: vec![cell(first, normal), cell(second, reduce)] }
            }
            Genes::Recurrent { nodes, mean } => recurrent::from_genes(&spelled(nodes), mean),
        }
    }
}

const fn row(
    name: &'static str,
    help: &'static str,
    normal: &'static str,
    reduce: &'static str,
) -> Published {
    Published { name, help, genes: Genes::Images { normal, reduce } }
}

const fn penn(
    name: &'static str,
    help: &'static str,
    nodes: &'static str,
    mean: &'static [usize],
) -> Published {
    Published { name, help, genes: Genes::Recurrent { nodes, mean } }
}

/// Reads `s31 sk0 / …`: on the states 1 and 0, and so on. A word that is no gene is left out; the
/// tests hold the table to eight genes for each cell.
fn coded(text: &str) -> Vec<Gene> {
    let gene = |word: &str| {
        let (code, source) = word.split_at_checked(2)?;
        let (_, operation) = CODES.iter().find(|(known, _)| *known == code)?;
        Some(((*operation).to_owned(), source.parse().ok()?))
    };
    text.split([' ', '/']).filter_map(gene).collect()
}

/// Reads `relu0 tanh1 …`.
fn spelled(text: &str) -> Vec<Gene> {
    let gene = |word: &str| {
        let (operation, source) = word.split_at_checked(word.find(char::is_numeric)?)?;
        Some((operation.to_owned(), source.parse().ok()?))
    };
    text.split(' ').filter_map(gene).collect()
}
