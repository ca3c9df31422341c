//! The exit codes of `sdarts`, once: the program returns them, `--help` and the tests read them.

use std::fmt;
use std::process::ExitCode;

use smoothdarts::config::ConfigError;
use smoothdarts::config::layers::LayerError;
use smoothdarts::data::DataError;
use smoothdarts::measure::hessian::HessianError;
use smoothdarts::measure::landscape::LandscapeError;
use smoothdarts::method::{MethodError, UnknownMethod};
use smoothdarts::run::RunError;
use smoothdarts::run::checkpoint::CheckpointError;
use smoothdarts::space::SpaceError;
use smoothdarts::space::table::TableError;

use crate::output::OutputClosed;

/// How the program ends. As the context of an error it says which code the error has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// What was asked for is done, or the reader of the output went away.
    Done,
    /// Files, or a fault of the program.
    Failure,
    /// Flags, config, names.
    Usage,
    /// The data set.
    Data,
    /// The device.
    Device,
    /// A loss is not finite.
    Diverged,
    /// Two processes, one run directory.
    Busy,
    /// A sweep of which not every run is done.
    Incomplete,
    /// SIGUSR1. The code is that of sysexits.h for what is to be tried again.
    Preempted,
    /// SIGINT (Ctrl-C).
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP.
    HungUp,
}

/// One row of the table.
pub struct Code {
    /// The end.
    pub exit: Exit,
    /// Its code.
    pub code: u8,
    /// What it means.
    pub help: &'static str,
}

/// The table. 128 + signal number is what shells report for a signal.
pub const TABLE: &[Code] = &[
    Code { exit: Exit::Done, code: 0, help: "done" },
    Code { exit: Exit::Failure, code: 1, help: "input/output or internal error" },
    Code { exit: Exit::Usage, code: 2, help: "wrong flag, config or name" },
    Code { exit: Exit::Data, code: 3, help: "data missing or corrupt" },
    Code { exit: Exit::Device, code: 4, help: "device unavailable" },
    Code { exit: Exit::Diverged, code: 5, help: "the run diverged (NaN or infinite loss)" },
    Code { exit: Exit::Busy, code: 6, help: "another process uses the run directory" },
    Code { exit: Exit::Incomplete, code: 7, help: "not every run of the sweep is done" },
    Code {
        exit: Exit::Preempted,
        code: 75,
        help: "to be started again (SIGUSR1), checkpoint written",
    },
    Code { exit: Exit::HungUp, code: 129, help: "hung up (SIGHUP), checkpoint written" },
    Code { exit: Exit::Interrupted, code: 130, help: "interrupted (SIGINT), checkpoint written" },
    Code { exit: Exit::Terminated, code: 143, help: "terminated (SIGTERM), checkpoint written" },
];

impl Exit {
    /// Its code.
    pub fn code(self) -> u8 {
        TABLE.iter().find(|row| row.exit == self).map_or(1, |row| row.code)
    }

    /// The end that an error means: the one in its context, else the one of its type.
    pub fn of(error: &anyhow::Error) -> Self {
        let by_type = || error.chain().find_map(classify).unwrap_or(Self::Failure);
        error.downcast_ref::<Self>().copied().unwrap_or_else(by_type)
    }

    /// The causes of an error, without the mark that says which code it has.
    pub fn message(self, error: &anyhow::Error) -> String {
        let mark = self.to_string();
        let causes = error.chain().map(ToString::to_string).filter(|cause| *cause != mark);
        causes.map(|cause| cut(&cause)).collect::<Vec<_>>().join(": ")
    }
}

/// A cause without the middle of what no one reads, such as a value of megabytes.
fn cut(cause: &str) -> String {
    const BEGIN: usize = 2000;
    const END: usize = 500;
    let count = cause.chars().count();
    if count <= BEGIN + END {
        return cause.to_owned();
    }
    let (begin, end): (String, String) =
        (cause.chars().take(BEGIN).collect(), cause.chars().skip(count - END).collect());
    format!("{begin} […{} characters…] {end}", count - BEGIN - END)
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let help = TABLE.iter().find(|row| row.exit == *self).map_or("", |row| row.help);
        write!(out, "{help}")
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// The table as the last paragraph of `--help`.
pub fn help() -> String {
    let row = |row: &Code| format!("\n  {:>3}  {}", row.code, row.help);
    format!("Exit codes:{}", TABLE.iter().map(row).collect::<String>())
}

fn classify(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(error) = cause.downcast_ref::<RunError>() {
        return classify_search(error);
    }
    if let Some(error) = cause.downcast_ref::<DataError>() {
        return classify_data(error);
    }
    if let Some(error) = cause.downcast_ref::<TableError>() {
        return Some(classify_table(error));
    }
    let usage = cause.is::<LayerError>()
        || cause.is::<ConfigError>()
        || cause.is::<SpaceError>()
        || cause.is::<UnknownMethod>()
        || cause.is::<MethodError>()
        || matches!(
            cause.downcast_ref(),
            Some(
                LandscapeError::Grid { .. }
                    | LandscapeError::Range { .. }
                    | LandscapeError::NoAlpha
            )
        );
    let closed = cause.is::<OutputClosed>();
    [(usage, Exit::Usage), (closed, Exit::Done)]
        .into_iter()
        .find_map(|(is, exit)| is.then_some(exit))
}

fn classify_search(error: &RunError) -> Option<Exit> {
    match error {
        RunError::Diverged { .. } => Some(Exit::Diverged),
        RunError::Config(_)
        | RunError::Space(_)
        | RunError::Method(_)
        | RunError::Genotype(_)
        | RunError::Derived(_)
        | RunError::ImageSize { .. }
        | RunError::TooLarge { .. }
        | RunError::Hessian(HessianError::NoAlpha)
        | RunError::OtherConfig { .. } => Some(Exit::Usage),
        RunError::OtherNetwork { .. }
        | RunError::Checkpoint(CheckpointError::OtherVocabulary { .. }) => Some(Exit::Data),
        RunError::Data(error) => classify_data(error),
        RunError::Device(_) | RunError::Hessian(HessianError::Device(_)) => Some(Exit::Device),
        RunError::Hessian(HessianError::NotFinite) => Some(Exit::Diverged),
        RunError::Hessian(HessianError::Decomposition(_)) => None,
        RunError::Checkpoint(_) | RunError::InStep => None,
    }
}

fn classify_table(error: &TableError) -> Exit {
    match error {
        TableError::Column { .. } | TableError::NoColumn | TableError::OtherSpace { .. } => {
            Exit::Usage
        }
        _ => Exit::Data,
    }
}

fn classify_data(error: &DataError) -> Option<Exit> {
    match error {
        DataError::Unknown { .. } | DataError::Setting { .. } => Some(Exit::Usage),
        DataError::Stopped(_) => None,
        _ => Some(Exit::Data),
    }
}
