//! A line chart: several lines over two axes, bands around them, marks at places on the x axis.
//!
//! (plotters 0.3 draws on whole pixels in fixed colours, poloto 19 in classes; neither gives points a
//! title, and with plotters there is no dark scheme.)

pub(super) mod axis;

use self::axis::{Scale, exact};
use super::colour::{self, Palette};
use super::svg::{Anchor, Rect, Svg, number, point, shorten};

const SIZE: (f64, f64) = (520.0, 290.0);

/// The area between the axes.
const PLOT: Rect = Rect { x: 60.0, y: 62.0, width: 444.0, height: 178.0 };

/// Up to so many points, every point is a dot: few points make no curve.
const DOTS: usize = 30;

/// Up to so many points, every point tells its value on hover.
const HOVERS: usize = 120;

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Plain numbers.
    #[default]
    Number,
    /// Shares from 0 to 1, written as percentages.
    Percent,
    /// Whole numbers, e.g. of epochs.
    Count,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What it measures.
    pub label: String,
    /// What its numbers are.
    pub unit: Unit,
    /// First and last value; taken from the data where it is `None`.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// An axis that takes its range from the data.
    pub fn new(label: &str, unit: Unit) -> Self {
        Self { label: label.to_owned(), unit, range: None }
    }
}

/// A line. A point that is not finite leaves a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// (x, y), x ascending.
    pub points: Vec<(f64, f64)>,
    /// Band around it: (x, low, high), x ascending; empty for none. A mean ± std, for example. An edge
    /// that is not finite leaves a gap.
    pub band: Vec<(f64, f64, f64)>,
}

/// A place on the x axis that something happened at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mark {
    /// Where.
    pub x: f64,
    /// What, on hover.
    pub message: String,
}

/// A stretch of the x axis that has a name: a stage of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Zone {
    /// Its ends.
    pub ends: (f64, f64),
    /// What it is called.
    pub name: String,
}

/// Everything that a chart shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// What it shows, in a few words.
    pub title: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// Lines; the first has the first colour.
    pub series: Vec<Series>,
    /// Alarms.
    pub marks: Vec<Mark>,
    /// Stretches of the x axis, from left to right.
    pub zones: Vec<Zone>,
}

/// Draws a chart. One without any point has its axes and says that there is nothing yet.
pub fn draw(chart: &Chart) -> String {
    let style = colour::style(Palette::Lines);
    let names = legend(chart);
    let further = names.last().map_or(0.0, |name| name.place.1);
    let mut svg = Svg::new((SIZE.0, SIZE.1 + further), &chart.title, &chart.description, &style);
    let frame = Frame::new(chart);
    svg.text("sd-ink sd-large sd-strong", (16.0, 24.0), Anchor::Start, &chart.title);
    names.iter().for_each(|name| name.draw(&mut svg));
    if further > 0.0 {
        svg.open(&format!("transform=\"translate(0 {})\"", number(further)));
    }
    for (index, zone) in chart.zones.iter().enumerate() {
        frame.zone(&mut svg, index, zone);
    }
    frame.axes(&mut svg);
    for mark in chart.marks.iter().filter(|mark| mark.x.is_finite()) {
        frame.mark(&mut svg, mark);
    }
    for (index, series) in chart.series.iter().enumerate() {
        svg.open(&format!("class=\"{}\"", colour::line(index)));
        frame.band(&mut svg, &series.band);
        frame.line(&mut svg, series, colour::dashes(index));
        svg.close();
    }
    if !frame.has_data {
        let middle = (PLOT.x + PLOT.width / 2.0, PLOT.y + PLOT.height / 2.0);
        svg.text("sd-muted", middle, Anchor::Middle, "nothing to show yet");
    }
    if further > 0.0 {
        svg.close();
    }
    svg.finish()
}

/// Height of a row of the legend.
const LEGEND_ROW: f64 = 18.0;

/// The name of a line in the legend.
struct Name {
    /// Index of the line.
    line: usize,
    text: String,
    /// Its left end, and how far its row lies below the first one.
    place: (f64, f64),
}

impl Name {
    fn draw(&self, svg: &mut Svg) {
        let ((x, y), colour) = (self.place, colour::line(self.line));
        match colour::dashes(self.line) {
            "" => {
                let swatch = Rect { x, y: 38.0 + y, width: 16.0, height: 4.0 };
                svg.rect(&format!("sd-fill {colour}"), swatch, 2.0, "");
            }
            dashes => {
                let path = format!("M{}h16", point((x, 40.0 + y)));
                let look = format!("stroke-width=\"4\" stroke-dasharray=\"{dashes}\"");
                svg.path(&format!("sd-stroke {colour}"), &path, &look);
            }
        }
        svg.text("sd-ink", (x + 22.0, 44.0 + y), Anchor::Start, &self.text);
    }
}

/// The names of the lines, where there is more than one, in rows under the title. A line without points
/// has none, unless no line has any.
fn legend(chart: &Chart) -> Vec<Name> {
    let (mut x, mut y) = (16.0, 0.0);
    let place = |(line, series): (usize, &Series)| {
        let text = shorten(&series.name, 66);
        // Widths of text are unknown here; 6.8 px is a wide average of the usual fonts at 12 px.
        let width = 22.0 + 6.8 * text.chars().count() as f64;
        if x > 16.0 && x + width > SIZE.0 {
            (x, y) = (16.0, y + LEGEND_ROW);
        }
        let place = (x, y);
        x += width + 18.0;
        Name { line, text, place }
    };
    let (several, lines) = (chart.series.len() > 1, || chart.series.iter().enumerate());
    let is_drawn = |(_, series): &(usize, &Series)| series.points.iter().any(|it| finite(&it));
    let none = lines().filter(is_drawn).count() == 0;
    lines().filter(|line| several && (none || is_drawn(line))).map(place).collect()
}

/// The two scales, and what is drawn on them.
struct Frame<'a> {
    chart: &'a Chart,
    x: Scale,
    y: Scale,
    has_data: bool,
}

impl<'a> Frame<'a> {
    fn new(chart: &'a Chart) -> Self {
        let points = || chart.series.iter().flat_map(|series| &series.points).filter(finite);
        let bands = || chart.series.iter().flat_map(|series| &series.band);
        let xs = points().map(|point| point.0).chain(bands().map(|band| band.0));
        let ys = points().map(|point| point.1).chain(bands().flat_map(|band| [band.1, band.2]));
        Self {
            chart,
            x: Scale::new(&chart.x, xs, 10),
            y: Scale::new(&chart.y, ys, 5),
            has_data: points().next().is_some(),
        }
    }

    /// Place in the picture.
    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (PLOT.x + PLOT.width * self.x.place(x), PLOT.y + PLOT.height * (1.0 - self.y.place(y)))
    }

    fn axes(&self, svg: &mut Svg) {
        let (right, bottom) = (PLOT.x + PLOT.width, PLOT.y + PLOT.height);
        for &tick in &self.y.ticks {
            let y = self.at((self.x.low, tick)).1;
            svg.line("sd-rule", (PLOT.x, y), (right, y));
            svg.text("sd-muted", (PLOT.x - 8.0, y + 4.0), Anchor::End, &self.y.label(tick));
        }
        svg.line("sd-axis", (PLOT.x, bottom), (right, bottom));
        for &tick in &self.x.ticks {
            let x = self.at((tick, self.y.low)).0;
            svg.line("sd-axis", (x, bottom), (x, bottom + 5.0));
            svg.text("sd-muted", (x, bottom + 20.0), Anchor::Middle, &self.x.label(tick));
        }
        let middle = PLOT.x + PLOT.width / 2.0;
        svg.text("sd-muted", (middle, bottom + 40.0), Anchor::Middle, &self.chart.x.label);
        svg.text("sd-muted", (right, PLOT.y - 10.0), Anchor::End, &self.chart.y.label);
    }

    /// A band over the whole height, every second one shaded, with its name at the top.
    fn zone(&self, svg: &mut Svg, index: usize, zone: &Zone) {
        let inside = |x: f64| x.clamp(self.x.low, self.x.high);
        let ends = [zone.ends.0, zone.ends.1].map(|x| self.at((inside(x), self.y.low)).0);
        let width = ends[1] - ends[0];
        if width <= 0.0 {
            return;
        }
        let opacity = if index.is_multiple_of(2) { 0.07 } else { 0.0 };
        let path = format!(
            "M{}h{}v{}h-{}z",
            point((ends[0], PLOT.y)),
            number(width),
            number(PLOT.height),
            number(width)
        );
        svg.path("sd-ink", &path, &format!("fill-opacity=\"{opacity}\""));
        // A letter is about 5.5 px wide.
        let name = shorten(&zone.name, (width / 5.5) as usize);
        svg.text("sd-muted sd-small", (ends[0] + 4.0, PLOT.y + 11.0), Anchor::Start, &name);
    }

    fn mark(&self, svg: &mut Svg, mark: &Mark) {
        let x = self.at((mark.x, self.y.low)).0;
        svg.open("class=\"sd-mark\"");
        svg.title(&mark.message);
        svg.path(
            "sd-alarm-line",
            &format!("M{}V{}", point((x, PLOT.y)), number(PLOT.y + PLOT.height)),
            "stroke-dasharray=\"2 3\"",
        );
        let tip = point((x, PLOT.y + 4.0));
        svg.path("sd-alarm", &format!("M{tip}l-5 -9h10z"), "");
        svg.close();
    }

    fn band(&self, svg: &mut Svg, band: &[(f64, f64, f64)]) {
        let gap =
            |&(x, low, high): &(f64, f64, f64)| ![x, low, high].iter().all(|it| it.is_finite());
        for stretch in band.split(gap).filter(|stretch| !stretch.is_empty()) {
            let there = stretch.iter().map(|&(x, _, high)| point(self.at((x, high))));
            let back = stretch.iter().rev().map(|&(x, low, _)| point(self.at((x, low))));
            let outline: Vec<String> = there.chain(back).collect();
            match stretch.len() {
                // An area without a width would not be seen.
                1 => {
                    svg.path("sd-stroke", &format!("M{}", outline.join("L")), "stroke-width=\"1\"")
                }
                _ => svg.path("sd-band", &format!("M{}Z", outline.join("L")), ""),
            }
        }
    }

    fn line(&self, svg: &mut Svg, series: &Series, dashes: &str) {
        let stretches: Vec<&[(f64, f64)]> = series
            .points
            .split(|point| !finite(&point))
            .filter(|stretch| !stretch.is_empty())
            .collect();
        let data: String = stretches
            .iter()
            .filter(|stretch| stretch.len() > 1)
            .map(|stretch| {
                let points: Vec<String> =
                    stretch.iter().map(|&place| point(self.at(place))).collect();
                format!("M{}", points.join("L"))
            })
            .collect();
        if !data.is_empty() {
            let dashes = match dashes {
                "" => String::new(),
                dashes => format!(" stroke-dasharray=\"{dashes}\""),
            };
            svg.path("sd-stroke", &data, &format!("stroke-width=\"2\"{dashes}"));
        }
        let few = series.points.len() <= DOTS;
        for stretch in stretches {
            for &place in stretch {
                self.dot(svg, series, place, few || stretch.len() == 1);
            }
        }
    }

    /// A dot where it must be seen, or one that only shows when the pointer comes near.
    fn dot(&self, svg: &mut Svg, series: &Series, place: (f64, f64), visible: bool) {
        if !visible && series.points.len() > HOVERS {
            return;
        }
        let title = format!(
            "{}: {} at {} {}",
            series.name,
            exact(place.1, self.chart.y.unit),
            self.chart.x.label,
            exact(place.0, self.chart.x.unit),
        );
        let (class, radius) = if visible { ("sd-fill", 3.0) } else { ("sd-fill sd-hover", 4.0) };
        svg.circle(class, self.at(place), radius, &title);
    }
}

fn finite(point: &&(f64, f64)) -> bool {
    point.0.is_finite() && point.1.is_finite()
}
