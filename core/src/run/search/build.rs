//! A search from its settings. [`ImageSearch::new`] is the place where the task is chosen.

use std::rc::Rc;

use burn::tensor::Device;

use super::parts::Awake;
use super::state::Carries;
use super::{ImageSearch, Search};
use crate::config::{self, Config};
use crate::data::ImageShape;
use crate::measure::{self, Observer};
use crate::method::{self, MethodError};
use crate::net::{NetShape, Network as _};
use crate::policy;
use crate::rng::Streams;
use crate::run::state::Weights;
use crate::run::{Run, RunError};
use crate::space::table::{Lookup, TableError};
use crate::space::{self, Space};
use crate::task::{Classify, Model, Task};

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
            cells: config.search.cells,
            channels: config.search.channels,
            stem_multiplier: config.search.stem_multiplier,
        };
        let space = space::find(&config.search.space)?;
        let network = method::of(config)?.modify(space, config)?.supernet(shape)?;
        let task = Classify { image_size: images.size };
        Run::from_start(Search::new(config, space, (task, network), steps_per_epoch, device)?)
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

pub(in crate::run) fn kernels(config: &Config) -> shaders::Kernels {
    match config.run.kernels {
        config::Kernels::Composed => shaders::Kernels::Composed,
        config::Kernels::Fused => shaders::Kernels::Fused,
    }
}
