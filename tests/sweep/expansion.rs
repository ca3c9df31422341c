//! Which runs a sweep has, and what they are called.

use std::collections::BTreeSet;

use native::sweep::definition::{Axis, Definition, Point};
use native::sweep::{file, name, plan};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Values that differ, among them texts that no file system likes.
fn values() -> impl Strategy<Value = Vec<Value>> {
    let value = prop_oneof![
        any::<i32>().prop_map(|number| json!(number)),
        (-1000..1000).prop_map(|number| json!(f64::from(number) / 64.0 + 0.001)),
        any::<bool>().prop_map(|truth| json!(truth)),
        ".{0,80}".prop_map(|text| json!(text)),
        Just(json!("../../etc/passwd")),
        Just(json!("a,b=c")),
        Just(json!("%2F~")),
    ];
    proptest::collection::vec(value, 1..5).prop_map(|values| {
        let mut seen = BTreeSet::new();
        // A text and a number that look alike are one value of a setting.
        values.into_iter().filter(|value| seen.insert(name::plain(value))).collect()
    })
}

fn axes() -> impl Strategy<Value = Vec<Axis>> {
    let keys = ["seed", "search.method", "search.epochs", "train.epochs", "weights.learning_rate"];
    proptest::collection::vec(values(), 0..=keys.len()).prop_map(move |all| {
        let axis = |(key, values): (&&str, Vec<Value>)| Axis { key: (*key).to_owned(), values };
        keys.iter().zip(all).map(axis).collect()
    })
}

proptest! {
    #[test]
    fn there_are_as_many_runs_as_the_product_of_the_axes_less_the_excluded(
        axes in axes(),
        picks in proptest::collection::vec((any::<u8>(), any::<u8>()), 0..4),
    ) {
        let pick = |(which, value): &(u8, u8)| -> Point {
            // One value of one axis, or of the first two.
            let count = 1 + usize::from(*which) % 2;
            let values = axes.iter().take(count);
            let of = |axis: &Axis| {
                (axis.key.clone(), axis.values[usize::from(*value) % axis.values.len()].clone())
            };
            values.map(of).collect()
        };
        let exclude: Vec<Point> = picks.iter().map(pick).filter(|it| !it.is_empty()).collect();
        let whole = Definition { axes: axes.clone(), ..Definition::default() };
        let part = Definition { exclude: exclude.clone(), ..whole.clone() };

        let product: usize = axes.iter().map(|axis| axis.values.len()).product();
        prop_assert_eq!(whole.combinations(), Some(product));
        prop_assert_eq!(whole.points().len(), product);
        let left_out = whole.points().into_iter().filter(|point| {
            exclude.iter().any(|entry| entry.iter().all(|pair| point.contains(pair)))
        });
        prop_assert_eq!(part.points().len() + left_out.count(), product);
    }

    #[test]
    fn names_are_unique_and_good_for_every_file_system(axes in axes()) {
        let definition = Definition { axes, ..Definition::default() };
        let points = definition.points();
        let names: BTreeSet<String> = points.iter().map(|point| name::of(point)).collect();
        prop_assert_eq!(names.len(), points.len());
        for name in names {
            prop_assert!(name.len() <= 200, "{}", name);
            let good = |c: char| c.is_ascii_alphanumeric() || "._-+%=,~".contains(c);
            prop_assert!(name.chars().all(good), "{}", name);
            prop_assert!(![".", ".."].contains(&name.as_str()));
        }
    }
}

#[test]
fn a_name_has_the_short_keys_in_the_order_of_the_axes() {
    let point = |pairs: &[(&str, Value)]| -> Point {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    let known = [
        (
            point(&[("search.method", json!("sdarts-rs")), ("seed", json!(1))]),
            "method=sdarts-rs,seed=1",
        ),
        (point(&[("seed", json!(1)), ("search.method", json!("darts"))]), "seed=1,method=darts"),
        // Two that end alike keep their sections.
        (
            point(&[("alpha.learning_rate", json!(0.03)), ("weights.learning_rate", json!(0.1))]),
            "alpha.learning_rate=0.03,weights.learning_rate=0.1",
        ),
        (point(&[("data.dir", json!("/a b/ü"))]), "dir=%2Fa%20b%2F%C3%BC"),
    ];
    for (point, expected) in known {
        assert_eq!(name::of(&point), expected);
    }
    // What is too long ends in a checksum, which tells two of one begin apart.
    let [one, other] =
        ["x", "y"].map(|end| name::of(&point(&[("data.dir", json!("d".repeat(90) + end))])));
    assert!(one.len() < 60 && one.contains('~') && one != other, "{one} {other}");
}

#[test]
fn axes_keep_the_order_of_the_file_however_they_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        let path = folder.path().join("sweep.toml");
        std::fs::write(&path, text).unwrap();
        let definition = file::read(&path).unwrap();
        let runs = plan::runs(&definition).unwrap();
        runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>()
    };
    let names = ["seed=2,method=darts", "seed=2,method=sdarts-rs", "seed=1,method=darts"];
    for axes in [
        "[axes]\nseed = [2, 1]\n\"search.method\" = [\"darts\", \"sdarts-rs\"]\n",
        "[axes]\nseed = [2, 1]\nsearch.method = [\"darts\", \"sdarts-rs\"]\n",
        "[axes]\nseed = [2, 1]\n[axes.search]\nmethod = [\"darts\", \"sdarts-rs\"]\n",
    ] {
        let excluded = "[[exclude]]\nseed = 1\n\"search.method\" = \"sdarts-rs\"\n";
        assert_eq!(read(&format!("preset = \"browser\"\n{axes}{excluded}")), names, "{axes}");
    }
}

/// The one that README.md runs.
#[test]
fn the_example_of_the_readme_is_two_methods_by_two_seeds_on_images_that_come_along() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let example = "native/repro/sweep.toml";
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("sweep {example} --out runs/sweep")));
    let runs = plan::runs(&native::sweep::file::read(&root.join(example)).unwrap()).unwrap();
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    let expected = ["darts,seed=1", "darts,seed=2", "sdarts-rs,seed=1", "sdarts-rs,seed=2"];
    assert_eq!(names, expected.map(|name| format!("method={name}")));
    assert!(runs.iter().all(|run| run.config.data.dir.is_empty()), "no data is needed");
}

#[test]
fn a_run_resolves_to_the_settings_that_its_axes_and_the_shared_ones_say() {
    let definition = Definition {
        preset: Some("browser".to_owned()),
        set: vec![("search.epochs".to_owned(), json!(3)), ("data.dir".to_owned(), json!("2020"))],
        axes: vec![
            Axis { key: "weights.learning_rate".to_owned(), values: vec![json!(0.05), json!(0.1)] },
            // An axis wins over what is shared.
            Axis { key: "search.epochs".to_owned(), values: vec![json!(7)] },
        ],
        ..Definition::default()
    };
    let runs = plan::runs(&definition).unwrap();
    let rates: Vec<f64> = runs.iter().map(|run| run.config.weights.learning_rate).collect();
    assert_eq!(rates, [0.05, 0.1]);
    for run in &runs {
        assert_eq!((run.config.search.epochs, run.config.data.dir.as_str()), (7, "2020"));
        assert_eq!(run.config.search.batch_size, 16, "the preset");
    }
}
