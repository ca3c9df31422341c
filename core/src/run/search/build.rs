//! A search from its settings. [`ImageSearch::new`] and [`TextSearch::new`] are the places where the task is
//! chosen: which of them is asked is what the space reads ([`Reads`](space::Reads)).

use std::rc::Rc;

use burn::tensor::Device;

use super::parts::Awake;
use super::stage::Networks;
use super::state::Carries;
use super::{ImageSearch, Search, TextSearch};
use crate::cell::codec;
use crate::config::{self, Config};
use crate::data::ImageShape;
use crate::measure::{self, Observer};
use crate::method::{self, Extra, Method, MethodError};
use crate::net::largest::of_supernet;
use crate::net::{Dropout, LanguageShape, NetShape, Network, Supernet};
use crate::policy::{self, Policy};
use crate::rng::Streams;
use crate::run::limit::{fits, fits_text, fits_weights};
use crate::run::state::Weights;
use crate::run::{Run, RunError};
use crate::space::table::{Lookup, TableError};
use crate::space::{self, Modified, Space};
use crate::task::{Classify, Language, Model, Task};

impl ImageSearch {
    /// A search of images from the start, on `device`.
    ///
    /// # Errors
    /// If a setting, a name or the image size is wrong.
    pub fn new(
        config: &Config,
        images: ImageShape,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        config.validate()?;
        // Two reductions halve the image, and the three convolutions of a large stem.
        let halvings = if config.search.stem == config::Stem::Imagenet { 32 } else { 4 };
        if images.size == 0 || !images.size.is_multiple_of(halvings) {
            return Err(RunError::ImageSize { size: images.size });
        }
        let shape = NetShape {
            image_channels: images.channels,
            classes: images.classes,
            cells: config.cells_in(0),
            channels: config.search.channels,
            stem_multiplier: config.search.stem_multiplier,
        };
        let (space, method) = (space::find(&config.search.space)?, method::of(config)?);
        let modified = method.modify(space, config)?;
        fits_stages(config, method, &modified)?;
        let numbers = of_supernet(&modified.choices, &modified.build, &shape, images.size);
        let settings = "search.batch_size, search.channels or data.image_size";
        fits(config.search.batch_size as f64 * numbers, settings, device)?;
        let (own, stages) = (modified.choices.clone(), config.clone());
        let networks: Networks<dyn Supernet> = Box::new(move |stage, choices| {
            let shape = NetShape { cells: stages.cells_in(stage), ..shape };
            Modified { choices, ..modified.clone() }.supernet(shape)
        });
        let task = Classify { image_size: images.size };
        let parts = (task, networks(0, own)?);
        let search = Search::new(config, space, parts, steps_per_epoch, device)?;
        Run::from_start(Search { networks: Some(networks), ..search })
    }
}

impl TextSearch {
    /// A search of text from the start, on `device`.
    ///
    /// # Errors
    /// If a setting or a name is wrong, or the method does not search such a space.
    pub fn new(
        config: &Config,
        vocabulary: usize,
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        config.validate()?;
        let (space, method) = (space::find(&config.search.space)?, method::of(config)?);
        if method.policy.name != policy::softmax::ENTRY.name
            || method.extra == Some(Extra::Stages)
            || !method.modifiers.is_empty()
        {
            return Err(MethodError::Text { method: method.name }.into());
        }
        let network = space.language(language_shape(config, vocabulary))?;
        fits_text(config, config.search.batch_size, vocabulary, device)?;
        let task = Language::new(config);
        Run::from_start(Search::new(config, space, (task, network), steps_per_epoch, device)?)
    }
}

/// The network of a text that these settings ask for.
pub fn language_shape(config: &Config, vocabulary: usize) -> LanguageShape {
    let settings = &config.recurrent;
    let dropout = Dropout {
        output: settings.dropout,
        hidden: settings.dropout_hidden,
        input: settings.dropout_input,
        embedding: settings.dropout_embedding,
        word: settings.dropout_word,
    };
    LanguageShape {
        vocabulary,
        hidden: settings.hidden,
        dropout,
        last_word_rests: config.quirks.last_word_rests,
    }
}

impl<T: Task> Search<T> {
    /// A search of the architecture of this network, which is one of `space`, or of what modifiers made of it.
    ///
    /// # Errors
    /// If the method is unknown.
    pub fn new(
        config: &Config,
        space: &'static Space,
        (task, network): (T, Box<T::Net>),
        steps_per_epoch: usize,
        device: &Device,
    ) -> Result<Self, RunError> {
        let (streams, method) = (Streams::new(config.seed), method::of(config)?);
        fits_weights(network.layout(), device)?;
        let Beginning { policy, awake, state } =
            begin(config, (space, method), &*network, &streams, device)?;
        Ok(Self {
            space,
            method,
            policy,
            awake,
            state,
            carries: Carries::default(),
            model: Model::new(task, network, kernels(config)),
            networks: None,
            stage: 0,
            replays: false,
            recorded: None,
            rested: 0,
            step: None,
            config: config.clone(),
            streams,
            device: device.clone(),
            steps_per_epoch,
        })
    }
}

/// What learns, before its first step.
pub(super) struct Beginning {
    pub policy: Box<dyn Policy>,
    pub awake: Option<Awake>,
    pub state: Weights,
}

/// What learns in a network, before its first step; initial weights and parameters are those of `streams`.
pub(super) fn begin(
    config: &Config,
    (space, method): (&'static Space, Method),
    network: &(impl Network + ?Sized),
    streams: &Streams,
    device: &Device,
) -> Result<Beginning, RunError> {
    let choices = network.architecture();
    let copies = network.copies();
    let takes = network.takes().unwrap_or_default();
    let setup = policy::Setup { choices, copies, takes, config, streams, device };
    if !(method.policy.fits)(&setup) {
        let (method, space) = (method.name, space.name);
        return Err(MethodError::Space { method, space }.into());
    }
    let policy = (method.policy.new)(&setup);
    let awake = policy.lets_weights_rest().then(|| Awake::new(network.layout(), device));
    Ok(Beginning { policy, awake, state: Weights::initial(network.layout(), streams, device) })
}

/// Refuses stages that do not begin with all operations of the space.
fn fits_stages(config: &Config, method: Method, modified: &Modified) -> Result<(), MethodError> {
    let Some(&wanted) = config.stages.operations.first() else { return Ok(()) };
    let is_of_darts = modified.space.codec().name == codec::darts::CODEC.name;
    let rows = modified.choices.first().map_or(&[][..], |choice| &choice.rows);
    let operations = rows.first().filter(|_| is_of_darts).map_or(0, |row| row.options.len());
    let (method, space) = (method.name, modified.space.name);
    match wanted == operations {
        true => Ok(()),
        false => Err(MethodError::Operations { method, space, operations }),
    }
}

impl<T: Task> Run<Search<T>> {
    /// Gives the run a table of trained networks, before it starts or goes on: after every epoch an
    /// [`crate::event::Anytime`] event says what it knows of the cell that would be derived.
    ///
    /// # Errors
    /// If it is not a table of this space ([`Lookup::covers`]).
    pub fn set_table(&mut self, table: Rc<dyn Lookup>) -> Result<(), TableError> {
        table.covers(self.job.space)?;
        self.observers = self.job.observers_with(Some(&table));
        Ok(())
    }
}

impl<T: Task> Search<T> {
    pub(super) fn observers_with(
        &self,
        table: Option<&Rc<dyn Lookup>>,
    ) -> Vec<Option<Box<dyn Observer>>> {
        let (config, method) = (&self.config, &self.method);
        measure::observers(&measure::Setup { config, method, table })
    }
}

pub(in crate::run) fn kernels(config: &Config) -> shaders::Kernels {
    match config.run.kernels {
        config::Kernels::Composed => shaders::Kernels::Composed,
        config::Kernels::Fused => shaders::Kernels::Fused,
    }
}
