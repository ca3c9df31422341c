//! Keeps the host from running ahead of a software device, which computes on the host's own cores.
//! While the queue of such a device is full, cubecl's threads spin, and took a third of two cores from
//! the kernels. With [`enable`] every few launches wait, asleep, until the device has taken up those before
//! them. On a software Vulkan a DARTS step (4 cells, 8 channels, batch 8, 16×16) takes 0.8 s instead
//! of 1.0 s (`sdarts bench --device wgpu`, with and without). Off for a GPU, which computes beside the host: to wait there would only keep the threads of the
//! host from working at the same time.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::wgpu::CubeTensor;

/// Launches between two that wait: 8 and 4 are as fast, 16 and 24 slower by a tenth; 32 fill the queue.
const LAUNCHES: u32 = 8;

static ON: AtomicBool = AtomicBool::new(false);

thread_local! {
    static LAUNCHED: Cell<u32> = const { Cell::new(0) };
}

/// From now on launches wait for the device. For a software device; call it before the first tensor.
pub fn enable() {
    ON.store(true, Ordering::Relaxed);
}

/// To be called before every launch on the device of this tensor.
pub(crate) fn before_launch(tensor: &CubeTensor) {
    if !ON.load(Ordering::Relaxed) {
        return;
    }
    let launched = (LAUNCHED.get() + 1) % LAUNCHES;
    LAUNCHED.set(launched);
    if launched == 0 {
        // An error here would come back from the launch itself, which reports it.
        let _ = tensor.client.exclusive(|| ());
    }
}
