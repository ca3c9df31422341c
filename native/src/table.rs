//! Tables of trained networks on disk.

use anyhow::{Context as _, anyhow};
use smoothdarts::config::Config;
use smoothdarts::event::Anytime;
use smoothdarts::space;
use smoothdarts::space::table::Table;

use crate::exit::Exit;
use crate::nasbench101;

/// The table that the settings name; `None` if they name none.
///
/// # Errors
/// If the file cannot be read or is no table, exit code 3; if the settings ask for a column that it
/// does not have or for a space without tables, exit code 2.
pub fn open(config: &Config) -> anyhow::Result<Option<Table>> {
    let settings = &config.table;
    if settings.path.is_empty() {
        return Ok(None);
    }
    let named = || format!("the table {}", settings.path);
    let bytes = std::fs::read(&settings.path).with_context(named).context(Exit::Data)?;
    let space = space::find(&config.search.space)?;
    if bytes.starts_with(nasbench101::MAGIC) {
        let problem = format!("it has cells of NAS-Bench-101, and space {} has others", space.name);
        return Err(anyhow!(problem).context(named()).context(Exit::Data));
    }
    Table::read(space, &bytes, &settings.column).map(Some).with_context(named)
}

/// What the table says of a cell, in words.
pub fn words(anytime: &Anytime) -> String {
    let Anytime { architecture, test_accuracy, rank, cells, regret, .. } = anytime;
    format!(
        "{architecture}  true accuracy {test_accuracy:.2}%, rank {rank} of {cells}, regret {regret:.2}"
    )
}
