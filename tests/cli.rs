//! What the command line promises: exit codes, output that programs can read, one clear error.

use std::fs::File;

use native::exit::TABLE;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{Outcome, TINY, run, sdarts};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The exit code and the error, which must be one line that says `expected`.
#[track_caller]
fn fails(outcome: &Outcome, code: i32, expected: &str) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
}

#[test]
fn the_table_of_exit_codes_is_in_the_help() {
    let help = run(folder().path(), &["--help"]).done().stdout;
    for row in TABLE {
        assert!(help.contains(&format!("{:>3}  {}", row.code, row.help)), "{help}");
    }
}

#[test]
fn exit_code_1_is_a_file_that_cannot_be_used() {
    let folder = folder();
    std::fs::write(folder.path().join("notes.txt"), "no checkpoint").unwrap();
    std::fs::write(folder.path().join("cut.safetensors"), "no checkpoint").unwrap();
    for command in ["derive", "train"] {
        fails(&run(folder.path(), &[command, "cut.safetensors"]), 1, "cut.safetensors");
    }
    let arguments = [TINY, &["--out=notes.txt/run"]].concat();
    fails(&run(folder.path(), &arguments), 1, "notes.txt/run");
}

#[test]
fn exit_code_2_is_a_wrong_flag_setting_name_or_file() {
    let folder = folder();
    let check = |arguments: &[&str], expected| {
        fails(&run(folder.path(), arguments), 2, expected);
    };
    check(&["search", "--no-such-flag"], "--no-such-flag");
    check(&["search", "--set", "search.epohcs=3"], "did you mean search.epochs");
    check(&["search", "--set", "search.epochs"], "section.key=value");
    check(&["search", "--device", "gpu"], "expected one of `auto`, `wgpu`, `cpu`");
    check(&["search", "--kernels", "fast"], "expected `composed` or `fused`");
    check(&["search", "--space", "s9"], "s9");
    check(&["search", "--method", "sdart"], "sdart");
    check(&["search", "--data", "cifar"], "cifar10");
    check(&["search", "--preset", "quikc"], "quick");
    check(&["search", "--config", "nowhere.toml"], "nowhere.toml");
    check(&["report", "nowhere"], "nowhere");
    // A name that is none, and a file that was never a genotype, whichever command is given them.
    std::fs::write(folder.path().join("notes.txt"), "no checkpoint").unwrap();
    for command in ["derive", "train", "select", "stats"] {
        check(&[command, "nowhere"], "nowhere");
        check(&[command, "notes.txt"], "notes.txt holds no genotype");
    }
    std::fs::write(folder.path().join("broken.toml"), "[search\n").unwrap();
    check(&["search", "--config", "broken.toml"], "line 1");
    let resume = [TINY, &["--out=none", "--resume=must"]].concat();
    check(&resume, "none has no run to continue");
    assert!(!folder.path().join("none").exists());
}

#[test]
fn exit_code_3_is_missing_data_and_leaves_no_run_directory() {
    let folder = folder();
    let arguments = ["search", "--preset=s2", "--data-dir=nowhere", "--out=run", "--device=cpu"];
    fails(&run(folder.path(), &arguments), 3, "sdarts fetch cifar10");
    assert!(!folder.path().join("run").exists());
}

/// Elsewhere the system has a driver that no variable hides.
#[cfg(target_os = "linux")]
#[test]
fn exit_code_4_is_a_device_that_is_not_there() {
    let folder = folder();
    let mut command = sdarts(folder.path(), &[TINY, &["--device=wgpu"]].concat());
    command.env("VK_DRIVER_FILES", "/nowhere").env("VK_ICD_FILENAMES", "/nowhere");
    fails(&Outcome::of(command), 4, "--device cpu");
}

#[test]
fn exit_code_5_is_a_diverged_search_and_keeps_the_checkpoint_before() {
    let folder = folder();
    let wild = ["--set=weights.learning_rate=1e38", "--set=weights.clip=0", "--out=run"];
    fails(&run(folder.path(), &[TINY, &wild].concat()), 5, "diverged");
    run(folder.path(), &["derive", "run"]).done();
}

#[test]
fn exit_code_6_is_a_directory_that_another_process_searches_in() {
    let folder = folder();
    let run_directory = folder.path().join("run");
    std::fs::create_dir(&run_directory).unwrap();
    let lock = File::create(run_directory.join(".lock")).unwrap();
    lock.lock().unwrap();
    fails(&run(folder.path(), &[TINY, &["--out=run"]].concat()), 6, "choose another --out");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = folder();
    let mut child = sdarts(folder.path(), &["completions", "zsh"]).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = Outcome::from(child.wait_with_output().unwrap()).done();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn print_config_is_toml_that_repeats_itself() {
    let folder = folder();
    let arguments = ["search", "--preset=s3", "--mode=paper", "--seed=5", "--kernels=composed"];
    let arguments = [&arguments[..], &["--print-config"]].concat();
    let first = run(folder.path(), &arguments).done().stdout;
    let table: toml::Table = toml::from_str(&first).unwrap();
    assert_eq!(table["search"]["space"].as_str(), Some("s3"));
    assert_eq!(table["run"]["kernels"].as_str(), Some("composed"));
    std::fs::write(folder.path().join("s3.toml"), &first).unwrap();
    let again = run(folder.path(), &["search", "--config=s3.toml", "--print-config"]).done().stdout;
    assert_eq!(toml::from_str::<toml::Table>(&again).unwrap(), table);
    assert!(again.contains("# file s3.toml"), "{again}");
}

#[test]
fn a_dry_run_tells_sizes_and_times_and_writes_nothing() {
    let folder = folder();
    let arguments = [TINY, &["--dry-run", "--json"]].concat();
    let found = json(&run(folder.path(), &arguments).done().stdout);
    assert!(found["parameters"].as_u64().unwrap() > 0);
    assert_eq!(found["edges"].as_array().unwrap().len(), 28);
    assert_eq!(
        found["edges"][0]["operations"],
        serde_json::json!(["skip_connect", "sep_conv_3x3"])
    );
    assert_eq!(
        found["alphas"][1],
        serde_json::json!({ "name": "reduce", "edges": 14, "operations": 2 })
    );
    assert!(found["device"].as_str().unwrap().starts_with("cpu"));
    assert_eq!(found["steps_per_epoch"], 6);
    assert!(found["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    let text = run(folder.path(), &[TINY, &["--dry-run"]].concat()).done().stdout;
    assert!(text.contains(&format!("parameters  {}", found["parameters"])), "{text}");
}

#[test]
fn json_events_are_alone_on_stdout_and_start_with_the_schema() {
    let folder = folder();
    let outcome = run(folder.path(), &[TINY, &["--json", "--out=run"]].concat()).done();
    let events: Vec<Value> = outcome.stdout.lines().map(json).collect();
    assert_eq!(
        (events[0]["type"].as_str(), events[0]["schema"].as_u64()),
        (Some("started"), Some(u64::from(smoothdarts::event::SCHEMA)))
    );
    assert_eq!(events.last().unwrap()["type"], "finished");
    let file = std::fs::read_to_string(folder.path().join("run/events.jsonl")).unwrap();
    assert_eq!(outcome.stdout, file);
    assert!(outcome.stderr.contains("epoch 2/2"), "{}", outcome.stderr);

    // The whole run is there already: nothing is searched again.
    let again = run(folder.path(), &[TINY, &["--json", "--quiet", "--out=run"]].concat()).done();
    assert_eq!(again.stdout.lines().count(), 1);
    assert_eq!(again.stderr, "");
}

#[test]
fn every_catalogue_can_be_listed() {
    let folder = folder();
    for name in ["ops", "spaces", "methods", "perturbations", "presets", "genotypes", "data"] {
        let rows = json(&run(folder.path(), &["list", name, "--json"]).done().stdout);
        let rows = rows.as_array().unwrap();
        let text = run(folder.path(), &["list", name]).done().stdout;
        assert_eq!(text.lines().count(), rows.len(), "{name}");
        for row in rows {
            assert!(text.contains(row["name"].as_str().unwrap()), "{name}: {row}");
            assert!(!row["help"].as_str().unwrap().is_empty(), "{name}: {row}");
        }
    }
}

#[test]
fn completions_know_every_command_and_flag() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(folder.path(), &["completions", shell]).done().stdout;
        for word in ["sdarts", "derive", "doctor", "print-config", "resume"] {
            assert!(script.contains(word), "{shell} does not know {word}");
        }
    }
}

#[test]
fn the_doctor_checks_the_cpu_against_the_reference() {
    let folder = folder();
    let mut command = sdarts(folder.path(), &["doctor", "--json"]);
    // Without adapters, so that this test takes no longer where a software one would be checked.
    command.env("VK_DRIVER_FILES", "/nowhere").env("VK_ICD_FILENAMES", "/nowhere");
    let found = json(&Outcome::of(command).done().stdout);
    let cpu = &found["checks"][0];
    assert!(cpu["device"].as_str().unwrap().starts_with("cpu"));
    assert_eq!((cpu["right"].as_bool(), cpu["own_kernels"].as_bool()), (Some(true), Some(true)));
    assert!(cpu["error"].as_f64().unwrap() < 1e-3);
    assert!(["cpu", "wgpu"].contains(&found["auto"].as_str().unwrap()));
}

/// What looks for adapters tells what it misses of a desktop.
#[test]
fn a_machine_without_a_desktop_hears_nothing_of_it() {
    if crate::devices::wgpu().is_none() {
        return;
    }
    let folder = folder();
    let mut command = sdarts(folder.path(), &["doctor"]);
    // Somebody may have switched off what complains.
    command.env_remove("XDG_RUNTIME_DIR").env_remove("NODEVICE_SELECT");
    assert_eq!(Outcome::of(command).done().stderr, "");
}

#[test]
fn the_hessian_of_a_checkpoint_is_what_the_search_said_and_agrees_with_the_matrix() {
    let folder = folder();
    let path = folder.path();
    run(path, &[TINY, &["--out=run", "--hessian=every=1"]].concat()).done();
    let last = |name: &str| {
        let events = std::fs::read_to_string(path.join("run/events.jsonl")).unwrap();
        let mut events = events.lines().rev().map(json);
        events.find(|event| event["type"] == name).unwrap()
    };
    let found = json(&run(path, &["hessian", "run", "--json"]).done().stdout);
    let said = last("hessian");
    for key in ["smallest", "largest", "gradients"] {
        assert_eq!(found[key], said[key], "{key}");
    }
    assert_eq!((found["epochs"].as_u64(), found["steps"].as_u64()), (Some(2), Some(0)));
    let dense = ["hessian", "run", "--dense", "--csv=spectrum.csv", "--json"];
    let all = json(&run(path, &dense).done().stdout);
    let norm = |of: &Value| of["spectral_norm"].as_f64().unwrap();
    assert!((norm(&all) / norm(&found) - 1.0).abs() < 0.02, "{all}, {found}");
    let csv = std::fs::read_to_string(path.join("spectrum.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 56, "a line for each alpha of s2");
    fails(&run(path, &["hessian", "nowhere"]), 2, "nowhere");
    fails(&run(path, &["search", "--hessian=evry=1"]), 2, "every=K");
}
