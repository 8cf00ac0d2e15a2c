//! Parameter Store: the settings that tasks and their deployers look up by name or by path, each with its versions and
//! labels. Values of type SecureString leave the store sealed, with the key that lies beside the data; other encryption
//! keys, parameter policies and data types are refused by name.

mod error;
mod filters;
mod names;
mod ops;
mod parameters;
mod permissions;
mod records;
mod service;

use std::sync::Arc;

use roadstead_base::SharedClock;
use roadstead_seal::Seal;
use roadstead_store::Store;

pub use error::{Error, Result};
pub use permissions::SsmPermissions;

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct Ssm {
    store: Arc<dyn Store>,
    clock: SharedClock,
    seal: Seal,
}

impl Ssm {
    pub fn new(store: Arc<dyn Store>, clock: SharedClock, seal: Seal) -> Self {
        Self { store, clock, seal }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
