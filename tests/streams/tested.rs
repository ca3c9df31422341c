//! `sdarts test` on images that stay on the disk.

use std::fs;
use std::path::Path;

use serde_json::Value;
use smoothdarts::net::Stem;

use super::archives::archives;
use super::folders;
use crate::command::{Outcome, run};
use crate::evaluation::command_line::{result, write_weights_for};

/// Weights for two classes of photographs, and what `sdarts test` says of them.
fn test(here: &Path, stem: Stem, flags: &[&str]) -> Outcome {
    write_weights_for(&here.join("w.safetensors"), 3, 2, stem);
    let own = ["test", "w.safetensors", "--genotype=DARTS_V2", "--device=cpu", "--json"];
    run(here, &[&own[..], &["--image-size=32"], flags].concat())
}

fn without_time(outcome: &Outcome) -> Value {
    let mut found = result(outcome);
    found.as_object_mut().unwrap().remove("images_per_second");
    found
}

#[test]
fn every_part_of_imagenet_is_tested_alike_from_folders_and_archives() {
    let [source, tars] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    folders(source.path());
    archives(source.path(), tars.path());
    let mut losses = Vec::new();
    for (part, images) in [("train", 6), ("valid", 6), ("test", 4)] {
        let part = format!("--part={part}");
        let flags = ["--data=imagenet", "--data-dir=.", part.as_str(), "--batch=4"];
        let [folders, archives] = [&source, &tars]
            .map(|dir| without_time(&test(dir.path(), Stem::ImageNet, &flags).done()));
        assert_eq!(folders, archives, "{part}");
        assert_eq!(folders["images"], images, "{part}");
        losses.push(folders["loss"].as_f64().unwrap());
    }
    assert!(losses[0] != losses[1] && losses[1] != losses[2], "{losses:?}");
}

#[test]
fn the_size_of_a_batch_changes_nothing_and_what_the_network_reads_does() {
    let folder = tempfile::tempdir().unwrap();
    folders(folder.path());
    let data = ["--data=imagenet", "--data-dir=."];
    let loss = |more: &[&str]| {
        let outcome = test(folder.path(), Stem::Small, &[&data[..], more].concat()).done();
        result(&outcome)["loss"].as_f64().unwrap()
    };
    let one = loss(&["--batch=1"]);
    assert!((one - loss(&["--batch=3"])).abs() < 1e-6 * one);
    let unit = loss(&["--input=unit"]);
    assert!((one - unit).abs() > 1e-3 * one, "{one} and {unit}");
}

#[test]
fn a_training_on_photographs_is_tested_to_what_it_said_itself() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    folders(here);
    let train = super::trained::train(&["--data=folder", "--out=net"]);
    run(here, &train.iter().map(String::as_str).collect::<Vec<_>>()).done();
    let events = fs::read_to_string(here.join("net/events.jsonl")).unwrap();
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let epoch = events.iter().rfind(|event| event["type"] == "train_epoch").unwrap();
    let tested = result(&run(here, &["test", "net", "--device=cpu", "--json"]).done());
    assert_eq!(tested["accuracy"], epoch["accuracy"]);
    let (tested, told) = (tested["loss"].as_f64().unwrap(), epoch["loss"].as_f64().unwrap());
    assert!((tested - told).abs() < 1e-5 * told, "{tested} and {told}");
    assert!(here.join("net/test/confusion.csv").exists());
}

#[test]
fn a_damaged_photograph_ends_a_test_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    folders(folder.path());
    let path = folder.path().join("val/n01440764/ILSVRC2012_val_000000000.JPEG");
    let half = fs::read(&path).map(|bytes| bytes[..bytes.len() / 2].to_vec()).unwrap();
    fs::rename(&path, path.with_file_name("0.JPEG")).unwrap();
    fs::write(&path, half).unwrap();
    let outcome = test(folder.path(), Stem::Small, &["--data=imagenet", "--data-dir=."]);
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.stderr.contains("ILSVRC2012_val_000000000.JPEG"), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
    // The other parts are whole.
    let train = ["--data=imagenet", "--data-dir=.", "--part=train"];
    test(folder.path(), Stem::Small, &train).done();
}
