//! What people see of the bytes of a long file that pass: a bar on a terminal, now and then a line
//! elsewhere.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::output;

const TEMPLATE: &str = "{prefix} {wide_bar} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";

/// Time between two lines, so that the log of a slow one stays short.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// The progress through one file.
pub(crate) struct ByteProgress {
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    name: String,
    total: u64,
    last_line: Instant,
}

impl ByteProgress {
    /// Shows a file of which `start` of its `total` bytes were there before.
    pub fn new(name: &str, total: u64, start: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(name, total, start));
        Self { bar, name: name.to_owned(), total, last_line: Instant::now() }
    }

    /// Shows that there are `have` bytes.
    pub fn show(&mut self, have: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(have);
        } else if self.last_line.elapsed() >= BETWEEN_LINES {
            self.last_line = Instant::now();
            let percent = have.saturating_mul(100) / self.total.max(1);
            output::note(&format!("{}: {percent}%", self.name));
        }
    }
}

impl Drop for ByteProgress {
    /// Leaves the terminal clean, also after an error.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(name: &str, total: u64, start: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_prefix(name.to_owned()).with_position(start);
    // The speed is that of this transfer: what an earlier one brought does not count.
    bar.reset_eta();
    match ProgressStyle::with_template(TEMPLATE) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
