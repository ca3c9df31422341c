//! PC-DARTS as SmoothDARTS releases it for NAS-Bench-1Shot1: DARTS in which one in four channels goes through
//! the operations of a block and the others go past them.
//!
//! - **Paper**: *PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search* (Xu, Xie,
//!   Zhang, Chen, Qi, Tian, Xiong, ICLR 2020).
//! - **Settings**: `search.partial_channels`, K. Those of DARTS besides.
//! - **What the released code does differently**: the first C/K channels are taken always, no random ones.
//!   After the operations all channels are shuffled in K groups. Edge normalisation and the warm-up of the
//!   paper are missing there, and so they are here. Only the one-shot networks are built so; other spaces
//!   refuse it.
//! - **Logged**: what DARTS logs.

use super::Method;
use crate::perturb;
use crate::policy::softmax;
use crate::space::modifier::partial_channels;

/// Its row of the catalogue.
pub static ENTRY: Method = Method {
    name: "pc-darts",
    title: "PC-DARTS",
    help: "PC-DARTS (Xu et al. 2020) as released for one-shot spaces: one in four channels goes through \
           the operations; no edge normalisation, no warm-up",
    policy: &softmax::ENTRY,
    perturbation: &perturb::NONE,
    modifiers: &[&partial_channels::ENTRY],
    extra: None,
};
