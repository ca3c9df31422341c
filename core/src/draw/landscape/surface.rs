//! From the side: a mesh over the plane of x and y, painted from the back to the front.

use super::{Field, View};
use crate::draw::colour::{self, Palette};
use crate::draw::svg::{Anchor, Svg, number, point};

const SIZE: (f64, f64) = (640.0, 506.0);
/// Middle of the floor.
const MIDDLE: (f64, f64) = (300.0, 358.0);
/// Half a side of the floor, in pixels before it is turned.
const HALF: f64 = 172.0;
const HEIGHT: f64 = 170.0;
/// Sine and cosine of the turn of the floor (30°), and how much of its depth is seen (sin 28°).
const TURN: (f64, f64) = (0.5, 0.866_025_4);
const TILT: f64 = 0.47;

/// A point of the box: along x and y from -1 to 1, height from 0 to 1.
type Place = (f64, f64, f64);

/// Draws a landscape from the side. Squares with a point without a number are left out.
pub fn draw(view: View) -> String {
    let field = Field::new(view);
    let style = colour::style(Palette::Scale);
    let mut svg = Svg::new(SIZE, &field.title(), &field.about(), &style);
    field.head(&mut svg);
    walls(&field, &mut svg);
    mesh(&field, &mut svg);
    labels(&field, &mut svg);
    field.legend(&mut svg, (SIZE.0 - 74.0, 146.0), 250.0);
    svg.finish()
}

/// Where a point of the box stands in the picture. The corner (1, -1) is the nearest.
fn project((x, y, height): Place) -> (f64, f64) {
    let across = x * TURN.1 + y * TURN.0;
    (MIDDLE.0 + HALF * across, MIDDLE.1 + HALF * TILT * depth((x, y)) - HEIGHT * height)
}

/// How near a point of the floor is.
fn depth((x, y): (f64, f64)) -> f64 {
    x * TURN.0 - y * TURN.1
}

fn polyline(places: &[Place]) -> String {
    let points: Vec<String> = places.iter().map(|&place| point(project(place))).collect();
    format!("M{}", points.join("L"))
}

/// The floor, and on the two far walls a line for every number of the scale.
fn walls(field: &Field, svg: &mut Svg) {
    for &tick in &field.scale.ticks {
        let height = field.scale.place(tick);
        svg.path(
            "sd-rule",
            &polyline(&[(-1.0, -1.0, height), (-1.0, 1.0, height), (1.0, 1.0, height)]),
            "",
        );
        let (x, y) = project((-1.0, -1.0, height));
        svg.text("sd-muted", (x - 8.0, y + 4.0), Anchor::End, &field.scale.label(tick));
    }
    for (x, y) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)] {
        svg.path("sd-axis", &polyline(&[(x, y, 0.0), (x, y, 1.0)]), "");
    }
    let floor = polyline(&[(-1.0, -1.0, 0.0), (1.0, -1.0, 0.0), (1.0, 1.0, 0.0), (-1.0, 1.0, 0.0)]);
    svg.path("sd-axis", &format!("{floor}Z"), "");
}

fn mesh(field: &Field, svg: &mut Svg) {
    let cells = field.size.saturating_sub(1);
    let mut squares: Vec<(usize, usize)> =
        (0..cells).flat_map(|row| (0..cells).map(move |column| (column, row))).collect();
    let floor = |index: usize| field.along(index);
    squares.sort_by(|&(c1, r1), &(c2, r2)| {
        depth((floor(c1), floor(r1))).total_cmp(&depth((floor(c2), floor(r2))))
    });
    for (column, row) in squares {
        let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
        let values: Option<Vec<f64>> =
            corners.iter().map(|&(column, row)| field.value(column, row)).collect();
        let Some(values) = values else { continue };
        let place = |(&(column, row), &value): (&(usize, usize), &f64)| {
            (floor(column), floor(row), field.scale.place(value))
        };
        let places: Vec<Place> = corners.iter().zip(&values).map(place).collect();
        let band = field.band(values.iter().sum::<f64>() / 4.0);
        let class = format!("sd-casing sd-fill {}", field.band_class(band));
        svg.path(&class, &format!("{}Z", polyline(&places)), "stroke-width=\"0.5\"");
    }
}

/// Names and ends of the two axes, along the near edges of the floor.
fn labels(field: &Field, svg: &mut Svg) {
    let reach = field.view.frame.reach;
    for (share, anchor) in [(-1.0, Anchor::End), (0.0, Anchor::End), (1.0, Anchor::End)] {
        let (x, y) = project((share, -1.0, 0.0));
        svg.line("sd-axis", (x, y), (x - 3.0, y + 5.0));
        svg.text("sd-muted", (x - 5.0, y + 17.0), anchor, &number(reach * share));
    }
    for share in [0.0, 1.0] {
        let (x, y) = project((1.0, share, 0.0));
        svg.line("sd-axis", (x, y), (x + 5.0, y + 3.0));
        svg.text("sd-muted", (x + 8.0, y + 14.0), Anchor::Start, &number(reach * share));
    }
    let (x, y) = project((0.0, -1.0, 0.0));
    svg.text("sd-muted", (x - 30.0, y + 34.0), Anchor::Middle, "x, along the gradient");
    let (x, y) = project((1.0, 0.0, 0.0));
    svg.text("sd-muted", (x + 22.0, y + 34.0), Anchor::Start, "y, random direction");
}
