//! The command line, for the tests.

fn main() -> std::process::ExitCode {
    native::main()
}
