//! `@ptr`: where a line lies, for GetLogRecord. Opaque to clients, good as long as the line is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::lines::Place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub group: u64,
    pub stream: u64,
    pub place: Place,
}

impl Pointer {
    pub(crate) fn write(self) -> String {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.group.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.stream.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.place.0.to_be_bytes());
        bytes[24..].copy_from_slice(&self.place.1.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let part = |from: usize| bytes[from..from + 8].try_into().unwrap_or([0; 8]);
        Some(Self {
            group: u64::from_be_bytes(part(0)),
            stream: u64::from_be_bytes(part(8)),
            place: (i64::from_be_bytes(part(16)), u64::from_be_bytes(part(24))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_as_they_were_written() {
        let pointer = Pointer {
            group: u64::MAX,
            stream: 7,
            place: (-1, 9),
        };
        assert_eq!(Pointer::read(&pointer.write()), Some(pointer));
        for forged in ["", "x", "AAAA", &"A".repeat(44)] {
            assert_eq!(Pointer::read(forged), None, "{forged}");
        }
    }
}
