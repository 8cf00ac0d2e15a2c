//! The keys that Roadstead issued. Any other key is a stranger's.

use std::collections::HashMap;
use std::sync::RwLock;

use roadstead_base::{AccountId, Caller};

/// A key Roadstead issued, and for whom.
#[derive(Clone)]
pub struct IssuedKey {
    pub secret: String,
    pub account: AccountId,
    pub caller: Caller,
}

impl std::fmt::Debug for IssuedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "IssuedKey({:?} of {}, secret withheld)",
            self.caller, self.account
        )
    }
}

/// Issued keys by access key id.
#[derive(Debug, Default)]
pub struct Credentials(RwLock<HashMap<String, IssuedKey>>);

impl Credentials {
    pub fn issue(&self, access_key: &str, key: IssuedKey) {
        self.0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(access_key.to_owned(), key);
    }

    pub fn find(&self, access_key: &str) -> Option<IssuedKey> {
        self.0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get(access_key)
            .cloned()
    }
}
