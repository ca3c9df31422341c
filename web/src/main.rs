//! `cargo run -p web`: builds the page and serves it on this machine.

#[cfg(not(target_family = "wasm"))]
mod site;
#[cfg(not(target_family = "wasm"))]
mod target;

/// Builds the page: the library compiled to WebAssembly, the files of www, and the images.
#[cfg(not(target_family = "wasm"))]
#[derive(clap::Parser)]
#[command(about = "Builds the page and serves it on this machine")]
struct Args {
    /// Write a static site into this folder, for any file host under any path, and end.
    #[arg(long, value_name = "DIR")]
    out: Option<std::path::PathBuf>,
    /// Build a second module, whose CPU path has threads: on browsers without WebGPU a search may then use several
    /// cores. The standard library is compiled, too, which takes its sources.
    #[arg(long, conflicts_with = "serve")]
    threads: bool,
    /// Port of the server; 0 takes a free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Serve a folder that --out wrote, without building.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    serve: Option<std::path::PathBuf>,
}

#[cfg(not(target_family = "wasm"))]
fn main() -> anyhow::Result<()> {
    use std::io::Write as _;
    let args: Args = clap::Parser::parse();
    if let Some(out) = &args.out {
        let size = site::build(out, args.threads)?;
        writeln!(std::io::stdout(), "{} ({size})", out.display())?;
        return Ok(());
    }
    let folder = match args.serve {
        Some(folder) => folder,
        None => {
            let folder = site::default_folder()?;
            site::build(&folder, args.threads)?;
            folder
        }
    };
    let server = web::server::Server::bind(&folder, args.port)?;
    writeln!(std::io::stdout(), "http://{}/ (Ctrl-C ends it)", server.address())?;
    server.run();
    Ok(())
}

#[cfg(target_family = "wasm")]
fn main() {}
