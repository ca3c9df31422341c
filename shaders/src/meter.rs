//! What our kernels cost, for `sdarts bench`: how often each is called, how long it takes on the
//! CPU, how many bytes it binds on a GPU. One table for the process; while it is off, a call costs
//! one load of an atomic.
//!
//! A CPU kernel is metered by one line at its start, `let _span = meter::span("name");`, a WGSL
//! kernel by `Built::launch` of the folder wgpu.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Cost of one kernel since [`start`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// How often it was called or launched.
    pub calls: u64,
    /// Wall time of the calls; 0 on a GPU, which computes later.
    pub seconds: f64,
    /// Bytes of all buffers that its launches bound: what it reads and writes if it touches each
    /// number once. 0 on the CPU.
    pub bytes: u64,
}

/// Costs by name of the kernel.
pub type Costs = BTreeMap<&'static str, Cost>;

static ON: AtomicBool = AtomicBool::new(false);
static COSTS: Mutex<Costs> = Mutex::new(Costs::new());

thread_local! {
    static LAUNCHING: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Counts from zero, from now on.
pub fn start() {
    costs().clear();
    ON.store(true, Ordering::Relaxed);
}

/// Ends what [`start`] began.
pub fn stop() -> Costs {
    ON.store(false, Ordering::Relaxed);
    std::mem::take(&mut *costs())
}

/// Our kernel that this thread is launching on a GPU right now. An observer of launches sees a
/// type of Rust that all our kernels share; this tells them apart.
pub fn launching() -> Option<&'static str> {
    LAUNCHING.get()
}

/// Times a CPU kernel until it is dropped.
#[must_use = "the time is taken when the span is dropped"]
pub(crate) struct Span(Option<(&'static str, Instant)>);

/// Starts to time a CPU kernel. Spans of one thread must not enclose each other.
pub(crate) fn span(name: &'static str) -> Span {
    Span(ON.load(Ordering::Relaxed).then(|| (name, Instant::now())))
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((name, began)) = self.0.take() {
            add(name, Cost { calls: 1, seconds: began.elapsed().as_secs_f64(), bytes: 0 });
        }
    }
}

/// Launches a WGSL kernel that binds buffers of so many bytes.
pub(crate) fn launch(name: &'static str, bytes: impl FnOnce() -> u64, launch: impl FnOnce()) {
    if ON.load(Ordering::Relaxed) {
        add(name, Cost { calls: 1, seconds: 0.0, bytes: bytes() });
    }
    LAUNCHING.set(Some(name));
    launch();
    LAUNCHING.set(None);
}

fn add(name: &'static str, cost: Cost) {
    let mut costs = costs();
    let sum = costs.entry(name).or_default();
    sum.calls += cost.calls;
    sum.seconds += cost.seconds;
    sum.bytes += cost.bytes;
}

fn costs() -> MutexGuard<'static, Costs> {
    // A panic between two additions leaves a table that is still one.
    COSTS.lock().unwrap_or_else(PoisonError::into_inner)
}
