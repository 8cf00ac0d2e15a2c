//! Protocol buffers by hand, as far as etcd's messages need them. A generator would want `protoc` or a stack of
//! crates for what is four wire types and a dozen messages that have not changed in years.

use bytes::Bytes;

/// What came is not a message: cut short, or of an unknown wire type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message is not well-formed protocol buffers")]
pub(super) struct Malformed;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// A message being written, field by field. Zero and empty are left out, as the format has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn number(self, field: u64, value: u64) -> Self {
        if value == 0 {
            return self;
        }
        self.set(field, value)
    }

    /// A number that is there even if it is zero: a member of a `oneof`.
    pub(super) fn set(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value);
        self
    }

    pub(super) fn flag(self, field: u64, value: bool) -> Self {
        self.number(field, u64::from(value))
    }

    pub(super) fn bytes(self, field: u64, value: &[u8]) -> Self {
        if value.is_empty() {
            return self;
        }
        self.set_bytes(field, value)
    }

    /// Bytes that are there even if there are none: a member of a `oneof`, or an inner message.
    pub(super) fn set_bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | BYTES);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(super) fn message(self, field: u64, inner: Message) -> Self {
        self.set_bytes(field, &inner.0)
    }

    pub(super) fn messages(self, field: u64, inner: impl IntoIterator<Item = Message>) -> Self {
        inner
            .into_iter()
            .fold(self, |message, inner| message.message(field, inner))
    }

    pub(super) fn finish(self) -> Bytes {
        self.0.into()
    }
}

/// A field as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Number(u64),
    Bytes(Bytes),
}

impl Value {
    pub(super) fn number(self) -> Result<u64, Malformed> {
        match self {
            Value::Number(number) => Ok(number),
            Value::Bytes(_) => Err(Malformed),
        }
    }

    pub(super) fn flag(self) -> Result<bool, Malformed> {
        self.number().map(|number| number != 0)
    }

    pub(super) fn bytes(self) -> Result<Bytes, Malformed> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Number(_) => Err(Malformed),
        }
    }
}

/// Reads a message's fields in order, without copying.
pub(super) fn fields(message: Bytes) -> impl Iterator<Item = Result<(u64, Value), Malformed>> {
    let mut rest = Some(message);
    std::iter::from_fn(move || {
        let mut left = rest.take()?;
        if left.is_empty() {
            return None;
        }
        let read = field(&mut left);
        // Nothing is read behind what could not be.
        rest = read.is_ok().then_some(left);
        Some(read)
    })
}

fn field(rest: &mut Bytes) -> Result<(u64, Value), Malformed> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        VARINT => Value::Number(varint(rest)?),
        FIXED64 => Value::Bytes(take(rest, 8)?),
        BYTES => {
            let len = usize::try_from(varint(rest)?).map_err(|_| Malformed)?;
            Value::Bytes(take(rest, len)?)
        }
        FIXED32 => Value::Bytes(take(rest, 4)?),
        _ => return Err(Malformed),
    };
    Ok((tag >> 3, value))
}

fn take(rest: &mut Bytes, len: usize) -> Result<Bytes, Malformed> {
    if rest.len() < len {
        return Err(Malformed);
    }
    Ok(rest.split_to(len))
}

fn varint(rest: &mut Bytes) -> Result<u64, Malformed> {
    let mut value = 0;
    for (at, byte) in rest.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let _ = rest.split_to(at + 1);
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_laid_out_as_the_format_says() {
        // The examples of the format's own description: 150 in field 1, "testing" in field 2.
        assert_eq!(
            Message::new().number(1, 150).finish().as_ref(),
            [0x08, 0x96, 0x01]
        );
        assert_eq!(
            Message::new().bytes(2, b"testing").finish().as_ref(),
            b"\x12\x07testing"
        );
        assert_eq!(Message::new().number(1, 0).bytes(2, b"").finish().len(), 0);
        assert_eq!(Message::new().set(1, 0).finish().as_ref(), [0x08, 0x00]);
        assert_eq!(Message::new().number(64, 1).finish().as_ref(), [0x80, 0x04, 0x01]);
    }

    #[test]
    fn damage_is_an_error() {
        for bytes in [
            &b"\x08"[..],
            b"\x12\x07test",
            b"\x0b",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            let read: Result<Vec<_>, _> = fields(Bytes::copy_from_slice(bytes)).collect();
            assert_eq!(read, Err(Malformed), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec(1u64.., 0..5), text in any::<Vec<u8>>()) {
            let message = numbers.iter().fold(Message::new(), |message, number| message.number(7, *number));
            let inner = Message::new().set_bytes(1, &text);
            let read: Vec<_> = fields(message.message(3, inner).finish()).collect::<Result<_, _>>().unwrap();
            let (last, first) = read.split_last().unwrap();
            let expected: Vec<_> = numbers.iter().map(|number| (7, Value::Number(*number))).collect();
            prop_assert_eq!(first, &expected[..]);
            let inner: Vec<_> = fields(last.1.clone().bytes().unwrap()).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(inner, vec![(1, Value::Bytes(text.into()))]);
        }

        #[test]
        fn anything_is_read_or_refused(bytes in any::<Vec<u8>>()) {
            let _ = fields(bytes.into()).count();
        }
    }
}
