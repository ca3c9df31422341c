//! SVG as text: the few elements that the pictures are made of, one on each line.
//!
//! (The crate svg 0.18 leaves quotes in attributes as they are, and what XML forbids in texts.)

use std::fmt::Write as _;

/// Text for the inside of an element or of a quoted attribute. Characters that XML forbids become
/// U+FFFD.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(character),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A coordinate: a hundredth of a pixel is enough, and the same on every machine.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Where text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that is being written. Classes are ours; texts may come from anywhere.
pub(super) struct Svg(String);

impl Svg {
    /// A picture of `size` (width, height) on its own background: a page of the other scheme may
    /// stand around it.
    pub(super) fn new(size: (f64, f64), title: &str, description: &str, style: &str) -> Self {
        let (width, height) = (number(size.0), number(size.1));
        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sd\" role=\"img\" \
             viewBox=\"0 0 {width} {height}\">\n"
        );
        let _ = writeln!(text, "<title>{}</title>", escape(title));
        let _ = writeln!(text, "<desc>{}</desc>", escape(description));
        let _ = writeln!(text, "<style>{style}</style>");
        let _ = writeln!(text, "<rect class=\"sd-page\" width=\"{width}\" height=\"{height}\"/>");
        Self(text)
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    /// Opens a group; `attributes` are written as they are.
    pub(super) fn open(&mut self, attributes: &str) {
        let _ = writeln!(self.0, "<g {attributes}>");
    }

    pub(super) fn close(&mut self) {
        self.0.push_str("</g>\n");
    }

    /// Text that shows when the pointer rests on the group that was just opened.
    pub(super) fn title(&mut self, text: &str) {
        let _ = writeln!(self.0, "<title>{}</title>", escape(text));
    }

    pub(super) fn text(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (number(at.0), number(at.1));
        let text = escape(text);
        let _ = writeln!(
            self.0,
            "<text class=\"sd-text {class}\" x=\"{x}\" y=\"{y}\"{anchor}>{text}</text>"
        );
    }

    /// A letter with an index, centred. Fonts often lack the small letters of Unicode.
    pub(super) fn indexed(&mut self, class: &str, at: (f64, f64), letter: &str, index: &str) {
        let (x, y) = (number(at.0), number(at.1));
        let (letter, index) = (escape(letter), escape(index));
        let _ = writeln!(
            self.0,
            "<text class=\"sd-text {class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">{letter}\
             <tspan class=\"sd-small\" dy=\"3\">{index}</tspan></text>"
        );
    }

    /// The label of a state around a point; `c_{k-2}` has its index below the line.
    pub(super) fn label(&mut self, class: &str, at: (f64, f64), label: &str) {
        match label.strip_suffix('}').and_then(|label| label.split_once("_{")) {
            Some((letter, index)) => self.indexed(class, at, letter, &index.replace('-', "−")),
            None => self.text(class, at, Anchor::Middle, label),
        }
    }

    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        self.path(class, &format!("M{}L{}", point(from), point(to)), "");
    }

    /// A path; `attributes` are written as they are.
    pub(super) fn path(&mut self, class: &str, data: &str, attributes: &str) {
        let space = if attributes.is_empty() { "" } else { " " };
        let _ = writeln!(self.0, "<path class=\"{class}\" d=\"{data}\"{space}{attributes}/>");
    }

    pub(super) fn circle(&mut self, class: &str, at: (f64, f64), radius: f64, title: &str) {
        let (x, y, radius) = (number(at.0), number(at.1), number(radius));
        let _ = write!(self.0, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"");
        self.end("circle", title);
    }

    /// A rectangle with the given corner radius; `title` shows on hover.
    pub(super) fn rect(&mut self, class: &str, place: Rect, radius: f64, title: &str) {
        let _ = write!(
            self.0,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
            number(place.x),
            number(place.y),
            number(place.width),
            number(place.height),
        );
        if radius > 0.0 {
            let _ = write!(self.0, " rx=\"{}\"", number(radius));
        }
        self.end("rect", title);
    }

    fn end(&mut self, element: &str, title: &str) {
        let _ = match title {
            "" => writeln!(self.0, "/>"),
            _ => writeln!(self.0, "><title>{}</title></{element}>", escape(title)),
        };
    }
}

/// A place in a picture, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A point of a path.
pub(super) fn point((x, y): (f64, f64)) -> String {
    format!("{} {}", number(x), number(y))
}

/// The label of a state in a line of text: `c(k−2)` of `c_{k-2}`.
pub(super) fn plain(label: &str) -> String {
    match label.strip_suffix('}').and_then(|label| label.split_once("_{")) {
        Some((letter, index)) => format!("{letter}({})", index.replace('-', "−")),
        None => label.to_owned(),
    }
}

/// A text with a capital letter.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(characters).collect()
}

/// A name that fits into `most` characters.
pub(super) fn shorten(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
