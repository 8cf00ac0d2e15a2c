//! What archives of an account take, which has a bound, and how long one lies there that nothing needs any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Ctx, Partition};
use tokio::sync::watch;

use crate::Lambda;
use crate::error::{Error, Result};
use crate::records;

/// Bytes of archives of an account in a region. Source: "Lambda quotas".
pub(crate) const MAX_TOTAL: u64 = 75 * 1024 * 1024 * 1024;
/// For so long nothing has named an archive when it goes: longer than links to it last, and than what runs by it runs.
const KEPT_MILLIS: i64 = 3_600_000;
/// Between looks for such archives.
const NAP: Duration = Duration::from_secs(60);

impl Lambda {
    /// Bytes of the archives of functions, their versions and layers, each counted for each that has it.
    pub(crate) fn stored(&self, partition: &Partition) -> u64 {
        let functions = records::functions(&self.store).within(partition);
        let versions = records::versions(&self.store).within(partition);
        let layers = records::layer_versions(&self.store).within(partition);
        let snapshot = self.functions.snapshot();
        let latest = snapshot
            .below(&functions)
            .map(|entry| entry.value.latest.code.size);
        let mut all: u64 = latest.sum();
        let snapshot = self.versions.snapshot();
        all += snapshot
            .below(&versions)
            .map(|entry| entry.value.code.size)
            .sum::<u64>();
        let snapshot = self.layer_versions.snapshot();
        all += snapshot
            .below(&layers)
            .map(|entry| entry.value.archive.size)
            .sum::<u64>();
        all
    }

    /// Refuses so many bytes more, in place of others.
    pub(crate) fn check_storage(&self, ctx: &Ctx, more: u64, less: u64) -> Result<()> {
        let all = self.stored(&ctx.partition()).saturating_sub(less) + more;
        match more > less && all > self.options.code_storage {
            true => Err(Error::StorageFull),
            false => Ok(()),
        }
    }

    /// Digests of the archives that records name.
    fn archives(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        let mut note = |version: &records::VersionRecord| {
            named.insert(version.code.sha256.clone());
            for layer in &version.settings.layers {
                named.insert(layer.archive.sha256.clone());
            }
        };
        for entry in self.functions.snapshot().iter() {
            note(&entry.value.latest);
        }
        for entry in self.versions.snapshot().iter() {
            note(&entry.value);
        }
        for entry in self.layer_versions.snapshot().iter() {
            named.insert(entry.value.archive.sha256.clone());
        }
        named
    }

    /// Removes what nothing needs, and what was begun and never became whole: at a start, when nothing runs.
    pub(crate) fn sweep_all(&self) {
        self.contents.sweep(|| self.archives(), None);
    }

    /// Removes what nothing has needed for a while.
    pub(crate) fn sweep_old(&self) {
        let long = Some((self.clock.now(), KEPT_MILLIS));
        self.contents.sweep(|| self.archives(), long);
    }
}

pub(crate) async fn keep(lambda: Arc<Lambda>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        let swept = Arc::clone(&lambda);
        let swept = tokio::task::spawn_blocking(move || swept.sweep_old());
        if let Err(error) = swept.await {
            tracing::warn!(%error, "archives that nothing needs could not be looked for");
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.changed() => {}
        }
    }
}
