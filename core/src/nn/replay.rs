//! Work on a GPU that is recorded once and replayed. A replay skips what makes a launch expensive for the
//! host: autodiff, burn's fusion, the text of the kernel, the search for its pipeline and its buffers.
//!
//! The one place of this crate with `unsafe`, and the argument for it stands at its call.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::rc::Rc;

use burn::tensor::{Graph, Tensor, capture};
use shaders::{copied, overwrite};

type Work = Box<dyn FnMut() -> Vec<Tensor<1>>>;

/// Recorded work: rows of numbers in, rows of numbers out.
pub struct Replay {
    inputs: Vec<Tensor<1>>,
    graph: Graph<Vec<Tensor<1>>, Work>,
    /// Stays in the thread that recorded it: burn gives every thread a stream of its own, and the
    /// device orders a replay against the work of its own stream only.
    _thread: PhantomData<Rc<()>>,
}

impl Replay {
    /// Records what `work` makes of rows like these; none where the device refuses to. It is run four times,
    /// on the numbers that are given here.
    ///
    /// In `work` nothing may be brought to the device or back, and its launches must not depend on the
    /// numbers. Other tensors that it reads are read anew in every replay, where they lie: it must own them.
    /// What it keeps of what it computes is written anew by every replay.
    pub fn record(
        inputs: Vec<Tensor<1>>,
        work: impl Fn(&[Tensor<1>]) -> Vec<Tensor<1>> + 'static,
    ) -> Option<Self> {
        let device = inputs.first()?.device();
        let inputs: Vec<_> = inputs.into_iter().map(copied).collect();
        let own = inputs.clone();
        let work: Work = Box::new(move || work(&own));
        let graph = capture(&device, work);
        graph.is_hardware().then_some(Self { inputs, graph, _thread: PhantomData })
    }

    /// Whether these rows have the shapes of those that were recorded.
    pub fn takes(&self, inputs: &[Tensor<1>]) -> bool {
        self.inputs.iter().map(Tensor::dims).eq(inputs.iter().map(Tensor::dims))
    }

    /// Does the work on these numbers. What comes out is the caller's own.
    ///
    /// # Shapes
    /// - `inputs`: those that were recorded
    pub fn run(&mut self, inputs: Vec<Tensor<1>>) -> Vec<Tensor<1>> {
        let targets = self.inputs.iter().cloned();
        let written: Vec<_> =
            targets.zip(inputs).map(|(target, source)| overwrite(target, source)).collect();
        // SAFETY: the three promises that `Graph::replay` asks for.
        // Liveness: the work owns every tensor that it reads (`inputs` among them) and the graph owns
        // the work and its outputs; what lies between was given back, but its pages are guarded as long
        // as the graph lives, so nobody gets it.
        // No concurrent use, same stream: `Self` cannot leave its thread, so that the inputs are written,
        // the graph is replayed and the outputs are copied on one stream, in this order. No tensor that
        // shares memory with the graph leaves this type. What the work itself keeps is for other work of
        // the same thread, recorded or not, and so of the same stream.
        let outputs = unsafe { self.graph.replay() };
        drop(written);
        outputs.iter().cloned().map(copied).collect()
    }
}
