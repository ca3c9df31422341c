//! Runs the command line as a child process, as a user would.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A search of a second or two: six steps in each of two epochs, on the CPU. Named flags win over it.
pub const TINY: &[&str] = &[
    "search",
    "--preset=quick",
    "--set=search.space=s2",
    "--set=search.method=sdarts-rs",
    "--set=search.epochs=2",
    "--set=run.device=cpu",
    "--set=search.cells=3",
    "--set=search.channels=2",
    "--set=search.batch_size=8",
    "--set=data.image_size=8",
    "--set=data.crop_padding=1",
    "--set=data.train_images=96",
    "--set=run.checkpoint_seconds=0",
];

/// Flags of a training of a second or two: six steps in each of two epochs, on the CPU.
pub const TRAIN: &[&str] = &[
    "--preset=train-quick",
    "--set=train.epochs=2",
    "--set=run.device=cpu",
    "--set=train.cells=3",
    "--set=train.channels=4",
    "--set=train.batch_size=16",
    "--set=data.image_size=8",
    "--set=data.crop_padding=1",
    "--set=data.train_images=96",
    "--set=run.checkpoint_seconds=0",
];

/// `sdarts` with these arguments, in `directory`. `SDARTS_PROGRAM` names another build of it.
pub fn sdarts(directory: &Path, arguments: &[&str]) -> Command {
    let built = || env!("CARGO_BIN_EXE_sdarts-under-test").into();
    let mut command = Command::new(std::env::var_os("SDARTS_PROGRAM").unwrap_or_else(built));
    command.current_dir(directory).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a finished process left.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Waits for the process.
    pub fn of(mut command: Command) -> Self {
        command.output().expect("the program starts").into()
    }

    /// The outcome, if the process ended well.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs `sdarts` in `directory` and waits for it.
pub fn run(directory: &Path, arguments: &[&str]) -> Outcome {
    Outcome::of(sdarts(directory, arguments))
}
