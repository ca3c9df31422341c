//! Ranges, ticks and their labels.

use super::{Axis, Unit};

/// An axis with its range fixed.
pub(in crate::draw) struct Scale {
    pub(in crate::draw) low: f64,
    pub(in crate::draw) high: f64,
    pub(in crate::draw) ticks: Vec<f64>,
    step: f64,
    unit: Unit,
}

impl Scale {
    /// A scale over `values`, widened to the next ticks unless the axis fixes its range.
    pub(in crate::draw) fn new(
        axis: &Axis,
        values: impl Iterator<Item = f64>,
        most: usize,
    ) -> Self {
        let fixed = axis.range.filter(|(low, high)| low.is_finite() && low < high);
        let (low, high) = fixed.unwrap_or_else(|| extent(values, axis.unit));
        let step = nice_step(high - low, most, axis.unit);
        // A tick that rounding moved a little outside still belongs to the axis.
        let slack = 1e-6 * step;
        let (low, high) = match (fixed, axis.unit) {
            (Some(_), _) | (None, Unit::Count) => (low, high),
            _ => (((low + slack) / step).floor() * step, ((high - slack) / step).ceil() * step),
        };
        let (first, last) = (((low - slack) / step).ceil(), ((high + slack) / step).floor());
        let count = (last - first).max(0.0) as usize;
        let ticks = (0..=count).map(|index| (first + index as f64) * step).collect();
        Self { low, high, ticks, step, unit: axis.unit }
    }

    /// Place of a value between the ends of the axis, 0 to 1.
    pub(in crate::draw) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The label of a tick, with the digits that tell it from the next one.
    pub(in crate::draw) fn label(&self, tick: f64) -> String {
        let tick = if tick.abs() < 1e-9 * self.step { 0.0 } else { tick };
        match self.unit {
            Unit::Count => format!("{tick:.0}"),
            Unit::Percent => {
                format!("{:.*} %", decimals(100.0 * self.step), 100.0 * tick)
            }
            Unit::Number if self.step < 1e-4 || self.high.abs() >= 1e5 => format!("{tick:e}"),
            Unit::Number => format!("{tick:.*}", decimals(self.step)),
        }
    }
}

/// A value in words, for the text on hover.
pub(in crate::draw) fn exact(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{:.2} %", 100.0 * value),
        Unit::Count => format!("{value}"),
        Unit::Number if value != 0.0 && value.abs() < 1e-3 => format!("{value:.3e}"),
        Unit::Number => format!("{value:.4}"),
    }
}

/// Smallest and largest finite value; where there is only one, or none, something around it.
fn extent(values: impl Iterator<Item = f64>, unit: Unit) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match () {
        () if low > high => (0.0, 1.0),
        () if low < high => (low, high),
        () if unit == Unit::Count => (low - 1.0, high + 1.0),
        () if low == 0.0 => (0.0, 1.0),
        () => (low - 0.1 * low.abs(), high + 0.1 * high.abs()),
    }
}

/// The smallest of 1, 2, 5, 10, 20, … (or a tenth, hundredth…) that needs at most `most` steps.
fn nice_step(span: f64, most: usize, unit: Unit) -> f64 {
    let rough = span / most.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * (1.0 - 1e-9))
        .unwrap_or(10.0 * power);
    if unit == Unit::Count { step.max(1.0) } else { step }
}

fn decimals(step: f64) -> usize {
    (-(step * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 9.0) as usize
}
