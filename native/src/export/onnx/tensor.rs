//! Tensors of ONNX: their numbers, and what is known of them before there are any.

use crate::protobuf::Message;

/// Types of numbers.
const FLOAT: u64 = 1;
const INT64: u64 = 7;

/// Fields of `TensorProto`.
const DIMS: u64 = 1;
const DATA_TYPE: u64 = 2;
const NAME: u64 = 8;
const RAW_DATA: u64 = 9;

/// Fields of `ValueInfoProto`, `TypeProto`, its `Tensor`, `TensorShapeProto` and its `Dimension`.
const VALUE_NAME: u64 = 1;
const VALUE_TYPE: u64 = 2;
const TENSOR_TYPE: u64 = 1;
const ELEMENT_TYPE: u64 = 1;
const SHAPE: u64 = 2;
const DIM: u64 = 1;
const DIM_VALUE: u64 = 1;
const DIM_PARAM: u64 = 2;

/// A side of a tensor.
pub enum Side {
    /// So many.
    Known(usize),
    /// Any number; where the name is the same it is the same.
    Free(&'static str),
}

impl From<usize> for Side {
    fn from(side: usize) -> Self {
        Self::Known(side)
    }
}

impl From<&'static str> for Side {
    fn from(name: &'static str) -> Self {
        Self::Free(name)
    }
}

/// A tensor of floats.
pub fn floats(name: &str, shape: &[usize], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, FLOAT, shape, &raw)
}

/// A vector of whole numbers.
pub fn integers(name: &str, values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    tensor(name, INT64, &[values.len()], &raw)
}

fn tensor(name: &str, kind: u64, shape: &[usize], raw: &[u8]) -> Message {
    Message::default()
        .numbers(DIMS, shape.iter().map(|side| *side as u64))
        .number(DATA_TYPE, kind)
        .text(NAME, name)
        .bytes(RAW_DATA, raw)
}

/// An input or an output of floats.
pub fn described(name: &str, sides: &[Side]) -> Message {
    let side = |side: &Side| match side {
        Side::Known(side) => Message::default().number(DIM_VALUE, *side as u64),
        Side::Free(name) => Message::default().text(DIM_PARAM, name),
    };
    let shape = Message::default().messages(DIM, sides.iter().map(side));
    let tensor = Message::default().number(ELEMENT_TYPE, FLOAT).messages(SHAPE, [shape]);
    let kind = Message::default().messages(TENSOR_TYPE, [tensor]);
    Message::default().text(VALUE_NAME, name).messages(VALUE_TYPE, [kind])
}
