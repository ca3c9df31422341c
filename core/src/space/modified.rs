//! A space as a method modifies it.
//!
//! The choices say all that a network and a derivation have to know of a modifier, so that a network is
//! built from them, and a genotype is derived from p and them: from the choices that an event or a
//! checkpoint carries, without the modifiers that made them.

use super::modifier::Modifier;
use super::{Space, SpaceError};
use crate::cell::{Choice, Genotype, Row, Rows};
use crate::config::{self, Config};
use crate::net::{Build, NetShape, Stem, Supernet};

/// A space and what modifiers made of it.
#[derive(Clone)]
pub struct Modified {
    /// The space.
    pub space: &'static Space,
    /// What there is to choose.
    pub choices: Vec<Choice>,
    /// How its network is built.
    pub build: Build,
}

impl Modified {
    /// The space, its network built so.
    pub fn new(space: &'static Space, build: Build) -> Self {
        Self { space, choices: space.choices(), build }
    }

    /// The space as `modifiers` make it one after another, with their settings in `config`.
    ///
    /// # Errors
    /// Where the space has nothing that could be modified so.
    pub fn by(
        space: &'static Space,
        modifiers: &[&Modifier],
        config: &Config,
    ) -> Result<Self, SpaceError> {
        let build = Build {
            stem: match config.search.stem {
                config::Stem::Cifar => Stem::Small,
                config::Stem::Imagenet => Stem::ImageNet,
            },
            norm_momentum: config.quirks.oneshot_norm_momentum,
            pool_padding: usize::from(config.quirks.oneshot_pool_padding),
            ..Build::default()
        };
        let mut modified = Self::new(space, build);
        modifiers.iter().try_for_each(|modifier| (modifier.modify)(&mut modified, config))?;
        Ok(modified)
    }

    /// Leaves in every row of a choice only the options that are on; `on` has the rows and columns of the
    /// choice.
    pub fn keep(&mut self, choice: usize, on: &[Vec<bool>]) {
        let Some(choice) = self.choices.get_mut(choice) else { return };
        for (row, on) in choice.rows.iter_mut().zip(on) {
            let mut on = on.iter();
            row.options.retain(|_| on.next().copied().unwrap_or(false));
        }
    }

    /// The network that weighs all options by p.
    ///
    /// # Errors
    /// [`SpaceError`] if there is no such network of this shape.
    pub fn supernet(&self, shape: NetShape) -> Result<Box<dyn Supernet>, SpaceError> {
        self.space.family.supernet(self.choices.clone(), shape, &self.build)
    }

    /// What is derived from these probabilities, which have an entry for every choice.
    pub fn derive(&self, probabilities: &[Rows]) -> Genotype {
        self.space.derive_from(&self.choices, probabilities)
    }
}

/// p of the choices of a space, from p of what was made of them. An operation counts as much as its own p
/// times the weight of its edge, where edges are weighed (spec §8.2); one that is not kept counts nothing.
pub(super) fn unmodified(own: &[Choice], choices: &[Choice], p: &[Rows]) -> Vec<Rows> {
    let rows = |own: &Choice| {
        let place = choices.iter().position(|choice| choice.name == own.name)?;
        let (given, p) = (choices.get(place..)?, p.get(place..)?);
        let row = |row: &Row| row.options.iter().map(|it| counted(row, it, given, p)).collect();
        Some(own.rows.iter().map(row).collect()).filter(|_: &Rows| !p.is_empty())
    };
    own.iter().map(|own| rows(own).unwrap_or_default()).collect()
}

/// What an option of a row counts, by p of its choice, the first of these, and of what weighs its edge.
fn counted(row: &Row, option: &String, choices: &[Choice], p: &[Rows]) -> f32 {
    let Some((choice, p_of_choice)) = choices.first().zip(p.first()) else { return 0.0 };
    let mut rows = choice.rows.iter().zip(p_of_choice);
    let found = rows.find(|(it, _)| (it.node, it.source) == (row.node, row.source));
    let value = found.and_then(|(it, p)| {
        let column = it.options.iter().position(|other| other == option)?;
        p.get(column).copied()
    });
    let weights = choices.iter().zip(p).skip(1).take_while(|(it, _)| it.weighs_edges());
    let mut rows = weights.flat_map(|(choice, p)| choice.rows.iter().zip(p));
    let weight = rows.find(|(it, _)| it.node == row.node).and_then(|(_, p)| p.get(row.source));
    value.unwrap_or(0.0) * weight.copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::ChoiceKind;
    use crate::space;

    #[test]
    fn an_option_counts_its_p_times_the_weight_of_its_edge_and_nothing_where_it_is_not_kept() {
        let own = space::ALL[0].choices();
        let mut modified = Modified::new(&space::ALL[0], Build::default());
        let options = vec!["c_{k-2}".to_owned(), "c_{k-1}".to_owned()];
        let weights = Choice {
            name: "weights".to_owned(),
            kind: ChoiceKind::EdgeWeight,
            rows: vec![Row::of_node(2, options)],
        };
        let mut on = vec![vec![true; 8]; 14];
        on.iter_mut().for_each(|row| row[4] = false);
        modified.keep(0, &on);
        modified.choices.insert(1, weights);
        let p = [vec![vec![0.5; 7]; 14], vec![vec![0.25, 0.75]], vec![vec![0.125; 8]; 14]];
        let found = unmodified(&own, &modified.choices, &p);
        let expected = |weight: f32| [0.5, 0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5].map(|it| it * weight);
        assert_eq!(found[0][0], expected(0.25));
        assert_eq!(found[0][1], expected(0.75));
        assert_eq!(found[0][13], expected(1.0));
        assert_eq!(found[1], p[2]);
        assert_eq!(unmodified(&own, &modified.choices, &[]), [Rows::new(), Rows::new()]);
    }
}
