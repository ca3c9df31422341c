//! Images that stay on the disk: folders and the archives of ImageNet, whole and damaged.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use image::{GrayImage, Luma, Rgb, RgbImage};
use native::datasets::stream::Streamed;
use native::datasets::{Prefetch, Supply, supply, supply_with};
use native::exit::Exit;
use smoothdarts::config::{Config, Keep, Transform};
use smoothdarts::data::{Batches as _, Order, Part};

use crate::command::{Outcome, TINY, sdarts};

mod archives;
mod tested;
mod trained;

/// A photograph of its own for every number, of another size each.
fn photograph(number: u32) -> RgbImage {
    RgbImage::from_fn(24 + 3 * number, 40 - number, |x, y| {
        Rgb([(7 * x + 11 * number) as u8, (5 * y) as u8, (x * y + 29 * number) as u8])
    })
}

fn save(image: &RgbImage, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// DIR/train with 6 photographs of each of two classes, DIR/val with 2.
fn folders(dir: &Path) {
    for (class, name) in [(0, "n01440764"), (1, "n01443537")] {
        for index in 0..6 {
            let path = dir.join(format!("train/{name}/{name}_{index}.JPEG"));
            save(&photograph(2 * index + class), &path);
        }
        for index in 0..2 {
            let path = dir.join(format!("val/{name}/ILSVRC2012_val_0000000{index}{class}.JPEG"));
            save(&photograph(12 + 2 * index + class), &path);
        }
    }
}

fn config(name: &str, dir: &Path, threads: usize) -> Config {
    let mut config = Config::default();
    config.data.name = name.to_owned();
    config.data.dir = dir.to_str().unwrap().to_owned();
    config.data.image_size = 16;
    config.data.keep = Keep::Disk;
    config.data.transform = Transform::ResizedCrop;
    config.data.colour_jitter = 0.4;
    config.data.hue_jitter = 0.2;
    config.search.batch_size = 4;
    config.run.threads = threads;
    config
}

fn opened(config: &Config) -> Streamed {
    match supply(config).unwrap() {
        Supply::Disk(streamed) => streamed,
        Supply::Memory(_) => panic!("the images are in memory"),
    }
}

/// What a user reads, and the code that the program ends with.
fn refused(config: &Config) -> (String, Exit) {
    let error = supply(config).map(|_| ()).unwrap_err();
    let exit = Exit::of(&error);
    (exit.message(&error), exit)
}

/// The error of the first pass over all images, instead of waiting for ever.
fn pass(config: &Config) -> Result<(), String> {
    let mut streamed = opened(config);
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let steps = streamed.steps_per_epoch();
        let all = (0..steps).try_for_each(|step| streamed.step(0, step).map(drop));
        let parts = [Part::Train, Part::Valid, Part::Test].into_iter();
        let test = parts
            .flat_map(|part| (0..streamed.evaluation_batches(part)).map(move |at| (part, at)))
            .collect::<Vec<_>>()
            .into_iter()
            .try_for_each(|(part, index)| streamed.evaluation(part, 0, index).map(drop));
        sender.send(all.and(test).map_err(|error| error.to_string())).unwrap();
    });
    receiver.recv_timeout(Duration::from_secs(60)).expect("reading does not end")
}

#[test]
fn batches_do_not_depend_on_the_number_of_threads_or_on_what_ran_before() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let mut one = opened(&config("folder", dir.path(), 1));
    let mut three = opened(&config("folder", dir.path(), 3));
    let mut ahead = Prefetch::new(Supply::Disk(three.clone()));
    assert_eq!((one.threads(), three.threads()), (1, 3));
    assert_eq!((one.steps_per_epoch(), one.evaluation_batches(Part::Test)), (2, 1));
    let last = one.step(2, 1).unwrap();
    for epoch in 0..3 {
        for step in 0..2 {
            let expected = one.step(epoch, step).unwrap();
            assert!(three.step(epoch, step).unwrap() == expected);
            assert!(ahead.step(epoch, step).unwrap() == expected);
        }
        let expected = one.evaluation(Part::Valid, epoch, 0).unwrap();
        assert!(ahead.evaluation(Part::Valid, epoch, 0).unwrap() == expected);
    }
    assert!(three.step(2, 1).unwrap() == last);
    assert!(one.step(0, 0).unwrap().train != one.step(1, 0).unwrap().train);
}

#[test]
fn val_is_the_test_set_unless_there_is_one() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    for keep in [Keep::Memory, Keep::Disk] {
        let mut config = config("folder", dir.path(), 2);
        config.data.keep = keep;
        let mut supply = supply(&config).unwrap();
        assert_eq!(supply.shape().classes, 2);
        assert_eq!(supply.evaluation_batches(Part::Test), 1);
        assert_eq!(supply.evaluation(Part::Test, 0, 0).unwrap().labels, [0, 1, 0, 1]);
    }
    save(&photograph(1), &dir.path().join("test/n01440764/0.png"));
    let mut streamed = opened(&config("folder", dir.path(), 2));
    assert_eq!(streamed.evaluation(Part::Test, 0, 0).unwrap().labels, [0]);
}

#[test]
fn auto_keeps_few_images_in_memory_and_photographs_for_random_parts_on_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let mut config = config("folder", dir.path(), 1);
    config.data.keep = Keep::Auto;
    assert!(matches!(supply(&config).unwrap(), Supply::Disk(_)));
    config.data.transform = Transform::Crop;
    assert!(matches!(supply(&config).unwrap(), Supply::Memory(_)));
    config.data.keep = Keep::Disk;
    config.data.image_size = 0;
    assert!(refused(&config).0.contains("set data.image_size"));
}

#[test]
fn gray_and_tiny_photographs_become_inputs_like_all_others() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let gray = GrayImage::from_fn(30, 50, |x, y| Luma([(3 * x + 2 * y) as u8]));
    gray.save(dir.path().join("train/n01440764/gray.png")).unwrap();
    // Smaller than the crop: enlarged.
    RgbImage::from_pixel(1, 2, Rgb([9, 8, 7]))
        .save(dir.path().join("train/n01443537/dot.webp"))
        .unwrap();
    for transform in [Transform::Crop, Transform::ResizedCrop] {
        let mut config = config("folder", dir.path(), 2);
        config.data.transform = transform;
        let order = |images, test| Order::pass(images, test, 14, 1);
        let batch = supply_with(&config, order).unwrap().step(0, 0).unwrap().train;
        assert_eq!((batch.shape, batch.images.len()), ([14, 16, 16, 3], 14 * 16 * 16 * 3));
    }
}

#[test]
fn a_truncated_jpeg_ends_the_run_with_its_name_or_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let path = dir.path().join("train/n01443537/n01443537_3.JPEG");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        let mut config = config("folder", dir.path(), 2);
        let error = pass(&config).unwrap_err();
        let name = format!("{} is no image", path.display());
        assert!(error.contains(&name) && error.contains("data.skip_damaged"), "{error}");
        config.data.skip_damaged = true;
        let order = |images, test| Order::pass(images, test, 12, 1);
        let mut supply = supply_with(&config, order).unwrap();
        let batch = supply.step(0, 0).unwrap().train;
        assert_eq!((batch.shape[0], batch.labels.len()), (11, 11));
        assert_eq!(batch.images.len(), 11 * 16 * 16 * 3);
        let Supply::Disk(streamed) = &supply else { panic!("in memory") };
        let damaged = streamed.damaged();
        assert_eq!(damaged.len(), 1);
        assert_eq!(damaged[0].0, path.display().to_string());
        // In memory as well.
        config.data.keep = Keep::Memory;
        config.search.batch_size = 2;
        assert_eq!(
            supply_with(&config, |images, test| Order::pass(images, test, 4, 1)).unwrap().steps(0),
            3
        );
        config.data.skip_damaged = false;
        let (error, exit) = refused(&config);
        assert!(error.contains(&name) && exit == Exit::Data, "{error}");
    }
}

#[test]
fn a_batch_of_nothing_but_damaged_files_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    for class in ["n01440764", "n01443537"] {
        for index in 0..6 {
            let path = dir.path().join(format!("train/{class}/{class}_{index}.JPEG"));
            fs::write(path, b"no image").unwrap();
        }
    }
    let mut config = config("folder", dir.path(), 2);
    config.data.skip_damaged = true;
    let error = pass(&config).unwrap_err();
    assert!(error.contains("all 4 images of a batch are damaged"), "{error}");
}

#[test]
fn a_class_folder_without_images_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    fs::create_dir(dir.path().join("train/n99999999")).unwrap();
    for name in ["folder", "imagenet"] {
        let (error, exit) = refused(&config(name, dir.path(), 1));
        assert!(error.contains("n99999999 has no images") && exit == Exit::Data, "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nothing_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let path = dir.path().join("train/n01440764/gone.png");
    std::os::unix::fs::symlink(dir.path().join("nowhere.png"), &path).unwrap();
    for keep in [Keep::Memory, Keep::Disk] {
        let mut config = config("folder", dir.path(), 1);
        config.data.keep = keep;
        let (error, exit) = refused(&config);
        let found = format!("{} is no image that can be read (a link to nothing)", path.display());
        assert!(error.contains(&found) && exit == Exit::Data, "{error}");
        config.data.skip_damaged = true;
        assert_eq!(supply(&config).unwrap().steps(0), 2);
    }
    // A link to an image is one.
    fs::remove_file(&path).unwrap();
    let target = dir.path().join("train/n01440764/n01440764_0.JPEG");
    std::os::unix::fs::symlink(target, &path).unwrap();
    assert!(pass(&config("folder", dir.path(), 1)).is_ok());
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_image_and_nobody_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let path = dir.path().join("train/n01440764/pipe.jpg");
    pipe(&path);
    for keep in [Keep::Memory, Keep::Disk] {
        let mut config = config("folder", dir.path(), 1);
        config.data.keep = keep;
        let (error, exit) = refused(&config);
        assert!(error.contains("pipe.jpg") && error.contains("not a regular file"), "{error}");
        assert_eq!(exit, Exit::Data);
        config.data.skip_damaged = true;
        assert_eq!(supply(&config).unwrap().steps(0), 2);
    }
    // One that takes the place of a file while the search runs.
    fs::remove_file(&path).unwrap();
    let config = config("folder", dir.path(), 1);
    let mut streamed = opened(&config);
    let replaced = dir.path().join("train/n01440764/n01440764_0.JPEG");
    fs::remove_file(&replaced).unwrap();
    pipe(&replaced);
    let steps: Result<Vec<_>, _> = (0..2).map(|step| streamed.step(0, step)).collect();
    assert!(steps.unwrap_err().to_string().contains("not a regular file"));
    // And in place of an archive.
    let other = tempfile::tempdir().unwrap();
    pipe(&other.path().join("ILSVRC2012_img_train.tar"));
    let (error, _) = refused(&crate::streams::config("imagenet", other.path(), 1));
    assert!(error.contains("not a regular file"), "{error}");
}

/// The peak of a process that reads some batches of this folder, in bytes.
fn peak(dir: &Path) -> u64 {
    let data_dir = format!("--data-dir={}", dir.display());
    let outcome = Outcome::of(sdarts(
        dir,
        &[
            "bench",
            "--data=folder",
            &data_dir,
            "--json",
            "--steps=1",
            "--threads=2",
            "--set=data.image_size=64",
            "--set=data.keep=disk",
            "--set=search.batch_size=8",
        ],
    ));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let row: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(row["images_per_second"].as_f64().unwrap() > 0.0);
    row["memory_bytes"].as_u64().unwrap()
}

/// As pixels they would be 2.5 GB, and one by one on the heap their paths some 30 MB.
#[cfg(target_os = "linux")]
#[test]
fn two_hundred_thousand_files_take_the_memory_of_their_names() {
    let [small, large] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for (dir, files) in [(&small, 400), (&large, 10_000)] {
        for class in 0..20 {
            let folder = dir.path().join(format!("class{class:02}"));
            fs::create_dir(&folder).unwrap();
            let first = folder.join("00000.png");
            save(&photograph(class % 3), &first);
            for index in 1..files {
                fs::hard_link(&first, folder.join(format!("{index:05}.png"))).unwrap();
            }
        }
    }
    let [small, large] = [peak(small.path()), peak(large.path())];
    let added = large.saturating_sub(small);
    assert!(added < 40_000_000, "{added} bytes for 192,000 more images");
}

#[test]
fn a_search_reads_from_the_disk_and_a_damaged_file_ends_it_with_the_code_of_data() {
    let dir = tempfile::tempdir().unwrap();
    folders(dir.path());
    let data = [
        "--data=folder",
        "--data-dir=.",
        "--set=data.keep=disk",
        "--set=data.image_size=8",
        "--set=search.batch_size=4",
        "--set=data.train_images=0",
        "--epochs=1",
    ];
    let run = |out: &str, more: &[&str]| {
        let out = format!("--out={out}");
        let arguments = [TINY, &data, more, &[out.as_str()]].concat();
        Outcome::of(sdarts(dir.path(), &arguments))
    };
    let (one, two) = (run("one", &["--threads=1"]), run("two", &["--threads=2"]));
    assert_eq!((one.code, two.code), (Some(0), Some(0)), "{one:?} {two:?}");
    let losses = |out: &str| -> Vec<f64> {
        let text = fs::read_to_string(dir.path().join(out).join("events.jsonl")).unwrap();
        let events = text.lines().map(|line| serde_json::from_str(line).unwrap());
        events.filter_map(|event: serde_json::Value| event["train_loss"].as_f64()).collect()
    };
    assert!(!losses("one").is_empty());
    assert_eq!(losses("one"), losses("two"));
    fs::write(dir.path().join("train/n01440764/n01440764_0.JPEG"), b"no image").unwrap();
    let broken = run("three", &[]);
    assert_eq!(broken.code, Some(3), "{broken:?}");
    assert!(broken.stderr.contains("n01440764_0.JPEG is no image"), "{broken:?}");
    let skipped = run("four", &["--set=data.skip_damaged=true"]);
    assert_eq!(skipped.code, Some(0), "{skipped:?}");
    assert!(skipped.stderr.contains("warning: skipped"), "{skipped:?}");
}
