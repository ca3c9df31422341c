//! What a training needs before it begins.

use smoothdarts::config::layers::Resolved;
use smoothdarts::run::Run;

use crate::datasets::Prefetch;
use crate::session::Work;

/// Of one task.
pub struct Prepared<J: Work> {
    pub(super) resolved: Resolved,
    pub(super) training: Run<J>,
    pub(super) batches: Prefetch<J::Supply>,
    pub(super) began: f64,
}
