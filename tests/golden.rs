//! Golden numbers: quantities that the reference code computed in float64, compared on every
//! device with both kinds of kernels. The files lie in the folder that `SDARTS_FIXTURES` names
//! (default: ../shared/fixtures beside the checkout); without them these tests say so and pass.

mod cnn_search;
mod derived;
mod fixture;
mod hessian;

use std::path::PathBuf;

use burn::tensor::Device;
use fixture::Fixture;
use shaders::Kernels;

fn fixtures() -> Vec<Fixture> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/fixtures");
    let folder =
        std::env::var_os("SDARTS_FIXTURES").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("no golden numbers in {}: set SDARTS_FIXTURES", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
        .collect();
    paths.sort();
    paths.iter().map(|path| Fixture::read(path)).collect()
}

/// Kinds of which a search is made.
const SEARCHES: &[&str] = &["cnn-search", "nb201-search"];

/// Kinds of networks that are trained from a genotype.
const DERIVED: &[&str] = &["cnn-eval", "cnn-eval-imagenet", "cnn-eval-steps"];

fn check_search(device: &str, kernels: Kernels) {
    for_every_search(device, |fixture, device| cnn_search::check(fixture, device, kernels));
}

fn check_derived(device: &str, kernels: Kernels) {
    for_every(DERIVED, device, |fixture, device| derived::check(fixture, device, kernels));
}

fn for_every_search(device: &str, check: impl Fn(&Fixture, &Device)) {
    for_every(SEARCHES, device, check);
}

fn for_every(kinds: &[&str], device: &str, check: impl Fn(&Fixture, &Device)) {
    let Some((_, device)) = crate::devices::all().into_iter().find(|(name, _)| *name == device)
    else {
        return;
    };
    for fixture in fixtures() {
        let kind = fixture.kind();
        if kinds.contains(&kind) {
            check(&fixture, &device);
        } else if !SEARCHES.contains(&kind) && !DERIVED.contains(&kind) {
            println!("{}: kind {kind} is not supported yet", fixture.name);
        }
    }
}

#[test]
fn golden_search_on_the_cpu_with_our_kernels() {
    check_search("cpu", Kernels::Fused);
}

#[test]
fn golden_search_on_the_cpu_with_plain_ops() {
    check_search("cpu", Kernels::Composed);
}

#[test]
fn golden_search_on_wgpu_with_our_kernels() {
    check_search("wgpu", Kernels::Fused);
}

#[test]
fn golden_training_on_the_cpu_with_our_kernels() {
    check_derived("cpu", Kernels::Fused);
}

#[test]
fn golden_training_on_the_cpu_with_plain_ops() {
    check_derived("cpu", Kernels::Composed);
}

#[test]
fn golden_training_on_wgpu_with_our_kernels() {
    check_derived("wgpu", Kernels::Fused);
}

#[test]
fn golden_hessian_on_the_cpu() {
    for_every_search("cpu", |fixture, device| {
        hessian::check_matrix(fixture, device);
        hessian::check_extremes(fixture, device, 3);
    });
}

/// That of NAS-Bench-201 takes 60 gradients and is checked whole. The one of s5 takes 392, which on a
/// software adapter are many minutes: of the larger ones four columns.
#[test]
fn golden_hessian_on_wgpu() {
    for_every_search("wgpu", |fixture, device| match fixture.kind() {
        "nb201-search" => hessian::check_matrix(fixture, device),
        _ => hessian::check_columns(fixture, device),
    });
}

/// All of them whole: `cargo test -p tests -- --ignored whole_golden_hessian`.
#[test]
#[ignore = "560 gradients, seven minutes of a software adapter on two cores"]
fn whole_golden_hessian_of_the_larger_networks_on_wgpu() {
    for_every_search("wgpu", |fixture, device| {
        if fixture.kind() == "cnn-search" {
            hessian::check_matrix(fixture, device);
        }
    });
}

#[test]
fn golden_extreme_eigenvalues_on_wgpu() {
    for_every_search("wgpu", |fixture, device| hessian::check_extremes(fixture, device, 1));
}
