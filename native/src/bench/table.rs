//! The rows for people.

use std::fmt::Write as _;

use serde::Serialize;

use super::row::{Peaks, Row, Share};
use super::text::TextSizes;

/// What the columns mean.
pub const NOTES: &str = "\
step      median of the timed steps; +- the slowest minus the fastest
GFLOP     arithmetic of a step, counted from the config: convolutions and the linear layer, forward
          and the gradients that the method needs (all: with every gradient of every pass)
of peak   GFLOP/s as a part of fma (multiply-adds between registers), on a GPU of sgemm (burn's
          product of large matrices)
memory    most memory of this process during the row (on a GPU also what is reserved there)
launches  kernels of a step: all of them on a GPU, calls of our own on the CPU";

/// The line above the rows.
pub fn head(scaling: bool) -> String {
    let first = if scaling { format!("{:<24}", "varied") } else { String::new() };
    format!(
        "{first}{:<14}{:>10}{:>10}{:>9}{:>9}{:>9}{:>9}{:>10}{:>10}",
        "method", "step", "+-", "GFLOP", "(all)", "GFLOP/s", "of peak", "memory", "launches"
    )
}

/// One row.
pub fn line(row: &Row) -> String {
    let memory = match (row.peak_memory_mb, row.device_memory_mb) {
        (Some(host), Some(device)) => format!("{host:.0}+{device:.0}"),
        (Some(megabytes), None) | (None, Some(megabytes)) => format!("{megabytes:.0} MB"),
        (None, None) => "?".to_owned(),
    };
    format!(
        "{}{:<14}{:>8.3} s{:>8.3} s{:>9.2}{:>9.2}{:>9.1}{:>9}{:>10}{:>10}",
        row.varied.map_or(String::new(), |varied| format!("{:<24}", value(row, varied))),
        row.method,
        row.step_seconds,
        row.step_seconds_spread,
        row.model_gflop,
        row.model_gflop_all_gradients,
        row.achieved_gflops,
        part(&row.peaks),
        memory,
        row.launches,
    )
}

/// The setting that is varied, with its value.
fn value(row: &Row, varied: &str) -> String {
    let value = match varied {
        "search.batch_size" => row.batch_size,
        "search.cells" => row.cells,
        "search.channels" => row.channels,
        _ => row.threads,
    };
    format!("{varied}={value}")
}

/// Device, network and peaks.
pub fn about(row: &Row) -> String {
    let Row { device, space, cells, channels, batch_size, image_size, .. } = row;
    let network = match row.text {
        Some(TextSizes { hidden, bptt, vocabulary }) => format!(
            "{space}, {hidden} hidden, batch {batch_size}, sequences of {bptt}, {vocabulary} words"
        ),
        None => format!(
            "{space}, {cells} cells, {channels} channels, batch {batch_size}, images of \
             {image_size}x{image_size}"
        ),
    };
    format!(
        "device    {device}, kernels {}\n\
         network   {network}\n\
         {}\n",
        word(&row.kernels),
        peaks(&row.peaks),
    )
}

/// How much of the peak was reached.
pub fn part(peaks: &Peaks) -> String {
    peaks.fraction_of_peak.map_or_else(|| "?".to_owned(), |part| format!("{:.1}%", 100.0 * part))
}

/// The line about the machine.
pub fn peaks(peaks: &Peaks) -> String {
    let registers = match (peaks.multiply_add_gflops, peaks.lanes) {
        (Some(rate), Some(lanes)) => format!("fma {rate:.0} GFLOP/s (vectors of {lanes} floats), "),
        _ => String::new(),
    };
    match (peaks.sgemm_gflops, peaks.copy_gbs) {
        (Some(sgemm), Some(copy)) => {
            format!("machine   {registers}sgemm {sgemm:.0} GFLOP/s, copy {copy:.1} GB/s")
        }
        _ => "machine   not measured (--skip-peaks)".to_owned(),
    }
}

/// A value as config.toml writes it.
pub fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().as_str().unwrap_or_default().to_owned()
}

/// Where the time of a step goes.
pub fn profile(shares: &[Share]) -> String {
    let mut text = format!("  {:>7}{:>11}{:>9}{:>10}  kernel", "share", "time", "calls", "bound");
    for Share { kernel, share } in shares {
        let bound = match kernel.bytes {
            0 => String::new(),
            bytes => format!("{:.0} MB", bytes as f64 / 1e6),
        };
        let calls = if kernel.calls == 0 { String::new() } else { kernel.calls.to_string() };
        let (percent, milliseconds) = (100.0 * share, 1e3 * kernel.seconds);
        let name = &kernel.name;
        // Writing to a string cannot fail.
        let _ =
            write!(text, "\n  {percent:>6.1}%{milliseconds:>8.1} ms{calls:>9}{bound:>10}  {name}");
    }
    text
}
