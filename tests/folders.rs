//! Data sets in folders: images by class, and the files of the catalogue.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use native::datasets::{folder, open};
use smoothdarts::config::Config;
use smoothdarts::data::{DataError, Dataset};

/// Writes a file and the folders that it needs.
fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn save(image: impl Into<DynamicImage>, path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

fn red(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([200, 10, 20]))
}

fn gray(value: u8) -> GrayImage {
    GrayImage::from_pixel(4, 4, Luma([value]))
}

/// The data set of a folder of images through the config, as a search opens it.
fn opened(dir: &Path, image_size: usize) -> Dataset {
    let mut config = Config::default();
    config.data.name = "folder".to_owned();
    config.data.dir = dir.to_str().unwrap().to_owned();
    config.data.image_size = image_size;
    open(&config).unwrap()
}

fn refused(dir: &Path, image_size: usize) -> String {
    folder::open(dir, image_size).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn class_folders_become_labels_in_the_order_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    for (index, class) in ["zebra", "ant", "mouse"].iter().enumerate() {
        save(gray(10 * index as u8), &dir.path().join(class).join("0.png"));
    }
    let dataset = opened(dir.path(), 0);
    assert_eq!(dataset.class_names, ["ant", "mouse", "zebra"]);
    assert_eq!(dataset.train.labels, [0, 1, 2]);
    let values: Vec<u8> = (0..3).map(|index| dataset.train.image(index)[0]).collect();
    assert_eq!(values, [10, 20, 0]);
    assert!(dataset.test.is_empty());
}

#[test]
fn png_jpeg_and_webp_are_read_whatever_the_case_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    for (class, name) in [("a", "x.PNG"), ("b", "x.jpg"), ("c", "x.JPEG"), ("d", "x.webp")] {
        save(red(8, 8), &dir.path().join(class).join(name));
    }
    let images = opened(dir.path(), 0).train;
    assert_eq!([images.len(), images.height, images.width, images.channels], [4, 8, 8, 3]);
    for index in 0..4 {
        for (value, expected) in images.image(index).iter().zip([200u8, 10, 20].iter().cycle()) {
            // JPEG is lossy.
            assert!(value.abs_diff(*expected) <= 3, "image {index}: {value} for {expected}");
        }
    }
}

#[test]
fn train_and_test_folders_become_the_two_parts() {
    let dir = tempfile::tempdir().unwrap();
    for (class, value) in [("a", 1), ("b", 2)] {
        save(gray(value), &dir.path().join("train").join(class).join("0.png"));
    }
    save(gray(3), &dir.path().join("test/b/0.png"));
    let dataset = opened(dir.path(), 0);
    assert_eq!(dataset.class_names, ["a", "b"]);
    assert_eq!(dataset.train.labels, [0, 1]);
    assert_eq!(
        (dataset.test.labels.as_slice(), dataset.test.image(0)),
        ([1].as_slice(), [3; 16].as_slice())
    );
    // The constants are those of the training images, 1 and 2.
    assert!((dataset.mean[0] - 1.5 / 255.0).abs() < 1e-6);
    assert!((dataset.std[0] - 0.5 / 255.0).abs() < 1e-6);
}

#[test]
fn every_part_of_the_list_has_every_class_in_its_share() {
    let dir = tempfile::tempdir().unwrap();
    for (class, count) in [("many", 12), ("some", 4)] {
        for index in 0..count {
            save(gray(index), &dir.path().join(format!("{class}/{index:02}.png")));
        }
    }
    let train = opened(dir.path(), 0).train;
    for quarter in train.labels.chunks(4) {
        assert_eq!(quarter.iter().filter(|label| **label == 1).count(), 1, "{:?}", train.labels);
    }
    let many = (0..16).filter(|index| train.labels[*index] == 0);
    let order: Vec<u8> = many.map(|index| train.image(index)[0]).collect();
    assert_eq!(order, (0..12).collect::<Vec<u8>>(), "files are not in the order of their names");
}

#[test]
fn images_without_colour_have_one_channel_also_as_rgb_files() {
    let dir = tempfile::tempdir().unwrap();
    save(gray(50), &dir.path().join("a/0.png"));
    save(RgbImage::from_pixel(4, 4, Rgb([70; 3])), &dir.path().join("b/0.webp"));
    let images = opened(dir.path(), 0).train;
    assert_eq!(images.channels, 1);
    assert_eq!(images.pixels, [[50; 16], [70; 16]].concat());
}

#[test]
fn one_image_with_colour_gives_all_three_channels() {
    let dir = tempfile::tempdir().unwrap();
    save(gray(50), &dir.path().join("a/0.png"));
    save(red(4, 4), &dir.path().join("b/0.png"));
    let images = opened(dir.path(), 0).train;
    assert_eq!(images.channels, 3);
    assert_eq!(images.image(0), [50; 48]);
    assert_eq!(images.image(1)[..3], [200, 10, 20]);
}

#[test]
fn image_size_takes_the_square_in_the_middle_and_resizes_it() {
    let dir = tempfile::tempdir().unwrap();
    // 2 black columns, 4 white ones, 2 black ones: the square in the middle is white.
    let wide = GrayImage::from_fn(8, 4, |x, _| Luma([if (2..6).contains(&x) { 255 } else { 0 }]));
    save(wide, &dir.path().join("a/0.png"));
    // A square of two halves keeps them.
    let tall = GrayImage::from_fn(8, 8, |_, y| Luma([if y < 4 { 0 } else { 200 }]));
    save(tall, &dir.path().join("b/0.png"));
    let same = opened(dir.path(), 4).train;
    assert_eq!([same.height, same.width], [4, 4]);
    assert_eq!(same.image(0), [255; 16]);
    let small = opened(dir.path(), 2).train;
    assert_eq!(small.image(0), [255; 4]);
    let [top, _, bottom, _] = small.image(1) else { panic!("{:?}", small.image(1)) };
    assert!(*top < 50 && *bottom > 150, "{top} {bottom}");
}

#[test]
fn images_of_several_sizes_are_refused_with_the_one_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    save(red(4, 4), &dir.path().join("a/0.png"));
    save(red(4, 5), &dir.path().join("b/odd.png"));
    let error = refused(dir.path(), 0);
    for part in ["odd.png has 4×5 pixels", "0.png has 4×4", "data.image_size"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(opened(dir.path(), 4).train.len(), 2);
}

#[test]
fn a_file_that_is_no_image_is_refused_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    save(red(4, 4), &dir.path().join("a/0.png"));
    save(red(4, 4), &dir.path().join("b/0.png"));
    let good = fs::read(dir.path().join("b/0.png")).unwrap();
    for bytes in [b"no image".as_slice(), b"", &good[..good.len() / 2]] {
        write(&dir.path().join("b/1.png"), bytes);
        let error = refused(dir.path(), 0);
        let path = dir.path().join("b/1.png");
        assert!(error.contains(&format!("{} is no image", path.display())), "{error}");
    }
}

#[test]
fn the_first_of_several_bad_files_is_told() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        for index in 0..20 {
            write(&dir.path().join(format!("{class}/{index:02}.png")), b"no image");
        }
    }
    for _ in 0..5 {
        assert!(refused(dir.path(), 0).contains("a/00.png"));
    }
}

#[test]
fn other_and_hidden_files_are_skipped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        save(gray(1), &dir.path().join(class).join("deeper/0.png"));
        write(&dir.path().join(class).join("deeper/notes.txt"), b"about");
    }
    write(&dir.path().join("a/.hidden.png"), b"no image");
    write(&dir.path().join("README.md"), b"about");
    write(&dir.path().join(".cache/0.png"), b"no image");
    let folder = folder::open(dir.path(), 0).unwrap();
    assert_eq!(folder.dataset.train.len(), 2);
    assert_eq!(folder.skipped.unwrap().count, 5);
    fs::remove_dir_all(dir.path().join(".cache")).unwrap();
    fs::remove_file(dir.path().join("README.md")).unwrap();
    fs::remove_file(dir.path().join("a/.hidden.png")).unwrap();
    for class in ["a", "b"] {
        fs::remove_file(dir.path().join(class).join("deeper/notes.txt")).unwrap();
    }
    assert_eq!(folder::open(dir.path(), 0).unwrap().skipped, None);
}

#[test]
fn a_class_without_images_is_refused_with_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    save(gray(1), &dir.path().join("a/0.png"));
    write(&dir.path().join("b/0.gif"), b"GIF89a");
    let error = refused(dir.path(), 0);
    assert!(
        error.contains(&format!("{} has no images", dir.path().join("b").display())),
        "{error}"
    );
    assert!(error.contains("webp"), "{error}");
}

#[test]
fn a_folder_without_two_classes_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(refused(dir.path(), 0).contains("has 0 class folders"));
    save(gray(1), &dir.path().join("only/0.png"));
    assert!(refused(dir.path(), 0).contains("has 1 class folders"));
}

#[test]
fn a_test_class_without_training_images_is_refused_with_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    for path in ["train/a/0.png", "train/b/0.png", "test/c/0.png"] {
        save(gray(1), &dir.path().join(path));
    }
    let error = refused(dir.path(), 0);
    assert!(error.contains("c is a class without training images"), "{error}");
}

#[test]
fn an_absurd_image_size_is_refused_before_it_is_allocated() {
    let dir = tempfile::tempdir().unwrap();
    save(gray(1), &dir.path().join("a/0.png"));
    save(gray(1), &dir.path().join("b/0.png"));
    for size in [1025, usize::MAX] {
        assert!(refused(dir.path(), size).contains("at most 1024"));
    }
}

/// A config for a data set of the catalogue.
fn config(name: &str, dir: &Path) -> Config {
    let mut config = Config::default();
    config.data.name = name.to_owned();
    config.data.dir = dir.to_str().unwrap().to_owned();
    config
}

/// MNIST's four files with one image of 2×2 pixels in each part.
fn write_mnist(dir: &Path, value: u8, gzip: bool) {
    for part in ["train", "t10k"] {
        let images =
            [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2], [value; 4].as_slice()].concat();
        let labels = vec![0, 0, 8, 1, 0, 0, 0, 1, 7];
        for (name, bytes) in [("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)] {
            let path = dir.join(format!("{part}-{name}"));
            if gzip {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&bytes).unwrap();
                write(&path.with_added_extension("gz"), &encoder.finish().unwrap());
            } else {
                write(&path, &bytes);
            }
        }
    }
}

#[test]
fn files_are_found_in_the_folder_and_first_in_the_one_that_fetch_makes() {
    let dir = tempfile::tempdir().unwrap();
    write_mnist(dir.path(), 1, false);
    let config = config("mnist", dir.path());
    assert_eq!(open(&config).unwrap().train.pixels, [1; 4]);
    write_mnist(&dir.path().join("mnist"), 2, true);
    assert_eq!(open(&config).unwrap().train.pixels, [2; 4]);
}

#[test]
fn a_download_that_failed_does_not_hide_files_in_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("mnist/train-images-idx3-ubyte.gz.part"), b"half");
    write_mnist(dir.path(), 1, true);
    assert_eq!(open(&config("mnist", dir.path())).unwrap().train.pixels, [1; 4]);
}

#[test]
fn a_damaged_file_is_told_with_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    write_mnist(&dir.path().join("mnist"), 1, false);
    write(&dir.path().join("mnist/train-labels-idx1-ubyte"), b"other");
    let error = format!("{:#}", open(&config("mnist", dir.path())).unwrap_err());
    let folder = dir.path().join("mnist").display().to_string();
    assert!(error.contains(&folder) && error.contains("train-labels-idx1-ubyte"), "{error}");
}

#[test]
fn a_missing_file_is_told_with_folder_and_command() {
    let dir = tempfile::tempdir().unwrap();
    let error = format!("{:#}", open(&config("cifar10", dir.path())).unwrap_err());
    let shown = dir.path().display().to_string();
    let command = format!("`sdarts fetch cifar10 --data-dir {shown}`");
    for part in ["data_batch_1.bin is missing", &command] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_as_such() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["mnist", "folder"] {
        let error = open(&config(name, &dir.path().join("nowhere"))).unwrap_err();
        assert!(error.is::<DataError>());
        assert!(format!("{error:#}").contains("nowhere, the folder of"), "{error:#}");
    }
}

#[test]
fn without_a_folder_only_the_embedded_images_open() {
    let nowhere = Path::new("");
    let embedded = open(&config("fashion-mnist", nowhere)).unwrap();
    assert_eq!((embedded.train.len(), embedded.test.len()), (4000, 1000));
    let error = format!("{:#}", open(&config("svhn", nowhere)).unwrap_err());
    for part in ["sdarts fetch svhn --data-dir DIR", "--data svhn --data-dir DIR"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = format!("{:#}", open(&config("folder", nowhere)).unwrap_err());
    assert!(error.contains("--data folder --data-dir DIR"), "{error}");
    let error = format!("{:#}", open(&config("mnits", nowhere)).unwrap_err());
    assert!(error.contains("\"mnist\""), "{error}");
}
