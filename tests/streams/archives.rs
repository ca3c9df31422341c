//! The archives of ImageNet.

use std::fs;
use std::path::Path;

use native::exit::Exit;
use smoothdarts::data::{Batches as _, Part};

use super::{config, folders, opened, pass, photograph, refused, save};

fn tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let read = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    fs::read_dir(dir).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// The photographs of [`folders`] as the archives of ImageNet, with the labels of the test images.
pub fn archives(source: &Path, dir: &Path) {
    let (mut classes, mut val, mut labels) = (Vec::new(), Vec::new(), String::new());
    for class in ["n01443537", "n01440764"] {
        let images = tar(&files(&source.join("train").join(class)));
        classes.push((format!("{class}.tar"), images));
        for (name, bytes) in files(&source.join("val").join(class)) {
            labels += &format!("{name} {class}\n");
            val.push((name, bytes));
        }
    }
    fs::write(dir.join("ILSVRC2012_img_train.tar"), tar(&classes)).unwrap();
    fs::write(dir.join("ILSVRC2012_img_val.tar"), tar(&val)).unwrap();
    fs::write(dir.join("val_labels.txt"), labels).unwrap();
}

#[test]
fn archives_give_the_batches_of_the_folders_that_they_hold() {
    let [source, dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    folders(source.path());
    archives(source.path(), dir.path());
    let mut from_folders = opened(&config("imagenet", source.path(), 2));
    let mut from_archives = opened(&config("imagenet", dir.path(), 2));
    assert_eq!(from_archives.class_names(), ["n01440764", "n01443537"]);
    for step in 0..2 {
        assert!(from_folders.step(0, step).unwrap() == from_archives.step(0, step).unwrap());
    }
    // Test images stand in the order of their names here, class by class there.
    let folders = from_folders.evaluation(Part::Test, 0, 0).unwrap();
    let archives = from_archives.evaluation(Part::Test, 0, 0).unwrap();
    assert_eq!(
        (folders.labels, archives.labels.as_slice()),
        (vec![0, 1, 0, 1], [0, 1, 0, 1].as_slice())
    );
    assert!(folders.images == archives.images);
    // The labels as Kaggle has them.
    let labels = fs::read_to_string(dir.path().join("val_labels.txt")).unwrap();
    let kaggle: String =
        labels.lines().map(|line| line.replace(".JPEG ", ",") + " 1 2 3 4 \n").collect();
    fs::remove_file(dir.path().join("val_labels.txt")).unwrap();
    let text = format!("ImageId,PredictionString\n{kaggle}");
    fs::write(dir.path().join("LOC_val_solution.csv"), text).unwrap();
    let mut streamed = opened(&config("imagenet", dir.path(), 1));
    assert_eq!(streamed.evaluation(Part::Test, 0, 0).unwrap().labels, [0, 1, 0, 1]);
}

#[test]
fn an_archive_that_ends_early_is_refused_wherever_it_ends() {
    let [source, dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    folders(source.path());
    archives(source.path(), dir.path());
    for name in ["ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        for length in (512..whole.len() - 1024).step_by(512).chain([0, 100, whole.len() / 2 + 7]) {
            fs::write(&path, &whole[..length]).unwrap();
            let (error, exit) = refused(&config("imagenet", dir.path(), 1));
            assert!(error.contains(name) && exit == Exit::Data, "{length}: {error}");
            if length >= 1024 {
                assert!(error.contains("ends early"), "{length}: {error}");
            }
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(pass(&config("imagenet", dir.path(), 1)).is_ok());
}

#[test]
fn a_damaged_image_in_an_archive_is_told_with_both_names() {
    let [source, dir] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    folders(source.path());
    fs::write(source.path().join("train/n01440764/n01440764_2.JPEG"), b"no image").unwrap();
    archives(source.path(), dir.path());
    let error = pass(&config("imagenet", dir.path(), 2)).unwrap_err();
    assert!(error.contains("n01440764_2.JPEG in ") && error.contains("img_train.tar"), "{error}");
}

#[test]
fn what_is_not_imagenet_is_refused_with_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let (error, exit) = refused(&config("imagenet", dir.path(), 1));
    assert!(error.contains("image-net.org") && exit == Exit::Data, "{error}");
    for class in ["cat", "dog"] {
        save(&photograph(1), &dir.path().join(format!("train/{class}/0.png")));
    }
    let (error, _) = refused(&config("imagenet", dir.path(), 1));
    assert!(error.contains("cat") && error.contains("no WordNet id"), "{error}");
    let source = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    folders(source.path());
    archives(source.path(), dir.path());
    let labels = dir.path().join("val_labels.txt");
    fs::write(&labels, "ILSVRC2012_val_00000000.JPEG n01440764\n").unwrap();
    let (error, _) = refused(&config("imagenet", dir.path(), 1));
    assert!(error.contains("has no class of ILSVRC2012_val_"), "{error}");
    fs::write(&labels, "ILSVRC2012_val_00000000.JPEG n00000000\n").unwrap();
    let (error, _) = refused(&config("imagenet", dir.path(), 1));
    assert!(error.contains("line 1 of") && error.contains("n00000000"), "{error}");
    fs::remove_file(&labels).unwrap();
    let (error, _) = refused(&config("imagenet", dir.path(), 1));
    assert!(error.contains("no val_labels.txt"), "{error}");
}
