//! The search of the page is the search of the command line, and the recorded run that the page
//! plays while it loads is one of its runs.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use pollster::block_on;
use serde_json::{Value, json};
use smoothdarts::data::embedded;
use smoothdarts::search::Part;
use web::session::Session;
use web::settings::Request;
use web::story::{FIGURES, Story, figure};

use crate::search::tiny;

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/www/recorded.json.gz")
}

fn session(request: &str) -> Session {
    let config = Request::from_json(request).unwrap().config().unwrap();
    let label = "cpu".to_owned();
    Session::new(&config, embedded().unwrap(), &Device::flex(), label, || 0.0).unwrap()
}

/// A request for the tiny search of `tests/search/tiny.rs`.
fn tiny_request(method: &str) -> String {
    let config = tiny::config("s2", method);
    json!({ "settings": serde_json::to_value(config).unwrap() }).to_string()
}

#[test]
fn a_search_watched_part_by_part_says_what_the_search_says() {
    for method in ["darts", "sdarts-rs", "sdarts-adv"] {
        let (events, checkpoint) = tiny::whole(&tiny::config("s2", method));
        let mut session = session(&tiny_request(method));
        let (mut said, mut parts) = (Vec::new(), 0);
        while let Some(part) = block_on(session.advance_part()).unwrap() {
            let ended = matches!(part, Part::Event { .. });
            assert_eq!(session.can_save(), ended, "{method}: no save inside a step");
            match part {
                Part::Event { event } => said.push(event),
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
        if matches!(part, Part::Perturb { .. }) {
            break part;
        }
    };
    let Part::Perturb { epsilon, p, displaced, perturbed, loss_before, loss_after } = part else {
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
    let story = block_on(session.story()).unwrap();
    assert!((figure("perturbation").unwrap().draw)(story).unwrap().contains("data-stage=\"4\""));
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
    let status = |session: &mut Session| block_on(session.story()).unwrap().status();
    assert_eq!(status(&mut first), status(&mut second));
    assert!(second.restore(b"no snapshot", &lines).is_err());
}

#[test]
fn every_figure_of_a_finished_search_has_a_picture_and_numbers() {
    let (events, _) = tiny::whole(&tiny::config("s2", "sdarts-adv"));
    let line = |event| format!("{}\n", serde_json::to_string(event).unwrap());
    let text: String = events.iter().map(line).collect();
    let story = Story::from_text(&text).unwrap();
    for figure in FIGURES.iter().filter(|figure| figure.name != "perturbation") {
        let picture = (figure.draw)(&story).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("<title>"), "{}", figure.name);
        assert!((figure.table)(&story).unwrap().lines().count() > 1, "{}", figure.name);
    }
    assert!(story.status().finished && story.genotype().is_some());
}

#[test]
fn a_text_that_is_no_stream_of_events_is_refused_with_its_line() {
    let error = |text: &str| Story::from_text(text).unwrap_err().to_string();
    assert!(error("{\"type\":\"step\"}\n").starts_with("line 1 is no event"));
    assert!(error("").contains("does not begin"));
}

#[test]
fn the_recorded_run_is_small_and_complete() {
    let packed = std::fs::read(recording()).unwrap();
    assert!(packed.len() < 100_000, "{} bytes", packed.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let tracks: Vec<Vec<Value>> = serde_json::from_str(&text).unwrap();
    assert_eq!(tracks.len(), 2);
    for track in tracks {
        assert!(track.iter().all(|frame| frame["status"]["epochs"].is_u64()));
        assert_eq!(track.last().unwrap()["status"]["finished"], true);
    }
}

/// Writes the recorded run: two searches of the page, eight pictures of the cell an epoch.
#[test]
#[ignore = "writes web/www/recorded.json.gz"]
fn record_the_run_of_the_page() {
    let tracks = ["darts", "sdarts-rs"].map(|method| {
        let settings = json!({ "search": { "method": method } });
        track(&json!({ "preset": "browser", "settings": settings }).to_string())
    });
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(serde_json::to_string(&tracks).unwrap().as_bytes()).unwrap();
    std::fs::write(recording(), packer.finish().unwrap()).unwrap();
}

/// The frames of a search as the worker would send them; unchanged pictures are left out.
fn track(request: &str) -> Vec<Value> {
    let mut session = session(request);
    let (mut frames, mut sent, mut events) = (Vec::new(), json!({}), 0);
    loop {
        let event = block_on(session.advance()).unwrap();
        events += 1;
        if event.is_some() && events % 8 != 0 {
            continue;
        }
        let story = block_on(session.story()).unwrap();
        let mut figures = json!({});
        let status = story.status();
        // The heatmap is the largest picture by far.
        let heatmap = (status.finished || status.epoch % 4 == 3).then_some("heatmap");
        for name in ["cell", "share"].into_iter().chain(heatmap) {
            if let Some(picture) = (figure(name).unwrap().draw)(story)
                && sent[name] != picture.as_str()
            {
                figures[name] = picture.clone().into();
                sent[name] = picture.into();
            }
        }
        frames.push(json!({ "status": status, "figures": figures }));
        if event.is_none() {
            return frames;
        }
    }
}
