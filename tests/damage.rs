//! What a run directory promises when its files are damaged: an error that says so or the right
//! result, and never another one.

use std::fs;
use std::path::{Path, PathBuf};

use native::{events, run_dir, settings};
use smoothdarts::draw::history::History;
use smoothdarts::event::{Event, WarningCode};
use smoothdarts::rng::{Stream, Streams, uniform};
use smoothdarts::run::checkpoint::Checkpoint;
use tempfile::TempDir;

use crate::command::{Outcome, TINY, run, sdarts};

/// A finished run in a folder of its own.
fn finished() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    search(folder.path()).done();
    folder
}

fn search(folder: &Path) -> Outcome {
    Outcome::of(sdarts(folder, &[TINY, &["--out=run"]].concat()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

/// Everything that is read of a run again.
#[derive(Debug, PartialEq)]
struct Found {
    checkpoint: Option<Checkpoint>,
    events: Vec<Event>,
    files: Vec<Option<Vec<u8>>>,
}

impl Found {
    fn of(run: &Path) -> anyhow::Result<Self> {
        settings::read(&run.join("config.toml"))?;
        let names = files(run).into_iter().filter(|path| path.parent() == Some(run));
        let names =
            names.filter(|path| !path.ends_with("events.jsonl") && !path.ends_with(".lock"));
        Ok(Self {
            checkpoint: run_dir::newest_checkpoint(run)?,
            events: events::of_run(run)?,
            files: names.map(|path| run_dir::read(&path)).collect::<anyhow::Result<_>>()?,
        })
    }
}

#[test]
fn one_flipped_bit_is_an_error_or_changes_nothing_at_a_thousand_places() {
    let folder = finished();
    let run = folder.path().join("run");
    let (whole, files) = (Found::of(&run).unwrap(), files(&run));
    let mut rng = Streams::new(6).at(Stream::Split, 0);
    let mut errors = 0;
    for _ in 0..1000 {
        let draw = uniform(&mut rng, 3, 0.0, 1.0);
        let pick = |draw: f32, count: usize| ((draw * count as f32) as usize).min(count - 1);
        let file = &files[pick(draw[0], files.len())];
        let bytes = fs::read(file).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let (at, bit) = (pick(draw[1], bytes.len()), pick(draw[2], 8));
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        fs::write(file, damaged).unwrap();
        let place = format!("bit {bit} of byte {at} of {}", file.display());
        match Found::of(&run) {
            Ok(found) => assert!(found == whole, "{place} gives another result"),
            Err(_) => errors += 1,
        }
        fs::write(file, bytes).unwrap();
    }
    assert!(errors > 500, "{errors} errors");
}

#[test]
fn a_search_goes_on_over_damage_and_ends_like_one_without() {
    let expected = finished();
    let expected = expected.path().join("run");
    for (name, said) in [
        ("checkpoints/last.safetensors", "last.safetensors"),
        ("checkpoints/previous.safetensors", "previous.safetensors"),
        ("events.jsonl", "events.jsonl"),
        ("config.toml", "config.toml is not as it was written"),
        ("manifest.json", "manifest.json is not as it was written"),
        ("genotype.json", ""),
        ("weights.safetensors", ""),
        ("curves.csv", ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        copy(&expected, &run);
        let file = run.join(name);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&file, bytes).unwrap();
        let outcome = search(folder.path()).done();
        assert!(outcome.stderr.contains(said), "{name}: {}", outcome.stderr);
        for result in ["genotype.json", "weights.safetensors", "config.toml"] {
            let (found, expected) = (fs::read(run.join(result)), fs::read(expected.join(result)));
            assert!(found.unwrap() == expected.unwrap(), "{name} damaged: {result} differs");
        }
        events::of_run::<History>(&run).unwrap();
    }
}

#[test]
fn what_is_damaged_is_not_taken_for_the_result() {
    let folder = finished();
    let path = folder.path();
    let last = path.join("run/checkpoints/last.safetensors");
    let mut bytes = fs::read(&last).unwrap();
    let end = bytes.len() - 40;
    bytes[end] ^= 16;
    fs::write(&last, bytes).unwrap();
    let derived = run(path, &["derive", "run"]);
    assert_eq!((derived.code, derived.stdout.as_str()), (Some(1), ""), "{}", derived.stderr);
    for said in ["last.safetensors", "checksum", "previous.safetensors"] {
        assert!(derived.stderr.contains(said), "{}", derived.stderr);
    }
    run(path, &["derive", "run/checkpoints/previous.safetensors"]).done();
}

#[test]
fn events_that_were_cut_or_deleted_cost_no_progress() {
    let expected = finished();
    let expected = expected.path().join("run");
    let text = fs::read_to_string(expected.join("events.jsonl")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for kept in [Some(lines.len() - 1), Some(3), Some(0), None] {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        copy(&expected, &run);
        let file = run.join("events.jsonl");
        match kept {
            Some(kept) => fs::write(&file, lines[..kept].concat()).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        // Nothing takes the file for that of a young run.
        let report = crate::command::run(folder.path(), &["report", "run"]);
        assert_eq!(report.code, Some(1), "{}", report.stderr);
        let page = |run: &Path| fs::read(run.join("report.html")).unwrap();
        assert!(page(&run) == page(&expected), "{kept:?}: the report was overwritten");
        let outcome = search(folder.path()).done();
        assert!(outcome.stderr.contains("events.jsonl"), "{}", outcome.stderr);
        for result in ["genotype.json", "weights.safetensors"] {
            let (found, expected) = (fs::read(run.join(result)), fs::read(expected.join(result)));
            assert!(found.unwrap() == expected.unwrap(), "{kept:?}: {result} differs");
        }
        let events: Vec<Event> = events::of_run(&run).unwrap();
        assert!(matches!(events.first(), Some(Event::Started(_))));
        let lost = |event: &Event| matches!(event, Event::Warning(it) if it.code == WarningCode::EventsLost);
        // Up to the last event, the checkpoint before is reached, and says it again.
        assert_eq!(events.iter().any(lost), kept != Some(lines.len() - 1), "{kept:?}");
        crate::command::run(folder.path(), &["report", "run"]).done();
    }
}

/// A line of rubbish used to cost the results of the search that went on over it.
#[test]
fn a_line_of_rubbish_costs_the_events_and_not_the_result() {
    let folder = finished();
    let file = folder.path().join("run/events.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[4] = "rubbish";
    fs::write(&file, lines.join("\n") + "\n").unwrap();
    let stats = run(folder.path(), &["stats", "run"]);
    assert_eq!(stats.code, Some(1));
    assert!(stats.stderr.contains("events.jsonl, line 5"), "{}", stats.stderr);
    let outcome = search(folder.path()).done();
    assert!(outcome.stderr.contains("1 of the"), "{}", outcome.stderr);
    assert!(folder.path().join("run/events.jsonl.damaged").exists());
    run(folder.path(), &["stats", "run"]).done();
}

/// What earlier versions and the page leave has no checksums.
#[test]
fn a_run_without_checksums_is_read_and_continued_without_a_word() {
    let folder = finished();
    let run_directory = folder.path().join("run");
    fs::remove_dir_all(run_directory.join("checksums")).unwrap();
    let file = run_directory.join("events.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let bare =
        text.lines().map(|line| line.split(",\"crc32c\"").next().unwrap().to_owned() + "}\n");
    fs::write(&file, bare.collect::<String>()).unwrap();
    run(folder.path(), &["report", "run"]).done();
    let outcome = search(folder.path()).done();
    assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
}

#[test]
fn what_killed_processes_left_is_removed_once_it_is_old() {
    let folder = finished();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    let (stale, fresh) =
        (folder.path().join("run/.a1b2c3.tmp"), folder.path().join("run/.new.tmp"));
    fs::write(&fresh, "of a report that is being written").unwrap();
    fs::File::create(&stale).unwrap().set_modified(old).unwrap();
    search(folder.path()).done();
    assert!(!stale.exists() && fresh.exists());
}
