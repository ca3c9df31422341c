//! The transforms of photographs against Pillow and torchvision, and their laws.
//!
//! The golden numbers are in tests/data/photographs.json, made by photographs.py beside it. Resizing
//! and all four changes of colour are equal to the bit. (Pillow 13 goes along the columns first where
//! it takes that for cheaper, which rounds some pixels differently by 1; Pillow 11 never does.)

use serde_json::Value;
use smoothdarts::config::{Config, Transform};
use smoothdarts::data::photo::crop::Rect;
use smoothdarts::data::photo::jitter::Change;
use smoothdarts::data::photo::{MEAN, Photo, Photographs, STD, evaluation_side, resample};
use smoothdarts::data::{Dataset, Images, Loader, Order, Part, Picks};
use smoothdarts::rng::{Stream, Streams};

fn golden() -> Value {
    serde_json::from_str(include_str!("../data/photographs.json")).unwrap()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn pixels(value: &Value) -> Vec<u8> {
    let text = value["pixels"].as_str().unwrap();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// The images of the golden file, each with its cases.
fn images(golden: &Value) -> Vec<(Photo, &Value)> {
    let (width, height) = (number(&golden["width"]), number(&golden["height"]));
    let cases = golden["images"].as_array().unwrap().iter();
    cases.map(|it| (Photo { pixels: pixels(it), width, height, channels: 3 }, it)).collect()
}

#[test]
fn parts_are_resized_as_torchvision_does_it() {
    let golden = golden();
    let mut count = 0;
    for (photo, cases) in images(&golden) {
        for case in cases["resized"].as_array().unwrap() {
            let [left, top, width, height] = [0, 1, 2, 3].map(|at| number(&case["part"][at]));
            let [wide, tall] = [0, 1].map(|at| number(&case["size"][at]));
            let part = Rect { left, top, width, height };
            let found = resample::resize(&photo, part, wide, tall);
            assert_eq!(found.pixels, pixels(case), "{part:?} to {wide}×{tall}");
            count += 1;
        }
    }
    assert_eq!(count, 40);
}

#[test]
fn the_shorter_side_is_resized_and_the_middle_taken_as_torchvision_does_it() {
    let golden = golden();
    for (photo, cases) in images(&golden) {
        for case in cases["evaluated"].as_array().unwrap() {
            let (side, size) = (number(&case["side"]), number(&case["size"]));
            assert_eq!(evaluation_side(size), side);
            let found = resample::shorter_side(&photo, side, size);
            assert_eq!(found.pixels, pixels(case), "{side} and {size}");
        }
    }
    assert_eq!(evaluation_side(224), 256);
}

#[test]
fn colours_change_as_in_pillow() {
    let golden = golden();
    for (photo, cases) in images(&golden) {
        for case in cases["changed"].as_array().unwrap() {
            let value = case["value"].as_f64().unwrap();
            let change = match case["change"].as_str().unwrap() {
                "brightness" => Change::Brightness(value),
                "contrast" => Change::Contrast(value),
                "saturation" => Change::Saturation(value),
                _ => Change::Hue(value),
            };
            let mut found = photo.clone();
            change.apply(&mut found);
            assert_eq!(found.pixels, pixels(case), "{change:?}");
        }
    }
}

fn settings(transform: Transform, jitter: f64) -> Config {
    let mut config = Config::default();
    config.data.transform = transform;
    config.data.colour_jitter = jitter;
    config.data.hue_jitter = jitter / 2.0;
    config
}

fn picks(position: usize) -> Picks {
    Picks { test: false, indices: vec![0; 4], augment: Some((Stream::TrainAugment, position)) }
}

/// The four inputs that a batch of one and the same photograph has at a position.
fn inputs(config: &Config, photo: &Photo, position: usize) -> Vec<Vec<f32>> {
    let photographs = Photographs::new(&config.data, 8).unwrap();
    let draws = photographs.draws(&picks(position), Streams::new(7)).into_iter();
    let input = |draw| {
        let mut out = Vec::new();
        photographs.input(photo, draw, &mut out).unwrap();
        out
    };
    draws.map(input).collect()
}

#[test]
fn an_input_is_a_function_of_its_position_and_differs_from_image_to_image() {
    let golden = golden();
    let (photo, _) = &images(&golden)[0];
    for transform in [Transform::Crop, Transform::ResizedCrop] {
        let config = settings(transform, 0.4);
        let first = inputs(&config, photo, 3);
        assert_eq!(first, inputs(&config, photo, 3));
        assert_ne!(first, inputs(&config, photo, 4));
        assert_ne!(first[0], first[1]);
        assert!(first.iter().all(|input| input.len() == 8 * 8 * 3));
    }
}

#[test]
fn inputs_are_normalised_with_the_constants_of_imagenet_and_in_their_bounds() {
    let white = Photo { pixels: vec![255; 30 * 20 * 3], width: 30, height: 20, channels: 3 };
    let config = settings(Transform::ResizedCrop, 0.0);
    for input in inputs(&config, &white, 0) {
        for (place, value) in input.iter().enumerate() {
            let expected = (1.0 - MEAN[place % 3]) / STD[place % 3];
            assert!((value - expected).abs() < 1e-6);
        }
    }
    let golden = golden();
    for input in inputs(&settings(Transform::ResizedCrop, 0.4), &images(&golden)[0].0, 0) {
        for (place, value) in input.iter().enumerate() {
            let pixel = (value * STD[place % 3] + MEAN[place % 3]) * 255.0;
            assert!((-1e-3..255.001).contains(&pixel), "{pixel}");
        }
    }
}

#[test]
fn without_a_draw_there_is_the_middle_and_no_chance() {
    let golden = golden();
    let (photo, _) = &images(&golden)[1];
    let photographs = Photographs::new(&settings(Transform::ResizedCrop, 0.4).data, 14).unwrap();
    let mut out = Vec::new();
    photographs.input(photo, None, &mut out).unwrap();
    let expected = resample::shorter_side(photo, 16, 14).pixels;
    for (place, (value, pixel)) in out.iter().zip(expected).enumerate() {
        let back = (value * STD[place % 3] + MEAN[place % 3]) * 255.0;
        assert!((back - f32::from(pixel)).abs() < 1e-3);
    }
}

/// One pixel is enough for every crop: torchvision enlarges what is too small.
#[test]
fn a_photograph_smaller_than_the_crop_is_enlarged_and_one_without_pixels_refused() {
    let dot = Photo { pixels: vec![10, 20, 30], width: 1, height: 1, channels: 3 };
    for transform in [Transform::Crop, Transform::ResizedCrop] {
        let config = settings(transform, 0.0);
        assert_eq!(inputs(&config, &dot, 0)[0].len(), 8 * 8 * 3);
        let none = Photo { pixels: Vec::new(), width: 0, height: 5, channels: 3 };
        let photographs = Photographs::new(&config.data, 8).unwrap();
        let error = photographs.input(&none, None, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("0×5 pixels"), "{error}");
    }
}

#[test]
fn sizes_that_images_cannot_have_are_refused() {
    for size in [0, 1025] {
        let error = Photographs::new(&Config::default().data, size).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("1 to 1024"), "{error}");
    }
    let error = Photographs::new(&Config::default().data, 4).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("crop_padding"), "{error}");
}

fn dataset(count: u8) -> Dataset {
    let images = |from: u8| Images {
        pixels: (0..count).flat_map(|image| [from + image; 192]).collect(),
        labels: vec![0; usize::from(count)],
        height: 8,
        width: 8,
        channels: 3,
    };
    Dataset::measured("gray".to_owned(), images(1), images(100), vec!["a".to_owned()]).unwrap()
}

/// Images in memory have the transforms too; of one colour, they show nothing of the crop.
#[test]
fn images_in_memory_take_the_same_transforms() {
    let mut config = settings(Transform::ResizedCrop, 0.0);
    config.search.batch_size = 5;
    let loader = Loader::new(dataset(20), &config).unwrap();
    config.data.transform = Transform::Crop;
    config.data.crop_padding = 0;
    let plain = Loader::new(dataset(20), &config).unwrap();
    assert_eq!(loader.step(1, 1).train, plain.step(1, 1).train);
    config.data.colour_jitter = 0.4;
    let jittered = Loader::new(dataset(20), &config).unwrap();
    assert_ne!(jittered.step(1, 1).train.images, plain.step(1, 1).train.images);
    assert_eq!(jittered.evaluation(Part::Test, 0, 0), plain.evaluation(Part::Test, 0, 0));
}

#[test]
fn a_pass_takes_every_image_once_and_has_no_validation_half() {
    let order = Order::pass(10, 3, 4, 1).unwrap();
    assert_eq!((order.steps(), order.evaluation_batches(Part::Valid)), (3, 0));
    for epoch in 0..3 {
        let steps: Vec<_> = (0..3).map(|step| order.step(epoch, step)).collect();
        let mut all: Vec<usize> = steps.iter().flat_map(|it| it.train.indices.clone()).collect();
        assert!(steps.iter().all(|it| it.valid.indices.is_empty()));
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
    }
    assert_ne!(order.step(0, 0), order.step(1, 0));
    assert_eq!(order.evaluation(Part::Test, 5, 0).indices, [0, 1, 2]);
    assert!(Order::pass(0, 3, 4, 1).is_err());
}
