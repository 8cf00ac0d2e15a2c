//! Messages at rest, sealed by AES-256-GCM together with the place they lie in.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use roadstead_base::random_bytes;

use crate::error::{Error, Result};

pub(crate) struct Seal(LessSafeKey);

impl Seal {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| broken("there is no key"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Nonce and ciphertext. Random nonces of 96 bits are safe for 2^32 messages of one key.
    pub(crate) fn seal(&self, place: &[u8], message: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random_bytes().map_err(|error| Error::Broken(error.to_string()))?;
        let mut sealed = message.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut sealed)
            .map_err(|_| broken("a message could not be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let altered = || broken("a message does not open with the key of this server, or was altered");
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or_else(altered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| altered())?;
        let mut rest = rest.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(place), &mut rest)
            .map_err(|_| altered())?;
        Ok(opened.to_vec())
    }
}

fn broken(why: &str) -> Error {
    Error::Broken(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_in_its_place_with_its_key_alone() {
        let seal = Seal::new(&[7; 32]).expect("a key");
        let sealed = seal.seal(b"here", b"message").expect("seals");
        assert!(!sealed.windows(7).any(|window| window == b"message"));
        assert_eq!(seal.open(b"here", &sealed).expect("opens"), b"message");
        assert!(seal.open(b"there", &sealed).is_err());
        let other = Seal::new(&[8; 32]).expect("a key");
        assert!(other.open(b"here", &sealed).is_err());
        assert!(seal.open(b"here", b"short").is_err());
    }
}
