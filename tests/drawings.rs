//! Pictures: what they look like (snapshots), and the laws that hold for every one of them.

mod anytime;
mod catalogue;
mod cells;
mod compare;
mod landscapes;
mod path;
mod report;
mod stages;
pub mod story;
mod xml;

use std::collections::BTreeSet;

use smoothdarts::cell::codec::nb201;
use smoothdarts::draw::chart::{self, Axis, Chart, Mark, Series, Unit};
use smoothdarts::draw::heatmap::{self, Scale};
use smoothdarts::draw::history::History;
use smoothdarts::draw::{cell, colour, csv, figures};
use smoothdarts::event::Event;
use smoothdarts::ops;

/// A name that closes what it stands in and opens what it wants.
const HOSTILE: &str = "\"/></text></svg><script>alert(1)</script>&'\u{1}";

/// Every chart of a run.
fn charts(history: &History) -> Vec<Chart> {
    [
        figures::accuracy(history),
        figures::loss(history),
        figures::steps(history),
        figures::epsilon(history),
        figures::learning_rate(history),
        figures::parameter_free(history).unwrap(),
    ]
    .into_iter()
    .chain(figures::shape(history))
    .chain(figures::hessian(history))
    .chain(figures::anytime(history))
    .collect()
}

/// Every picture of a run.
fn pictures(history: &History) -> Vec<String> {
    let mut pictures: Vec<String> = charts(history).iter().map(chart::draw).collect();
    for (index, choice) in history.choices().iter().enumerate() {
        let scales = [Scale::One, Scale::Fitted];
        pictures
            .extend(scales.iter().filter_map(|&scale| heatmap::draw(history, &choice.name, scale)));
        if let Some(genotype) = history.genotype() {
            pictures.push(cell::draw(&genotype.cells[index], None));
            pictures.push(cell::draw(&genotype.cells[index], history.latest(index)));
        }
    }
    pictures
}

pub fn sound(picture: &str) -> Vec<xml::Element> {
    let elements = xml::elements(picture);
    let names: Vec<&str> = elements.iter().take(3).map(|element| element.name.as_str()).collect();
    assert_eq!(names, ["svg", "title", "desc"], "a picture says first what it shows");
    for element in &elements {
        for (name, value) in &element.attributes {
            let drawn = ["d", "x", "y", "cx", "cy", "r", "width", "height", "transform"];
            let broken = value.contains("NaN") || value.contains("inf");
            assert!(!broken || !drawn.contains(&name.as_str()), "{name}={value}");
        }
    }
    elements
}

#[test]
fn a_chart_looks_as_it_did() {
    let history = History::from_iter(story::events(6));
    insta::assert_snapshot!(
        "chart_parameter_free",
        chart::draw(&figures::parameter_free(&history).unwrap())
    );
    insta::assert_snapshot!("chart_shape", chart::draw(&figures::shape(&history).unwrap()));
    let line = |name: &str, height: f64| Series {
        name: name.to_owned(),
        points: (0..5).map(|x| (f64::from(x), height + 0.1 * f64::from(x * x))).collect(),
        band: (0..5)
            .map(|x| {
                (
                    f64::from(x),
                    height + 0.1 * f64::from(x * x) - 0.3,
                    height + 0.3 + 0.1 * f64::from(x * x),
                )
            })
            .collect(),
    };
    let bands = Chart {
        title: "Two means".to_owned(),
        description: "Mean ± standard deviation of two methods".to_owned(),
        x: Axis::new("epochs", Unit::Count),
        y: Axis::new("error", Unit::Number),
        series: vec![line("darts", 1.0), line("sdarts-adv", 0.5)],
        marks: Vec::new(),
        zones: Vec::new(),
    };
    insta::assert_snapshot!("chart_bands", chart::draw(&bands));
    insta::assert_snapshot!("chart_bands_csv", csv::chart(&bands));
}

#[test]
fn cells_without_width_and_depth_have_no_chart_of_them() {
    let mut history = History::from_iter(story::events(2));
    assert_eq!(figures::shape(&history).unwrap().series[1].points.len(), 2);
    let derived = nb201::decode(BENCH201_CELL).unwrap();
    history.epochs.iter_mut().for_each(|epoch| epoch.genotype = derived.clone());
    assert!(figures::shape(&history).is_none());
}

/// What a search of NAS-Bench-201 derives.
const BENCH201_CELL: &str =
    "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|nor_conv_1x1~1|avg_pool_3x3~2|";

#[test]
fn a_heatmap_looks_as_it_did() {
    let history = History::from_iter(story::events_with(4, &["skip_connect", "sep_conv_3x3"]));
    let picture = heatmap::draw(&history, "normal", Scale::One).unwrap();
    insta::assert_snapshot!("heatmap", picture);
}

#[test]
fn the_curves_of_a_run_look_as_they_did() {
    insta::assert_snapshot!("curves", csv::curves(&History::from_iter(story::events(3))));
}

#[test]
fn every_picture_of_a_run_of_any_length_is_well_formed() {
    for epochs in [0, 1, 2, 6, 50, 130] {
        let history = History::from_iter(story::events(epochs));
        let pictures = pictures(&history);
        assert_eq!(pictures.len(), if epochs == 0 { 10 } else { 15 });
        pictures.iter().for_each(|picture| drop(sound(picture)));
    }
}

#[test]
fn every_picture_of_a_stream_cut_off_anywhere_is_well_formed() {
    let events = story::events(2);
    for end in 0..=events.len() {
        let history = History::from_iter(events[..end].iter().cloned());
        pictures(&history).iter().for_each(|picture| drop(sound(picture)));
    }
}

#[test]
fn the_same_history_gives_the_same_pictures() {
    let draw = || pictures(&History::from_iter(story::events(6)));
    assert_eq!(draw(), draw());
}

#[test]
fn one_epoch_is_a_visible_point_on_every_chart() {
    let history = History::from_iter(story::events(1));
    for chart in charts(&history) {
        let elements = sound(&chart::draw(&chart));
        let dots: Vec<_> = elements.iter().filter(|element| element.name == "circle").collect();
        assert!(dots.len() >= chart.series.len(), "{}", chart.title);
        assert!(dots.iter().all(|dot| !dot.has_class("sd-hover")), "{}", chart.title);
    }
}

#[test]
fn no_epoch_is_a_chart_that_says_so() {
    let history = History::from_iter(story::events(0));
    let elements = sound(&chart::draw(&figures::accuracy(&history)));
    assert!(elements.iter().any(|element| element.text == "nothing to show yet"));
}

#[test]
fn a_point_that_is_not_finite_leaves_a_gap() {
    let points = [1.0, 2.0, f64::NAN, 3.0, f64::INFINITY, 5.0, 4.0];
    let points = (0..7).map(f64::from).zip(points).collect();
    let series = Series { name: "loss".to_owned(), points, band: Vec::new() };
    let chart = Chart { series: vec![series], ..Chart::default() };
    let elements = sound(&chart::draw(&chart));
    let line = elements.iter().find(|element| element.has_class("sd-stroke")).unwrap();
    assert_eq!(line.get("d").matches('M').count(), 2, "two stretches of more than one point");
    let dots = elements.iter().filter(|element| element.name == "circle").count();
    assert_eq!(dots, 5);
}

#[test]
fn every_tick_lies_inside_the_axes_and_has_a_label_of_its_own() {
    for (low, high) in
        [(0.0, 1e-5), (-3.0, 4.0), (0.12, 0.1300001), (1e6, 3e6), (7.0, 7.0), (0.0, 0.0)]
    {
        let series =
            Series { name: String::new(), points: vec![(0.0, low), (1.0, high)], band: Vec::new() };
        let picture = chart::draw(&Chart { series: vec![series], ..Chart::default() });
        let elements = sound(&picture);
        let labels: Vec<&xml::Element> =
            elements.iter().filter(|element| element.get("text-anchor") == "end").collect();
        let mut texts: Vec<&str> = labels.iter().map(|label| label.text.as_str()).collect();
        texts.dedup();
        assert!((2..=8).contains(&texts.len()), "{low} to {high}: {texts:?}");
        assert_eq!(texts.len(), labels.len(), "{low} to {high}: {texts:?}");
    }
}

#[test]
fn every_warning_of_a_collapse_is_marked_where_it_happened() {
    let history = History::from_iter(story::events(12));
    let chart = figures::parameter_free(&history).unwrap();
    let marks: Vec<f64> = chart.marks.iter().map(|mark| mark.x).collect();
    assert_eq!(marks, [9.0, 10.0, 11.0, 12.0], "epochs 8 to 11 warn; each is over at the next");
    let elements = sound(&chart::draw(&chart));
    let drawn = elements.iter().filter(|element| element.has_class("sd-mark")).count();
    assert_eq!(drawn, marks.len());
}

#[test]
fn a_heatmap_has_every_probability_of_every_epoch() {
    let history = History::from_iter(story::events(5));
    let elements = sound(&heatmap::draw(&history, "reduce", Scale::One).unwrap());
    let mut fields = 0;
    for (at, column) in elements.iter().enumerate().filter(|(_, field)| field.has_class("sd-ghost"))
    {
        fields += elements[at + 1].text.lines().count() - 1;
        assert_eq!(column.get("height"), "7");
    }
    assert_eq!(fields, 14 * 7 * 5);
    let painted: f64 = elements
        .iter()
        .filter(|element| element.name == "path" && element.has_class("sd-fill"))
        .flat_map(|element| element.get("d").split('h').skip(1).step_by(2))
        .map(|stretch| stretch.split('v').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(painted, f64::from(14 * 7 * 5));
}

#[test]
fn a_fitted_heatmap_shows_differences_that_the_full_scale_hides() {
    let mut history = History::from_iter(story::events(1));
    let rows = history.epochs[0].probabilities.iter_mut().flatten().flatten();
    rows.enumerate().for_each(|(index, p)| *p = 0.14 + 0.001 * (index % 7) as f32);
    let colours = |scale| {
        let elements = sound(&heatmap::draw(&history, "normal", scale).unwrap());
        let fields = elements.iter().filter(|e| e.name == "path" && e.has_class("sd-fill"));
        fields.map(|field| field.get("class").to_owned()).collect::<BTreeSet<_>>().len()
    };
    assert_eq!((colours(Scale::One), colours(Scale::Fitted)), (2, 7));
}

#[test]
fn names_from_outside_stay_text_in_every_picture() {
    let mut history = History::from_iter(story::events_with(2, &[HOSTILE, "sep_conv_3x3"]));
    let mut charts = charts(&history);
    charts[0].title = HOSTILE.to_owned();
    charts[0].description = HOSTILE.to_owned();
    charts[0].x.label = HOSTILE.to_owned();
    charts[0].series[0].name = HOSTILE.to_owned();
    charts[0].marks = vec![Mark { x: 1.0, message: HOSTILE.to_owned() }];
    if let Some(started) = &mut history.started {
        started.choices[0].name = HOSTILE.to_owned();
    }
    let mut pictures = pictures(&history);
    pictures.extend(heatmap::draw(&history, HOSTILE, Scale::One));
    pictures.push(chart::draw(&charts[0]));
    for picture in pictures {
        assert!(sound(&picture).iter().all(|element| element.name != "script"));
        assert!(!picture.contains('\u{1}'), "a character that XML forbids");
    }
}

#[test]
fn every_operation_has_its_own_colour_and_is_dashed_if_it_has_no_weights() {
    for operation in ops::ALL {
        let look = colour::of(operation.name);
        assert_eq!(look.operation, operation.name, "core/src/draw/colour.rs lacks it");
        assert_eq!(look.dashed, operation.parameter_free, "{}", operation.name);
        let same = |other: &&colour::Look| {
            [other.class == look.class, other.light == look.light, other.dark == look.dark]
                .contains(&true)
        };
        assert_eq!(colour::OPERATIONS.iter().filter(same).count(), 1, "{}", operation.name);
    }
    assert_eq!(colour::OPERATIONS.len(), ops::ALL.len());
}

/// Records of a CSV text.
fn parse_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                field.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            _ => field.push(character),
        }
    }
    assert!(!quoted && row.is_empty() && field.is_empty(), "the last record has no end");
    rows
}

#[test]
fn curves_read_back_to_the_numbers_of_the_events() {
    let history = History::from_iter(story::events_with(5, &["a,\"b\"\nc", "sep_conv_3x3"]));
    let rows = parse_csv(&csv::curves(&history));
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[0].len(), 11);
    let column = |name: &str| rows[0].iter().position(|title| title == name).unwrap();
    for (row, epoch) in rows[1..].iter().zip(&history.epochs) {
        let number = |name: &str| row[column(name)].parse::<f64>().unwrap();
        assert_eq!(row[column("epoch")], epoch.epoch.to_string());
        assert_eq!(number("learning_rate"), epoch.learning_rate);
        assert_eq!(number("epsilon"), epoch.epsilon);
        assert_eq!(number("train_loss"), epoch.train_loss);
        assert_eq!(number("train_accuracy"), epoch.train_accuracy);
        assert_eq!(number("valid_loss"), epoch.valid_loss);
        assert_eq!(number("valid_accuracy"), epoch.valid_accuracy);
        assert_eq!(number("parameter_free_normal") as f32, epoch.parameter_free[0]);
        assert_eq!(number("parameter_free_reduce") as f32, epoch.parameter_free[1]);
        let genes = row[column("genotype_reduce")].split("; ").map(|gene| {
            let (operation, source) = gene.rsplit_once(' ').unwrap();
            (operation.to_owned(), source.parse::<usize>().unwrap())
        });
        let told = epoch.genotype.cells[1]
            .edges()
            .map(|(_, edge)| (edge.operation.clone().unwrap(), edge.source));
        assert!(genes.eq(told));
    }
}

#[test]
fn probabilities_read_back_to_those_of_the_events() {
    let history = History::from_iter(story::events(3));
    let rows = parse_csv(&csv::probabilities(&history, "reduce").unwrap());
    assert_eq!(rows[0].len(), 1 + 14 * 7);
    assert_eq!(rows[0][1], "2←0 max_pool_3x3");
    for (row, epoch) in rows[1..].iter().zip(&history.epochs) {
        let told = epoch.probabilities[1].iter().flatten().copied();
        assert!(row[1..].iter().map(|p| p.parse::<f32>().unwrap()).eq(told));
    }
    assert!(csv::probabilities(&history, "recurrent").is_none());
}

#[test]
fn a_stream_that_goes_back_replaces_what_it_said() {
    // Of a search that warns, so that warnings are told twice too.
    let events = story::events(6);
    let fifth = |event: &Event| matches!(event, Event::EpochStarted(epoch) if epoch.epoch == 4);
    let checkpoint = events.iter().position(fifth).unwrap();
    let killed = events[..events.len() - 4].iter().cloned();
    let resumed = [events[0].clone()].into_iter().chain(events[checkpoint..].iter().cloned());
    let whole = History::from_iter(events.clone());
    assert_eq!(History::from_iter(killed.chain(resumed)), whole);
}

#[test]
fn means_of_steps_keep_their_weight() {
    let history = History::from_iter(story::events(7));
    let exact = history.steps.iter().map(|step| f64::from(step.train_loss)).sum::<f64>();
    for points in [1, 7, 28, 56, 1000] {
        let means = history.step_means(points);
        assert!(means.len() <= points);
        assert!(means.windows(2).all(|pair| pair[0].epoch < pair[1].epoch));
        let sum = means.iter().map(|mean| mean.train_loss).sum::<f64>();
        let weight = history.steps.len() as f64 / means.len() as f64;
        assert!((sum * weight - exact).abs() < 1e-9 * exact, "{points} points");
    }
    assert!(History::default().step_means(10).is_empty());
}
