//! `sdarts test` as a user calls it, on images that come with the program.

use std::path::Path;

use serde_json::Value;
use smoothdarts::arrays::{Array, Arrays, to_bytes};
use smoothdarts::cell::published;
use smoothdarts::net::{DerivedShape, Stem, derived};
use smoothdarts::rng::Streams;

use crate::command::{Outcome, TINY, run};

/// Weights of a network of DARTS_V2 that nobody trained, for gray images and so many classes.
fn write_weights(path: &Path, classes: usize) {
    write_weights_for(path, 1, classes, Stem::Small);
}

/// The same for images of so many channels.
pub fn write_weights_for(path: &Path, image_channels: usize, classes: usize, stem: Stem) {
    let genotype = published::ALL.iter().find(|row| row.name == "DARTS_V2").unwrap().genotype();
    let (cells, channels) = (3, 4);
    let shape = DerivedShape { image_channels, classes, cells, channels, stem, auxiliary: true };
    let network = derived(&genotype, shape).unwrap();
    let flat = network.layout().initial_weights(&Streams::new(3));
    let mut arrays = Arrays::new();
    for slot in network.layout().weights() {
        let values = flat[slot.range.clone()].to_vec();
        arrays.insert(slot.name.clone(), Array { shape: slot.shape.clone(), values });
    }
    for slot in network.layout().norms() {
        for (kind, value) in [("running_mean", 0.0), ("running_var", 1.0)] {
            let values = vec![value; slot.range.len()];
            let shape = vec![values.len()];
            arrays.insert(format!("{}.{kind}", slot.name), Array { shape, values });
        }
    }
    let named = arrays.iter().map(|(name, array)| (name.as_str(), array));
    std::fs::write(path, to_bytes(named, None).unwrap()).unwrap();
}

/// The object of the last line.
pub fn result(outcome: &Outcome) -> Value {
    serde_json::from_str(outcome.stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn the_last_line_is_an_object_and_the_pictures_hold_every_image() {
    let folder = tempfile::tempdir().unwrap();
    write_weights(&folder.path().join("w.safetensors"), 10);
    let flags = ["test", "w.safetensors", "--genotype=DARTS_V2", "--device=cpu", "--image-size=8"];
    let outcome = run(folder.path(), &[&flags[..], &["--out=out"]].concat()).done();
    let found = result(&outcome);
    assert_eq!(found["images"], 1_000);
    let (accuracy, top5) = (found["accuracy"].as_f64().unwrap(), found["top5"].as_f64().unwrap());
    assert!((0.0..=1.0).contains(&accuracy) && (accuracy..=1.0).contains(&top5), "{found}");
    assert!(found["loss"].as_f64().unwrap() > 0.0);
    assert!(outcome.stdout.contains("recall") && outcome.stdout.contains("images a second"));

    let csv = std::fs::read_to_string(folder.path().join("out/confusion.csv")).unwrap();
    let (mut all, mut right) = (0, 0);
    for (class, line) in csv.lines().skip(1).enumerate() {
        let counts = line.split(',').skip(4).map(|count| count.parse::<u64>().unwrap());
        let counts: Vec<u64> = counts.collect();
        all += counts.iter().sum::<u64>();
        right += counts[class];
    }
    assert_eq!(all, 1_000);
    assert_eq!(right as f64 / 1_000.0, accuracy);
    let svg = std::fs::read_to_string(folder.path().join("out/confusion.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Confusion of 1000 images"));

    let json = run(folder.path(), &[&flags[..], &["--json", "--part=valid"]].concat()).done();
    assert_eq!(json.stdout.lines().count(), 1);
    assert_eq!(result(&json)["images"], 2_000);
}

/// The data and the genotype are those of the run; the pictures go into it.
#[test]
fn the_supernet_of_a_run_is_tested_at_the_cell_that_it_found() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[TINY, &["--out=run"]].concat()).done();
    let outcome = run(folder.path(), &["test", "run", "--supernet=s2", "--device=cpu"]).done();
    let found = result(&outcome);
    assert_eq!(found["images"], 1_000);
    assert!(found["loss"].as_f64().unwrap().is_finite());
    assert!(folder.path().join("run/test/confusion.svg").is_file());
    let valid = ["test", "run", "--supernet=s2", "--device=cpu", "--part=valid", "--json"];
    assert_eq!(result(&run(folder.path(), &valid).done())["images"], 48);
    let wrong = run(folder.path(), &["test", "run", "--genotype=DARTS_V2", "--device=cpu"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("has no trained network"), "{}", wrong.stderr);
}

#[test]
fn what_does_not_fit_together_is_one_error_with_the_exit_code_of_wrong_flags() {
    let folder = tempfile::tempdir().unwrap();
    write_weights(&folder.path().join("w.safetensors"), 10);
    write_weights(&folder.path().join("seven.safetensors"), 7);
    std::fs::write(folder.path().join("text"), "no weights").unwrap();
    let none_such = r#"--genotype=|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"#;
    for (file, flags, code, words) in [
        ("w.safetensors", vec!["--genotype=c10_s5_pgd"], 2, "weights of another network"),
        ("w.safetensors", vec!["--genotype=nobody"], 2, "no published genotype"),
        ("w.safetensors", vec![], 2, "--genotype"),
        ("w.safetensors", vec![none_such], 2, "3N + 2"),
        ("w.safetensors", vec!["--genotype=DARTS_V2", "--channels=16"], 2, "those of 4 channels"),
        ("w.safetensors", vec!["--genotype=DARTS_V2", "--cells=20"], 2, "those of 3 cells"),
        ("w.safetensors", vec!["--genotype=DARTS_V2", "--supernet=s2"], 2, "another space"),
        ("seven.safetensors", vec!["--genotype=DARTS_V2"], 2, "has 7 classes"),
        ("text", vec!["--genotype=DARTS_V2"], 1, "neither a safetensors file"),
        ("absent", vec!["--genotype=DARTS_V2"], 1, "cannot read absent"),
    ] {
        let all = [&["test", file, "--device=cpu", "--image-size=8"], &flags[..]].concat();
        let outcome = run(folder.path(), &all);
        assert_eq!(outcome.code, Some(code), "{flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{flags:?}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
}
