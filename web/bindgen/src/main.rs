//! `bindgen MODULE JAVASCRIPT OUT`: writes the JavaScript that calls a module of Rust, and the module
//! that it calls.

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut paths = std::env::args_os().skip(1);
    let mut path = || paths.next().context("usage: bindgen MODULE JAVASCRIPT OUT");
    let (module, javascript, out) = (path()?, path()?, path()?);
    let mut output = wasm_bindgen_cli_support::Bindgen::new()
        .input_path(module)
        .out_name("smoothdarts")
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate_output()?;
    std::fs::write(javascript, output.js())?;
    std::fs::write(out, output.wasm_mut().emit_wasm())?;
    Ok(())
}
