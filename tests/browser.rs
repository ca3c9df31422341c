//! The search of the page is the search of the command line.

mod server;

use burn::tensor::Device;
use pollster::block_on;
use serde_json::json;
use smoothdarts::config::Config;
use smoothdarts::data::embedded;
use smoothdarts::draw::landscape::Range;
use smoothdarts::event::Event;
use smoothdarts::run::checkpoint::Checkpoint;
use smoothdarts::run::search::Watched;
use web::monitor::Monitor;
use web::session::Session;
use web::settings::{Request, catalogues};

use crate::drawings::story;
use crate::search::tiny;

fn session(request: &str) -> Session {
    let config = Request::from_json(request).unwrap().config().unwrap();
    let label = "cpu".to_owned();
    Session::new(&config, embedded().unwrap(), &Device::flex(), label, || 0.0).unwrap()
}

/// A request for the tiny search of `tests/search/tiny.rs`.
fn tiny_request(method: &str) -> String {
    request(&tiny::config("s2", method))
}

fn request(config: &Config) -> String {
    json!({ "settings": serde_json::to_value(config).unwrap() }).to_string()
}

#[test]
fn a_search_watched_part_by_part_says_what_the_search_says() {
    for method in ["darts", "sdarts-rs", "sdarts-adv"] {
        let (events, checkpoint) = tiny::whole(&tiny::config("s2", method));
        let mut session = session(&tiny_request(method));
        let (mut said, mut parts) = (Vec::new(), 0);
        while let Some(part) = block_on(session.advance_part()).unwrap() {
            let ended = matches!(part, Watched::Event { .. });
            assert_eq!(session.can_save(), ended, "{method}: no save inside a step");
            match part {
                Watched::Event { event } => said.push(event),
                _ => parts += 1,
            }
        }
        let strip = |events: &[smoothdarts::event::Event]| {
            events.iter().skip(1).map(|event| format!("{event:?}")).collect::<Vec<_>>()
        };
        assert_eq!(strip(&said), strip(&events), "{method}");
        assert_eq!(parts, 2 * 6, "{method}: two parts before the w-step of each of six steps");
        let found = block_on(session.snapshot()).unwrap();
        assert!(found == checkpoint.to_bytes().unwrap(), "{method}");
    }
}

#[test]
fn the_slow_motion_shows_a_perturbation_inside_its_ball() {
    let mut session = session(&tiny_request("sdarts-rs"));
    let part = loop {
        let part = block_on(session.advance_part()).unwrap().unwrap();
        if matches!(part, Watched::Perturb { .. }) {
            break part;
        }
    };
    let Watched::Perturb { epsilon, p, displaced, perturbed, loss_before, loss_after } = part
    else {
        panic!("it is one")
    };
    assert!(epsilon > 0.0 && loss_before.is_finite() && loss_after.is_finite());
    let flat =
        |rows: &[Vec<Vec<f32>>]| rows.iter().flatten().flatten().copied().collect::<Vec<_>>();
    for ((p, displaced), row) in flat(&p).iter().zip(flat(&displaced)).zip(flat(&perturbed)) {
        assert!(f64::from((displaced - p).abs()) <= epsilon + 1e-6);
        assert!((0.0..=1.0).contains(&row));
    }
    assert_ne!(displaced, p);
    for row in perturbed.iter().flatten() {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let monitor = block_on(session.monitor()).unwrap();
    assert!(monitor.draw("perturbation").unwrap().contains("data-stage=\"4\""));
}

#[test]
fn the_slow_motion_shows_a_perturbation_of_a_space_with_one_kind_of_cell() {
    let mut config = tiny::config("nasbench201", "sdarts-adv");
    config.search.cells = 5;
    let mut session = session(&request(&config));
    while !matches!(block_on(session.advance_part()).unwrap().unwrap(), Watched::Perturb { .. }) {}
    let monitor = block_on(session.monitor()).unwrap();
    let picture = monitor.draw("perturbation").unwrap();
    assert!(picture.contains("data-stage=\"4\"") && picture.contains(" → node "), "{picture}");
    assert!(!picture.contains("k−"), "it has no c(k−2)");
    assert_eq!(monitor.table("perturbation").unwrap().lines().count(), 1 + 6 * 5);
}

#[test]
fn the_cell_of_a_one_shot_space_is_drawn_live_and_in_slow_motion() {
    let mut config = tiny::config("oneshot-1", "sdarts-adv");
    config.search.cells = 3;
    let mut session = session(&request(&config));
    while !matches!(block_on(session.advance_part()).unwrap().unwrap(), Watched::Perturb { .. }) {}
    let monitor = block_on(session.monitor()).unwrap();
    let picture = monitor.draw("perturbation").unwrap();
    assert!(
        picture.contains("data-stage=\"4\"") && picture.contains("conv3x3-bn-relu"),
        "{picture}"
    );
    assert_eq!(monitor.table("perturbation").unwrap().lines().count(), 1 + 4 * 3);
    let mixture = monitor.draw("mixture").unwrap();
    // What the output and blocks 1 to 4 may read: 5 + 1 + 2 + 3 + 4.
    assert_eq!(mixture.matches(" 0 0 1 ").count(), 15, "{mixture}");
}

#[test]
fn a_session_goes_on_from_its_snapshot_with_its_events() {
    let mut first = session(&tiny_request("sdarts-rs"));
    let mut lines = String::new();
    let mut snapshot = Vec::new();
    for count in 0..7 {
        let event = block_on(first.advance()).unwrap().unwrap();
        lines += &format!("{}\n", serde_json::to_string(&event).unwrap());
        if count == 4 {
            snapshot = block_on(first.snapshot()).unwrap();
        }
    }
    let mut second = session(&tiny_request("sdarts-rs"));
    second.restore(&snapshot, &lines).unwrap();
    assert_eq!(second.events(), 5);
    for _ in 5..7 {
        block_on(second.advance()).unwrap().unwrap();
    }
    let status = |session: &mut Session| block_on(session.monitor()).unwrap().status();
    assert_eq!(status(&mut first), status(&mut second));
    assert!(second.restore(b"no snapshot", &lines).is_err());
}

#[test]
fn every_figure_of_a_finished_search_has_a_picture_and_numbers() {
    every_figure(tiny::config("s2", "sdarts-adv"));
    let mut config = tiny::config("nasbench201", "sdarts-rs");
    config.search.cells = 5;
    every_figure(config);
    let mut config = tiny::config("oneshot-2", "gdas-rs");
    config.search.cells = 3;
    every_figure(config);
}

fn every_figure(mut config: Config) {
    config.hessian.every = 1;
    let (events, _) = tiny::whole(&config);
    let line = |event| format!("{}\n", serde_json::to_string(event).unwrap());
    let text: String = events.iter().map(line).collect();
    let monitor = Monitor::from_text(&text).unwrap();
    let on_demand = ["perturbation", "landscape"];
    let names = catalogues().figures.into_iter().map(|figure| figure.name);
    for name in names.filter(|name| !on_demand.contains(name)) {
        let picture = monitor.draw(name).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("<title>"), "{name}");
        assert!(monitor.table(name).unwrap().lines().count() > 1, "{name}");
    }
    let status = monitor.status();
    assert!(status.finished && monitor.genotype().is_some());
    assert!(status.parameter_free.is_some() && status.skips.is_some());
}

/// The noise operation of S4 would tell of a random stream that a measurement moved.
#[test]
fn measuring_between_any_two_parts_changes_nothing_that_follows() {
    for method in ["darts", "sdarts-rs", "sdarts-adv"] {
        let config = tiny::config("s4", method);
        let (events, checkpoint) = tiny::whole(&config);
        let mut session = session(&request(&config));
        let (mut said, mut points) = (Vec::new(), 0);
        while let Some(part) = block_on(session.advance_part()).unwrap() {
            if let Watched::Event { event } = part {
                said.push(event);
            }
            let measured = block_on(session.measure_hessian()).unwrap();
            assert!(matches!(measured, Event::Hessian(_)), "{method}");
            if points % 9 == 0 {
                block_on(session.start_landscape(3, 8)).unwrap();
            }
            points += usize::from(block_on(session.measure_point()).unwrap());
        }
        assert!(points > 9, "{method}: {points} points");
        let strip = |events: &[Event]| {
            events.iter().skip(1).map(|event| format!("{event:?}")).collect::<Vec<_>>()
        };
        assert_eq!(strip(&said), strip(&events), "{method}");
        let mut found = Checkpoint::from_bytes(&block_on(session.snapshot()).unwrap()).unwrap();
        assert!(found.events() > checkpoint.events(), "measurements are events");
        found.progress.events = checkpoint.events();
        assert!(found == checkpoint, "{method}");
    }
}

#[test]
fn a_hessian_on_demand_is_the_one_that_would_be_due() {
    let mut config = tiny::config("s2", "sdarts-rs");
    let mut session = session(&request(&config));
    config.hessian.every = 1;
    let (events, _) = tiny::whole(&config);
    let due = events.into_iter().filter(|event| matches!(event, Event::Hessian(_)));
    let mut found = Vec::new();
    while let Some(event) = block_on(session.advance()).unwrap() {
        if matches!(event, Event::EpochFinished(_)) {
            found.push(block_on(session.measure_hessian()).unwrap());
        }
    }
    assert_eq!(found, due.collect::<Vec<_>>());
    assert_eq!(found.len(), 2);
}

#[test]
fn a_snapshot_counts_what_was_measured_on_demand() {
    let mut first = session(&tiny_request("darts"));
    let mut lines = String::new();
    let mut say = |event: &Event| lines += &format!("{}\n", serde_json::to_string(event).unwrap());
    for _ in 0..4 {
        say(&block_on(first.advance()).unwrap().unwrap());
    }
    // Within epoch 0, twice: the later one is shown.
    say(&block_on(first.measure_hessian()).unwrap());
    say(&block_on(first.advance()).unwrap().unwrap());
    let Event::Hessian(last) = block_on(first.measure_hessian()).unwrap() else { panic!("it is") };
    say(&Event::Hessian(last.clone()));
    let snapshot = block_on(first.snapshot()).unwrap();
    let mut second = session(&tiny_request("darts"));
    second.restore(&snapshot, &lines).unwrap();
    assert_eq!((second.events(), last.epoch), (7, 0));
    let monitor = block_on(second.monitor()).unwrap();
    assert_eq!(monitor.status().hessian, Some(last.spectral_norm()));
    let table = monitor.table("hessian").unwrap();
    assert_eq!(table.lines().count(), 1 + 2, "one measurement, in two measures");
}

#[test]
fn a_landscape_fills_in_on_a_scale_that_searches_share() {
    let mut session = session(&tiny_request("darts"));
    block_on(session.advance()).unwrap();
    assert!(!block_on(session.measure_point()).unwrap(), "none was begun");
    assert!(block_on(session.start_landscape(4, 8)).is_err(), "no middle");
    block_on(session.start_landscape(3, 8)).unwrap();
    session.set_scale(Range(0.0, 1.0));
    for points in 1..=9 {
        assert!(block_on(session.measure_point()).unwrap());
        // The search goes on; the landscape stays where it was begun.
        block_on(session.advance()).unwrap();
        let monitor = block_on(session.monitor()).unwrap();
        let measured = monitor.status().landscape.unwrap();
        assert_eq!((measured.points, measured.of), (points, 9));
        assert!(measured.low <= measured.high);
        assert_eq!(measured.mean_drop.is_some(), points == 9);
        let picture = monitor.draw("landscape").unwrap();
        assert!(picture.contains(">100 %<") && picture.contains(">0 %<"), "the shared scale");
        assert!(picture.contains("architecture: 0 epochs, 0 steps<"));
        let progress = format!("{points} of 9 points measured");
        assert_eq!(picture.contains(&progress), points < 9, "{points}");
    }
    assert!(!block_on(session.measure_point()).unwrap(), "it is complete");
    let monitor = block_on(session.monitor()).unwrap();
    assert_eq!(monitor.table("landscape").unwrap().lines().count(), 1 + 9);
}

#[test]
fn an_early_stop_is_no_alarm_of_a_collapse() {
    let warning = |events: Vec<Event>| {
        let line = |event| format!("{}\n", serde_json::to_string(event).unwrap());
        let text: String = events.iter().map(line).collect();
        Monitor::from_text(&text).unwrap().status().warning
    };
    assert_eq!(warning(story::measured(4)), None, "it stops early");
    assert!(warning(story::measured(12)).unwrap().contains("skip connections take over"));
}

#[test]
fn a_text_that_is_no_stream_of_events_is_refused_with_its_line() {
    let error = |text: &str| Monitor::from_text(text).unwrap_err().to_string();
    assert!(error("{\"type\":\"step\"}\n").starts_with("line 1 is no event"));
    assert!(error("").contains("does not begin"));
}
