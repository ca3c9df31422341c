//! `sdarts fetch`.

use crate::cli::FetchArgs;
use crate::exit::Exit;
use crate::fetch;

/// Downloads the files of a data set.
///
/// # Errors
/// If the name is unknown, a download fails or a file is not what it should be.
pub fn run(args: &FetchArgs) -> anyhow::Result<Exit> {
    fetch::run(&args.data, &args.data_dir, args.url_base.as_deref())?;
    Ok(Exit::Done)
}
