//! A search from its settings. [`ImageSearch::new`] and [`TextSearch::new`] are the places where the task is
//! chosen: which of them is asked is what the space reads ([`Reads`](space::Reads)).

use std::rc::Rc;

use burn::tensor::Device;

use super::parts::Awake;
use super::state::Carries;
use super::{ImageSearch, Search, TextSearch};
use crate::config::{self, Config};
use crate::data::ImageShape;
use crate::measure::{self, Observer};
use crate::method::{self, Extra, Method, MethodError};
use crate::net::{Build, Dropout, LanguageShape, NetShape, Network as _};
use crate::policy;
use crate::rng::Streams;
use crate::run::state::Weights;
use crate::run::{Run, RunError};
use crate::space::table::{Lookup, TableError};
use crate::space::{self, Space};
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
        if images.size == 0 || !images.size.is_multiple_of(4) {
            return Err(RunError::ImageSize { size: images.size });
        }
        let shape = NetShape {
            image_channels: images.channels,
            classes: images.classes,
            cells: config.search.cells,
            channels: config.search.channels,
            stem_multiplier: config.search.stem_multiplier,
        };
        let space = space::find(&config.search.space)?;
        let network = space.supernet_as(shape, &built(config, method::of(config)?))?;
        let task = Classify { image_size: images.size };
        Run::from_start(Search::new(config, space, (task, network), steps_per_epoch, device)?)
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
            || method.extra == Some(Extra::PartialChannels)
        {
            return Err(MethodError::Text { method: method.name }.into());
        }
        let network = space.language(language_shape(config, vocabulary))?;
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
    /// A search of the architecture of this network, which is one of `space`.
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
        let choices = network.architecture();
        let copies = network.copies();
        let takes = network.takes().unwrap_or_default();
        let setup = policy::Setup { choices, copies, takes, config, streams: &streams, device };
        if !(method.policy.fits)(&setup) {
            let (method, space) = (method.name, space.name);
            return Err(MethodError::Space { method, space }.into());
        }
        let policy = (method.policy.new)(&setup);
        let awake = policy.lets_weights_rest().then(|| Awake::new(network.layout(), device));
        Ok(Self {
            space,
            method,
            policy,
            awake,
            state: Weights::initial(network.layout(), &streams, device),
            carries: Carries::default(),
            model: Model::new(task, network, kernels(config)),
            recorded: None,
            step: None,
            config: config.clone(),
            streams,
            device: device.clone(),
            steps_per_epoch,
        })
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

/// How the settings and the method build a supernet.
fn built(config: &Config, method: Method) -> Build {
    let partial = method.extra == Some(Extra::PartialChannels);
    Build {
        partial_channels: if partial { config.search.partial_channels } else { 1 },
        norm_momentum: config.quirks.oneshot_norm_momentum,
        pool_padding: usize::from(config.quirks.oneshot_pool_padding),
    }
}

pub(in crate::run) fn kernels(config: &Config) -> shaders::Kernels {
    match config.run.kernels {
        config::Kernels::Composed => shaders::Kernels::Composed,
        config::Kernels::Fused => shaders::Kernels::Fused,
    }
}
