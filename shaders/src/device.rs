//! What a device can do, and which WGSL kernels run where there are two for the same purpose. A GPU reads and writes memory in
//! lines, so neighbouring threads should take neighbouring vectors, and what many threads need belongs in
//! the memory of a workgroup. A software device goes through the threads of a workgroup as the lanes of a
//! CPU's vectors, loads each lane by itself and has no faster memory.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(target_feature = "atomics"))]
use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Kernels for a kind of device. All are right on every device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Threads that compute alone, each as much as its registers hold: for a software device.
    Plain,
    /// Workgroups that compute a tile together: for a GPU.
    Tiled,
}

/// Bytes of the largest tensor that a device computes with: what a GPU binds at once. `None` on the CPU.
pub fn largest_tensor(device: &Device) -> Option<u64> {
    match device.clone().inner().as_dispatch() {
        #[cfg(not(target_feature = "atomics"))]
        DispatchDevice::Cube(device) => Some(device.client().properties().memory.max_page_size),
        _ => None,
    }
}

static TILED: AtomicBool = AtomicBool::new(true);
static UNITS: AtomicBool = AtomicBool::new(true);
static MOMENTS: AtomicBool = AtomicBool::new(true);

/// From now on these kernels run, in the whole process. Until then those for a GPU.
pub fn choose(variant: Variant) {
    TILED.store(variant == Variant::Tiled, Ordering::Relaxed);
}

/// Which ones run.
pub fn variant() -> Variant {
    if TILED.load(Ordering::Relaxed) { Variant::Tiled } else { Variant::Plain }
}

/// From now on a unit is one launch where its kernel is tiled, or two; and tiled kernels find the moments of what they
/// compute, or leave them to a launch of their own. Until then it is one, and they do.
pub fn join(units: bool, moments: bool) {
    UNITS.store(units, Ordering::Relaxed);
    MOMENTS.store(moments, Ordering::Relaxed);
}

/// Whether the depthwise convolution and the pointwise product of a unit are one launch.
pub(crate) fn joins_units() -> bool {
    variant() == Variant::Tiled && UNITS.load(Ordering::Relaxed)
}

/// Whether a kernel finds the moments of what it computes.
pub(crate) fn finds_moments() -> bool {
    variant() == Variant::Tiled && MOMENTS.load(Ordering::Relaxed)
}
