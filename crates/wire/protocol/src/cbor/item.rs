//! CBOR items, both ways. Bounded by the input alone: nothing is reserved for what a length claims, and
//! nesting is limited.

/// Deeper than any model nests.
const MAX_DEPTH: usize = 64;

/// A data item. Tags other than the one in use, and simple values that mean nothing here, are refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// Wide enough for both kinds of CBOR integers.
    Int(i128),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Item>),
    /// Keys are text, in the order of the input.
    Map(Vec<(String, Item)>),
    /// Tag 1: seconds since 1970.
    Time(f64),
    Bool(bool),
    Float(f64),
    /// Null or undefined.
    Null,
}

/// The bytes are no CBOR item that is read here: what, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct CborError {
    pub reason: &'static str,
    pub at: usize,
}

/// The one item that the bytes are.
///
/// # Errors
/// [`CborError`]: the bytes end early, have more than one item, or are nested too deeply.
pub fn parse(bytes: &[u8]) -> Result<Item, CborError> {
    let mut reader = Reader { bytes, at: 0 };
    let item = reader.item(0)?;
    if reader.at == bytes.len() {
        Ok(item)
    } else {
        reader.fail("bytes after the item")
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// An item's first byte and the number that belongs to it; no number means an indefinite length.
struct Head {
    major: u8,
    info: u8,
    number: Option<u64>,
}

const BREAK: u8 = 0xff;

impl<'a> Reader<'a> {
    fn fail<T>(&self, reason: &'static str) -> Result<T, CborError> {
        Err(CborError { reason, at: self.at })
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], CborError> {
        let left = &self.bytes[self.at..];
        match usize::try_from(count).ok().and_then(|count| left.get(..count)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => self.fail("the end of the input inside an item"),
        }
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let number = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => {
                let bytes = self.take(1 << (info - 24))?;
                Some(
                    bytes
                        .iter()
                        .fold(0, |number, byte| number << 8 | u64::from(*byte)),
                )
            }
            31 => None,
            _ => return self.fail("a reserved length"),
        };
        Ok(Head { major, info, number })
    }

    fn at_break(&mut self) -> bool {
        let found = self.bytes.get(self.at) == Some(&BREAK);
        self.at += usize::from(found);
        found
    }

    fn item(&mut self, depth: usize) -> Result<Item, CborError> {
        if depth >= MAX_DEPTH {
            return self.fail("an item nested more than 64 deep");
        }
        let head = self.head()?;
        match (head.major, head.number) {
            (0, Some(number)) => Ok(Item::Int(number.into())),
            (1, Some(number)) => Ok(Item::Int(-1 - i128::from(number))),
            (2, length) => self.chunks(2, length).map(Item::Bytes),
            (3, length) => {
                let at = self.at;
                String::from_utf8(self.chunks(3, length)?)
                    .map(Item::Text)
                    .map_err(|_| CborError {
                        reason: "a text that is not UTF-8",
                        at,
                    })
            }
            (4, length) => {
                let mut items = Vec::new();
                while self.more(length, items.len())? {
                    items.push(self.item(depth + 1)?);
                }
                Ok(Item::List(items))
            }
            (5, length) => {
                let mut entries: Vec<(String, Item)> = Vec::new();
                while self.more(length, entries.len())? {
                    let Item::Text(key) = self.item(depth + 1)? else {
                        return self.fail("a key that is not text");
                    };
                    entries.push((key, self.item(depth + 1)?));
                }
                Ok(Item::Map(entries))
            }
            (6, Some(1)) => match self.item(depth + 1)? {
                Item::Int(seconds) => Ok(Item::Time(seconds as f64)),
                Item::Float(seconds) => Ok(Item::Time(seconds)),
                _ => self.fail("a time that is no number"),
            },
            (6, _) => self.fail("a tag that is not in use"),
            (7, Some(number)) => self.simple(head.info, number),
            _ => self.fail("a break, or an indefinite length, where none may be"),
        }
    }

    fn simple(&self, info: u8, number: u64) -> Result<Item, CborError> {
        match info {
            20 => Ok(Item::Bool(false)),
            21 => Ok(Item::Bool(true)),
            22 | 23 => Ok(Item::Null),
            25 => Ok(Item::Float(half(number as u16))),
            26 => Ok(Item::Float(f32::from_bits(number as u32).into())),
            27 => Ok(Item::Float(f64::from_bits(number))),
            _ => self.fail("a simple value that is not in use"),
        }
    }

    /// Whether another element follows.
    fn more(&mut self, length: Option<u64>, so_far: usize) -> Result<bool, CborError> {
        match length {
            Some(length) => Ok((so_far as u64) < length),
            None => Ok(!self.at_break()),
        }
    }

    fn chunks(&mut self, major: u8, length: Option<u64>) -> Result<Vec<u8>, CborError> {
        if let Some(length) = length {
            return Ok(self.take(length)?.to_vec());
        }
        let mut all = Vec::new();
        while !self.at_break() {
            match self.head()? {
                Head {
                    major: of,
                    number: Some(length),
                    ..
                } if of == major => all.extend_from_slice(self.take(length)?),
                _ => return self.fail("a chunk of another kind"),
            }
        }
        Ok(all)
    }
}

fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
    }
}

impl Item {
    /// The item's bytes, with definite lengths and the shortest integers.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(number) if *number < 0 => head(out, 1, (-1 - number).clamp(0, u64::MAX.into()) as u64),
            Self::Int(number) => head(out, 0, (*number).clamp(0, u64::MAX.into()) as u64),
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Self::List(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                head(out, 5, entries.len() as u64);
                for (key, item) in entries {
                    head(out, 3, key.len() as u64);
                    out.extend_from_slice(key.as_bytes());
                    item.write(out);
                }
            }
            Self::Time(seconds) => {
                head(out, 6, 1);
                if seconds.fract() == 0.0 && seconds.abs() < 9.0e15 {
                    Self::Int(*seconds as i128).write(out);
                } else {
                    Self::Float(*seconds).write(out);
                }
            }
            Self::Bool(flag) => out.push(0xf4 | u8::from(*flag)),
            Self::Null => out.push(0xf6),
            Self::Float(number) if f64::from(*number as f32) == *number => {
                out.push(0xfa);
                out.extend_from_slice(&(*number as f32).to_be_bytes());
            }
            Self::Float(number) => {
                out.push(0xfb);
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }
}

fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    match number {
        0..=23 => out.push(major | number as u8),
        24..=0xff => out.extend([major | 24, number as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend((number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend((number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(number.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs from appendix A of RFC 8949.
    #[test]
    fn reads_the_examples_of_the_rfc() {
        for (bytes, item) in [
            ("00", Item::Int(0)),
            ("1818", Item::Int(24)),
            ("1bffffffffffffffff", Item::Int(u64::MAX.into())),
            ("3bffffffffffffffff", Item::Int(-18_446_744_073_709_551_616)),
            ("3903e7", Item::Int(-1000)),
            ("f93e00", Item::Float(1.5)),
            ("f90001", Item::Float(5.960_464_477_539_063e-8)),
            ("f9fc00", Item::Float(f64::NEG_INFINITY)),
            ("fa47c35000", Item::Float(100_000.0)),
            ("fb3ff199999999999a", Item::Float(1.1)),
            ("f4", Item::Bool(false)),
            ("f7", Item::Null),
            ("c11a514b67b0", Item::Time(1_363_896_240.0)),
            ("c1fb41d452d9ec200000", Item::Time(1_363_896_240.5)),
            ("5f42010243030405ff", Item::Bytes(vec![1, 2, 3, 4, 5])),
            ("7f657374726561646d696e67ff", Item::Text("streaming".into())),
            ("9f018202039f0405ffff", {
                let two = |a, b| Item::List(vec![Item::Int(a), Item::Int(b)]);
                Item::List(vec![Item::Int(1), two(2, 3), two(4, 5)])
            }),
            (
                "bf61610161629f0203ffff",
                Item::Map(vec![
                    ("a".into(), Item::Int(1)),
                    ("b".into(), Item::List(vec![Item::Int(2), Item::Int(3)])),
                ]),
            ),
        ] {
            assert_eq!(parse(&hex::decode(bytes).expect("hex")), Ok(item), "{bytes}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for bytes in [
            "",
            "18",
            "1c",
            "ff",
            "0000",
            "62c328",
            "7f4101ff",
            "5f",
            "9f",
            "82",
            "a101",
            "a10101",
            "c2f6",
            "c1f6",
            "f8ff",
            "9bffffffffffffffff",
            "5bffffffffffffffff",
            "1f",
            "3f",
            "df",
        ] {
            assert!(parse(&hex::decode(bytes).expect("hex")).is_err(), "{bytes}");
        }
        assert!(parse(&[0x81; 10_000]).is_err());
    }
}
