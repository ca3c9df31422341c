//! Messages of protocol buffers as bytes, as far as files of TensorBoard and ONNX need them written and
//! those of NAS-Bench-101 read. A library would bring a compiler of messages and more lines than these.

/// A message that is being written, field after field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// How a field is stored.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const COUNTED: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    /// A number.
    pub fn number(mut self, field: u64, value: u64) -> Self {
        self.key(field, VARINT);
        self.0.extend(varint(value));
        self
    }

    /// Numbers, a field each.
    pub fn numbers(self, field: u64, values: impl IntoIterator<Item = u64>) -> Self {
        values.into_iter().fold(self, |message, value| message.number(field, value))
    }

    /// A number with a fraction.
    pub fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Counted bytes: a text, or what only a reader of the field understands.
    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, COUNTED);
        self.0.extend(varint(value.len() as u64));
        self.0.extend(value);
        self
    }

    /// A text.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// Messages, a field each.
    pub fn messages(self, field: u64, values: impl IntoIterator<Item = Self>) -> Self {
        values.into_iter().fold(self, |message, value| message.bytes(field, &value.0))
    }

    /// Its bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u64, kind: u64) {
        self.0.extend(varint(field << 3 | kind));
    }
}

/// Seven bits in a byte, the lowest first; the high bit says that more follow.
pub(crate) fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// A number without a fraction.
    Number(u64),
    /// Eight bytes, as of a number with a fraction.
    Eight([u8; 8]),
    /// Counted bytes: a text or a message.
    Bytes(&'a [u8]),
    /// Four bytes.
    Four([u8; 4]),
}

/// The fields of a message, in their order.
///
/// # Errors
/// What is wrong with the bytes, in words.
pub(crate) fn fields(mut message: &[u8]) -> Result<Vec<(u64, Value<'_>)>, String> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = read_varint(&mut message)?;
        let value = match key & 7 {
            VARINT => Value::Number(read_varint(&mut message)?),
            EIGHT_BYTES => Value::Eight(*read_array(&mut message)?),
            FOUR_BYTES => Value::Four(*read_array(&mut message)?),
            COUNTED => {
                let count = read_varint(&mut message)?;
                let count = usize::try_from(count).ok().filter(|&count| count <= message.len());
                let (value, rest) = message.split_at(count.ok_or_else(short)?);
                message = rest;
                Value::Bytes(value)
            }
            kind => return Err(format!("field {} is stored in the unknown way {kind}", key >> 3)),
        };
        found.push((key >> 3, value));
    }
    Ok(found)
}

fn read_varint(message: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0;
    for place in 0..10 {
        let [byte] = *read_array::<1>(message)?;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number in it has more than ten bytes".to_owned())
}

fn read_array<'a, const N: usize>(message: &mut &'a [u8]) -> Result<&'a [u8; N], String> {
    let (array, rest) = message.split_first_chunk().ok_or_else(short)?;
    *message = rest;
    Ok(array)
}

fn short() -> String {
    "it ends inside a field".to_owned()
}
