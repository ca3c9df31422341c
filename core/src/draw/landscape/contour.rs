//! From above: filled bands and the lines between them.
//!
//! Every square of the grid is cut into four triangles that meet in its middle, at the mean of its
//! corners. On a triangle the number is linear, so a level cuts it along one straight line and no
//! case is ambiguous. Bands are painted from below, each over all that is higher.
//!
//! (contour 0.13 takes a point without a number for low ground, and draws its lines along the border,
//! too; contour-isobands is under the AGPL.)

use std::fmt::Write as _;

use super::{Field, View};
use crate::draw::colour::{self, Palette};
use crate::draw::svg::{Anchor, Rect, Svg, number, point};

const SIZE: (f64, f64) = (560.0, 520.0);
const PLOT: Rect = Rect { x: 64.0, y: 82.0, width: 380.0, height: 380.0 };

/// A corner: place in the picture and number.
type Corner = ((f64, f64), f64);

/// Draws a landscape from above. Points without a number stay blank.
pub fn draw(view: View) -> String {
    let field = Field::new(view);
    let style = colour::style(Palette::Scale);
    let mut svg = Svg::new(SIZE, &field.title(), &field.about(), &style);
    field.head(&mut svg);
    for (band, &level) in field.scale.ticks.iter().enumerate().take(field.bands()) {
        let (area, line) = level_set(&field, level);
        let class = format!("sd-fill sd-outline {}", field.band_class(band));
        // The outline hides the seams between neighbours.
        svg.path(&class, &area, "stroke-width=\"0.6\"");
        if band > 0 && !line.is_empty() {
            svg.path("sd-stroke sd-casing", &line, "stroke-width=\"0.8\" stroke-opacity=\"0.75\"");
        }
    }
    axes(&field, &mut svg);
    field.legend(&mut svg, (PLOT.x + PLOT.width + 24.0, PLOT.y), PLOT.height);
    svg.finish()
}

/// Where a grid point is drawn; y goes up.
fn place(field: &Field, column: usize, row: usize) -> (f64, f64) {
    let (x, y) = (field.along(column), field.along(row));
    (PLOT.x + PLOT.width * 0.5 * (1.0 + x), PLOT.y + PLOT.height * 0.5 * (1.0 - y))
}

/// The area of at least `level` and its border line, as path data.
fn level_set(field: &Field, level: f64) -> (String, String) {
    let (mut area, mut line) = (String::new(), String::new());
    for row in 0..field.size.saturating_sub(1) {
        let mut full = None; // first column of a stretch of squares that lie wholly above
        for column in 0..field.size {
            let square = if column + 1 < field.size { square(field, column, row) } else { None };
            let above = square.is_some_and(|corners| corners.iter().all(|(_, v)| *v >= level));
            match (full, above) {
                (None, true) => full = Some(column),
                (Some(first), false) => {
                    stretch(&mut area, place(field, first, row), place(field, column, row + 1));
                    full = None;
                }
                _ => {}
            }
            if let Some(corners) = square.filter(|_| !above) {
                cut_square(corners, level, &mut area, &mut line);
            }
        }
    }
    (area, line)
}

fn square(field: &Field, column: usize, row: usize) -> Option<[Corner; 4]> {
    let corner = |column, row| Some((place(field, column, row), field.value(column, row)?));
    Some([
        corner(column, row)?,
        corner(column + 1, row)?,
        corner(column + 1, row + 1)?,
        corner(column, row + 1)?,
    ])
}

fn stretch(area: &mut String, (left, bottom): (f64, f64), (right, top): (f64, f64)) {
    let _ = write!(
        area,
        "M{}H{}V{}H{}Z",
        point((left, bottom)),
        number(right),
        number(top),
        number(left)
    );
}

fn cut_square(corners: [Corner; 4], level: f64, area: &mut String, line: &mut String) {
    let mean = |of: fn(&Corner) -> f64| corners.iter().map(of).sum::<f64>() / 4.0;
    let middle = ((mean(|c| c.0.0), mean(|c| c.0.1)), mean(|c| c.1));
    for index in 0..4 {
        cut_triangle([corners[index], corners[(index + 1) % 4], middle], level, area, line);
    }
}

/// Adds the part of a triangle that lies above, and the line that cuts it off.
fn cut_triangle(triangle: [Corner; 3], level: f64, area: &mut String, line: &mut String) {
    let (mut outline, mut cut) = (Vec::new(), Vec::new());
    for index in 0..3 {
        let (from, to) = (triangle[index], triangle[(index + 1) % 3]);
        if from.1 >= level {
            outline.push(point(from.0));
        }
        if (from.1 >= level) != (to.1 >= level) {
            let along = (level - from.1) / (to.1 - from.1);
            let mix = |from: f64, to: f64| from + along * (to - from);
            let crossing = point((mix(from.0.0, to.0.0), mix(from.0.1, to.0.1)));
            outline.push(crossing.clone());
            cut.push(crossing);
        }
    }
    if outline.len() > 2 {
        let _ = write!(area, "M{}Z", outline.join("L"));
    }
    if let [first, second] = &cut[..]
        && first != second
    {
        let _ = write!(line, "M{first}L{second}");
    }
}

fn axes(field: &Field, svg: &mut Svg) {
    let (right, bottom) = (PLOT.x + PLOT.width, PLOT.y + PLOT.height);
    let frame = format!(
        "M{}H{}V{}H{}Z",
        point((PLOT.x, PLOT.y)),
        number(right),
        number(bottom),
        number(PLOT.x)
    );
    svg.path("sd-axis", &frame, "");
    let reach = field.view.frame.reach;
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let label = number(reach * (2.0 * share - 1.0));
        let (x, y) = (PLOT.x + share * PLOT.width, bottom - share * PLOT.height);
        svg.line("sd-axis", (x, bottom), (x, bottom + 5.0));
        svg.text("sd-muted", (x, bottom + 19.0), Anchor::Middle, &label);
        svg.line("sd-axis", (PLOT.x - 5.0, y), (PLOT.x, y));
        svg.text("sd-muted", (PLOT.x - 9.0, y + 4.0), Anchor::End, &label);
    }
    let (x, y) = (PLOT.x + PLOT.width / 2.0, PLOT.y + PLOT.height / 2.0);
    svg.text(
        "sd-muted",
        (x, bottom + 40.0),
        Anchor::Middle,
        "x, along the gradient (the loss rises)",
    );
    svg.open(&format!("transform=\"rotate(-90 18 {0}) translate(18 {0})\"", number(y)));
    svg.text("sd-muted", (0.0, 0.0), Anchor::Middle, "y, along a random direction");
    svg.close();
    svg.open("class=\"sd-mark\"");
    svg.title("the architecture itself");
    svg.circle("sd-page", (x, y), 5.5, "");
    svg.circle("sd-alarm", (x, y), 3.5, "");
    svg.close();
}
