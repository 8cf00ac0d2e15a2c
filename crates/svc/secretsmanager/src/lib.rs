//! Secrets Manager: passwords and keys that tasks and registries need, kept where nobody reads them by accident. A
//! value leaves the store sealed, with a key that lies beside the data and not in it; its versions and their staging
//! labels follow the rules of the service, so that what rotates secrets elsewhere does so here. Rotation itself and
//! replication are refused by name.

mod error;
mod labels;
mod names;
mod ops;
mod permissions;
mod records;
mod secrets;
mod service;
mod tags;

use std::sync::Arc;

use roadstead_base::SharedClock;
use roadstead_seal::Seal;
use roadstead_store::Store;

pub use error::{Error, Result};
pub use permissions::SecretsPermissions;

/// The service. Cheap to make again over the same store: that is what a restart is.
pub struct SecretsManager {
    store: Arc<dyn Store>,
    clock: SharedClock,
    seal: Seal,
}

impl SecretsManager {
    pub fn new(store: Arc<dyn Store>, clock: SharedClock, seal: Seal) -> Self {
        Self { store, clock, seal }
    }
}

#[cfg(test)]
mod testing;
