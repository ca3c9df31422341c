//! The part of Python's pickle format that `torch.save` writes a state_dict in. Calls that a pickle asks
//! for are never made: tensors and dictionaries are recognised by name, everything else is opaque.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, bail};

/// What a pickle holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(i64),
    Text(String),
    /// Tuples, too.
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// A class or a function, `module name`.
    Global(String),
    Storage(Storage),
    Tensor(Tensor),
    /// Anything else.
    Opaque,
}

/// Where numbers are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Storage {
    /// `FloatStorage`, …
    pub kind: String,
    pub key: String,
}

/// How numbers of a storage make a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub storage: Storage,
    /// In numbers, as the strides are.
    pub offset: usize,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A reader of pickles that stand one after another.
pub(super) struct Pickle<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    storages: BTreeMap<String, usize>,
}

impl<'a> Pickle<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        let (stack, marks) = (Vec::new(), Vec::new());
        Self { bytes, at: 0, stack, marks, memo: HashMap::new(), storages: BTreeMap::new() }
    }

    /// Where the next pickle begins.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The storages met so far, each with the bytes of one of its numbers.
    pub fn storages(&self) -> &BTreeMap<String, usize> {
        &self.storages
    }

    /// The next pickle.
    pub fn load(&mut self) -> anyhow::Result<Value> {
        self.stack.clear();
        self.marks.clear();
        self.memo.clear();
        loop {
            let at = self.at;
            let code = self.take(1)?[0];
            if code == b'.' {
                return self.pop();
            }
            self.step(code).with_context(|| format!("the pickle is damaged at byte {at}"))?;
        }
    }

    fn step(&mut self, code: u8) -> anyhow::Result<()> {
        match code {
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'}' => self.stack.push(Value::Dict(Vec::new())),
            b']' | b')' => self.stack.push(Value::List(Vec::new())),
            b'N' => self.stack.push(Value::Opaque),
            0x88 | 0x89 => self.stack.push(Value::Number(i64::from(code == 0x88))),
            b'K' => self.number(1)?,
            b'M' => self.number(2)?,
            b'J' => self.number(4)?,
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Opaque);
            }
            0x8a => {
                let length = self.length(1)?;
                self.number(length)?;
            }
            b'X' | b'T' | b'B' => self.text(4)?,
            b'U' | b'C' | 0x8c => self.text(1)?,
            b'q' => self.remember(1)?,
            b'r' => self.remember(4)?,
            0x94 => {
                let (key, top) = (self.memo.len(), self.top()?.clone());
                self.memo.insert(key, top);
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(format!("{module} {name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    bail!("a name is missing")
                };
                self.stack.push(Value::Global(format!("{module} {name}")));
            }
            b't' => {
                let items = self.since_mark()?;
                self.stack.push(Value::List(items));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count).context("too few values")?;
                let items = self.stack.split_off(start);
                self.stack.push(Value::List(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.insert(items)?;
            }
            b'Q' => {
                let identity = self.pop()?;
                let storage = self.storage(identity)?;
                self.stack.push(storage);
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.stack.push(called(&function, arguments));
            }
            b'b' => drop(self.pop()?),
            other => bail!("code {other:#x} is not one that torch.save writes"),
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> anyhow::Result<&'a [u8]> {
        let end = self.at.checked_add(count).context("a length is damaged")?;
        let taken = self.bytes.get(self.at..end).context("the file ends within its pickle")?;
        self.at = end;
        Ok(taken)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').context("a name has no end")?;
        let line = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&line[..length]).into_owned())
    }

    /// An unsigned number of so many bytes.
    fn length(&mut self, bytes: usize) -> anyhow::Result<usize> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// Pushes a number; those of more than eight bytes only mark the format.
    fn number(&mut self, bytes: usize) -> anyhow::Result<()> {
        let taken = self.take(bytes)?;
        let is_signed = bytes > 2;
        let fill =
            if is_signed && taken.last().is_some_and(|byte| *byte >= 0x80) { 0xff } else { 0 };
        let value = match taken.len() {
            0..=8 => {
                let mut all = [fill; 8];
                all[..taken.len()].copy_from_slice(taken);
                Value::Number(i64::from_le_bytes(all))
            }
            _ => Value::Opaque,
        };
        self.stack.push(value);
        Ok(())
    }

    fn text(&mut self, bytes: usize) -> anyhow::Result<()> {
        let length = self.length(bytes)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn remember(&mut self, bytes: usize) -> anyhow::Result<()> {
        let (key, top) = (self.length(bytes)?, self.top()?.clone());
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, bytes: usize) -> anyhow::Result<()> {
        let key = self.length(bytes)?;
        let value = self.memo.get(&key).context("it refers to what is not there")?.clone();
        self.stack.push(value);
        Ok(())
    }

    fn top(&mut self) -> anyhow::Result<&mut Value> {
        self.stack.last_mut().context("a value is missing")
    }

    fn pop(&mut self) -> anyhow::Result<Value> {
        self.stack.pop().context("a value is missing")
    }

    fn since_mark(&mut self) -> anyhow::Result<Vec<Value>> {
        let mark = self.marks.pop().context("a mark is missing")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn append(&mut self, new: Vec<Value>) -> anyhow::Result<()> {
        if let Value::List(items) = self.top()? {
            items.extend(new);
        }
        Ok(())
    }

    /// Keys and values in turns.
    fn insert(&mut self, items: Vec<Value>) -> anyhow::Result<()> {
        if let Value::Dict(entries) = self.top()? {
            let mut items = items.into_iter();
            while let (Some(key), Some(value)) = (items.next(), items.next()) {
                entries.push((key, value));
            }
        }
        Ok(())
    }

    /// A reference out of the pickle: ('storage', class, key, device, count, …).
    fn storage(&mut self, identity: Value) -> anyhow::Result<Value> {
        let Value::List(parts) = identity else { bail!("a storage is damaged") };
        let (Some(Value::Global(class)), Some(Value::Text(key))) = (parts.get(1), parts.get(2))
        else {
            bail!("a storage is damaged")
        };
        let kind = class.rsplit(' ').next().unwrap_or_default().to_owned();
        let size = match kind.as_str() {
            "DoubleStorage" | "LongStorage" => 8,
            "HalfStorage" | "BFloat16Storage" | "ShortStorage" => 2,
            "ByteStorage" | "CharStorage" | "BoolStorage" => 1,
            _ => 4,
        };
        self.storages.insert(key.clone(), size);
        Ok(Value::Storage(Storage { kind, key: key.clone() }))
    }
}

/// What a call would give.
fn called(function: &Value, arguments: Value) -> Value {
    let (Value::Global(name), Value::List(arguments)) = (function, arguments) else {
        return Value::Opaque;
    };
    match name.as_str() {
        "collections OrderedDict" => Value::Dict(Vec::new()),
        "torch._utils _rebuild_tensor_v2" | "torch._utils _rebuild_tensor" => {
            tensor(&arguments).map_or(Value::Opaque, Value::Tensor)
        }
        "torch._utils _rebuild_parameter" => arguments.into_iter().next().unwrap_or(Value::Opaque),
        _ => Value::Opaque,
    }
}

fn tensor(arguments: &[Value]) -> Option<Tensor> {
    let numbers = |value: &Value| -> Option<Vec<usize>> {
        let Value::List(items) = value else { return None };
        items.iter().map(number).collect()
    };
    let [Value::Storage(storage), offset, shape, strides, ..] = arguments else { return None };
    let (offset, shape, strides) = (number(offset)?, numbers(shape)?, numbers(strides)?);
    Some(Tensor { storage: storage.clone(), offset, shape, strides })
}

fn number(value: &Value) -> Option<usize> {
    match value {
        Value::Number(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}
