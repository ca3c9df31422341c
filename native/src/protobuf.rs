//! Messages of protocol buffers as bytes, as far as files of TensorBoard and ONNX need them. A library
//! would bring a compiler of messages and more lines than these.

/// A message that is being written, field after field.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message(Vec<u8>);

/// How a field is stored.
const VARINT: u64 = 0;
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
