//! The colours of all pictures: operations, lines of charts, and the scale from 0 to 1.
//!
//! A picture names colours by class. `style` gives the classes their values for the light
//! scheme, and for the dark one where the reader prefers it; paper is light.

use std::fmt::Write as _;

/// How one operation looks in every picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Name of the operation.
    pub operation: &'static str,
    /// Its class.
    pub class: &'static str,
    /// Colour in the light scheme.
    pub light: &'static str,
    /// Colour in the dark scheme.
    pub dark: &'static str,
    /// Whether it is parameter-free; its lines are dashed then, so that colour is not all.
    pub dashed: bool,
}

const fn look(
    operation: &'static str,
    class: &'static str,
    light: &'static str,
    dark: &'static str,
    dashed: bool,
) -> Look {
    Look { operation, class, light, dark, dashed }
}

/// Every operation of [`crate::ops`]: separable and plain convolutions blue, dilated ones green, pooling
/// orange, the skip connection (whose excess is a collapse) red.
pub const OPERATIONS: &[Look] = &[
    look("none", "sd-none", "#7d8590", "#8b949e", true),
    look("max_pool_3x3", "sd-mp3", "#c2610c", "#f0883e", true),
    look("avg_pool_3x3", "sd-ap3", "#8f6a00", "#e3b341", true),
    look("skip_connect", "sd-skip", "#cf222e", "#ff7b72", true),
    look("sep_conv_3x3", "sd-s3", "#0550ae", "#58a6ff", false),
    look("sep_conv_5x5", "sd-s5", "#2188c9", "#79d1ff", false),
    look("sep_conv_7x7", "sd-s7", "#6e5bd0", "#b3a6ff", false),
    look("dil_conv_3x3", "sd-d3", "#0b6e4f", "#3fb950", false),
    look("dil_conv_5x5", "sd-d5", "#4c8c2b", "#a5d66f", false),
    look("conv_7x1_1x7", "sd-c7", "#7b3fa0", "#d2a8ff", false),
    look("nor_conv_1x1", "sd-n1", "#1f7a8c", "#56d4dd", false),
    look("nor_conv_3x3", "sd-n3", "#3a4fb0", "#8fa8ff", false),
    look("maxpool3x3", "sd-m3", "#b35900", "#ffa657", true),
    look("conv3x3-bn-relu", "sd-b3", "#0a53be", "#6cb6ff", false),
    look("conv1x1-bn-relu", "sd-b1", "#117a65", "#57d9b5", false),
    look("noise", "sd-noise", "#a8357a", "#f778ba", true),
];

/// Every activation of [`crate::ops::Activation`] but none. All are parameter-free: lines are whole.
pub const ACTIVATIONS: &[Look] = &[
    look("tanh", "sd-tanh", "#0550ae", "#58a6ff", false),
    look("relu", "sd-relu", "#c2610c", "#f0883e", false),
    look("sigmoid", "sd-sigmoid", "#0b6e4f", "#3fb950", false),
    look("identity", "sd-identity", "#7b3fa0", "#d2a8ff", false),
];

/// The look of an operation that is not in the tables.
const OTHER: Look = look("", "sd-other", "#57606a", "#aab4be", false);

/// How an operation looks.
pub fn of(operation: &str) -> Look {
    let mut looks = OPERATIONS.iter().chain(ACTIVATIONS);
    *looks.find(|look| look.operation == operation).unwrap_or(&OTHER)
}

/// Colours of the lines of a chart (light, dark); the next line takes the next colour. All differ
/// in lightness too, for readers who do not see all hues.
const LINES: [(&str, &str); 6] = [
    ("#0550ae", "#58a6ff"),
    ("#c2610c", "#f0b072"),
    ("#0b6e4f", "#56d39b"),
    ("#8250df", "#c8a7ff"),
    ("#cf222e", "#ff7b72"),
    ("#57606a", "#b1bac4"),
];

/// Class of the line with this index.
pub(super) fn line(index: usize) -> String {
    format!("sd-line{}", index % LINES.len())
}

/// How the line with this index is dashed: not at all, until the colours begin again.
pub(super) fn dashes(index: usize) -> &'static str {
    match index / LINES.len() {
        0 => "",
        1 => "7 3",
        _ => "2 3",
    }
}

/// Steps of the scale from 0 to 1; neighbours are just told apart.
pub(super) const LEVELS: usize = 32;

/// Class of the step of the scale that a share from 0 to 1 falls on.
pub(super) fn level(share: f64) -> String {
    let step = (share.clamp(0.0, 1.0) * (LEVELS - 1) as f64).round();
    format!("sd-h{}", step as usize)
}

/// Which classes a picture needs besides those of text and axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Operations,
    Activations,
    Lines,
    Scale,
}

/// The style sheet of a picture.
pub(super) fn style(palette: Palette) -> String {
    let mut light = String::from(
        ".sd-page{fill:#ffffff}.sd-ink{fill:#1f2328}.sd-muted{fill:#59636e}\
         .sd-alarm{fill:#cf222e}.sd-alarm-line{stroke:#cf222e}.sd-rule{stroke:#d1d9e0}\
         .sd-axis{stroke:#818b98}.sd-box{fill:#f6f8fa;stroke:#818b98}.sd-casing{stroke:#ffffff}\
         .sd-pill{fill:#ffffff}",
    );
    let mut dark = String::from(
        ".sd-page{fill:#0d1117}.sd-ink{fill:#e6edf3}.sd-muted{fill:#9da7b1}\
         .sd-alarm{fill:#ff7b72}.sd-alarm-line{stroke:#ff7b72}.sd-rule{stroke:#2d333b}\
         .sd-axis{stroke:#6e7681}.sd-box{fill:#1b222b;stroke:#8b949e}.sd-casing{stroke:#0d1117}\
         .sd-pill{fill:#0d1117}",
    );
    for (class, (in_light, in_dark)) in classes(palette) {
        let _ = write!(light, ".{class}{{color:{in_light}}}");
        let _ = write!(dark, ".{class}{{color:{in_dark}}}");
    }
    format!("{BASE}{light}@media screen and (prefers-color-scheme:dark){{{dark}}}")
}

/// What does not depend on the scheme. Coloured things take `currentColor` of their class.
const BASE: &str = "\
    .sd-text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\
    .sd-small{font-size:10px}.sd-large{font-size:15px}.sd-strong{font-weight:600}\
    .sd-rule,.sd-axis,.sd-alarm-line{fill:none;stroke-width:1}\
    .sd-stroke,.sd-casing{fill:none;stroke-linecap:round;stroke-linejoin:round}\
    .sd-stroke,.sd-outline{stroke:currentColor}.sd-fill{fill:currentColor}\
    .sd-band{fill:currentColor;fill-opacity:.2}.sd-hover,.sd-ghost{fill-opacity:0}\
    .sd-hover:hover{fill-opacity:1}.sd-ghost:hover{fill-opacity:.25}";

type Schemes = (String, String);

fn classes(palette: Palette) -> Vec<(String, Schemes)> {
    let owned = |(light, dark): (&str, &str)| (light.to_owned(), dark.to_owned());
    let looks = |looks: &[Look]| {
        let all = looks.iter().chain([&OTHER]);
        all.map(|look| (look.class.to_owned(), owned((look.light, look.dark)))).collect()
    };
    match palette {
        Palette::Operations => looks(OPERATIONS),
        // With none, the first of the operations.
        Palette::Activations => looks(&[&OPERATIONS[..1], ACTIVATIONS].concat()),
        Palette::Lines => {
            LINES.iter().enumerate().map(|(index, &pair)| (line(index), owned(pair))).collect()
        }
        Palette::Scale => (0..LEVELS)
            .map(|step| {
                let share = step as f64 / (LEVELS - 1) as f64;
                (level(share), (scale(&LIGHT, share), scale(&DARK, share)))
            })
            .collect(),
    }
}

/// A colour in OKLab: lightness 0 to 1, and two axes of hue.
type Lab = [f64; 3];

/// From nearly the background to the strongest colour. Lightness falls (in the dark scheme: rises)
/// evenly, which is what the eye reads; the hue turns to help it.
const LIGHT: [Lab; 3] = [[0.965, -0.005, -0.008], [0.66, -0.06, -0.085], [0.30, 0.03, -0.12]];
const DARK: [Lab; 3] = [[0.23, 0.0, -0.02], [0.585, -0.085, -0.035], [0.95, -0.04, 0.11]];

/// The colour at a share of the way through three evenly spaced colours, as `#rrggbb`.
fn scale(stops: &[Lab; 3], share: f64) -> String {
    let (first, second, along) = match share {
        share if share < 0.5 => (stops[0], stops[1], 2.0 * share),
        share => (stops[1], stops[2], 2.0 * share - 1.0),
    };
    let mix = |index: usize| first[index] + along * (second[index] - first[index]);
    hex([mix(0), mix(1), mix(2)])
}

/// OKLab to sRGB (Ottosson 2020). The crate oklab has a licence that deny.toml does not allow.
fn hex([lightness, a, b]: Lab) -> String {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let red = 4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s;
    let green = -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s;
    let blue = -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s;
    let byte = |linear: f64| {
        let linear = linear.clamp(0.0, 1.0);
        let value = match linear {
            linear if linear <= 0.003_130_8 => 12.92 * linear,
            linear => 1.055 * linear.powf(1.0 / 2.4) - 0.055,
        };
        (255.0 * value).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", byte(red), byte(green), byte(blue))
}
