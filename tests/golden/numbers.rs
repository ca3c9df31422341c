//! The numbers of a golden file in the order of a network, and the space that they are of.

use burn::tensor::{Device, Tensor, TensorData};
use smoothdarts::cell::Choice;
use smoothdarts::config::Config;
use smoothdarts::net::Supernet;
use smoothdarts::space::modifier::{edge_weights, partial_channels};
use smoothdarts::space::{self, Modified, Space};

use super::fixture::Fixture;
use crate::devices::host;

/// The space of a file as its method modifies it.
pub fn modified(fixture: &Fixture) -> Modified {
    let mut config = Config::default();
    config.search.partial_channels =
        if fixture.says("partial_channels") { fixture.number("partial_channels") } else { 1 };
    config.search.edge_weights =
        fixture.says("edge_normalisation") && fixture.number::<usize>("edge_normalisation") == 1;
    let modifiers = [&partial_channels::ENTRY, &edge_weights::ENTRY];
    Modified::by(space_of(fixture), &modifiers, &config).unwrap()
}

/// The values of a choice; weights of edges stand for all nodes in the tensor of their cell.
pub fn values_of(fixture: &Fixture, prefix: &str, choice: &Choice) -> Vec<f32> {
    let Some((cell, node)) = choice.name.split_once("_beta_") else {
        return fixture.values(&format!("{prefix}/{}", choice.name)).to_vec();
    };
    let prefix = prefix.replace("alpha", "beta").replace("prob", "beta");
    let node: usize = node.parse().unwrap();
    let first: usize = (2..node).sum();
    fixture.values(&format!("{prefix}/{cell}"))[first..first + node].to_vec()
}

/// The space of a file by our name.
pub fn space_of(fixture: &Fixture) -> &'static Space {
    let name = match fixture.kind() {
        "nb201-search" => "nasbench201",
        _ => match fixture.text("space") {
            "1shot1-s1" => "oneshot-1",
            "1shot1-s2" => "oneshot-2",
            "1shot1-s3" => "oneshot-3",
            other => other,
        },
    };
    space::find(name).unwrap()
}

/// The tensors `prefix/<weight>` of all weights, as they lie in the flat vector.
pub fn by_weight(fixture: &Fixture, network: &dyn Supernet, prefix: &str) -> Vec<f32> {
    let values = |name: &str| fixture.values(&format!("{prefix}/{name}")).to_vec();
    let slots = network.layout().weights().iter();
    let ordered: Vec<f32> = slots.flat_map(|slot| values(&slot.name)).collect();
    network.layout().placed(&ordered)
}

/// The tensors `prefix/<architecture tensor>`.
pub fn matrices(
    fixture: &Fixture,
    network: &dyn Supernet,
    prefix: &str,
    device: &Device,
) -> Vec<Tensor<2>> {
    let tensors = network.architecture().iter();
    let matrix = |choice: &Choice| {
        let values = values_of(fixture, prefix, choice);
        Tensor::from_data(TensorData::new(values, choice.shape()), device)
    };
    tensors.map(matrix).collect()
}

pub fn concat(tensors: &[Tensor<2>]) -> Vec<f32> {
    tensors.iter().flat_map(|tensor| host(tensor.clone())).collect()
}
