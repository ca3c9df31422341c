//! The tables of a comparison as CSV.

use super::{Difference, Run, Spread, Summary};
use crate::draw::csv;

/// One record for each group: the numbers of [`Summary`], shares from 0 to 1, empty where a run
/// measured nothing; then what the paper reports, test errors in percent.
pub fn summaries_csv(summaries: &[Summary]) -> String {
    let spreads =
        ["valid_accuracy", "test_accuracy", "parameter_free", "spectral_norm", "mean_drop"];
    let pair = |name: &str| [format!("{name}_mean"), format!("{name}_std")];
    let mut header = vec!["group".to_owned(), "seeds".to_owned()];
    header.extend(spreads.iter().flat_map(|name| pair(name)));
    header.push("best_valid_accuracy".to_owned());
    let paper = ["paper_test_error", "paper_test_error_std", "paper_parameter_free"];
    header.extend(paper.map(str::to_owned));
    header.extend(pair("top5_accuracy"));
    header.extend(["paper_top5_error", "test_accuracy_runs"].map(str::to_owned));
    header.extend(pair("valid_perplexity"));
    header.push("best_valid_perplexity".to_owned());
    header.extend(pair("test_perplexity"));
    header.extend(["paper_valid_perplexity", "paper_test_perplexity"].map(str::to_owned));
    let rows = summaries.iter().map(record);
    csv::table([header].into_iter().chain(rows))
}

fn record(summary: &Summary) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    let spread =
        |it: Option<Spread>| [number(it.map(|it| it.mean)), number(it.and_then(|it| it.deviation))];
    let seeds: Vec<String> = summary.seeds.iter().map(u64::to_string).collect();
    let mut record = vec![summary.group.clone(), seeds.join(" ")];
    record.extend(spread(summary.valid_accuracy));
    record.extend(spread(summary.test_accuracy));
    record.extend(spread(summary.parameter_free));
    record.extend(spread(summary.spectral_norm));
    record.extend(spread(summary.mean_drop));
    record.push(number(summary.best_valid_accuracy));
    record.push(number(summary.published.map(|it| it.test_error)));
    record.push(number(summary.published.and_then(|it| it.deviation)));
    record.push(number(summary.published_parameter_free));
    record.extend(spread(summary.top5_accuracy));
    record.push(number(summary.published.and_then(|it| it.top5_error)));
    record.push(summary.tested.to_string());
    record.extend(spread(summary.valid_perplexity));
    record.push(number(summary.best_valid_perplexity));
    record.extend(spread(summary.test_perplexity));
    record.push(number(summary.published_perplexities.map(|it| it.valid)));
    record.push(number(summary.published_perplexities.map(|it| it.test)));
    record
}

/// One record for each setting that differs, a column for every run.
pub fn differences_csv(differences: &[Difference], runs: &[Run]) -> String {
    let names = runs.iter().map(|run| run.name.clone());
    let header = ["setting".to_owned()].into_iter().chain(names).collect();
    let rows = differences
        .iter()
        .map(|row| [row.setting.clone()].into_iter().chain(row.values.iter().cloned()).collect());
    csv::table([header].into_iter().chain(rows))
}
