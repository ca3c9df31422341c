//! A network in the Open Neural Network Exchange format: the steps of its trace as nodes of ONNX.
//!
//! Nodes have the names of the modules of the authors' code and initialisers those of its state_dict. Batch
//! norms stay `BatchNormalization` and are not folded into the convolutions: so the numbers in the file are
//! the trained ones to the bit, can be compared and read back, and every runtime folds them when it loads.
//! Height and width of the images are free, as the batch is: the network averages over all pixels.

mod nodes;
mod tensor;

use anyhow::{Context as _, ensure};
use smoothdarts::arrays::state_dict;
use smoothdarts::net::{DerivedShape, derived};

use self::nodes::Graph;
pub use self::nodes::{INPUT, OUTPUT};
use super::trained::Trained;
use crate::exit::Exit;
use crate::protobuf::Message;

/// Version of the operators. All that are used exist in it, and runtimes since 2022 know it.
pub const OPSET: u64 = 17;

/// Version of the file format that came with it.
const IR: u64 = 8;

/// Where the format ends: a message of protocol buffers has at most 2 GiB.
const MOST_BYTES: usize = i32::MAX as usize;

/// Fields of `ModelProto`, `OperatorSetIdProto`, `StringStringEntryProto` and `GraphProto`.
mod field {
    pub const IR_VERSION: u64 = 1;
    pub const PRODUCER: u64 = 2;
    pub const PRODUCER_VERSION: u64 = 3;
    pub const GRAPH: u64 = 7;
    pub const OPSET: u64 = 8;
    pub const METADATA: u64 = 14;
    pub const VERSION: u64 = 2;
    pub const KEY: u64 = 1;
    pub const VALUE: u64 = 2;
    pub const NODE: u64 = 1;
    pub const NAME: u64 = 2;
    pub const INITIALISER: u64 = 5;
    pub const INPUT: u64 = 11;
    pub const OUTPUT: u64 = 12;
}

/// The file, without the auxiliary head, which only a training needs.
///
/// # Errors
/// If there is no such network, the weights are of another one, or the file would be larger than the format
/// allows.
pub fn to_bytes(trained: &Trained) -> anyhow::Result<Vec<u8>> {
    let shape = DerivedShape { auxiliary: false, ..trained.shape };
    let network = derived(trained.genotype, shape).context(Exit::Usage)?;
    let trace = network.trace();
    let flat = state_dict::read(trace.layout(), trained.arrays).context(Exit::Usage)?;
    let graph = Graph::of(&trace, &flat, trained.normalisation.as_ref());
    let images = ["batch".into(), shape.image_channels.into(), "height".into(), "width".into()];
    let logits = ["batch".into(), shape.classes.into()];
    let graph = Message::default()
        .messages(field::NODE, graph.nodes)
        .text(field::NAME, "network")
        .messages(field::INITIALISER, graph.initialisers.into_values())
        .messages(field::INPUT, [tensor::described(INPUT, &images)])
        .messages(field::OUTPUT, [tensor::described(OUTPUT, &logits)]);
    let input = if trained.normalisation.is_some() { "unit" } else { "normalised" };
    let facts = trained.facts().into_iter().chain([("input".to_owned(), input.to_owned())]);
    let entry = |(key, value): (String, String)| {
        Message::default().text(field::KEY, &key).text(field::VALUE, &value)
    };
    let model = Message::default()
        .number(field::IR_VERSION, IR)
        .text(field::PRODUCER, "sdarts")
        .text(field::PRODUCER_VERSION, env!("CARGO_PKG_VERSION"))
        .messages(field::GRAPH, [graph])
        .messages(field::OPSET, [Message::default().number(field::VERSION, OPSET)])
        .messages(field::METADATA, facts.map(entry));
    let bytes = model.into_bytes();
    ensure!(
        bytes.len() <= MOST_BYTES,
        "the network is too large for a file of ONNX, which has at most 2 GiB; export it to \
         safetensors"
    );
    Ok(bytes)
}
