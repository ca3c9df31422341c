//! Which stacks a WGSL kernel takes at once. A browser binds eight buffers and a GPU many more: a sum is taken over
//! as many stacks and their moments as fit, and then over the next ones, and as many stacks get their gradients
//! from one launch.

use burn::backend::wgpu::CubeTensor;

use super::{Mixture, SLOTS};
use crate::device::{self, Variant};

/// Buffers that every device binds, and browsers not many more.
pub(super) const BUFFERS: usize = 8;

/// Buffers that a launch binds on the device of a tensor. A software device goes through the lines of every stack
/// with every thread: with all stacks at once lavapipe took 7.1 and 6.9 s for a step of SDARTS-ADV instead of 6.8 and
/// 5.8 s (`sdarts bench`, 4 cells, 8 channels, batch 8, 16×16, in turns).
pub(super) fn bound(tensor: &CubeTensor) -> usize {
    match device::variant() {
        Variant::Plain => BUFFERS,
        Variant::Tiled => {
            let limit = tensor.client.properties().hardware.max_bindings;
            usize::try_from(limit).unwrap_or(usize::MAX).max(BUFFERS)
        }
    }
}

/// What is launched for slots.
#[derive(Clone, Copy)]
pub(super) enum Pass {
    /// The sum over them.
    Sum,
    /// The rows of sums.
    Products,
    /// The gradients of those that are wanted.
    Gradients { wanted: [bool; SLOTS] },
}

/// The slots of every launch of a pass, of which each binds at most so many buffers.
pub(super) fn launches(mixture: &Mixture, pass: Pass, limit: usize) -> Vec<Vec<usize>> {
    let of_batch = (0..mixture.count).any(|slot| mixture.of_batch(slot));
    let besides = |slot| match pass {
        Pass::Sum => 2 + usize::from(mixture.base && slot == 0),
        Pass::Products => 2,
        Pass::Gradients { .. } => 2 + usize::from(of_batch),
    };
    let needed = |slot: usize| {
        let moments = usize::from(mixture.norms[slot].is_some());
        match pass {
            Pass::Sum | Pass::Products => 1 + moments,
            Pass::Gradients { .. } => 1 + moments + usize::from(mixture.of_batch(slot)),
        }
    };
    let (mut launches, mut free): (Vec<Vec<usize>>, _) = (Vec::new(), 0);
    for slot in 0..mixture.count {
        if matches!(pass, Pass::Gradients { wanted } if !wanted[slot]) {
            continue;
        }
        match launches.last_mut().filter(|_| free >= needed(slot)) {
            Some(launch) => launch.push(slot),
            None => {
                free = limit - besides(slot);
                launches.push(vec![slot]);
            }
        }
        free -= needed(slot);
    }
    launches
}

impl Mixture {
    /// Whether the stack in a slot is normalised by moments of its own batch.
    pub(super) fn of_batch(&self, slot: usize) -> bool {
        self.norms[slot].is_some_and(|norm| norm.of_batch)
    }
}
