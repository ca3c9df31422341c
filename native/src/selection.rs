//! `selection.json`: several genotypes, what a short training of each gave, and which of them is trained
//! in full (spec §9.3).
//!
//! It is replaced in one step after every training, so whatever stops the program, the same command goes
//! on from there. There is no time in it: an interrupted selection leaves the same bytes as another.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::{Deserialize, Serialize};
use smoothdarts::cell::Genotype;
use smoothdarts::config::Config;
use smoothdarts::config::layers::differences;
use smoothdarts::draw::table::Table;
use smoothdarts::event::Score;

use crate::exit::Exit;
use crate::run_dir::{self, SELECTION};

/// Candidates, and the choice among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// Settings of the full training; its genotype is that of the chosen candidate.
    pub config: Config,
    /// What there is to choose from, each genotype once.
    pub candidates: Vec<Candidate>,
    /// Number of the chosen one; `None` until all have been trained.
    pub chosen: Option<usize>,
}

/// A genotype that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Counted from 1 in the order of the command; also the name of the folder of its training.
    pub number: usize,
    /// What the user calls it.
    pub name: String,
    /// What else has the same genotype.
    pub also: Vec<String>,
    /// Where it comes from, in words.
    pub origin: String,
    /// The genotype.
    pub genotype: Genotype,
    /// What its short training gave; `None` before that is over.
    pub result: Option<Measured>,
    /// From 1, the best; `None` until all have been trained.
    pub rank: Option<usize>,
}

/// What a short training gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Share of the validation images that it names right after the last epoch, or of the words of a text.
    pub accuracy: f64,
    /// On the validation text, after the best epoch; none of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
    /// Weights of its network without the auxiliary head.
    pub parameters: usize,
}

impl Measured {
    /// What candidates are ranked by.
    pub fn score(&self) -> Score {
        Score::new(self.accuracy, self.perplexity)
    }
}

impl Selection {
    /// The selection in a directory; `None` where there is none.
    ///
    /// # Errors
    /// If its file is damaged or cannot be read.
    pub fn read(out: &Path) -> anyhow::Result<Option<Self>> {
        if !out.is_dir() {
            return Ok(None);
        }
        let file = out.join(SELECTION);
        let Some(text) = run_dir::text(&file)? else { return Ok(None) };
        let selection = serde_json::from_str(&text);
        selection.map(Some).with_context(|| format!("{} is no selection", file.display()))
    }

    /// Replaces the file in a directory.
    ///
    /// # Errors
    /// What the file system says; the old file is then still there.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        run_dir::write(&out.join(SELECTION), text.as_bytes())
    }

    /// Refuses to go on with other candidates or settings than those of before.
    ///
    /// # Errors
    /// The differences; exit code 2.
    pub fn must_equal(&self, now: &Self, out: &Path) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for index in 0..self.candidates.len().max(now.candidates.len()) {
            let [then, now] = [self, now].map(|it| it.candidates.get(index));
            if then.map(|it| &it.genotype) != now.map(|it| &it.genotype) {
                let name =
                    |it: Option<&Candidate>| it.map_or("none", |it| it.name.as_str()).to_owned();
                let (then, now) = (name(then), name(now));
                // Of one name: the search went on, and finds another cell now.
                let other = if then == now { ", of another genotype" } else { "" };
                lines.push(format!("\n  candidate {}: {then} there, {now} now{other}", index + 1));
            }
        }
        for (setting, then, now) in differences(&self.config, &now.config) {
            lines.push(format!("\n  {}: {then} there, {now} now", setting.name()));
        }
        if lines.is_empty() {
            return Ok(());
        }
        let shown = out.display();
        Err(anyhow!("the difference is{}", lines.concat()))
            .with_context(|| format!("{shown} has a selection of others; choose another --out"))
            .context(Exit::Usage)
    }

    /// Ranks the candidates, and chooses the first: the one of the highest validation accuracy, on a text of the
    /// lowest perplexity. Of several such it is the one with the fewest parameters, then the one that was named
    /// first. Nothing is decided before all have been trained.
    pub fn decide(&mut self) {
        let results: Option<Vec<(usize, Measured)>> =
            self.candidates.iter().map(|it| Some((it.number, it.result?))).collect();
        let Some(mut results) = results else { return };
        // A stable sort: what is equal stays in the order of the command.
        results.sort_by(|(_, one), (_, other)| {
            let by_score = other.score().merit().total_cmp(&one.score().merit());
            by_score.then(one.parameters.cmp(&other.parameters))
        });
        for candidate in &mut self.candidates {
            let place = results.iter().position(|(number, _)| *number == candidate.number);
            candidate.rank = place.map(|place| place + 1);
        }
        self.chosen = results.first().map(|(number, _)| *number);
    }

    /// The chosen candidate.
    pub fn chosen(&self) -> Option<&Candidate> {
        self.candidates.iter().find(|it| Some(it.number) == self.chosen)
    }

    /// The genotype of the chosen candidate.
    ///
    /// # Errors
    /// If none is chosen yet; exit code 2.
    pub fn winner(&self, out: &Path) -> anyhow::Result<Genotype> {
        let chosen = self.chosen().map(|it| it.genotype.clone());
        chosen.ok_or_else(|| {
            let shown = out.display();
            let fault = "is a selection that has not chosen yet: its own command continues it";
            anyhow!("{shown} {fault}").context(Exit::Usage)
        })
    }

    /// The candidates as a table.
    pub fn table(&self) -> Table {
        let on_text =
            self.candidates.iter().filter_map(|it| it.result?.perplexity).next().is_some();
        let score = if on_text { "valid. perplexity" } else { "valid. accuracy" };
        let header = ["candidate", "origin", score, "parameters", "rank", "chosen"];
        let row = |it: &Candidate| {
            let names = [&it.name].into_iter().chain(&it.also).map(String::as_str);
            let (number, names) = (it.number, names.collect::<Vec<_>>().join(" = "));
            let result = |words: fn(Measured) -> String| it.result.map_or("–".to_owned(), words);
            vec![
                format!("{number}  {names}"),
                it.origin.clone(),
                result(|it| match it.score() {
                    Score::Accuracy(share) => format!("{:.2} %", 100.0 * share),
                    Score::Perplexity(perplexity) => format!("{perplexity:.2}"),
                }),
                result(|it| it.parameters.to_string()),
                it.rank.map_or("–".to_owned(), |rank| rank.to_string()),
                if self.chosen == Some(it.number) { "✓" } else { "" }.to_owned(),
            ]
        };
        Table {
            header: header.map(str::to_owned).into(),
            rows: self.candidates.iter().map(row).collect(),
        }
    }
}

impl Candidate {
    /// The run directory of its short training.
    pub fn directory(&self, out: &Path) -> PathBuf {
        folder(out).join(self.number.to_string())
    }
}

/// The folder of all short trainings.
pub fn folder(out: &Path) -> PathBuf {
    out.join("candidates")
}
