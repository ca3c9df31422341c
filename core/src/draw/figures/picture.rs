//! What a figure is drawn from, and what it gives.

use super::cells::Mixture;
use crate::cell::Rows;
use crate::draw::chart::{self, Chart};
use crate::draw::csv;
use crate::draw::history::History;
use crate::draw::landscape::View;
use crate::draw::perturbation::Perturbed;
use crate::draw::table::Table;

/// Everything that a figure is drawn from. A reader fills in what it has.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// What the search has said.
    pub history: &'a History,
    /// p now, of every choice; between the ends of epochs no event tells it.
    pub live: Option<&'a [Rows]>,
    /// The perturbation of the watched cell in a step that was watched.
    pub perturbed: Option<Perturbed<'a>>,
    /// The landscape around the architecture.
    pub landscape: Option<View<'a>>,
    /// Whether the figures stand beside those of other searches, so that equal colours have to mean
    /// equal numbers in all of them.
    pub beside_others: bool,
}

impl<'a> Scene<'a> {
    /// A search of which only its events are known.
    pub fn of(history: &'a History) -> Self {
        Self { history, live: None, perturbed: None, landscape: None, beside_others: false }
    }

    /// Index of the choice that is watched, and of its cell: the normal cell, which decides the fate
    /// of a search, or the only one of a space.
    pub const WATCHED: usize = 0;

    /// p of all architecture tensors: now, or after the last epoch.
    pub fn probabilities(&self) -> Option<&'a [Rows]> {
        let history = self.history;
        self.live.or_else(|| Some(history.epochs.last()?.probabilities.as_slice()))
    }

    /// The watched choice with its p now, or after the last epoch.
    pub(super) fn mixture(&self) -> Option<Mixture<'a>> {
        let probabilities = self.probabilities()?;
        let derived = self.history.derive(probabilities)?;
        Some(Mixture {
            choice: self.history.choices().get(Self::WATCHED)?,
            p: probabilities.get(Self::WATCHED)?,
            derived: derived.cells.into_iter().nth(Self::WATCHED)?,
            choices: self.history.choices(),
            probabilities,
        })
    }
}

/// One picture of a figure. It is drawn when somebody asks for it.
pub trait Picture {
    /// Which of the pictures of its figure it is: the end of the names of its files. Empty where a
    /// figure has only one.
    fn part(&self) -> &str {
        ""
    }

    /// As [`Picture::part`], of the file with its numbers: two pictures may share one.
    fn numbers(&self) -> &str {
        self.part()
    }

    /// What it shows of a run, in a few words: `normal cell`.
    fn subject(&self) -> String {
        self.part().to_owned()
    }

    /// What it shows, and how to read it.
    fn caption(&self) -> String;

    /// The picture.
    fn svg(&self) -> String;

    /// Its numbers.
    fn csv(&self) -> String;

    /// Its numbers for those who do not see it, unless they are only for programs.
    fn table(&self) -> Option<Table> {
        None
    }
}

impl Picture for Chart {
    fn caption(&self) -> String {
        self.description.clone()
    }

    fn svg(&self) -> String {
        chart::draw(self)
    }

    fn csv(&self) -> String {
        csv::chart(self)
    }

    fn table(&self) -> Option<Table> {
        Some(Table::of_chart(self))
    }
}

/// The pictures of a figure, the most important first; none while there is nothing to see.
pub type Pictures<'a> = Vec<Box<dyn Picture + 'a>>;
