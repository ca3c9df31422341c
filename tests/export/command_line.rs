//! `sdarts export` as a user calls it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use smoothdarts::arrays::{Arrays, to_bytes};
use smoothdarts::cell::codec::nb201;
use smoothdarts::net::{DerivedShape, Stem};

use super::networks::arrays;
use super::onnx::{Tensor, read};
use crate::command::{TINY, run};

/// A training of a second or two.
const TRAIN: &[&str] = &[
    "train",
    "c10_s5_pgd",
    "--preset=train-quick",
    "--epochs=2",
    "--device=cpu",
    "--set=train.cells=3",
    "--set=train.channels=4",
    "--set=train.batch_size=16",
    "--set=data.image_size=8",
    "--set=data.crop_padding=1",
    "--set=data.train_images=96",
];

fn tested(here: &Path, source: &[&str]) -> (Value, Value) {
    let outcome = run(here, &[&["test", "--device=cpu", "--json"], source].concat()).done();
    let found: Value = serde_json::from_str(outcome.stdout.trim()).unwrap();
    (found["accuracy"].clone(), found["loss"].clone())
}

fn export<'a>(source: &'a str, to: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["export", source, "--to", to, "--out", out], more].concat()
}

/// The weights of a network of ONNX by name.
fn initialisers(path: &Path) -> Vec<(String, Tensor)> {
    read(&fs::read(path).unwrap()).initialisers.into_iter().collect()
}

#[test]
fn a_training_is_exported_in_every_format_and_tested_to_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &[TRAIN, &["--set=train.ema=0.5", "--out=net"]].concat()).done();
    let expected = tested(here, &["net"]);
    for (to, out) in [("safetensors", "net.safetensors"), ("pytorch", "net.pt")] {
        let told = run(here, &export("net", to, out, &[])).done().stdout;
        assert!(told.starts_with(&format!("{out}: state_dict of ")), "{told}");
        let source = [out, "--genotype=c10_s5_pgd", "--image-size=8"];
        assert_eq!(tested(here, &source), expected, "{to}");
    }
    let told = run(here, &export("net", "onnx", "net.onnx", &[])).done().stdout;
    assert!(told.contains("opset 17; images [batch, 1, height, width] (pixel / 255)"), "{told}");
    let model = read(&fs::read(here.join("net.onnx")).unwrap());
    assert!(model.metadata["classes"].contains("Ankle boot"));
    assert_eq!(
        model.initialisers["normalise.mean"],
        Tensor::Floats(vec![1, 1, 1, 1], vec![0.286_040_6])
    );

    // From a file of PyTorch the same network; without the normalisation all but its two nodes.
    let named = ["--genotype=net", "--data=fashion-mnist"];
    run(here, &export("net.pt", "onnx", "back.onnx", &named)).done();
    assert!(fs::read(here.join("back.onnx")).unwrap() == fs::read(here.join("net.onnx")).unwrap());
    let flags = ["--genotype=c10_s5_pgd", "--input=normalised"];
    run(here, &export("net.pt", "onnx", "bare.onnx", &flags)).done();
    let bare = read(&fs::read(here.join("bare.onnx")).unwrap());
    assert_eq!(bare.nodes.len() + 2, model.nodes.len());
    assert!(!bare.metadata.contains_key("classes"));

    // Every kind of weights is that of its file.
    let of = |kind: &str| {
        let kind = format!("--weights={kind}");
        run(here, &export("net", "onnx", "kind.onnx", &[&kind])).done();
        initialisers(&here.join("kind.onnx"))
    };
    assert_eq!(of("final"), initialisers(&here.join("net.onnx")));
    assert_ne!(of("ema"), of("final"));
    let best = of("best");
    run(here, &export("net/weights-best.safetensors", "onnx", "file.onnx", &named)).done();
    assert_eq!(best, initialisers(&here.join("file.onnx")));
}

#[test]
fn what_is_no_trained_network_or_does_not_fit_is_one_error_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &[TINY, &["--out=search"]].concat()).done();
    run(here, &[TRAIN, &["--out=net"]].concat()).done();
    fs::create_dir(here.join("young")).unwrap();
    fs::copy(here.join("net/config.toml"), here.join("young/config.toml")).unwrap();
    fs::create_dir(here.join("empty")).unwrap();
    let weights = "net/weights.safetensors";
    let named = ["--genotype=c10_s5_pgd", "--input=normalised"];
    for (source, to, out, flags, code, words) in [
        ("search", "onnx", "o", &[][..], 2, "sdarts train search"),
        ("young", "onnx", "o", &[], 2, "the training is not over"),
        ("empty", "onnx", "o", &[], 2, "not a run directory"),
        ("absent", "onnx", "o", &named, 1, "there is no such file"),
        ("net", "onnx", "o", &["--weights=ema"], 2, "train.ema is 0"),
        ("net", "onnx", "o", &["--data=cifar10"], 2, "images of 1 channels, but cifar10 has"),
        ("net", "onnx", "o", &["--data=nobody"], 2, "no data set \"nobody\""),
        ("net", "onnx", "o", &["--data=folder", "--data-dir=gone"], 3, "leaves them out"),
        ("net", "onnx", "o", &["--genotype=DARTS_V2"], 2, "weights of another network"),
        ("net", "pytorch", "o", &["--input=unit"], 2, "--input is for ONNX"),
        ("net", "onnx", "none/o", &[], 2, "there is no folder none"),
        ("net", "onnx", weights, &[], 2, "is a file of a run"),
        (weights, "onnx", "o", &[], 2, "--genotype"),
        (weights, "onnx", "o", &named[..1], 2, "--input normalised"),
        (weights, "onnx", "o", &["--weights=best"], 2, "is a file of weights"),
        ("search/weights.safetensors", "onnx", "o", &named, 2, "weights of another network"),
    ] {
        let outcome = run(here, &export(source, to, out, flags));
        assert_eq!(outcome.code, Some(code), "{source} {flags:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{source} {flags:?}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(outcome.stdout.is_empty() && !here.join("o").exists());
    }
    let mut damaged = fs::read(here.join(weights)).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(here.join(weights), damaged).unwrap();
    let outcome = run(here, &export("net", "onnx", "o", &[]));
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("is not as it was written"), "{}", outcome.stderr);
}

/// Cells of NAS-Bench-201 may have no weights at all; how many there are tells the residual blocks.
#[test]
fn cells_without_weights_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (stem, cells, channels) = (Stem::Small, 8, 4);
    let cell = "|skip_connect~0|+|none~0|none~1|+|avg_pool_3x3~0|none~1|skip_connect~2|";
    let shape =
        DerivedShape { image_channels: 1, classes: 10, cells, channels, stem, auxiliary: false };
    let arrays: Arrays = arrays(&nb201::decode(cell).unwrap(), shape);
    let named = arrays.iter().map(|(name, array)| (name.as_str(), array));
    fs::write(folder.path().join("w"), to_bytes(named, None).unwrap()).unwrap();
    let genotype = format!("--genotype={cell}");
    let flags = [genotype.as_str(), "--data=fashion-mnist"];
    run(folder.path(), &export("w", "onnx", "w.onnx", &flags)).done();
    let model = read(&fs::read(folder.path().join("w.onnx")).unwrap());
    let pools = model.nodes.iter().filter(|node| node.kind == "AveragePool").count();
    assert_eq!(pools, 6 + 2, "one in each of 6 cells, one in each residual block");
    tested(folder.path(), &["w", &genotype]);
}

/// A disk that is full looks like this to a program: a write fails.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_whole_leaves_the_one_that_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(here, &[TRAIN, &["--out=net"]].concat()).done();
    fs::write(here.join("net.onnx"), "old").unwrap();
    let command = "ulimit -f 8; trap '' XFSZ; exec \"$0\" export net --to onnx --out net.onnx";
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(here).args(["-c", command, env!("CARGO_BIN_EXE_sdarts-under-test")]);
    let output = shell.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot write net.onnx"), "{told}");
    assert_eq!(fs::read(here.join("net.onnx")).unwrap(), b"old");
    let left = fs::read_dir(here).unwrap().count();
    assert_eq!(left, 2, "the run and the old file, and nothing half-written");
    run(here, &export("net", "onnx", "net.onnx", &[])).done();
    assert_ne!(fs::read(here.join("net.onnx")).unwrap(), b"old");
}
