//! `sdarts`, the command line of SmoothDARTS. Everything is in the library, so that the tests can
//! run it too.

fn main() -> std::process::ExitCode {
    native::main()
}
