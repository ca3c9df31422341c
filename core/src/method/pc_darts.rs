//! PC-DARTS: DARTS in which one in four channels goes through the operations of an edge or a block and the
//! others go past them, and in which the edges of a node may have weights.
//!
//! - **Paper**: *PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search* (Xu, Xie,
//!   Zhang, Chen, Qi, Tian, Xiong, ICLR 2020).
//! - **Settings**: `search.partial_channels`, K ([`partial_channels`]); `search.edge_weights`, β
//!   ([`edge_weights`]); `search.architecture_from`, the warm-up of the weights. Those of DARTS besides.
//! - **What the released code does differently**: the first C/K channels are taken always, no random ones.
//!   After the operations all channels are shuffled in K groups. SmoothDARTS, which compares with it on S1 to
//!   S4 and in the one-shot spaces, releases it without edge weights and without a warm-up: so the settings are
//!   by default. Preset `pc-darts` is the original.
//! - **Logged**: what DARTS logs, and of every node the weights of its edges.

use super::Method;
use crate::perturb;
use crate::policy::softmax;
use crate::space::modifier::{edge_weights, partial_channels};

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "pc-darts",
    title: "PC-DARTS",
    help: "PC-DARTS (Xu et al. 2020): one in four channels goes through the operations; with \
           search.edge_weights every edge has a weight",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[&partial_channels::ENTRY, &edge_weights::ENTRY],
    extra: None,
};
