//! What a core reaches in the loops of a unit, where nothing has to come from memory.

use std::time::{Duration, Instant};

use serde::Serialize;
use shaders::{UnitLoop, UnitLoops, lanes, multiply_adds};

/// Side and channels of the images in the three parts of the paper's network.
const IMAGES: [[usize; 2]; 3] = [[32, 16], [16, 32], [8, 64]];

/// Size and dilation of the windows of its convolutions.
const WINDOWS: [[usize; 2]; 4] = [[3, 1], [5, 1], [3, 2], [5, 2]];

/// How often a loop is timed: the fastest round counts, as others use the machine too.
const ROUNDS: usize = 15;

/// How long a round is, in which a loop is gone through as often as fits.
const ROUND: Duration = Duration::from_millis(6);

/// Rounds of multiply-adds between registers: about 0.1 ms.
const MULTIPLY_ADDS: usize = 10_000;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Loops {
    /// Always `loops`.
    pub kind: &'static str,
    /// Floats in the widest vector.
    pub lanes: usize,
    /// GFLOP/s of multiply-adds between registers.
    pub multiply_adds: f64,
    /// The loops, in the order of the rates of a row.
    pub loops: [&'static str; UnitLoop::ALL.len()],
    /// What they reach over every image.
    pub rows: Vec<Row>,
}

/// What the loops reach over one image.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its height and width.
    pub side: usize,
    /// Its channels.
    pub channels: usize,
    /// Height and width of the window.
    pub window: usize,
    /// Pixels from one of its weights to the next.
    pub dilation: usize,
    /// GFLOP/s of each loop.
    pub gflops: [f64; UnitLoop::ALL.len()],
}

impl Loops {
    /// Measures all, in some six seconds, in this thread.
    pub fn measure() -> Self {
        let registers = || multiply_adds(MULTIPLY_ADDS);
        let of_image = |image| WINDOWS.map(|window| Row::measure(image, window));
        Self {
            kind: "loops",
            lanes: lanes(),
            multiply_adds: rate(registers(), || _ = registers()),
            loops: UnitLoop::ALL.map(UnitLoop::name),
            rows: IMAGES.into_iter().flat_map(of_image).collect(),
        }
    }

    /// As a table.
    pub fn text(&self) -> String {
        let Self { lanes, multiply_adds, loops, rows, .. } = self;
        let names = loops.map(|name| format!("{name:>14}")).concat();
        let head = format!(
            "GFLOP/s of a core, {lanes} floats a vector: {multiply_adds:.0} between registers\n\n{:21}{names}",
            "image, window"
        );
        let lines = rows.iter().map(Row::line);
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    }
}

impl Row {
    fn measure([side, channels]: [usize; 2], [window, dilation]: [usize; 2]) -> Self {
        let mut loops = UnitLoops::new([side, channels], window, dilation);
        let gflops = UnitLoop::ALL.map(|it| rate(loops.operations(it), || loops.run(it)));
        Self { side, channels, window, dilation, gflops }
    }

    fn line(&self) -> String {
        let Self { side, channels, window, dilation, gflops } = self;
        let name = format!("{side}x{side}x{channels}, {window}x{window}/{dilation}");
        format!("{name:21}{}", gflops.map(|reached| format!("{reached:14.0}")).concat())
    }
}

/// GFLOP/s of a call of so many operations, in the fastest of several rounds.
fn rate(operations: u64, mut call: impl FnMut()) -> f64 {
    let round = |_| {
        let (start, mut calls) = (Instant::now(), 0);
        while start.elapsed() < ROUND {
            call();
            calls += 1;
        }
        start.elapsed() / calls
    };
    let fastest = (0..ROUNDS).map(round).min().unwrap_or_default();
    operations as f64 / fastest.as_secs_f64() * 1e-9
}
