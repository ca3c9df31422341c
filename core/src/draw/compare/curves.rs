//! What runs measured in their course, as one chart for each figure: a line for every group, its mean over
//! the seeds. Searches in several spaces have a chart for each space, as Figures 3 to 5 of the paper do.

use super::{Group, Run, Spread};
use crate::draw::chart::{self, Axis, Chart, Series, Unit};
use crate::draw::csv;
use crate::draw::figures::{self, Compare, Curve, Figure, Picture};
use crate::draw::table::Table;

/// What the runs measured of one figure, and its chart.
pub struct Curves {
    /// The figure.
    pub figure: &'static Figure,
    /// The space whose searches these are; empty where all runs search one, or train.
    pub space: String,
    /// The picture. A group that measured nothing has a line without points, so that the others have
    /// the colours that they have in every chart.
    pub chart: Chart,
    /// Of every line and every point how many runs it is the mean of.
    pub counts: Vec<Vec<usize>>,
}

impl Picture for Curves {
    fn part(&self) -> &str {
        &self.space
    }

    fn caption(&self) -> String {
        self.chart.description.clone()
    }

    fn svg(&self) -> String {
        chart::draw(&self.chart)
    }

    fn csv(&self) -> String {
        csv::means(&self.chart, &self.counts)
    }

    fn table(&self) -> Option<Table> {
        Some(Table::of_chart(&self.chart))
    }
}

/// One chart for each thing that the runs measured, a line for every group; by name.
pub fn charts(groups: &[Group], runs: &[Run]) -> Vec<Curves> {
    let of = |group: &Group| searched(group, runs);
    let mut spaces: Vec<&str> = Vec::new();
    for group in groups {
        if !spaces.contains(&of(group)) {
            spaces.push(of(group));
        }
    }
    let several = spaces.iter().filter(|space| !space.is_empty()).count() > 1;
    let mut charts = Vec::new();
    for figure in figures::ALL {
        let Some(Compare::Curve(curve)) = figure.compare else { continue };
        for &space in &spaces {
            let members = groups.iter().filter(|group| of(group) == space);
            let lines = members.map(|group| line(group, runs, &curve));
            let (series, counts): (Vec<Series>, Vec<Vec<usize>>) = lines.unzip();
            if counts.iter().all(Vec::is_empty) {
                continue;
            }
            let space = if several { space } else { "" };
            let chart = chart(&curve, space, series);
            charts.push(Curves { figure, space: space.to_owned(), chart, counts });
        }
    }
    charts.sort_by_key(|curves| curves.figure.name);
    charts
}

/// The space that a group searches; empty of a training.
fn searched<'a>(group: &Group, runs: &'a [Run]) -> &'a str {
    let run = group.runs.first().map(|&run| &runs[run]);
    let search = run.filter(|run| run.history.training.is_none()).and_then(Run::config);
    search.map_or("", |config| &config.search.space)
}

fn chart(curve: &Curve, space: &str, series: Vec<Series>) -> Chart {
    let Curve { title, label, unit, .. } = *curve;
    let place = if space.is_empty() { String::new() } else { format!(", space {space}") };
    let without = series.iter().filter(|series| !series.points.iter().any(|it| is_known(&it)));
    let without: Vec<&str> = without.map(|series| series.name.as_str()).collect();
    let without = match without.as_slice() {
        [] => String::new(),
        names => format!(" Nothing is known of: {}.", names.join(", ")),
    };
    Chart {
        title: format!("{title}{place}"),
        description: format!(
            "{title}{place}, epoch by epoch: the mean over the seeds of a group, and one standard \
             deviation (n − 1) around it where there are two or more. Where some runs of a group \
             ended earlier or say nothing, the mean is over the others; the data has their number. \
             Where none says anything, there is a gap.{without}"
        ),
        x: Axis::new("epochs trained", Unit::Count),
        y: Axis::new(label, unit),
        series,
        marks: Vec::new(),
        zones: Vec::new(),
    }
}

/// The line of a group, and of how many runs each of its points is the mean.
fn line(group: &Group, runs: &[Run], curve: &Curve) -> (Series, Vec<usize>) {
    let curves = group.runs.iter().map(|&run| (curve.points)(&runs[run].history));
    let points: Vec<(f64, f64)> = curves.flatten().collect();
    let mut places: Vec<f64> = points.iter().map(|point| point.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mut series = Series { name: group.name.clone(), ..Series::default() };
    let mut counts = Vec::new();
    for x in places {
        let here = points.iter().filter(|point| point.0 == x && is_known(point));
        let values: Vec<f64> = here.map(|point| point.1).collect();
        let spread = Spread::of(&values);
        let mean = spread.map_or(f64::NAN, |spread| spread.mean);
        series.points.push((x, mean));
        counts.push(values.len());
        if group.runs.len() > 1 {
            // No deviation of one value: the band has a gap there.
            let deviation = spread.and_then(|it| it.deviation).unwrap_or(f64::NAN);
            series.band.push((x, mean - deviation, mean + deviation));
        }
    }
    (series, counts)
}

fn is_known(point: &&(f64, f64)) -> bool {
    point.1.is_finite()
}
