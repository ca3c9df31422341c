//! A strict reader of ONNX files, written from onnx.proto and not from our writer: it knows the fields that
//! we may write, and stops at every other one.

use std::collections::{BTreeMap, BTreeSet};

/// A model, without what is the same in all of them.
#[derive(Debug, Default)]
pub struct Model {
    pub ir: u64,
    pub opset: u64,
    pub producer: String,
    pub version: String,
    pub metadata: BTreeMap<String, String>,
    pub nodes: Vec<Node>,
    pub initialisers: BTreeMap<String, Tensor>,
    /// Name and sides of the one input and the one output.
    pub input: (String, Vec<String>),
    pub output: (String, Vec<String>),
}

#[derive(Debug, Default)]
pub struct Node {
    pub inputs: Vec<String>,
    pub output: String,
    pub name: String,
    pub kind: String,
    pub attributes: BTreeMap<String, Attribute>,
}

#[derive(Debug, PartialEq)]
pub enum Attribute {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
}

#[derive(Debug, PartialEq)]
pub enum Tensor {
    Floats(Vec<usize>, Vec<f32>),
    Integers(Vec<i64>),
}

/// A field as the wire has it.
enum Field<'a> {
    Number(u64),
    Counted(&'a [u8]),
    Four([u8; 4]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first().expect("a number ends early");
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number has more than ten bytes")
}

/// The fields of a message, by number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (counted, rest) = bytes.split_at_checked(length).expect("a field ends early");
                bytes = rest;
                Field::Counted(counted)
            }
            5 => {
                let (four, rest) = bytes.split_at_checked(4).expect("a field ends early");
                bytes = rest;
                Field::Four(four.try_into().unwrap())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

impl Field<'_> {
    fn text(&self) -> String {
        let Self::Counted(bytes) = self else { panic!("a text was expected") };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("a number was expected") };
        *number
    }

    fn message(&self) -> Vec<(u64, Field<'_>)> {
        let Self::Counted(bytes) = self else { panic!("a message was expected") };
        fields(bytes)
    }
}

/// Reads a file whole.
pub fn read(bytes: &[u8]) -> Model {
    let mut model = Model::default();
    let mut graphs = 0;
    for (number, field) in fields(bytes) {
        match number {
            1 => model.ir = field.number(),
            2 => model.producer = field.text(),
            3 => model.version = field.text(),
            7 => {
                graphs += 1;
                graph(&mut model, &field);
            }
            8 => {
                let [(2, version)] = &field.message()[..] else { panic!("an operator set") };
                assert_eq!(model.opset, 0, "one operator set");
                model.opset = version.number();
            }
            14 => {
                let [(1, key), (2, value)] = &field.message()[..] else { panic!("an entry") };
                assert!(model.metadata.insert(key.text(), value.text()).is_none(), "twice");
            }
            other => panic!("field {other} of a model"),
        }
    }
    assert_eq!(graphs, 1);
    check(&model);
    model
}

fn graph(model: &mut Model, graph: &Field) {
    for (number, field) in graph.message() {
        match number {
            1 => model.nodes.push(node(&field)),
            2 => assert_eq!(field.text(), "network"),
            5 => {
                let (name, tensor) = tensor(&field);
                assert!(model.initialisers.insert(name, tensor).is_none(), "a name twice");
            }
            11 => model.input = described(&field),
            12 => model.output = described(&field),
            other => panic!("field {other} of a graph"),
        }
    }
}

fn node(field: &Field) -> Node {
    let mut node = Node::default();
    for (number, field) in field.message() {
        match number {
            1 => node.inputs.push(field.text()),
            2 => {
                assert!(node.output.is_empty(), "one output");
                node.output = field.text();
            }
            3 => node.name = field.text(),
            4 => node.kind = field.text(),
            5 => {
                let (name, attribute) = attribute(&field);
                assert!(node.attributes.insert(name, attribute).is_none(), "a name twice");
            }
            other => panic!("field {other} of a node"),
        }
    }
    node
}

fn attribute(field: &Field) -> (String, Attribute) {
    let (mut name, mut kind, mut value) = (String::new(), 0, None);
    let mut ints = Vec::new();
    for (number, field) in field.message() {
        match (number, &field) {
            (1, _) => name = field.text(),
            (2, Field::Four(four)) => value = Some(Attribute::Float(f32::from_le_bytes(*four))),
            (3, _) => value = Some(Attribute::Int(field.number() as i64)),
            (8, _) => ints.push(field.number() as i64),
            (20, _) => kind = field.number(),
            (other, _) => panic!("field {other} of an attribute"),
        }
    }
    let value = value.unwrap_or(Attribute::Ints(ints));
    let expected = match &value {
        Attribute::Float(_) => 1,
        Attribute::Int(_) => 2,
        Attribute::Ints(_) => 7,
    };
    assert_eq!(kind, expected, "the type of {name}");
    (name, value)
}

fn tensor(field: &Field) -> (String, Tensor) {
    let (mut sides, mut kind, mut name, mut raw) = (Vec::new(), 0, String::new(), None);
    for (number, field) in field.message() {
        match (number, &field) {
            (1, _) => sides.push(field.number() as usize),
            (2, _) => kind = field.number(),
            (8, _) => name = field.text(),
            (9, Field::Counted(bytes)) => raw = Some(bytes.to_vec()),
            (other, _) => panic!("field {other} of a tensor"),
        }
    }
    let raw = raw.expect("numbers");
    let count = sides.iter().product::<usize>();
    let tensor = match kind {
        1 => {
            let values = raw.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
            assert_eq!(raw.len(), 4 * count, "{name}");
            Tensor::Floats(sides, values.collect())
        }
        7 => {
            let values = raw.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()));
            assert_eq!((raw.len(), sides.len()), (8 * count, 1), "{name}");
            Tensor::Integers(values.collect())
        }
        other => panic!("numbers of type {other}"),
    };
    (name, tensor)
}

fn described(field: &Field) -> (String, Vec<String>) {
    let parts = field.message();
    let [(1, name), (2, kind)] = &parts[..] else { panic!("a value") };
    let kind = kind.message();
    let [(1, tensor)] = &kind[..] else { panic!("a type") };
    let tensor = tensor.message();
    let [(1, element), (2, shape)] = &tensor[..] else { panic!("a tensor") };
    assert_eq!(element.number(), 1, "floats");
    let side = |(number, dimension): &(u64, Field)| {
        assert_eq!(*number, 1);
        match &dimension.message()[..] {
            [(1, value)] => value.number().to_string(),
            [(2, name)] => name.text(),
            _ => panic!("a dimension"),
        }
    };
    (name.text(), shape.message().iter().map(side).collect())
}

/// Every value is known before it is read, has one name of its own, and is read by somebody.
fn check(model: &Model) {
    let mut known: BTreeSet<&str> = model.initialisers.keys().map(String::as_str).collect();
    assert!(known.insert(&model.input.0));
    let mut names = BTreeSet::new();
    let mut read = BTreeSet::from([model.output.0.as_str()]);
    for node in &model.nodes {
        for input in &node.inputs {
            assert!(known.contains(input.as_str()), "{} reads {input}", node.name);
            read.insert(input);
        }
        assert!(known.insert(&node.output), "{} is there twice", node.output);
        assert!(names.insert(&node.name) && !node.name.is_empty(), "{} is there twice", node.name);
    }
    assert_eq!(known.difference(&read).collect::<Vec<_>>(), Vec::<&&str>::new(), "nobody reads");
    assert!(known.contains(model.output.0.as_str()));
}
