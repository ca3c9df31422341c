//! What pictures and readers make of a search in stages.

use smoothdarts::draw::figures::{self, Scene};
use smoothdarts::draw::heatmap::{self, Scale};
use smoothdarts::draw::history::History;
use smoothdarts::event::Event;

use super::sound;
use crate::search::{stages, tiny};

/// Three stages of two epochs.
pub fn staged() -> History {
    History::from_iter(tiny::whole(&stages::config("p-darts-rs")).0)
}

#[test]
fn every_epoch_has_the_options_that_the_search_started_with() {
    let history = staged();
    for epoch in &history.epochs {
        for (index, choice) in history.choices().iter().enumerate() {
            for (number, row) in choice.rows.iter().enumerate() {
                let (p, alpha) = (&epoch.probabilities[index][number], &epoch.alpha[index][number]);
                assert_eq!((p.len(), alpha.len()), (8, 8));
                assert!((p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                for (option, (p, alpha)) in row.options.iter().zip(p.iter().zip(alpha)) {
                    let is_there = history.is_there(epoch.epoch, index, number, option);
                    assert_eq!(is_there, *p > 0.0, "epoch {} {option}", epoch.epoch);
                    assert_eq!(is_there, alpha.is_finite());
                }
                let left = p.iter().filter(|p| **p > 0.0).count();
                assert_eq!(left, [8, 8, 5, 5, 3, 3][epoch.epoch]);
            }
        }
        let derived = history.derive(&epoch.probabilities).unwrap();
        assert_eq!(derived, epoch.genotype, "as the search derived it from what was left");
    }
    let restrictions = history.restrictions();
    assert_eq!(restrictions.len(), 9);
    assert_eq!(Some(&restrictions[8 - 2].1), history.genotype());
}

#[test]
fn the_picture_of_stages_tells_of_every_operation_when_it_fell() {
    let history = staged();
    let figure = figures::find("stages").unwrap();
    let pictures = (figure.pictures)(Scene::of(&history));
    assert_eq!(pictures.len(), 2);
    for picture in pictures {
        sound(&picture.svg());
        let csv = picture.csv();
        let count = |fate: &str| csv.lines().filter(|line| line.ends_with(fate)).count();
        assert_eq!((count(",after stage 1"), count(",after stage 2")), (14 * 3, 14 * 2));
        assert_eq!((count(",taken"), count(",left")), (8, 14 * 3 - 8));
        assert_eq!(picture.table().unwrap().rows.len(), 14);
    }
}

#[test]
fn curves_have_the_stages_as_bands_and_heatmaps_are_blank_where_an_operation_fell() {
    let history = staged();
    let chart = figures::accuracy(&history);
    let zones: Vec<_> = chart.zones.iter().map(|it| (it.ends, it.name.as_str())).collect();
    let expected = [
        ((0.0, 2.0), "2 cells, 8 operations"),
        ((2.0, 4.0), "3 cells, 5 operations"),
        ((4.0, 6.0), "4 cells, 3 operations"),
    ];
    assert_eq!(zones, expected);
    sound(&smoothdarts::draw::chart::draw(&chart));
    let picture = heatmap::draw(&history, "normal", Scale::Fitted).unwrap();
    sound(&picture);
    // Fitted to what is there: a scale that began at the 0 of what fell would show nothing of the first stage.
    assert!(!picture.contains("<title>p = 0.00</title>"), "{picture}");
}

#[test]
fn a_stream_that_goes_back_before_a_stage_forgets_it() {
    let events = tiny::whole(&stages::config("p-darts-rs")).0;
    let whole = History::from_iter(events.iter().cloned());
    let place = events.iter().position(|it| matches!(it, Event::StageStarted(_))).unwrap();
    // Read to beyond the stage, then again from an epoch before it.
    let before = (0..place).rev().find(|&at| matches!(events[at], Event::EpochStarted(_))).unwrap();
    let again = events[..place + 9].iter().chain(&events[before..]).cloned();
    assert_eq!(History::from_iter(again).stages, whole.stages);
    let short = events[..place + 9].iter().chain(&events[before..place - 1]).cloned();
    assert!(History::from_iter(short).stages.is_empty());
}
