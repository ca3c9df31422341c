//! The pictures of the validation landscape that `sdarts landscape` leaves in a run directory.

use std::path::Path;

use super::figure::{Figure, Picture, data_uri};
use super::read::text;

/// The pictures, if there are any, and the numbers behind them.
#[derive(Clone, Debug, Default)]
pub struct Landscape {
    /// The files that are there, as SVG.
    pub pictures: Vec<String>,
    /// landscape.csv.
    pub numbers: String,
}

/// Reads the landscape of a run; one without pictures where there is none.
///
/// # Errors
/// If a file is there and cannot be read.
pub(crate) fn read(run: &Path) -> anyhow::Result<Landscape> {
    let mut landscape = Landscape::default();
    for name in ["landscape-contour.svg", "landscape-surface.svg"] {
        landscape.pictures.extend(text(&run.join(name))?);
    }
    landscape.numbers = text(&run.join("landscape.csv"))?.unwrap_or_default();
    Ok(landscape)
}

/// The figures of a landscape; `of` names the run where a page shows several.
pub(crate) fn figures(landscape: &Landscape, of: Option<&str>, command: &str) -> Vec<Figure> {
    let figure = |picture: &String| {
        let words = [element(picture, "title"), element(picture, "desc")].join(". ");
        let caption = of.map_or(words.clone(), |run| format!("{run}: {words}"));
        Figure {
            picture: Picture::Image { address: data_uri("image/svg+xml", picture), words },
            caption,
            file: "landscape.csv".to_owned(),
            data: data_uri("text/csv", &landscape.numbers),
            table: None,
            command: command.to_owned(),
        }
    };
    landscape.pictures.iter().map(figure).collect()
}

/// Text of the first element of this name in an SVG of ours.
fn element(svg: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = svg.split_once(&open).map_or("", |(_, after)| after);
    let inside = after.split_once(&close).map_or("", |(inside, _)| inside);
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let plain = entities.iter().fold(inside.to_owned(), |text, (from, to)| text.replace(from, to));
    plain.trim_end_matches('.').to_owned()
}
