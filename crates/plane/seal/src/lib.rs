//! Values at rest. Each is sealed by AES-256-GCM together with what it is the value of, so that a record that is
//! copied to another place in the store does not open there. The key is the caller's to keep.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use roadstead_base::random_bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Why a value is not sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no randomness, or no such key.
    #[error("it can't be encrypted")]
    Encryption,
    /// The value is there and cannot be read.
    #[error("{why}")]
    Decryption { why: String },
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Seals and opens values with one key.
#[derive(Clone)]
pub struct Seal {
    key: LessSafeKey,
    id: String,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A value that only the key opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Tells keys apart without telling them.
    key: String,
    /// Nonce and ciphertext.
    data: String,
}

impl Seal {
    /// # Errors
    /// None that this key's length allows.
    pub fn new(key: &[u8; 32]) -> Result<Self> {
        let id = Sha256::new()
            .chain_update(b"roadstead secrets key")
            .chain_update(key)
            .finalize();
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Encryption)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            id: hex::encode(&id[..6]),
        })
    }

    /// `of` is what the value belongs to.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn seal(&self, of: &str, value: &[u8]) -> Result<Sealed> {
        // Random nonces of 96 bits are safe for 2^32 values of one key.
        let nonce: [u8; NONCE_LEN] = random_bytes().map_err(|_| Error::Encryption)?;
        let mut sealed = value.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(of.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| Error::Encryption)?;
        Ok(Sealed {
            key: self.id.clone(),
            data: STANDARD.encode([nonce.as_slice(), &sealed].concat()),
        })
    }

    /// # Errors
    /// It was sealed with another key or for another owner, or altered since.
    pub fn open(&self, of: &str, sealed: &Sealed) -> Result<Vec<u8>> {
        let refuse = |why: &str| Error::Decryption { why: why.to_owned() };
        if sealed.key != self.id {
            return Err(refuse(&format!(
                "it was sealed with key {}, and this server has key {}; give it the secrets-key file of the server \
                 that wrote it",
                sealed.key, self.id
            )));
        }
        let altered = || refuse("its record was altered");
        let mut data = STANDARD.decode(&sealed.data).map_err(|_| altered())?;
        let (nonce, value) = data.split_at_mut_checked(NONCE_LEN).ok_or_else(altered)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| altered())?;
        let value = self
            .key
            .open_in_place(nonce, Aad::from(of.as_bytes()), value)
            .map_err(|_| altered())?;
        Ok(value.to_vec())
    }
}

impl Sealed {
    /// Nonce and ciphertext, in base64: what may be shown to those who may not read the value.
    pub fn data(&self) -> &str {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_for_the_same_secret_and_key_alone() {
        let seal = Seal::new(&[7; 32]).expect("a key");
        let one = seal.seal("a", b"value").expect("seals");
        assert_ne!(
            one,
            seal.seal("a", b"value").expect("seals"),
            "never the same twice"
        );
        assert!(!one.data.contains("value"));
        assert_eq!(seal.open("a", &one).expect("opens"), b"value");
        let why = |result: Result<Vec<u8>>| result.expect_err("does not open").to_string();
        assert!(why(seal.open("b", &one)).contains("altered"));
        let mut bytes = STANDARD.decode(&one.data).expect("base64");
        bytes[15] ^= 1;
        let altered = Sealed {
            data: STANDARD.encode(bytes),
            ..one.clone()
        };
        assert!(why(seal.open("a", &altered)).contains("altered"));
        for data in ["", "????", "AAAA"] {
            let data = data.to_owned();
            assert!(why(seal.open("a", &Sealed { data, ..one.clone() })).contains("altered"));
        }
        let other = Seal::new(&[8; 32]).expect("a key");
        assert!(why(other.open("a", &one)).contains("secrets-key"));
        assert!(!format!("{seal:?}").contains('7'.to_string().repeat(4).as_str()));
    }
}
