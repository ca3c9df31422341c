//! What is timed: a method, in a config.

use anyhow::Context as _;
use smoothdarts::config::{Config, Order};
use smoothdarts::method;

use crate::exit::Exit;

/// Methods that are timed when none is asked for.
pub const METHODS: [&str; 4] = ["darts", "sdarts-rs", "sdarts-adv", "darts-2nd"];

/// After the name of a method: its second order.
const SECOND: &str = "-2nd";

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Name of the method, with `-2nd` where its order is the second.
    pub name: String,
    /// All settings.
    pub config: Config,
}

impl Subject {
    /// The config with the method of this name.
    ///
    /// # Errors
    /// An unknown name; exit code 2.
    pub fn new(name: &str, config: &Config) -> anyhow::Result<Self> {
        let (base, order) = match name.strip_suffix(SECOND) {
            Some(base) => (base, Order::Second),
            None => (name, Order::First),
        };
        method::find(base).with_context(|| format!("--method {name}")).context(Exit::Usage)?;
        let mut config = config.clone();
        config.search.method = base.to_owned();
        config.search.order = order;
        Ok(Self { name: name.to_owned(), config })
    }
}
