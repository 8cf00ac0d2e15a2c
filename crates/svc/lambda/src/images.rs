//! Which images functions need, so that the machine that runs them keeps these and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use roadstead_base::Timestamp;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::Lambda;

/// What is known of images besides the records that name them.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    /// Read by whoever resolves an image until a record names it; nothing is let go meanwhile.
    taking: RwLock<()>,
    /// When an image was resolved, or a record named it, last; by its name.
    named: Mutex<BTreeMap<String, Timestamp>>,
}

impl Needed {
    pub(crate) async fn taking(&self) -> RwLockReadGuard<'_, ()> {
        self.taking.read().await
    }

    /// None while somebody resolves an image.
    pub(crate) fn alone(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        self.taking.try_write().ok()
    }

    /// Somebody is about to name it.
    pub(crate) fn resolved(&self, name: &str, now: Timestamp) {
        let mut all = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), now);
    }

    /// These, and what was named or resolved so many milliseconds ago: invocations may be on their way with it.
    fn since(&self, named: BTreeSet<String>, now: Timestamp, kept: i64) -> BTreeSet<String> {
        let mut all = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(named.into_iter().map(|name| (name, now)));
        all.retain(|_, at| now.0 - at.0 < kept);
        all.keys().cloned().collect()
    }
}

impl Lambda {
    /// Says which images are needed; nobody may be resolving one.
    pub(crate) async fn keep_images(
        &self,
        named: BTreeSet<String>,
        kept: i64,
        _alone: RwLockWriteGuard<'_, ()>,
    ) {
        let names = self.images.since(named, self.clock.now(), kept);
        self.sandboxes.keep_images(names).await;
    }
}
