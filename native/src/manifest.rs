//! manifest.json: what made the result of a run.

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use smoothdarts::config::{Config, Mode};

use crate::device::Selected;
use crate::{output, run_dir};

/// Everything that a result depends on and that is not in config.toml.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this program.
    pub sdarts: String,
    /// Git commit that it was built from; only where the build was told (`SDARTS_COMMIT`).
    pub commit: Option<String>,
    /// Versions of the libraries that compute, as locked.
    pub libraries: Vec<Library>,
    /// Account that the result follows: `faithful` or `paper`.
    pub mode: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// Device in words, of the last process.
    pub device: String,
    /// Its adapter, unless the CPU computes.
    pub adapter: Option<serde_json::Value>,
    /// CPU threads of the last process.
    pub threads: usize,
    /// How many processes worked on the run.
    pub processes: u32,
    /// Seconds that they took in all. Of a killed process, those up to its last checkpoint.
    pub wall_seconds: f64,
}

/// A library and its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Library {
    /// Name of the crate.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The lock file is what decides the versions, so it is the only place that knows them.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The crates whose versions can change a result or a speed.
const LIBRARIES: [&str; 5] = ["burn", "burn-flex", "burn-wgpu", "cubecl", "wgpu"];

impl Manifest {
    /// The manifest of a run that this process works on: a new one, or the next process of the
    /// one in `path`.
    pub fn new(path: &Path, config: &Config, selected: &Selected) -> Self {
        // A damaged manifest is no reason to lose a run; then only the time so far is unknown.
        let earlier = earlier(path).unwrap_or_else(|fault| {
            output::note(&format!("warning: {fault:#}; its count of seconds starts again"));
            None
        });
        let earlier = earlier.unwrap_or_default();
        Self {
            sdarts: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("SDARTS_COMMIT").map(str::to_owned),
            libraries: libraries(),
            mode: match config.mode {
                Mode::Faithful => "faithful".to_owned(),
                Mode::Paper => "paper".to_owned(),
            },
            seed: config.seed,
            device: selected.label.clone(),
            adapter: selected
                .adapter
                .as_ref()
                .and_then(|adapter| serde_json::to_value(adapter).ok()),
            threads: rayon::current_num_threads(),
            processes: earlier.processes + 1,
            wall_seconds: earlier.wall_seconds,
        }
    }
}

fn earlier(path: &Path) -> anyhow::Result<Option<Manifest>> {
    let Some(bytes) = run_dir::read(path)? else { return Ok(None) };
    let manifest = serde_json::from_slice(&bytes);
    manifest.map(Some).with_context(|| format!("{} is no manifest", path.display()))
}

fn libraries() -> Vec<Library> {
    let library = |name: &str| {
        let package = format!("name = \"{name}\"\nversion = \"");
        let version = LOCK.split(&package).nth(1)?.split('"').next()?;
        Some(Library { name: name.to_owned(), version: version.to_owned() })
    };
    LIBRARIES.into_iter().filter_map(library).collect()
}
