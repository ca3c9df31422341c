//! Passes that a GPU has recorded give what passes give that are computed.

use burn::tensor::Device;
use smoothdarts::config::Config;
use smoothdarts::event::Event;
use smoothdarts::run::ImageSearch;

use super::tiny;
use crate::devices;

/// Events of a search with this many recorded passes at its end.
fn searched(config: &Config, device: &Device, replay: bool) -> (Vec<Event>, usize) {
    let mut loader = tiny::loader(config);
    let (shape, steps) = (loader.shape(), loader.steps_per_epoch());
    let mut search = ImageSearch::new(config, shape, steps, device).unwrap();
    search.set_replay(replay);
    let events = tiny::run(&mut search, &mut loader).unwrap();
    (events, search.job().recorded_passes())
}

/// Losses of steps and of attacks, and what stands after an epoch, in the order of the events.
fn numbers(events: &[Event]) -> Vec<f32> {
    let of = |event: &Event| match event {
        Event::Step(step) => {
            let attack = step.attack.iter().flat_map(|it| [it.loss_before, it.loss_after]);
            [step.train_loss, step.valid_loss, step.train_accuracy]
                .into_iter()
                .chain(attack)
                .collect()
        }
        Event::EpochFinished(epoch) => {
            let losses = [epoch.train_loss, epoch.valid_loss, epoch.valid_accuracy];
            let alpha = epoch.alpha.iter().flatten().flatten().copied();
            losses.into_iter().map(|it| it as f32).chain(alpha).collect()
        }
        _ => Vec::new(),
    };
    events.iter().flat_map(of).collect::<Vec<f32>>()
}

fn replays_what_it_computes(space: &str, method: &str, recorded: usize) {
    let Some(device) = devices::wgpu() else { return };
    let config = tiny::config(space, method);
    let (wanted, none) = searched(&config, &device, false);
    let (found, passes) = searched(&config, &device, true);
    assert_eq!((none, passes), (0, recorded));
    let (found, wanted) = (numbers(&found), numbers(&wanted));
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 1e-4 * wanted.abs().max(1.0), "{found} {wanted}");
    }
}

#[test]
fn a_search_with_an_attack_replays_five_passes() {
    replays_what_it_computes("s5", "sdarts-adv", 5);
}

#[test]
fn passes_that_draw_are_computed() {
    replays_what_it_computes("s4", "sdarts-rs", 0);
}
