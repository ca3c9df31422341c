//! A landscape in two pictures: seen from above ([`contour()`]) and from the side ([`surface()`]).
//!
//! Colours stand for bands between round numbers. Pictures that are to be compared take one
//! [`Frame`] over all their landscapes, and then equal colours and heights mean equal numbers and
//! equal places equal distances.

mod contour;
mod surface;

pub use contour::draw as contour;
pub use surface::draw as surface;

use super::chart::axis::Scale;
use super::chart::{Axis, Unit};
use super::colour;
use super::history::History;
use super::svg::{Anchor, Rect, Svg};
use crate::event::{EpochFinished, Score};
use crate::measure::landscape::{Coordinates, Landscape, Sample};

/// Bands of colour, at most.
const BANDS: usize = 12;

/// Which number of every point is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Validation accuracy.
    Accuracy,
    /// Validation loss.
    Loss,
}

impl Quantity {
    /// What the pictures of a run show: the accuracy, or of text the loss, whose exponential is the perplexity.
    pub fn of_run(history: &History) -> Self {
        match history.epochs.last().map(EpochFinished::valid_score) {
            Some(Score::Perplexity(_)) => Self::Loss,
            _ => Self::Accuracy,
        }
    }

    fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Accuracy => sample.accuracy,
            Self::Loss => sample.loss,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Accuracy => "validation accuracy",
            Self::Loss => "validation loss",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Accuracy => Unit::Percent,
            Self::Loss => Unit::Number,
        }
    }
}

/// Smallest and largest number that the colours stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range(pub f64, pub f64);

impl Range {
    /// The range of all finite numbers of these landscapes; from 0 to 1 where there is none.
    pub fn over<'a>(
        landscapes: impl IntoIterator<Item = &'a Landscape>,
        quantity: Quantity,
    ) -> Self {
        let samples = landscapes.into_iter().flat_map(|landscape| &landscape.samples);
        let finite = samples.map(|sample| quantity.of(sample)).filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if low <= high { Self(low, high) } else { Self(0.0, 1.0) }
    }

    /// The smallest range that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0.min(other.0), self.1.max(other.1))
    }
}

/// What colours, heights and places stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Colours and heights.
    pub range: Range,
    /// Where both axes end, to each side.
    pub reach: f64,
}

impl Frame {
    /// The frame that holds these landscapes.
    pub fn over<'a>(
        landscapes: impl IntoIterator<Item = &'a Landscape> + Clone,
        quantity: Quantity,
    ) -> Self {
        let range = Range::over(landscapes.clone(), quantity);
        let reaches = landscapes.into_iter().map(|landscape| landscape.settings.range);
        Self { range, reach: reaches.reduce(f64::max).unwrap_or(1.0) }
    }
}

/// A landscape, and how it is shown.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is shown.
    pub landscape: &'a Landscape,
    /// Name of the run, for the title; may be empty.
    pub name: &'a str,
    /// Which number of every point.
    pub quantity: Quantity,
    /// What colours, heights and axes stand for.
    pub frame: Frame,
}

/// What the pictures of a landscape show, in a sentence.
pub fn about(view: View) -> String {
    Field::new(view).about()
}

/// The samples as a square of numbers, with the scale of their colours.
struct Field<'a> {
    view: View<'a>,
    scale: Scale,
    size: usize,
}

impl<'a> Field<'a> {
    fn new(view: View<'a>) -> Self {
        let Range(low, high) = view.frame.range;
        let axis = Axis::new(view.quantity.words(), view.quantity.unit());
        let scale = Scale::new(&axis, [low, high].into_iter(), BANDS);
        Self { view, scale, size: view.landscape.settings.grid }
    }

    /// The number at a column (along x) and a row (along y), if it is one. An infinite loss is as
    /// far as the scale goes.
    fn value(&self, column: usize, row: usize) -> Option<f64> {
        let sample = self.view.landscape.samples.get(row * self.size + column)?;
        let value = self.view.quantity.of(sample);
        (!value.is_nan()).then(|| value.clamp(self.scale.low, self.scale.high))
    }

    /// Place of a column or row on its axis, from -1 to 1.
    fn along(&self, index: usize) -> f64 {
        let last = self.size.saturating_sub(1).max(1) as f64;
        let share = self.view.landscape.settings.range / self.view.frame.reach;
        share * (2.0 * index as f64 / last - 1.0)
    }

    fn bands(&self) -> usize {
        self.scale.ticks.len().saturating_sub(1).max(1)
    }

    /// Class of the colour of band `band`, counted from below.
    fn band_class(&self, band: usize) -> String {
        colour::level((band as f64 + 0.5) / self.bands() as f64)
    }

    /// The band that a number lies in.
    fn band(&self, value: f64) -> usize {
        let share = self.scale.place(value) * self.bands() as f64;
        (share.max(0.0) as usize).min(self.bands() - 1)
    }

    fn title(&self) -> String {
        let words = self.view.quantity.words();
        let mut characters = words.chars();
        let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
        let name =
            if self.view.name.is_empty() { String::new() } else { format!(": {}", self.view.name) };
        format!("{first}{} around the architecture{name}", characters.as_str())
    }

    /// What the picture shows, in a sentence.
    fn about(&self) -> String {
        let Landscape { settings, images, .. } = self.view.landscape;
        // Of a text nothing but the loss is shown.
        let what = match self.view.quantity {
            Quantity::Accuracy => "images",
            Quantity::Loss => "words",
        };
        format!(
            "The {} of the supernet on {images} {what}, with its weights frozen, where {} moves by \
             x along the gradient of the validation loss and by y along a random direction at a \
             right angle, both from -{range} to {range}.",
            self.view.quantity.words(),
            self.moved(),
            range = settings.range,
        )
    }

    fn moved(&self) -> &'static str {
        match self.view.landscape.settings.space {
            Coordinates::Logits => "alpha",
            Coordinates::Probabilities => "p = softmax(alpha)",
        }
    }

    /// Title, what moves, and the numbers of flatness.
    fn head(&self, svg: &mut Svg) {
        svg.text("sd-ink sd-large sd-strong", (16.0, 24.0), Anchor::Start, &self.title());
        for (y, line) in [44.0, 61.0].into_iter().zip(&self.summary()) {
            svg.text("sd-muted", (16.0, y), Anchor::Start, line);
        }
    }

    fn summary(&self) -> [String; 2] {
        let landscape = self.view.landscape;
        let (range, points) = (landscape.settings.range, landscape.settings.points());
        if !landscape.is_complete() {
            let measured = format!("{} of {points} points measured", landscape.samples.len());
            return [format!("{} moves", self.moved()), measured];
        }
        let flatness = landscape.flatness();
        let middle = 100.0 * flatness.centre;
        [
            format!("{} moves; accuracy in the middle {middle:.1} %", self.moved()),
            format!(
                "drop within distance {range}: {:.1} points on average, {:.1} at worst",
                100.0 * flatness.mean_drop,
                100.0 * flatness.largest_drop,
            ),
        ]
    }

    /// The bands of colour, one on top of the other, with the numbers between them.
    fn legend(&self, svg: &mut Svg, (x, top): (f64, f64), height: f64) {
        let step = height / self.bands() as f64;
        for band in 0..self.bands() {
            let y = top + height - (band as f64 + 1.0) * step;
            let class = format!("sd-fill {}", self.band_class(band));
            svg.rect(&class, Rect { x, y, width: 16.0, height: step }, 0.0, "");
        }
        for &tick in &self.scale.ticks {
            let y = top + height * (1.0 - self.scale.place(tick));
            svg.line("sd-axis", (x + 16.0, y), (x + 20.0, y));
            svg.text("sd-muted", (x + 24.0, y + 4.0), Anchor::Start, &self.scale.label(tick));
        }
    }
}
