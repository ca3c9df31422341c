//! `sdarts train` on images that stay on the disk, and what it says where they are damaged.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};

use super::archives::archives;
use super::{folders, photograph, save};
use crate::command::{Outcome, run};

/// A training of three steps in each of two epochs on the photographs of the folder that it runs in.
pub fn train(more: &[&str]) -> Vec<String> {
    let own = [
        "train",
        "c10_s5_pgd",
        "--preset=train-quick",
        "--data-dir=.",
        "--set=train.epochs=2",
        "--set=run.device=cpu",
        "--set=train.cells=3",
        "--set=train.channels=4",
        "--set=train.batch_size=4",
        "--set=data.image_size=16",
        "--set=data.keep=disk",
        "--set=data.transform=resized-crop",
        "--set=run.checkpoint_seconds=0",
    ];
    [&own[..], more].concat().into_iter().map(str::to_owned).collect()
}

fn trained(here: &Path, more: &[&str]) -> Outcome {
    let arguments = train(more);
    run(here, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// One error with the exit code of data and these words.
#[track_caller]
fn refused(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let errors: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1, "{outcome:?}");
    for word in words {
        assert!(errors[0].contains(word), "lacks {word}: {outcome:?}");
    }
}

/// What a training leaves, as bytes.
fn results(run: &Path) -> [Vec<u8>; 3] {
    ["genotype.json", "weights.safetensors", "weights-best.safetensors"]
        .map(|name| fs::read(run.join(name)).unwrap())
}

#[test]
fn a_truncated_jpeg_ends_a_training_that_goes_on_when_it_is_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    folders(here);
    trained(here, &["--data=folder", "--out=whole"]).done();
    // One that is trained on, and one that is tested on: the first epoch is over then.
    for (out, name) in [
        ("--out=first", "train/n01440764/n01440764_3.JPEG"),
        ("--out=second", "val/n01443537/ILSVRC2012_val_000000001.JPEG"),
    ] {
        let path = here.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let outcome = trained(here, &["--data=folder", out]);
        refused(&outcome, &[path.file_name().unwrap().to_str().unwrap(), "ends early"]);
        fs::write(&path, bytes).unwrap();
        trained(here, &["--data=folder", out]).done();
        let out = out.trim_start_matches("--out=");
        assert!(results(&here.join(out)) == results(&here.join("whole")), "{out}");
    }
}

#[test]
fn what_lacks_images_is_refused_before_there_is_a_run() {
    let [folder, tars] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    folders(folder.path());
    archives(folder.path(), tars.path());
    fs::create_dir(folder.path().join("train/n99999999")).unwrap();
    for data in ["--data=folder", "--data=imagenet"] {
        let outcome = trained(folder.path(), &[data, "--out=net"]);
        refused(&outcome, &["n99999999 has no images"]);
        assert!(!folder.path().join("net").exists());
    }
    let path = tars.path().join("ILSVRC2012_img_train.tar");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let outcome = trained(tars.path(), &["--data=imagenet", "--out=net"]);
    refused(&outcome, &["ILSVRC2012_img_train.tar", "ends early"]);
    assert!(!tars.path().join("net").exists());
    fs::write(&path, whole).unwrap();
    trained(tars.path(), &["--data=imagenet", "--out=net"]).done();
}

#[test]
fn an_image_smaller_than_the_crop_is_enlarged_and_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    folders(folder.path());
    let dot = RgbImage::from_pixel(1, 2, Rgb([9, 8, 7]));
    dot.save(folder.path().join("train/n01443537/dot.png")).unwrap();
    dot.save(folder.path().join("val/n01443537/dot.png")).unwrap();
    for transform in ["crop", "resized-crop"] {
        let (out, set) =
            (format!("--out={transform}"), format!("--set=data.transform={transform}"));
        let more =
            ["--data=folder", out.as_str(), set.as_str(), "--set=train.batch_size=5", "--epochs=1"];
        trained(folder.path(), &more).done();
    }
}

#[test]
fn a_run_does_not_go_on_with_another_number_of_classes_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    folders(here);
    trained(here, &["--data=folder", "--out=net"]).done();
    let before = results(&here.join("net"));
    let checkpoint = here.join("net/checkpoints/last.safetensors");
    let state = fs::read(&checkpoint).unwrap();
    for index in 0..4 {
        for part in ["train", "val"] {
            save(&photograph(index), &here.join(format!("{part}/n02000000/{index}.png")));
        }
    }
    let outcome = trained(here, &["--data=folder", "--out=net"]);
    refused(&outcome, &["weights", "other classes or channels", "another run directory"]);
    assert!(results(&here.join("net")) == before && fs::read(&checkpoint).unwrap() == state);
    for part in ["train", "val"] {
        fs::remove_dir_all(here.join(part).join("n02000000")).unwrap();
    }
    let again = trained(here, &["--data=folder", "--out=net"]).done();
    assert!(again.stderr.contains("was finished before"), "{again:?}");
}
