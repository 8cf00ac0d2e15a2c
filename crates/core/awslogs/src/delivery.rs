//! `mode` and `max-buffer-size`, which all drivers that send have in common. Source: LogConfiguration, `options`.

/// What non-blocking mode keeps when the definition does not say.
const DEFAULT_BUFFER: u64 = 10 << 20;
/// What a blocked container has printed and nobody has taken yet, at most.
const BLOCKING_BUFFER: u64 = 4 << 20;
/// It lies on the node's disk, so it has an end.
pub const MAX_BUFFER: u64 = 1 << 30;

/// What happens to a container that prints faster than its lines can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It waits.
    Blocking,
    /// What it prints is dropped meanwhile.
    NonBlocking,
}

/// How a container and its lines wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub mode: Mode,
    /// Bytes that may wait to be sent.
    pub buffer: u64,
}

/// Why the two options cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryFault {
    Value {
        option: &'static str,
        value: String,
        why: &'static str,
    },
    BufferOfBlocking,
}

impl Delivery {
    /// # Errors
    /// A value that is none, or a buffer where there is none.
    pub fn read(mode: Option<&str>, buffer: Option<&str>) -> Result<Self, DeliveryFault> {
        let fault = |option, value: &str, why| DeliveryFault::Value {
            option,
            value: value.chars().take(64).collect(),
            why,
        };
        let mode = match mode {
            None | Some("non-blocking") => Mode::NonBlocking,
            Some("blocking") => Mode::Blocking,
            Some(other) => return Err(fault("mode", other, "it is blocking or non-blocking")),
        };
        let buffer = buffer.map(|text| {
            let why = "it is a number of bytes, or of k, m or g, up to 1g";
            size(text).ok_or_else(|| fault("max-buffer-size", text, why))
        });
        let buffer = match (mode, buffer.transpose()?) {
            (Mode::Blocking, Some(_)) => return Err(DeliveryFault::BufferOfBlocking),
            (Mode::Blocking, None) => BLOCKING_BUFFER,
            (Mode::NonBlocking, asked) => asked.unwrap_or(DEFAULT_BUFFER),
        };
        Ok(Self { mode, buffer })
    }
}

/// `4096`, `64k`, `10m`, `1g`, with or without a `b` behind; 1 to [`MAX_BUFFER`].
pub fn size(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.strip_suffix('b').unwrap_or(&lower);
    let (digits, shift) = match number.chars().last() {
        Some('k') => (&number[..number.len() - 1], 10),
        Some('m') => (&number[..number.len() - 1], 20),
        Some('g') => (&number[..number.len() - 1], 30),
        _ => (number, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits
        .parse::<u64>()
        .ok()
        .filter(|_| plain)
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| (1..=MAX_BUFFER).contains(bytes))
}
