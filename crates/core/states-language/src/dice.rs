//! Randomness that the caller gives: a seed for each step, from which every number and every UUID of that step follows,
//! so that the same step taken again comes out the same.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// A source of numbers that follows from its seed.
#[derive(Debug)]
pub struct Dice {
    seed: u128,
    rolled: AtomicU64,
}

impl Dice {
    /// Sixteen random bytes from the caller make a step unpredictable; a fixed number makes it repeatable.
    pub fn new(seed: u128) -> Dice {
        Dice {
            seed,
            rolled: AtomicU64::new(0),
        }
    }

    fn bytes(&self) -> [u8; 32] {
        let count = self.rolled.fetch_add(1, Ordering::Relaxed);
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(count.to_be_bytes());
        digest.finalize().into()
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        let bytes = self.bytes();
        u64::from_be_bytes(bytes[..8].try_into().expect("eight bytes"))
    }

    /// At least 0 and less than 1.
    pub fn fraction(&self) -> f64 {
        fraction(self.bits())
    }

    /// A UUID of version 4.
    pub fn uuid(&self) -> String {
        let bytes = self.bytes();
        let mut id: [u8; 16] = bytes[..16].try_into().expect("sixteen bytes");
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        let text = hex::encode(id);
        format!(
            "{}-{}-{}-{}-{}",
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..]
        )
    }
}

/// The 53 upper bits as a number in [0, 1).
pub(crate) fn fraction(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}
