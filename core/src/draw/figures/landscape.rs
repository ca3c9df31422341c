//! The landscape around the architecture, from above and from the side.

use super::picture::{Picture, Pictures, Scene};
use crate::draw::csv;
use crate::draw::landscape::{View, about, contour, surface};

/// Both pictures, where a landscape was measured.
pub(super) fn pictures(scene: Scene) -> Pictures {
    let Some(view) = scene.landscape else { return Vec::new() };
    vec![
        Box::new(Landscape { view, part: "contour", draw: contour }),
        Box::new(Landscape { view, part: "surface", draw: surface }),
    ]
}

struct Landscape<'a> {
    view: View<'a>,
    part: &'static str,
    draw: fn(View) -> String,
}

impl Picture for Landscape<'_> {
    fn part(&self) -> &str {
        self.part
    }

    fn numbers(&self) -> &str {
        ""
    }

    fn caption(&self) -> String {
        about(self.view)
    }

    fn svg(&self) -> String {
        (self.draw)(self.view)
    }

    fn csv(&self) -> String {
        csv::landscape(self.view.landscape)
    }
}
