//! The catalogue of figures: what there is to see of a search. The report, the comparison and the
//! page go through it; a figure that gets a row here is in all of them.

mod cells;
mod course;
mod landscape;
mod measures;
mod picture;
mod stages;
pub mod training;

pub use self::course::{
    STEP_POINTS, accuracy, epsilon, learning_rate, loss, parameter_free, perplexity, steps,
};
pub use self::measures::{anytime, hessian, own_trainings, shape};
pub use self::picture::{Picture, Pictures, Scene};

use super::chart::{Chart, Unit};
use super::history::History;

/// A row of the catalogue.
pub struct Figure {
    /// Its name in messages and the stem of its files.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub title: &'static str,
    /// What there is to see of a search.
    pub pictures: for<'a> fn(Scene<'a>) -> Pictures<'a>,
    /// Where it stands in a report, in the order of the catalogue.
    pub report: Option<Section>,
    /// How the page shows its first picture.
    pub page: Option<OnPage>,
    /// How it compares several runs.
    pub compare: Option<Compare>,
}

/// A section of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was found.
    Cells,
    /// The course of the search.
    Course,
    /// The course of a training.
    Training,
    /// The landscape around the architecture.
    Landscape,
    /// The architecture, edge by edge.
    Edges,
}

/// A figure on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnPage {
    /// Its place among the figures of the page.
    pub place: u8,
    /// Whether it is open at the start.
    pub open: bool,
    /// What the page says while there is nothing to see.
    pub empty: &'static str,
}

/// How a figure compares several runs.
#[derive(Clone, Copy, Debug)]
pub enum Compare {
    /// All in one chart, a line for every group of runs.
    Curve(Curve),
    /// The pictures of the best run of every group.
    Best,
    /// The pictures of every run, on one scale.
    Every,
}

/// A number that runs measure in the course of a search.
#[derive(Clone, Copy, Debug)]
pub struct Curve {
    /// Title of the chart.
    pub title: &'static str,
    /// Its vertical axis.
    pub label: &'static str,
    /// Unit of that axis.
    pub unit: Unit,
    /// (epochs trained, value); a value that is not finite is a gap.
    pub points: fn(&History) -> Vec<(f64, f64)>,
}

/// All figures.
pub static ALL: &[Figure] = &[
    Figure {
        name: "mixture",
        title: "The cell, live",
        pictures: |scene| cells::mixture(scene),
        report: None,
        page: Some(OnPage { place: 1, open: true, empty: "Nothing yet." }),
        compare: None,
    },
    Figure {
        name: "perturbation",
        title: "The perturbation, in slow motion",
        pictures: |scene| cells::perturbation(scene),
        report: None,
        page: Some(OnPage {
            place: 2,
            open: false,
            empty: "Nothing yet: “Next part” goes through a step in its parts.",
        }),
        compare: None,
    },
    Figure {
        name: "cell",
        title: "The cell that would be derived",
        pictures: |scene| cells::derived(scene),
        report: Some(Section::Cells),
        page: Some(OnPage { place: 10, open: false, empty: "Not yet: no epoch has ended." }),
        compare: Some(Compare::Best),
    },
    Figure {
        name: "anytime",
        title: "Anytime test error",
        pictures: |scene| some(anytime(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Anytime test error of the derived cell",
            label: "test error",
            unit: Unit::Percent,
            points: measures::test_errors,
        })),
    },
    Figure {
        name: "own-trainings",
        title: "Test error in trainings of your own",
        pictures: |scene| some(own_trainings(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Test error of the derived cell in trainings of your own",
            label: "test error",
            unit: Unit::Percent,
            points: measures::own_errors,
        })),
    },
    Figure {
        name: "perplexity",
        title: "Perplexity",
        pictures: |scene| some(perplexity(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Validation perplexity of the supernet",
            label: "perplexity",
            unit: Unit::Number,
            points: course::valid_perplexities,
        })),
    },
    Figure {
        name: "accuracy",
        title: "Accuracy",
        pictures: |scene| one(accuracy(scene.history)),
        report: Some(Section::Course),
        page: Some(OnPage { place: 6, open: false, empty: "Nothing yet." }),
        compare: Some(Compare::Curve(Curve {
            title: "Validation accuracy of the supernet",
            label: "accuracy",
            unit: Unit::Percent,
            points: course::valid_accuracies,
        })),
    },
    Figure {
        name: "loss",
        title: "Loss of every epoch",
        pictures: |scene| one(loss(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: None,
    },
    Figure {
        name: "parameter-free",
        title: "Parameter-free operations",
        pictures: |scene| some(parameter_free(scene.history)),
        report: Some(Section::Course),
        page: Some(OnPage { place: 3, open: false, empty: "Nothing yet." }),
        compare: Some(Compare::Curve(Curve {
            title: "Parameter-free operations",
            label: "share",
            unit: Unit::Percent,
            points: course::parameter_free_shares,
        })),
    },
    Figure {
        name: "cell-statistics",
        title: "Width and depth",
        pictures: |scene| some(shape(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: None,
    },
    Figure {
        name: "hessian",
        title: "Hessian norm",
        pictures: |scene| some(hessian(scene.history)),
        report: Some(Section::Course),
        page: Some(OnPage {
            place: 8,
            open: false,
            empty: "Not measured yet: “Measure the Hessian norm” does it once, the settings do it \
                    every so many epochs.",
        }),
        compare: Some(Compare::Curve(Curve {
            title: "Spectral norm of the Hessian",
            label: "max |λ|",
            unit: Unit::Number,
            points: measures::spectral_norms,
        })),
    },
    Figure {
        name: "steps",
        title: "Loss",
        pictures: |scene| one(steps(scene.history)),
        report: Some(Section::Course),
        page: Some(OnPage { place: 5, open: false, empty: "Nothing yet." }),
        compare: None,
    },
    Figure {
        name: "epsilon",
        title: "Radius ε",
        pictures: |scene| one(epsilon(scene.history)),
        report: Some(Section::Course),
        page: Some(OnPage { place: 7, open: false, empty: "Nothing yet." }),
        compare: None,
    },
    Figure {
        name: "learning-rate",
        title: "Learning rate",
        pictures: |scene| one(learning_rate(scene.history)),
        report: Some(Section::Course),
        page: None,
        compare: None,
    },
    Figure {
        name: "landscape",
        title: "Landscape around the architecture",
        pictures: |scene| landscape::pictures(scene),
        report: Some(Section::Landscape),
        page: Some(OnPage {
            place: 9,
            open: false,
            empty: "Not measured yet: “Measure the landscape” does it.",
        }),
        compare: Some(Compare::Every),
    },
    Figure {
        name: "stages",
        title: "Which operations fell when",
        pictures: |scene| stages::pictures(scene),
        report: Some(Section::Edges),
        page: None,
        compare: None,
    },
    Figure {
        name: "probabilities",
        title: "Every edge over the epochs",
        pictures: |scene| cells::probabilities(scene),
        report: Some(Section::Edges),
        page: Some(OnPage { place: 4, open: false, empty: "Nothing yet." }),
        compare: None,
    },
    Figure {
        name: "training-accuracy",
        title: "Accuracy of the network",
        pictures: |scene| some(training::accuracy(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Accuracy of the trained network",
            label: "test or validation accuracy",
            unit: Unit::Percent,
            points: training::accuracies,
        })),
    },
    Figure {
        name: "training-perplexity",
        title: "Perplexity of the network",
        pictures: |scene| some(training::perplexity(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Perplexity of the trained network on the validation text",
            label: "perplexity",
            unit: Unit::Number,
            points: training::perplexities,
        })),
    },
    Figure {
        name: "training-top5",
        title: "Top-5 accuracy of the network",
        pictures: |scene| some(training::top5(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: Some(Compare::Curve(Curve {
            title: "Top-5 accuracy of the trained network",
            label: "test or validation accuracy",
            unit: Unit::Percent,
            points: training::top5_accuracies,
        })),
    },
    Figure {
        name: "training-loss",
        title: "Loss of the network",
        pictures: |scene| some(training::loss(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: None,
    },
    Figure {
        name: "training-steps",
        title: "Loss of every step",
        pictures: |scene| some(training::steps(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: None,
    },
    Figure {
        name: "training-rate",
        title: "Learning rate",
        pictures: |scene| some(training::learning_rate(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: None,
    },
    Figure {
        name: "training-drop-path",
        title: "Drop-path",
        pictures: |scene| some(training::drop_path(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: None,
    },
    Figure {
        name: "training-confusion",
        title: "Which class is taken for which",
        pictures: |scene| some(training::confusion(scene.history)),
        report: Some(Section::Training),
        page: None,
        compare: Some(Compare::Best),
    },
];

/// The figure of this name.
pub fn find(name: &str) -> Option<&'static Figure> {
    ALL.iter().find(|figure| figure.name == name)
}

/// The figures of the page, in their order.
pub fn on_page() -> impl Iterator<Item = (&'static Figure, OnPage)> {
    let mut figures: Vec<_> = ALL.iter().filter_map(|it| Some((it, it.page?))).collect();
    figures.sort_by_key(|(_, page)| page.place);
    figures.into_iter()
}

impl Figure {
    /// The stem of a file of one of its pictures, or of their numbers: `cell-2-normal`. `number`
    /// tells several searches apart.
    pub fn stem(&self, number: Option<usize>, part: &str) -> String {
        let number = number.map(|number| number.to_string());
        let parts = [Some(self.name), number.as_deref(), Some(part)];
        let parts: Vec<&str> = parts.into_iter().flatten().filter(|it| !it.is_empty()).collect();
        parts.join("-")
    }
}

fn one<'a>(chart: Chart) -> Pictures<'a> {
    vec![Box::new(chart)]
}

fn some<'a, P: Picture + 'a>(picture: Option<P>) -> Pictures<'a> {
    picture.into_iter().map(|picture| Box::new(picture) as Box<dyn Picture>).collect()
}
