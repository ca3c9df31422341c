//! A start without complaints where there is no desktop.
//!
//! The layer of Mesa that sorts the adapters of Vulkan asks a Wayland desktop which of them it uses, and where
//! XDG_RUNTIME_DIR is missing libwayland says on standard error that it is: eight times in `sdarts doctor`, on every
//! server and in every container. A process cannot set a variable for itself once others may read it without being
//! unsafe, so the program starts once more in its own place.

/// Starts the program again, as the same process, with a folder that does not exist in XDG_RUNTIME_DIR; does
/// nothing where the variable is there, or where the program cannot be started again. To be called first of all.
#[cfg(target_os = "linux")]
pub fn start_quietly() {
    use std::os::unix::process::CommandExt as _;
    use std::path::Path;

    const VARIABLE: &str = "XDG_RUNTIME_DIR";
    // libwayland complains of a relative path, too.
    if std::env::var_os(VARIABLE).is_some_and(|folder| Path::new(&folder).is_absolute()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    // It returns only if it failed, and all that is lost then is the quiet.
    let _failed = again.args(arguments).env(VARIABLE, "/nonexistent").exec();
}

/// Only Linux has Wayland.
#[cfg(not(target_os = "linux"))]
pub fn start_quietly() {}
