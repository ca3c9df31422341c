//! How time and memory grow: one setting varied at a time around a config.

use smoothdarts::config::Config;

/// A point of a scaling run.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// `search.batch_size`, `search.cells`, `search.channels` or `run.threads`.
    pub varied: &'static str,
    /// The settings there.
    pub config: Config,
}

/// The value of a setting that is varied.
type Field = fn(&mut Config) -> &mut usize;

/// Settings that are halved and doubled.
const DOUBLED: [(&str, Field); 3] = [
    ("search.batch_size", |config| &mut config.search.batch_size),
    ("search.cells", |config| &mut config.search.cells),
    ("search.channels", |config| &mut config.search.channels),
];

/// Half, once and twice each of batch size, cells and channels, as far as they make a network; and
/// 1, 2, 4, … up to `threads` threads, where the CPU computes.
pub fn points(config: &Config, threads: Option<usize>) -> Vec<Point> {
    let doubled = DOUBLED.iter().flat_map(|&(varied, field)| {
        [(1, 2), (1, 1), (2, 1)].into_iter().map(move |(times, over)| {
            let mut config = config.clone();
            let value = field(&mut config);
            *value = *value * times / over;
            Point { varied, config }
        })
    });
    let powers = std::iter::successors(Some(1), |count: &usize| count.checked_mul(2));
    let threads = threads.into_iter().flat_map(|most| {
        powers.clone().take_while(move |&count| count < most).chain(std::iter::once(most))
    });
    let threads = threads.map(|count| {
        let mut config = config.clone();
        config.run.threads = count;
        Point { varied: "run.threads", config }
    });
    doubled.chain(threads).filter(|point| point.config.validate().is_ok()).collect()
}
