//! What archives of an account take, which has a bound, and how long one, or an image, lies there that nothing needs any
//! more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Ctx, Partition};
use tokio::sync::watch;

use crate::Lambda;
use crate::error::{Error, Result};
use crate::records::{self, Code, VersionRecord};

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
            .map(|entry| entry.value.latest.code.size());
        let mut all: u64 = latest.sum();
        let snapshot = self.versions.snapshot();
        all += snapshot
            .below(&versions)
            .map(|entry| entry.value.code.size())
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

    fn named(&self) -> Named {
        let mut named = Named::default();
        for entry in self.functions.snapshot().iter() {
            named.note(&entry.value.latest);
        }
        for entry in self.versions.snapshot().iter() {
            named.note(&entry.value);
        }
        for entry in self.layer_versions.snapshot().iter() {
            named.archives.insert(entry.value.archive.sha256.clone());
        }
        named
    }

    /// The same from the store, which fails where a record cannot be read: the copies in memory leave that out, and what
    /// it names would be lost for good.
    async fn named_on_record(&self) -> Result<Named> {
        let mut named = Named::default();
        let (functions, versions) = (records::functions(&self.store), records::versions(&self.store));
        let layers = records::layer_versions(&self.store);
        let partitions = functions.partitions().await?;
        for partition in partitions.iter().filter_map(records::partition_of) {
            for entry in functions.all(&functions.within(&partition)).await?.0 {
                named.note(&entry.value.latest);
            }
            for entry in versions.all(&versions.within(&partition)).await?.0 {
                named.note(&entry.value);
            }
            for entry in layers.all(&layers.within(&partition)).await?.0 {
                named.archives.insert(entry.value.archive.sha256.clone());
            }
        }
        Ok(named)
    }

    /// Removes what nothing has needed for a while; nothing while a record cannot be read.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<()> {
        let alone = self.images.alone();
        let Named { mut archives, images } = self.named_on_record().await?;
        if let Some(alone) = alone {
            self.keep_images(images, KEPT_MILLIS, alone).await;
        }
        let lambda = Arc::clone(self);
        let swept = tokio::task::spawn_blocking(move || {
            let now = lambda.clock.now();
            // And what was written since.
            let all = || {
                archives.extend(lambda.named().archives);
                archives
            };
            lambda.contents.sweep(all, now, KEPT_MILLIS);
        });
        swept.await.map_err(|error| Error::Folder(error.to_string()))
    }
}

/// What records name.
#[derive(Debug, Default)]
struct Named {
    /// By their digests.
    archives: BTreeSet<String>,
    /// By registry, repository and digest.
    images: BTreeSet<String>,
}

impl Named {
    fn note(&mut self, version: &VersionRecord) {
        match &version.code {
            Code::Archive(archive) => self.archives.insert(archive.sha256.clone()),
            Code::Image(image) => self.images.insert(image.resolved.clone()),
        };
        let layers = version.settings.layers.iter();
        self.archives
            .extend(layers.map(|layer| layer.archive.sha256.clone()));
    }
}

pub(crate) async fn keep(lambda: Arc<Lambda>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        if let Err(error) = lambda.sweep().await {
            tracing::warn!(%error, "archives that nothing needs stay, as not all records can be read");
        }
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.changed() => {}
        }
    }
}
