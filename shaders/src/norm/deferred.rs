//! A gradient that is computed where it is used, image by image, on the CPU.
//!
//! The gradient of a candidate is a formula of that of its node. The mixture wrote it to memory, of all images of all
//! candidates, and the bank read it again; computed by the bank it stays in the second-level cache.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// The gradients of the images of a stack.
pub(crate) trait Images: Send + Sync {
    /// Writes that of an image.
    fn write(&self, image: usize, out: &mut [f32]);
}

/// Where those that read a stack leave gradients for what made it, which adds them to the gradient that it is given.
/// No part of what an op is, so all are equal.
#[derive(Clone, Default)]
pub(crate) struct Deferred(Arc<Mutex<Vec<Box<dyn Images>>>>);

impl Deferred {
    /// Leaves one.
    pub(crate) fn leave(&self, gradient: impl Images + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(gradient));
    }

    /// Takes what was left.
    pub(crate) fn take(&self) -> Vec<Box<dyn Images>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}

impl PartialEq for Deferred {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Deferred {}

impl Hash for Deferred {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
