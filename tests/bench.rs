//! What `sdarts bench` promises: rows that programs can read, arithmetic that no clock changes,
//! and kernels that are counted where they run.

use burn::tensor::Tensor;
use native::bench::kernels::Count;
use native::bench::loops::{Loops, Row};
use native::bench::scaling;
use serde_json::Value;
use shaders::{Kernels, Pool, UnitLoop, lanes};
use smoothdarts::config::Config;

use crate::command::{Outcome, run};

/// A step of milliseconds.
const TINY: &[&str] = &[
    "bench",
    "--preset=quick",
    "--set=search.space=s2",
    "--set=run.device=cpu",
    "--set=run.threads=2",
    "--set=search.cells=2",
    "--set=search.channels=2",
    "--set=search.batch_size=2",
    "--set=data.image_size=8",
];

fn bench(arguments: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let timed = arguments.iter().any(|flag| flag.starts_with("--steps"));
    let one_step: &[&str] = if timed { &[] } else { &["--steps=1"] };
    let outcome = run(folder.path(), &[TINY, one_step, arguments].concat());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a bench writes no file");
    outcome
}

fn rows(arguments: &[&str]) -> Vec<Value> {
    let text = bench(&[&["--json"], arguments].concat()).done().stdout;
    text.lines().map(|line| serde_json::from_str(line).expect("one object a line")).collect()
}

#[test]
fn every_row_has_the_keys_that_programs_read() {
    let rows = rows(&["--profile"]);
    let names: Vec<_> = rows.iter().map(|row| row["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["darts", "sdarts-rs", "sdarts-adv", "darts-2nd"]);
    for row in &rows {
        assert_eq!(row["device"], "cpu (2 threads)");
        assert_eq!((&row["kernels"], &row["launches_counted"]), (&"fused".into(), &"own".into()));
        for key in [
            "step_seconds",
            "model_gflop",
            "achieved_gflops",
            "multiply_add_gflops",
            "lanes",
            "sgemm_gflops",
            "copy_gbs",
            "fraction_of_peak",
            "launches",
        ] {
            assert!(row[key].as_f64().unwrap() > 0.0, "{key}: {row}");
        }
        assert!(row["step_seconds_spread"].as_f64().unwrap() >= 0.0);
        assert_eq!(row["peak_memory_mb"].is_f64(), cfg!(target_os = "linux"), "{row}");
        assert!(row["device_memory_mb"].is_null());
        let rate = |key: &str| row[key].as_f64().unwrap();
        let peak = rate("multiply_add_gflops").max(rate("sgemm_gflops"));
        assert!((rate("fraction_of_peak") * peak / rate("achieved_gflops") - 1.0).abs() < 1e-9);
        let achieved = rate("model_gflop") / rate("step_seconds");
        assert!((rate("achieved_gflops") / achieved - 1.0).abs() < 1e-9);

        let profile = row["profile"].as_array().unwrap();
        let sum = |key: &str| profile.iter().map(|kernel| kernel[key].as_f64().unwrap()).sum();
        let (share, calls): (f64, f64) = (sum("share"), sum("calls"));
        assert!((share - 1.0).abs() < 1e-9, "{row}");
        assert_eq!(calls, rate("launches"), "{row}");
        assert!(profile.iter().any(|kernel| kernel["name"] == "bank_and_moments"), "{row}");
    }
}

#[test]
fn arithmetic_and_launches_depend_on_no_clock() {
    let methods = ["--method=sdarts-adv", "--method=darts-2nd"];
    let counts = |rows: Vec<Value>| -> Vec<_> {
        rows.iter().map(|row| (row["model_gflop"].clone(), row["launches"].clone())).collect()
    };
    let (first, again) = (counts(rows(&methods)), counts(rows(&methods)));
    assert_eq!(first, again);
    let composed = counts(rows(&[&methods[..], &["--kernels=composed"]].concat()));
    for ((model, launches), (composed_model, composed_launches)) in first.iter().zip(&composed) {
        assert_eq!(model, composed_model);
        assert!(launches.as_u64().unwrap() > 0);
        assert_eq!(composed_launches, 0, "plain burn operations call none of our kernels");
    }
}

#[test]
fn a_table_says_what_its_columns_mean() {
    let text = bench(&["--method=darts", "--profile"]).done().stdout;
    for word in [
        "fma",
        "vectors of",
        "sgemm",
        "2 cells",
        "kernels fused",
        "darts",
        "median",
        "everything else",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_wrong_flag_of_bench_is_exit_code_2() {
    for (flag, expected) in [
        ("--method=sdart", "there is no search method `sdart`"),
        ("--method=sdart-2nd", "there is no search method `sdart`"),
        ("--steps=0", "--steps"),
        ("--kernels=fast", "expected `composed` or `fused`"),
        ("--set=search.cell=3", "did you mean search.cells"),
        ("--epochs=3", "--epochs"),
        ("--loops", "cannot be used with"),
    ] {
        let outcome = bench(&[flag]);
        assert_eq!(outcome.code, Some(2), "{flag}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{flag}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{flag} is refused before anything is timed");
    }
}

#[test]
fn the_loops_of_a_unit_are_timed_in_the_images_of_the_paper_and_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let text = run(folder.path(), &["bench", "--loops", "--json"]).done().stdout;
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (found["kind"].as_str(), found["lanes"].as_u64()),
        (Some("loops"), Some(lanes() as u64))
    );
    let rows = found["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let rates = |row: &Value| row["gflops"].as_array().unwrap().clone();
    assert!(rows.iter().flat_map(rates).all(|rate| rate.as_f64().unwrap() > 0.0), "{text}");

    let row =
        Row { side: 8, channels: 64, window: 5, dilation: 2, gflops: [1.0, 2.0, 3.0, 4.0, 5.4] };
    let names = UnitLoop::ALL.map(UnitLoop::name);
    let loops =
        Loops { kind: "loops", lanes: 16, multiply_adds: 160.2, loops: names, rows: vec![row] };
    assert_eq!(
        loops.text(),
        "GFLOP/s of a core, 16 floats a vector: 160 between registers\n\n\
         image, window           convolution       product      way back gradient of P gradient of D\n\
         8x8x64, 5x5/2                     1             2             3             4             5"
    );
}

#[test]
fn scaling_varies_one_setting_at_a_time() {
    let config = Config::default();
    let points = scaling::points(&config, Some(3));
    let value = |config: &Config| {
        let search = &config.search;
        [search.batch_size, search.cells, search.channels, config.run.threads]
    };
    let here = value(&config);
    for point in &points {
        let there = value(&point.config);
        let changed = here.iter().zip(&there).filter(|(a, b)| a != b).count();
        assert!(changed <= 1, "{point:?}");
    }
    let of = |varied: &str, index: usize| -> Vec<usize> {
        let points = points.iter().filter(|point| point.varied == varied);
        points.map(|point| value(&point.config)[index]).collect()
    };
    assert_eq!(of("search.batch_size", 0), [32, 64, 128]);
    assert_eq!(of("search.cells", 1), [4, 8, 16]);
    assert_eq!(of("search.channels", 2), [8, 16, 32]);
    assert_eq!(of("run.threads", 3), [1, 2, 3]);
    assert!(scaling::points(&config, None).iter().all(|point| point.varied != "run.threads"));
}

/// Half of two channels would be an odd number, which no network has.
#[test]
fn scaling_leaves_out_what_is_no_network() {
    let rows = rows(&["--scaling"]);
    let of = |varied: &str, key: &str| -> Vec<u64> {
        let rows = rows.iter().filter(|row| row["varied"] == varied);
        rows.map(|row| row[key].as_u64().unwrap()).collect()
    };
    assert_eq!(of("search.batch_size", "batch_size"), [1, 2, 4]);
    assert_eq!(of("search.cells", "cells"), [1, 2, 4]);
    assert_eq!(of("search.channels", "channels"), [2, 4]);
    assert_eq!(of("run.threads", "threads"), [1, 2]);
    assert!(rows.iter().all(|row| row["method"] == "darts"));
}

/// Other tests launch at the same time, so that only the least is known.
#[test]
fn on_a_gpu_launches_of_burn_and_of_ours_are_counted_by_name() {
    let Some(device) = crate::devices::wgpu() else { return };
    let ones = |shape: [usize; 4]| Tensor::<4>::ones(shape, &device);
    let count = Count::start(true, false);
    let pooled = shaders::pool(Kernels::Fused, ones([1, 4, 4, 2]), &[Pool::Max], 1);
    pooled.reshape([16, 2]).matmul(Tensor::<2>::ones([2, 2], &device)).into_data();
    let kernels = count.finish();
    let ours = kernels.iter().find(|kernel| kernel.name == "pool").expect("our kernel");
    // Input, output and places of 4·4·2 numbers.
    assert!(ours.calls >= 1 && ours.bytes >= 4 * (32 + 32 + 32), "{kernels:?}");
    assert!(kernels.iter().any(|kernel| kernel.bytes == 0 && kernel.calls > 0), "{kernels:?}");
}

/// A step of a training of milliseconds.
const TRAINING: &[&str] = &[
    "bench",
    "--train",
    "--preset=train-quick",
    "--device=cpu",
    "--threads=2",
    "--steps=1",
    "--set=train.cells=3",
    "--set=train.channels=4",
    "--set=train.auxiliary=true",
    "--set=train.batch_size=4",
];

fn training(arguments: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let outcome = run(folder.path(), &[TRAINING, arguments].concat());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a bench writes no file");
    outcome
}

fn trained(arguments: &[&str]) -> Value {
    let text = training(&[&["--json"], arguments].concat()).done().stdout;
    serde_json::from_str(text.trim()).expect("one object")
}

#[test]
fn the_row_of_a_training_has_the_keys_that_programs_read() {
    let row = trained(&["--profile"]);
    for (key, expected) in [("kind", "train"), ("genotype", "c10_s5_pgd"), ("kernels", "fused")] {
        assert_eq!(row[key], expected, "{row}");
    }
    for (key, expected) in [("cells", 3), ("channels", 4), ("batch_size", 4), ("image_size", 16)] {
        assert_eq!(row[key], expected, "{row}");
    }
    for (what, timed) in [("step", &row), ("evaluation", &row["evaluation"])] {
        let number = |key: &str| timed[key].as_f64().unwrap();
        for key in
            ["step_seconds", "model_gflop", "achieved_gflops", "fraction_of_peak", "launches"]
        {
            assert!(number(key) > 0.0, "{what}, {key}: {row}");
        }
        let profile = timed["profile"].as_array().unwrap();
        let sum = |key: &str| profile.iter().map(|kernel| kernel[key].as_f64().unwrap()).sum();
        let (share, calls): (f64, f64) = (sum("share"), sum("calls"));
        assert!((share - 1.0).abs() < 1e-9, "{what}: {row}");
        assert_eq!(calls, number("launches"), "{what}: {row}");
        assert!(profile.iter().any(|kernel| kernel["name"] == "node"), "{what}: {row}");
    }
    assert_eq!(row["peak_memory_mb"].is_f64(), cfg!(target_os = "linux"), "{row}");
}

/// Forward and back to both inputs of a product take as much each; the head and the first convolution,
/// whose images have no gradient, keep it from being three times as much.
#[test]
fn a_step_of_a_training_is_about_three_times_the_arithmetic_of_an_evaluation() {
    let row = trained(&["--set=train.auxiliary=false"]);
    let flop = |row: &Value| row["model_gflop"].as_f64().unwrap();
    let ratio = flop(&row) / flop(&row["evaluation"]);
    assert!((2.5..3.0).contains(&ratio), "{ratio}");
    let composed = trained(&["--set=train.auxiliary=false", "--kernels=composed"]);
    assert_eq!(flop(&composed), flop(&row));
    assert_eq!(composed["launches"], 0, "plain burn operations call none of our kernels");
}

#[test]
fn a_training_is_told_in_words_and_its_wrong_flags_are_exit_code_2() {
    let text = training(&["--profile"]).done().stdout;
    for word in ["c10_s5_pgd", "3 cells", "sgemm", "step", "evaluation", "median", "edge_gradient"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    let folder = tempfile::tempdir().unwrap();
    for (flags, expected) in [
        (["bench", "--train=darts_v9", "--steps=1"], "darts_v9"),
        (["bench", "--train", "--preset=quick"], "the preset quick is of a search"),
        (["bench", "--train", "--method=darts"], "--method"),
    ] {
        let outcome = run(folder.path(), &flags);
        assert_eq!(outcome.code, Some(2), "{flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{flags:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout, "", "{flags:?} is refused before anything is timed");
    }
}
