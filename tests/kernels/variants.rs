//! Kernels for a GPU and for a software device: the tests of kernels hold with both, on whatever device there is.

use std::path::{Path, PathBuf};
use std::process::Command;

use shaders::device::Variant;

use crate::command::{Outcome, sdarts};

/// Subjects whose kernels come in two variants. Those of the others would be compiled a second time for nothing.
const SUBJECTS: [&str; 6] = [
    "kernels::convolution::",
    "kernels::mix::",
    "kernels::node::",
    "kernels::norm::",
    "kernels::sums::",
    "kernels::unit::",
];

/// The tests of this process run with the kernels of its device, those of another one with the others.
#[test]
fn the_kernels_for_another_kind_of_device_pass_the_same_tests() {
    // Which kernels run is known once there is a device.
    let _chosen = crate::devices::wgpu();
    let other = match shaders::device::variant() {
        Variant::Plain => "tiled",
        Variant::Tiled => "plain",
    };
    pass_with(other, &SUBJECTS);
}

/// Of a GPU, where they are one.
#[test]
fn units_of_two_launches_pass_the_same_tests() {
    pass_with("apart", &["kernels::unit::"]);
}

/// Runs tests of this program in a process with other kernels.
fn pass_with(kernels: &str, subjects: &[&str]) {
    let (variable, device) = ("SDARTS_WGSL", crate::devices::wgpu());
    // Without a device there are no such kernels; with the variable this is the other process.
    if device.is_none() || std::env::var_os("SDARTS_WGSL").is_some() {
        return;
    }
    let mut tests = Command::new(std::env::current_exe().unwrap());
    let outcome = tests.args(subjects).env(variable, kernels).output().unwrap();
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{variable}={kernels}: {text}");
    assert!(!text.contains(" 0 passed"), "{variable}={kernels}: {text}");
}

#[test]
fn every_subject_whose_kernels_have_two_variants_is_among_them() {
    let shaders = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shaders/src"));
    let folders = std::fs::read_dir(shaders).unwrap().map(|entry| entry.unwrap().path());
    let chooses = |folder: &PathBuf| {
        let source = std::fs::read_to_string(folder.join("wgpu.rs"));
        source.is_ok_and(|text| text.contains("device::variant()"))
    };
    let mut found: Vec<String> = folders
        .filter(chooses)
        .map(|folder| format!("kernels::{}::", folder.file_name().unwrap().display()))
        .collect();
    // Sums are what all of these have in common.
    found.push("kernels::sums::".to_owned());
    found.sort();
    assert_eq!(found, SUBJECTS);
}

#[test]
fn kernels_that_there_are_not_are_refused() {
    let arguments = ["search", "--device=wgpu", "--preset=browser", "--dry-run"];
    let mut search = sdarts(&std::env::temp_dir(), &arguments);
    search.env("SDARTS_WGSL", "fast");
    let Outcome { code, stderr, .. } = Outcome::of(search);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("SDARTS_WGSL=fast: there are plain, tiled, joined and apart"),
        "{stderr}"
    );
}
