//! The threads of the CPU path in a browser: workers (www/js/thread.js) that share the memory of the module. The worker
//! that owns the search is one of the pool; the others wait in [`lend_thread`] before there is a pool, because a
//! worker that waits for a thread cannot start one.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

static WANTED: Mutex<VecDeque<ThreadBuilder>> = Mutex::new(VecDeque::new());
static CALLED: Condvar = Condvar::new();

fn wanted() -> MutexGuard<'static, VecDeque<ThreadBuilder>> {
    WANTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the pool of all kernels from the calling worker and `count - 1` others, and waits until these are in
/// [`lend_thread`].
///
/// # Errors
/// If there is a pool already.
#[wasm_bindgen(js_name = startThreads)]
pub fn start_threads(count: usize) -> Result<(), JsError> {
    let pool = ThreadPoolBuilder::new().num_threads(count).use_current_thread();
    let pool = pool.spawn_handler(|thread| {
        wanted().push_back(thread);
        CALLED.notify_one();
        Ok(())
    });
    Ok(pool.build_global()?)
}

/// Makes the calling worker a thread of the pool, for as long as it lives.
#[wasm_bindgen(js_name = lendThread)]
pub fn lend_thread() {
    let mut waiting = wanted();
    let thread = loop {
        match waiting.pop_front() {
            Some(thread) => break thread,
            None => waiting = CALLED.wait(waiting).unwrap_or_else(PoisonError::into_inner),
        }
    };
    drop(waiting);
    thread.run();
}
