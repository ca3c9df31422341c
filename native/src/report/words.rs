//! The result in plain words.

use smoothdarts::cell::{Cell, published};
use smoothdarts::config::{Config, Mode};
use smoothdarts::draw::history::History;
use smoothdarts::event::{Score, WarningCode};
use smoothdarts::method;
use smoothdarts::paper::{self, Published};

/// Share of parameter-free operations above which a normal cell needs a second look.
const HALF: f32 = 0.5;

/// How far the strongest operation must stand above an even probability for a genotype to be more
/// than chance; the alarm of a search uses the same number for skip connections.
const DECIDED: f64 = 1.1;

/// A number that matters, and what it is.
pub(super) struct Tile {
    pub(super) value: String,
    pub(super) name: String,
}

/// What was searched.
pub(super) fn title(history: &History) -> String {
    match &history.started {
        Some(started) if started.config.trains() => {
            format!("Training of {} on {}", trained(history), started.config.data.name)
        }
        Some(started) => {
            let config = &started.config;
            let (method, space, data) =
                (method::name(config), &config.search.space, &config.data.name);
            format!("{method} in space {space} on {data}")
        }
        None => "A search that has said nothing yet".to_owned(),
    }
}

/// What is trained, by its name where it has one.
fn trained(history: &History) -> &'static str {
    let published = history.training.as_ref().and_then(published::of);
    published.map_or("a genotype", |row| row.name)
}

/// What a training came to, or how far it is.
fn training(history: &History, config: &Config) -> String {
    if history.training.iter().flat_map(|it| &it.cells).any(Cell::is_recurrent) {
        return on_text(history, config);
    }
    let train = &config.train;
    let network =
        format!("The network has {} cells of {} channels at first", train.cells, train.channels);
    match (&history.trained, history.train_epochs.last()) {
        (Some(trained), _) => format!(
            "{network}. After {} it gives the right answer for {} of the {} images; after the best \
             one, number {}, it was {}, but that epoch is chosen by these images, so the last one \
             counts.",
            epochs(trained.epochs),
            percent(trained.accuracy),
            trained.evaluated_on.word(),
            trained.best_epoch + 1,
            percent(trained.best_accuracy),
        ),
        (None, Some(epoch)) => format!(
            "{network}. The training is not finished: {} of {} are done, and it gives the right \
             answer for {} of the {} images.",
            history.train_epochs.len(),
            epochs(train.epochs),
            percent(epoch.accuracy),
            epoch.evaluated_on.word(),
        ),
        (None, None) => format!(
            "{network}. The training is not finished: no epoch of {} has ended yet, after {} steps.",
            train.epochs,
            history.train_steps.len(),
        ),
    }
}

/// The same of a training on a text.
fn on_text(history: &History, config: &Config) -> String {
    let network = format!("The network has {} units", config.recurrent.hidden);
    let number = |it: f64| format!("{it:.2}");
    match (&history.trained, history.train_epochs.last()) {
        (Some(trained), _) => format!(
            "{network}. Of {} number {} was the best: its perplexity is {} on the validation text{}.",
            epochs(trained.epochs),
            trained.best_epoch + 1,
            trained.perplexity.map_or("unknown".to_owned(), number),
            trained.test_perplexity.map_or(String::new(), |test| format!(
                " and {} on the test text, which is read once, at the end",
                number(test)
            )),
        ),
        (None, Some(epoch)) => format!(
            "{network}. The training is not finished: {} of {} are done, and its perplexity is {} on the \
             validation text.",
            history.train_epochs.len(),
            epochs(config.train.epochs),
            epoch.score().text(),
        ),
        (None, None) => format!(
            "{network}. The training is not finished: no epoch of {} has ended yet, after {} steps.",
            config.train.epochs,
            history.train_steps.len(),
        ),
    }
}

/// What came out, or how far it is.
pub(super) fn lead(history: &History) -> String {
    if let Some(started) = history.started.as_ref().filter(|it| it.config.trains()) {
        return training(history, &started.config);
    }
    let done = history.epochs.len();
    let planned = history.started.as_ref().map_or(0, |started| started.config.search.epochs);
    match (&history.finished, history.epochs.last()) {
        (Some(finished), _) => format!(
            "After {} of search {} found. The supernet {}. That is a measure of the search, not of the result: a network of \
             it still has to be trained from scratch and tested.",
            epochs(finished.epochs),
            match finished.genotype.cells.len() {
                1 => "this cell was",
                _ => "these two cells were",
            },
            performance(finished.valid_score()),
        ),
        (None, Some(epoch)) => format!(
            "The search is not finished: {done} of {} are done, and the supernet {}. The cells below are those that would be found \
             if it ended now.",
            epochs(planned),
            performance(epoch.valid_score()),
        ),
        (None, None) => format!(
            "The search is not finished: no epoch of {planned} has ended yet, after {} steps.",
            history.steps.len(),
        ),
    }
}

/// What a supernet does.
fn performance(score: Score) -> String {
    match score {
        Score::Accuracy(_) => {
            format!("gives the right answer for {} of the validation images", score.text())
        }
        Score::Perplexity(_) => format!("has perplexity {} on the validation text", score.text()),
    }
}

/// The account that a result follows.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Faithful => {
            "faithful mode: what the authors' code does, where it differs from the paper"
        }
        Mode::Paper => {
            "paper mode: what the text of the paper says, where the authors' code differs"
        }
    }
}

/// What the paper reports of the network that is trained.
fn in_paper(history: &History) -> Option<Published> {
    let row = published::of(history.training.as_ref()?)?;
    paper::genotypes::test_error(row.name, &history.started.as_ref()?.config.data.name)
}

/// The name of the published cell that is trained.
fn trained_cell(history: &History) -> Option<&'static str> {
    Some(published::of(history.training.as_ref()?)?.name)
}

/// The numbers at the top of the page.
pub(super) fn tiles(history: &History) -> Vec<Tile> {
    let tile = |value: String, name: &str| Tile { value, name: name.to_owned() };
    let mut tiles = Vec::new();
    if let Some(epoch) = history.epochs.last() {
        let score = epoch.valid_score();
        let name = format!("validation {} of the supernet", score.word());
        tiles.push(tile(score.text(), &name));
        let shares = if matches!(score, Score::Accuracy(_)) { &*epoch.parameter_free } else { &[] };
        for (choice, &share) in history.cell_choices().zip(shares) {
            let name = format!("parameter-free in the {}", history.cell(choice).words());
            tiles.push(tile(percent(f64::from(share)), &name));
        }
    }
    if let Some(epoch) = history.train_epochs.last() {
        let score = epoch.score();
        let name = format!("{} {} of the network", epoch.evaluated_on.word(), score.word());
        tiles.push(tile(score.text(), &name));
        if let Some(test) = history.trained.as_ref().and_then(|it| it.test_perplexity) {
            tiles.push(tile(format!("{test:.1}"), "test perplexity of the best weights"));
        }
        if let Some(paper) = trained_cell(history).and_then(paper::perplexities) {
            tiles.push(tile(format!("{:.1}", paper.test), "test perplexity in the paper, on ptb"));
        }
        if let Some(top5) = epoch.top5 {
            tiles.push(tile(percent(top5), &format!("{name}, top-5")));
        }
        if let Some(paper) = in_paper(history) {
            let name = format!("test accuracy in the paper, on {}", paper.data);
            tiles.push(tile(percent(1.0 - paper.test_error / 100.0), &name));
            if let Some(error) = paper.top5_error {
                tiles.push(tile(percent(1.0 - error / 100.0), &format!("{name}, top-5")));
            }
        }
    }
    if let Some(started) = &history.started {
        let config = &started.config;
        let (done, planned) = match config.trains() {
            true => (history.train_epochs.len(), config.train.epochs),
            false => (history.epochs.len(), config.search.epochs),
        };
        tiles.push(tile(format!("{done} / {planned}"), "epochs"));
        let mode = match config.mode {
            Mode::Faithful => "faithful",
            Mode::Paper => "paper",
        };
        tiles.push(tile(mode.to_owned(), "mode"));
        tiles.push(tile(started.device.clone(), "device"));
        tiles.push(tile(config.seed.to_string(), "seed"));
        let network =
            if config.trains() { "weights of the network" } else { "weights of the supernet" };
        tiles.push(tile(grouped(started.parameters), network));
    }
    tiles
}

/// What the parameter-free share of the normal cell means; `None` before the first epoch.
pub(super) fn collapse(history: &History) -> Option<String> {
    let share = normal_share(history)?;
    let normal = history.genotype()?.cell("normal")?;
    let genes = normal.operations().count();
    let count = (share * genes as f32).round();
    let alarms = alarms(history);
    let verdict = match alarms.first() {
        Some(first) if is_alarming(history) => format!(
            "The search warned that skip connections take over in {} of {}, first in epoch {}: do \
             not trust this cell.",
            alarms.len(),
            epochs(history.epochs.len()),
            first + 1,
        ),
        Some(_) => format!(
            "The search warned that skip connections take over in {} of {}, but not in the last.",
            alarms.len(),
            epochs(history.epochs.len()),
        ),
        None if share > HALF => "That is more than half: look at the curves below, and at other \
                              seeds, before you train it."
            .to_owned(),
        None => "That is no sign of a collapse.".to_owned(),
    };
    Some(format!(
        "{count} of {genes} operations of the normal cell ({}) are parameter-free: skip \
         connections, pooling or noise, which have no weights. A search that collapses fills the \
         cell with them, because they help the supernet early; a network of such cells tests \
         badly. {verdict}{} The paper reports 0 % to 37.5 % for SDARTS and up to 100 % for DARTS in \
         spaces S1 to S4 (Table 5).",
        percent(f64::from(share)),
        undecided(history).unwrap_or_default(),
    ))
}

/// A caution, while all probabilities of the normal cell are still nearly even.
fn undecided(history: &History) -> Option<String> {
    let (choice, rows) = history.probabilities("normal")?;
    // Relative to even, because edges may differ in the number of their operations.
    let (epoch, index) = (history.epochs.last()?.epoch, history.index("normal")?);
    let edges = choice.rows.iter().zip(rows).enumerate().flat_map(|(number, (edge, row))| {
        let is_there = |option: &&String| history.is_there(epoch, index, number, option);
        let count = edge.options.iter().filter(is_there).count();
        row.iter().map(move |p| f64::from(*p) * count as f64)
    });
    let strongest = edges.fold(0.0, f64::max);
    (strongest < DECIDED).then(|| {
        format!(
            " But the search has hardly decided anything yet: no operation is more than {:.1} % \
             above an even probability, so that this is chance as much as choice.",
            100.0 * (strongest - 1.0).max(0.0),
        )
    })
}

/// Whether the normal cell is, or may be, that of a collapse.
pub(super) fn needs_a_second_look(history: &History) -> bool {
    is_alarming(history) || normal_share(history).is_some_and(|share| share > HALF)
}

/// Whether the search still warned after its last epoch.
fn is_alarming(history: &History) -> bool {
    let last = history.epochs.last().map(|epoch| epoch.epoch);
    last.is_some() && alarms(history).last().copied() == last
}

/// Every warning with its epoch; those of a collapse once, with the number of epochs.
pub(super) fn warnings(history: &History) -> Vec<String> {
    let alarms = alarms(history).len();
    let mut warnings: Vec<String> = history
        .warnings
        .iter()
        .filter(|warning| warning.code != WarningCode::Collapse)
        .map(|warning| format!("epoch {}: {}", warning.epoch + 1, warning.message))
        .collect();
    let latest =
        history.warnings.iter().rev().find(|warning| warning.code == WarningCode::Collapse);
    warnings.extend(latest.map(|warning| {
        let message = &warning.message;
        format!("epoch {} ({alarms} such warnings): {message}", warning.epoch + 1)
    }));
    warnings
}

/// Epochs with a warning of a collapse.
fn alarms(history: &History) -> Vec<usize> {
    let collapse = history.warnings.iter().filter(|warning| warning.code == WarningCode::Collapse);
    collapse.map(|warning| warning.epoch).collect()
}

fn normal_share(history: &History) -> Option<f32> {
    let index = history.index("normal")?;
    history.epochs.last()?.parameter_free.get(index).copied()
}

/// A word for a shell, in quotes where it needs them.
pub(crate) fn quoted(word: &str) -> String {
    let plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:@%+=".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn epochs(count: usize) -> String {
    if count == 1 { "1 epoch".to_owned() } else { format!("{count} epochs") }
}

/// 1 930 618: groups of three digits, apart by thin spaces.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join("\u{2009}")
}
