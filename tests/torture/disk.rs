//! A disk that is full, and a folder that nobody may write to any more, in the middle of a run.

#![cfg(target_os = "linux")]

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::{TempDir, tempdir};

use super::works::{SEARCH, TRAINING, Work, reached, said};
use crate::command::Outcome;

/// Events after which it happens.
const EVENTS: usize = 5;

/// A disk of four megabytes in memory.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where the system lets nobody mount one.
    fn new() -> Option<Self> {
        let folder = tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(folder.path());
        let done = mount.output().is_ok_and(|done| done.status.success());
        done.then_some(Self(folder))
    }

    /// Takes all that is left of it.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        for block in [1 << 16, 1 << 12, 1] {
            while file.write(&vec![0; block]).is_ok_and(|written| written > 0) {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0.path()).status().unwrap();
    }
}

/// The run ends by itself, with an error that says why, and has its checkpoint.
#[track_caller]
fn must_say(outcome: &Outcome, why: &str, folder: &Path) {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains(why), "{outcome:?}");
    let errors = outcome.stderr.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(errors, 1, "{outcome:?}");
    reached(&folder.join("run"), why);
}

fn fill(work: &Work) {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("left out: nobody may mount a disk here");
        return;
    };
    let (folder, expected) = (disk.0.path(), work.undisturbed(&[]));
    let child = work.started(folder, EVENTS);
    let filler = disk.fill();
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    must_say(&outcome, "No space left", folder);
    // It is not tried in vain for long, and nothing is lost by trying.
    must_say(&Outcome::of(work.command(folder, &[])), "No space left", folder);
    fs::remove_file(filler).unwrap();
    work.end(folder, expected.path(), "a full disk");
}

/// The same command without the privilege of root to write where nobody may.
fn without_privileges(command: Command) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return command;
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.arg("--bounding-set=-dac_override,-dac_read_search");
    setpriv.arg(command.get_program()).args(command.get_args());
    setpriv.current_dir(command.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    setpriv.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    setpriv
}

fn allow(run: &Path, mode: u32) {
    for name in ["", "checkpoints", "checksums"] {
        fs::set_permissions(run.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

fn close(work: &Work) {
    let (folder, expected) = (tempdir().unwrap(), work.undisturbed(&[]));
    let (folder, run) = (folder.path(), folder.path().join("run"));
    let child = said(without_privileges(work.command(folder, &["--json"])), EVENTS);
    allow(&run, 0o555);
    let outcome = Outcome::from(child.wait_with_output().unwrap());
    let again = Outcome::of(without_privileges(work.command(folder, &[])));
    allow(&run, 0o755);
    must_say(&outcome, "Permission denied", folder);
    must_say(&again, "Permission denied", folder);
    work.end(folder, expected.path(), "a folder that was read-only");
}

#[test]
fn a_disk_that_becomes_full_ends_a_search_which_goes_on_once_there_is_room() {
    fill(&SEARCH);
}

#[test]
fn a_disk_that_becomes_full_ends_a_training_which_goes_on_once_there_is_room() {
    fill(&TRAINING);
}

#[test]
fn a_folder_that_becomes_read_only_ends_a_search_which_goes_on_once_it_is_not() {
    close(&SEARCH);
}

#[test]
fn a_folder_that_becomes_read_only_ends_a_training_which_goes_on_once_it_is_not() {
    close(&TRAINING);
}
