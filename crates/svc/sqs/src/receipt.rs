//! Receipt handles: which message of which queue, and which of its receives. Whoever may delete from the queue may use
//! one; nothing in it is secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// So that what is no handle at all is told from one of another queue.
const MARK: &[u8] = b"rq1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub queue: u64,
    pub number: u64,
    pub receipt: u64,
}

impl Receipt {
    pub(crate) fn write(self) -> String {
        let mut bytes = MARK.to_vec();
        for part in [self.queue, self.number, self.receipt] {
            bytes.extend(part.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// One of this queue.
    pub(crate) fn read(queue: u64, text: &str) -> Result<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::ReceiptHandle)?;
        let parts = bytes.strip_prefix(MARK).ok_or(Error::ReceiptHandle)?;
        let mut numbers = parts
            .chunks_exact(8)
            .filter_map(|chunk| chunk.try_into().ok().map(u64::from_be_bytes));
        let (Some(of), Some(number), Some(receipt), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(Error::ReceiptHandle);
        };
        if of != queue || parts.len() != 24 {
            return Err(Error::ReceiptHandle);
        }
        Ok(Self {
            queue,
            number,
            receipt,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_back_for_their_own_queue_alone() {
        let receipt = Receipt {
            queue: 3,
            number: 1 << 40,
            receipt: u64::MAX,
        };
        let text = receipt.write();
        assert_eq!(Receipt::read(3, &text).expect("reads"), receipt);
        for (queue, text) in [
            (4, text.as_str()),
            (3, ""),
            (3, "x"),
            (3, &text[1..]),
            (3, &format!("{text}AAAA")),
        ] {
            assert!(Receipt::read(queue, text).is_err(), "{queue} {text}");
        }
    }
}
