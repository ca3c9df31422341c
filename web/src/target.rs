//! The standard library that a page is compiled with, or its sources: looked for before anything is
//! compiled, and added where rustup can.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// Programs of a Rust toolchain.
pub struct Toolchain {
    rustc: OsString,
    rustup: OsString,
    /// Where they run, as a toolchain file beside the sources chooses the compiler.
    folder: PathBuf,
}

impl Toolchain {
    /// Those that compile in a folder.
    pub fn of(folder: &Path) -> Self {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        Self { rustc, rustup: "rustup".into(), folder: folder.to_owned() }
    }

    /// Adds a target that the compiler lacks.
    ///
    /// # Errors
    /// If it is missing and rustup is, or cannot add it.
    pub fn require(&self, target: &str) -> anyhow::Result<()> {
        let there = self.has_or_adds(&["target", "add", target], || {
            self.finds(&["--print", "target-libdir", "--target", target], "")
        })?;
        if !there {
            bail!(
                "the page is compiled for {target}, which this Rust lacks: `rustup target add {target}` \
                 adds it; a Rust without rustup has it in another package of the system"
            )
        }
        Ok(())
    }

    /// Adds the sources of the standard library, if they are not there.
    ///
    /// # Errors
    /// If they are missing and rustup is, or cannot add them.
    pub fn require_sources(&self) -> anyhow::Result<()> {
        let there = self.has_or_adds(&["component", "add", "rust-src"], || {
            self.finds(&["--print", "sysroot"], "lib/rustlib/src/rust/library")
        })?;
        if !there {
            bail!(
                "a module with threads is compiled with its standard library, whose sources this Rust lacks: \
                 `rustup component add rust-src` adds them; without --threads the page needs none"
            )
        }
        Ok(())
    }

    /// Whether something is there, after rustup was asked for it if it was not.
    fn has_or_adds(
        &self,
        what: &[&str],
        has: impl Fn() -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        if has()? {
            return Ok(true);
        }
        let mut rustup = Command::new(&self.rustup);
        rustup.args(what).current_dir(&self.folder).stdout(Stdio::null());
        // Its progress and its errors go to the terminal.
        let added = rustup.status().is_ok_and(|status| status.success());
        Ok(added && has()?)
    }

    /// Whether the folder that rustc prints has this folder.
    fn finds(&self, printed: &[&str], inside: &str) -> anyhow::Result<bool> {
        let mut rustc = Command::new(&self.rustc);
        rustc.args(printed).current_dir(&self.folder);
        let output = rustc.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run {}", self.rustc.display()))?;
        let folder = String::from_utf8(output.stdout).context("what rustc prints")?;
        Ok(output.status.success() && Path::new(folder.trim_end()).join(inside).is_dir())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// A toolchain whose rustc names the folder `there`, and whose rustup is a shell script. Another
    /// process writes both: a process that a test beside this one is starting would keep our open file for a
    /// moment, and a file that is open for writing cannot be run.
    fn toolchain(rustup: &str) -> anyhow::Result<(TempDir, Toolchain)> {
        let folder = tempfile::tempdir()?;
        let program = |name: &str, text: &str| -> anyhow::Result<OsString> {
            let path = folder.path().join(name);
            let source = path.with_extension("sh");
            fs::write(&source, format!("#!/bin/sh\n{text}\n"))?;
            let mut install = Command::new("install");
            let status = install.args(["-m", "755"]).arg(source).arg(&path).status()?;
            anyhow::ensure!(status.success(), "install wrote no {name}");
            Ok(path.into_os_string())
        };
        let rustc = program("rustc", "echo \"$PWD/there\"")?;
        let rustup = program("rustup", rustup)?;
        let toolchain = Toolchain { rustc, rustup, folder: folder.path().to_owned() };
        Ok((folder, toolchain))
    }

    #[test]
    fn a_target_that_is_there_asks_nothing_of_rustup() -> anyhow::Result<()> {
        let (folder, toolchain) = toolchain("touch asked")?;
        fs::create_dir(folder.path().join("there"))?;
        toolchain.require("wasm32-unknown-unknown")?;
        assert!(!folder.path().join("asked").exists());
        Ok(())
    }

    #[test]
    fn a_missing_target_is_added() -> anyhow::Result<()> {
        let (folder, toolchain) = toolchain("echo \"$@\" > asked; mkdir there")?;
        toolchain.require("wasm32-unknown-unknown")?;
        let asked = fs::read_to_string(folder.path().join("asked"))?;
        assert_eq!(asked.trim_end(), "target add wasm32-unknown-unknown");
        Ok(())
    }

    #[test]
    fn missing_sources_are_added_or_named_with_what_adds_them() -> anyhow::Result<()> {
        let (folder, ours) =
            toolchain("echo \"$@\" > asked; mkdir -p there/lib/rustlib/src/rust/library")?;
        ours.require_sources()?;
        let asked = fs::read_to_string(folder.path().join("asked"))?;
        assert_eq!(asked.trim_end(), "component add rust-src");
        let (_folder, ours) = toolchain("exit 1")?;
        let error = ours.require_sources().err().map_or(String::new(), |error| error.to_string());
        assert!(error.contains("rustup component add rust-src"), "{error}");
        Ok(())
    }

    #[test]
    fn a_target_that_cannot_be_added_is_named_with_what_adds_it() -> anyhow::Result<()> {
        // rustup fails, says that it succeeded, is not there.
        for (rustup, gone) in [("exit 1", false), ("exit 0", false), ("", true)] {
            let (folder, toolchain) = toolchain(rustup)?;
            if gone {
                fs::remove_file(folder.path().join("rustup"))?;
            }
            let error = toolchain.require("wasm32-unknown-unknown").err();
            let error = error.map_or(String::new(), |error| error.to_string());
            assert!(error.contains("rustup target add wasm32-unknown-unknown"), "{error}");
        }
        Ok(())
    }
}
