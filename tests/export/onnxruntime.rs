//! The files in the programs that they are for, where `SDARTS_PYTHON` names a Python with onnxruntime,
//! onnx and numpy, and with torch if it likes. With `SDARTS_REQUIRE_ONNXRUNTIME` set (as in CI) the test
//! fails where there is none.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use native::cli::Format;
use serde_json::{Value, json};

use super::networks::{all, relative_error};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/export/check.py");

/// What is promised; the worst of 32 cases is 3.6e-7.
const TOLERANCE: f32 = 1e-4;

fn python() -> Option<OsString> {
    let python = std::env::var_os("SDARTS_PYTHON").filter(|python| !python.is_empty());
    if python.is_none() {
        let missing = "SDARTS_PYTHON names no Python with onnxruntime, onnx and numpy";
        assert!(std::env::var_os("SDARTS_REQUIRE_ONNXRUNTIME").is_none(), "{missing}");
        let mut past_the_capture = std::io::stderr();
        writeln!(past_the_capture, "left out: {missing}, so no file of ONNX was run").unwrap();
    }
    python
}

fn write_numbers(path: &Path, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn onnxruntime_computes_our_logits_and_pytorch_loads_our_weights() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let (mut cases, mut expected) = (Vec::new(), Vec::new());
    for net in all() {
        let name = net.name;
        for (format, end) in [(Format::Safetensors, "safetensors"), (Format::Pytorch, "pt")] {
            std::fs::write(here.join(format!("{name}.{end}")), net.file(format, false)).unwrap();
        }
        for unit in [true, false] {
            let file = format!("{name}-{}.onnx", if unit { "unit" } else { "normalised" });
            std::fs::write(here.join(&file), net.file(Format::Onnx, unit)).unwrap();
            for batch in [1, 5] {
                for size in &net.sizes {
                    let images = net.images(batch, *size, unit);
                    let (planes, shape) = images.planes();
                    let numbers = format!("{}.f32", cases.len());
                    write_numbers(&here.join(&numbers), &planes);
                    cases.push(json!({ "file": &file, "images": numbers, "shape": shape }));
                    expected.push(net.logits(&images, unit));
                }
            }
        }
    }
    let names: Vec<&str> = all().iter().map(|net| net.name).collect();
    let job = json!({ "cases": cases, "weights": names }).to_string();
    std::fs::write(here.join("job.json"), job).unwrap();
    let output = Command::new(&python).arg(SCRIPT).arg(here).output().expect("SDARTS_PYTHON runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", python.display());
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let logits = found["logits"].as_array().unwrap();
    assert_eq!(logits.len(), expected.len());
    let mut worst = 0.0;
    for ((found, expected), case) in logits.iter().zip(&expected).zip(&cases) {
        let found: Vec<f32> = serde_json::from_value(found.clone()).unwrap();
        let error = relative_error(&found, expected);
        assert!(error <= TOLERANCE, "{case}: {error:e}");
        worst = f32::max(worst, error);
    }
    let torch = found["torch"].as_str().unwrap_or("left out: it has no torch");
    println!("onnxruntime {}: worst {worst:e}; torch {torch}", found["onnxruntime"]);
}
