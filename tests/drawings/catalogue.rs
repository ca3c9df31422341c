//! The catalogue of figures: laws that hold for every row.

use std::collections::BTreeSet;

use smoothdarts::draw::figures::{ALL, Compare, Scene, Section, find, on_page};
use smoothdarts::draw::history::History;
use smoothdarts::draw::landscape::{Frame, Quantity, View};
use smoothdarts::draw::perturbation::Perturbed;
use smoothdarts::event::{Event, Perplexity};

use super::{landscapes, sound, stages, story};

#[test]
fn every_figure_has_a_name_of_its_own_and_a_place() {
    let names: BTreeSet<&str> = ALL.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), ALL.len());
    for figure in ALL {
        assert!(std::ptr::eq(find(figure.name).unwrap(), figure));
        assert!(figure.report.is_some() || figure.page.is_some(), "{} is nowhere", figure.name);
    }
    let places: Vec<u8> = on_page().map(|(_, page)| page.place).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "one figure a place: {places:?}");
}

/// Events of a search as if it read a text.
fn of_text(mut events: Vec<Event>) -> Vec<Event> {
    for event in &mut events {
        match event {
            Event::Started(started) => started.config.search.space = "recurrent".to_owned(),
            Event::EpochFinished(epoch) => {
                let (train, valid) = (epoch.train_loss.exp(), epoch.valid_loss.exp());
                epoch.perplexity = Some(Perplexity { train, valid });
            }
            _ => {}
        }
    }
    events
}

#[test]
fn every_figure_of_a_whole_scene_has_pictures_words_and_numbers() {
    let history = History::from_iter(story::measured(6));
    let hill = landscapes::hill(5);
    let (frame, quantity) = (Frame::over([&hill], Quantity::Accuracy), Quantity::Accuracy);
    let p = &history.epochs[5].probabilities[0];
    let (choice, cell) = (&history.choices()[0], history.cell(0));
    let scene = Scene {
        perturbed: Some(Perturbed {
            choice,
            cell: &cell,
            p,
            displaced: p,
            perturbed: &history.epochs[2].probabilities[0],
            epsilon: 0.1,
            losses: (1.0, 1.5),
        }),
        landscape: Some(View { landscape: &hill, name: "hill", quantity, frame }),
        ..Scene::of(&history)
    };
    let training = History::from_iter(story::training(6));
    let staged = stages::staged();
    let text = History::from_iter(of_text(story::measured(6)));
    let mut own = history.clone();
    own.anytime.iter_mut().for_each(|look| look.own_accuracy = Some(60.0 + look.epoch as f64));
    for figure in ALL {
        let (scene, history) = match figure.report {
            Some(Section::Training) => (Scene::of(&training), &training),
            _ if figure.name == "stages" => (Scene::of(&staged), &staged),
            _ if figure.name == "own-trainings" => (Scene::of(&own), &own),
            _ if figure.name == "perplexity" => (Scene::of(&text), &text),
            _ => (scene, &history),
        };
        let pictures = (figure.pictures)(scene);
        assert!(!pictures.is_empty(), "{}", figure.name);
        let files = pictures.iter().map(|picture| figure.stem(None, picture.part()));
        assert_eq!(files.collect::<BTreeSet<_>>().len(), pictures.len(), "{}", figure.name);
        for picture in pictures {
            sound(&picture.svg());
            assert!(picture.csv().lines().count() > 1, "{}", figure.name);
            assert!(picture.caption().ends_with('.'), "{}: a sentence", figure.name);
        }
        if let Some(Compare::Curve(curve)) = figure.compare {
            assert_eq!((curve.points)(history).len(), 6, "{}", figure.name);
        }
    }
}

#[test]
fn pictures_of_a_text_speak_of_no_images_and_of_no_half_of_them() {
    let mut trained = story::training(6);
    for event in &mut trained {
        if let Event::TrainEpoch(epoch) = event {
            epoch.perplexity = Some(epoch.loss.exp());
        }
    }
    let (searched, trained) =
        (History::from_iter(of_text(story::measured(6))), History::from_iter(trained));
    let of_search = ["perplexity", "accuracy", "loss", "steps"].map(|name| (name, &searched));
    let of_training = ["training-accuracy", "training-perplexity", "training-loss"];
    for (name, history) in of_search.into_iter().chain(of_training.map(|name| (name, &trained))) {
        let pictures = (find(name).unwrap().pictures)(Scene::of(history));
        assert!(!pictures.is_empty(), "{name}");
        for caption in pictures.iter().map(|picture| picture.caption()) {
            let of_images = ["image", "half", "augmented", "auxiliary"];
            assert!(!of_images.iter().any(|word| caption.contains(word)), "{name}: {caption}");
        }
    }
}

#[test]
fn a_figure_without_anything_to_see_has_no_picture_or_one_that_says_so() {
    for events in [story::measured(2), story::training(2)] {
        for end in 0..=events.len() {
            let history = History::from_iter(events[..end].iter().cloned());
            for figure in ALL {
                let pictures = (figure.pictures)(Scene::of(&history));
                pictures.iter().for_each(|picture| drop(sound(&picture.svg())));
            }
        }
    }
}
