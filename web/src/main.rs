//! `cargo run -p web`: says what the browser part can do so far.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "The page is not there yet. What there is: the library that it will call,")?;
    writeln!(out, "the same search compiled to WebAssembly:")?;
    writeln!(out, "    cargo build -p web --target wasm32-unknown-unknown --release")
}
