//! The page as a folder of files: the library compiled to WebAssembly, its JavaScript, the files of
//! www, the recorded searches of the story and the images. All links are relative, and what is large is stored as gzip and unpacked by
//! the page, so any plain file host serves it, under any path.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use libdeflater::{CompressionLvl, Compressor};

use crate::target::Toolchain;

/// 128-bit vectors; every browser with WebGPU has them, and the CPU path needs them.
const RUSTFLAGS: &str = "-C target-feature=+simd128";
/// Threads besides, for which the standard library has to be compiled, too.
const THREADS_FEATURES: &str = ",+atomics,+bulk-memory";
const THREADS_STD: &str = "-Zbuild-std=std,panic_abort";
/// One memory for all workers, of at most 1 GiB as its addresses are set aside at once; and what a worker needs to begin in it.
const THREADS_LINK: [&str; 8] = [
    "--shared-memory",
    "--import-memory",
    "--max-memory=1073741824",
    "--export=__heap_base",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];
const TARGET: &str = "wasm32-unknown-unknown";
/// Exports what registers the types of burn's compiler, for the worker to call once. Without an
/// export the linker calls it on every entry into the module, also from malloc and from every
/// promise, which took 17.0 of the 17.5 seconds of a step on SwiftShader (DARTS with the settings TINIER
/// of tests/page.mjs).
const EXPORT_REGISTRATION: &str = "--export=__wasm_call_ctors";

/// What the story replays and what the playground compares with, as native/repro keeps it.
const STORY: [&str; 3] =
    ["collapse/results/course.csv", "collapse/results/landscape.csv", "toy/toy.csv"];

/// Bytes of the WebAssembly module.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    plain: usize,
    packed: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mb = |bytes: usize| bytes as f64 / 1e6;
        write!(out, "wasm {:.2} MB, {:.2} MB gzipped", mb(self.plain), mb(self.packed))
    }
}

/// Where the page is built when nobody names a folder: beside the other build results.
pub fn default_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe().context("where this program lies")?;
    let profile = program.parent().context("this program lies in no folder")?;
    Ok(profile.join("smoothdarts-web"))
}

/// Builds the page into a folder, if asked with a second module whose CPU path has threads.
pub fn build(out: &Path, threads: bool) -> anyhow::Result<Size> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    copy(&package.join("www"), out)?;
    let images = package.join("../core/src/data/fashion-mnist");
    copy(&images, &out.join("data/fashion-mnist"))?;
    fs::create_dir_all(out.join("story")).with_context(|| format!("in {}", out.display()))?;
    for name in STORY {
        let kept = package.join("../native/repro").join(name);
        let text = fs::read(&kept).with_context(|| format!("cannot read {}", kept.display()))?;
        let name = name.rsplit('/').next().unwrap_or(name);
        write(&out.join("story").join(format!("{name}.gz")), &pack(&text)?)?;
    }
    let pkg = out.join("pkg");
    if threads {
        bind(package, &compile(package, true)?, &pkg.join("threads"))?;
    }
    let size = bind(package, &compile(package, false)?, &pkg)?;
    let built = format!("// Written by the build.\nexport const THREADS = {threads};\n");
    write(&pkg.join("built.js"), built.as_bytes())?;
    Ok(size)
}

/// Runs cargo for the library; its progress goes to the terminal.
fn compile(package: &Path, threads: bool) -> anyhow::Result<PathBuf> {
    let toolchain = Toolchain::of(package);
    toolchain.require(TARGET)?;
    let mut cargo = cargo();
    cargo.args(["rustc", "--lib", "--profile", "wasm", "--target", TARGET]);
    let mut link = vec![EXPORT_REGISTRATION];
    if threads {
        toolchain.require_sources()?;
        link.extend(THREADS_LINK);
        // A stable compiler builds its standard library where it is told that it may.
        cargo.arg(THREADS_STD).env("RUSTC_BOOTSTRAP", "1");
    }
    let output = cargo
        // Here and not in the manifest: a library that is a cdylib, too, has one file name for all features
        // and build programs, and one build would link what another has left.
        .args(["--crate-type", "cdylib"])
        .args(["--message-format=json-render-diagnostics", "--"])
        .args(link.iter().map(|argument| format!("-Clink-arg={argument}")))
        .current_dir(package)
        .env("RUSTFLAGS", format!("{RUSTFLAGS}{}", if threads { THREADS_FEATURES } else { "" }))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("the library did not compile for {TARGET}");
    }
    let lines = String::from_utf8(output.stdout).context("cargo's messages")?;
    let artifacts = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
    let mut files = artifacts.flat_map(|message: serde_json::Value| {
        let names = message["filenames"].as_array().cloned().unwrap_or_default();
        names.into_iter().filter_map(|name| name.as_str().map(PathBuf::from))
    });
    let is_ours = |path: &PathBuf| path.file_name().is_some_and(|name| name == "web.wasm");
    files.rfind(is_ours).context("cargo names no web.wasm among its artifacts")
}

/// Writes the JavaScript that calls the module, and the module as gzip.
fn bind(package: &Path, wasm: &Path, out: &Path) -> anyhow::Result<Size> {
    fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let bound = out.join("smoothdarts.wasm");
    let status = cargo()
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(package.join("bindgen/Cargo.toml"))
        .arg("--")
        .args([wasm, &out.join("smoothdarts.js"), &bound])
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("wasm-bindgen failed on {}", wasm.display());
    }
    let module = fs::read(&bound).with_context(|| format!("cannot read {}", bound.display()))?;
    fs::remove_file(&bound).with_context(|| format!("cannot remove {}", bound.display()))?;
    let packed = pack(&module)?;
    write(&out.join("smoothdarts.wasm.gz"), &packed)?;
    Ok(Size { plain: module.len(), packed: packed.len() })
}

/// As gzip, as small as it gets: 2 seconds for the module.
fn pack(content: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut packer = Compressor::new(CompressionLvl::best());
    let mut packed = vec![0; packer.gzip_compress_bound(content.len())];
    let size = packer.gzip_compress(content, &mut packed).context("cannot pack a file")?;
    packed.truncate(size);
    Ok(packed)
}

/// The cargo that runs this program.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Copies a folder with everything in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name() else { continue };
        if path.is_dir() {
            copy(&path, &to.join(name))?;
        } else {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            write(&to.join(name), &bytes)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
