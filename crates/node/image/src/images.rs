//! The handle that the rest of the node holds: what is in the store, what may be removed, what is in use.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use crate::flight::Flights;
use crate::logins::Logins;
use crate::model::ImageConfig;
use crate::registry::{Auth, Http};
use crate::room::Room;
use crate::store::{Guard, Name, Removed, Store};
use crate::{Digest, Error, Options, Reference, Result};

/// An image that is whole in the store, as of the moment it was returned. Pin it before relying on its directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The reference asked for, normalised.
    pub reference: Reference,
    /// What the reference led to: the digest of the manifest, or of the index that lists it. This is the digest
    /// that `repository@sha256:...` names.
    pub digest: Digest,
    /// The digest of the manifest for this node's platform; equal to `digest` where there is no index.
    pub manifest_digest: Digest,
    /// The digest of the configuration, which Docker calls the image's id.
    pub image_id: Digest,
    pub config: ImageConfig,
    /// Lower directories for overlayfs, top layer first; absolute, each once, at most 127.
    pub layers: Vec<PathBuf>,
    /// Bytes of all layers, unpacked.
    pub size: u64,
    /// Whether the name asked for came by a pull of a task's or a function's, so that a registry has it.
    pub tracked: bool,
}

/// A line of `image list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSummary {
    pub reference: Reference,
    pub digest: Digest,
    /// `None` when the image's documents are damaged; pulling again repairs it.
    pub image_id: Option<Digest>,
    /// Bytes of all layers, unpacked; layers may be shared with other images.
    pub size: u64,
    /// When the name was last set.
    pub stored_at: SystemTime,
    /// Owners of pins on the image.
    pub used_by: Vec<String>,
}

/// The images of a node. Cheap to clone; clones share their work. Calls that are not async block for moments.
#[derive(Clone, Debug)]
pub struct Images {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) store: Store,
    pub(crate) http: Http,
    pub(crate) room: Room,
    pub(crate) pulls: Flights<(Reference, Auth), Result<Image>>,
    /// One layer is unpacked once at a time, whichever images it belongs to.
    layer_locks: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Diff ids that pulls and imports under way count on, with how many of them do.
    busy: Mutex<HashMap<Digest, usize>>,
}

// === impl Images ===

impl Images {
    /// Opens or creates the store: its version is checked, and what a crash left is removed.
    pub async fn open(options: Options) -> Result<Self> {
        let (root, logins) = (options.root.clone(), options.logins.clone());
        let store = blocking(move || {
            logins.as_deref().map(Logins::read).transpose()?;
            Store::open(&root)
        })
        .await?;
        let http = Http::new(&options.limits, options.certificates.clone());
        let inner = Inner {
            room: Room::new(options.limits.store_bytes),
            options,
            store,
            http,
            pulls: Flights::new(),
            layer_locks: Mutex::default(),
            busy: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The image that a reference stands for in the store. [`Error::Damaged`] when it is there but not whole.
    pub fn get(&self, reference: &str) -> Result<Option<Image>> {
        let reference = Reference::parse(reference)?;
        let guard = self.inner.store.lock_shared()?;
        self.inner.find(&guard, &reference)
    }

    /// Every name in the store, ordered by reference.
    pub fn list(&self) -> Result<Vec<ImageSummary>> {
        let store = &self.inner.store;
        let _guard = store.lock_shared()?;
        let pins = store.pins()?;
        let summary = |(name, stored_at): (Name, SystemTime)| {
            let used_by = pins
                .iter()
                .filter(|pin| pin.manifest == name.manifest)
                .map(|pin| pin.owner.clone());
            Ok(ImageSummary {
                image_id: store.parts(&name.manifest)?.map(|parts| parts.image_id),
                used_by: used_by.collect(),
                reference: name.reference,
                digest: name.digest,
                size: name.size,
                stored_at,
            })
        };
        store.names()?.into_iter().map(summary).collect()
    }

    /// Removes a name and, with the last name of an image, the layers that no other image has.
    /// [`Error::InUse`] when it is the last name of a pinned image.
    pub async fn remove(&self, reference: &str) -> Result<Removed> {
        let reference = Reference::parse(reference)?;
        let inner = self.inner.clone();
        blocking(move || {
            let guard = inner.store.lock()?;
            let missing = || Error::NotLocal {
                reference: reference.to_string(),
            };
            let name = inner.store.name(&reference)?.ok_or_else(missing)?;
            let others = inner
                .store
                .names()?
                .into_iter()
                .any(|(other, _)| other.manifest == name.manifest && other.reference != name.reference);
            let pins = inner.store.pins()?;
            let owners: Vec<&str> = pins
                .iter()
                .filter(|pin| pin.manifest == name.manifest)
                .map(|pin| pin.owner.as_str())
                .collect();
            if !others && !owners.is_empty() {
                let more = if owners.len() > 5 {
                    format!(" and {} more", owners.len() - 5)
                } else {
                    String::new()
                };
                let owners = format!("{}{more}", owners[..owners.len().min(5)].join(", "));
                return Err(Error::InUse {
                    reference: reference.to_string(),
                    owners,
                });
            }
            inner.store.remove_name(&guard, &reference)?;
            let mut removed = inner.collect(guard)?;
            removed.references = vec![reference.to_string()];
            Ok(removed)
        })
        .await
    }

    /// The folder of the store.
    pub fn root(&self) -> PathBuf {
        self.inner.store.path("")
    }

    /// Reads images with their names from an OCI layout (a directory, or a tar file of one) or a docker-archive
    /// (`docker save`), plain or gzip. Tar files are read as they are; nothing is unpacked but the layers.
    ///
    /// `name` names the image instead of what the archive says; the archive must then hold one image only.
    pub async fn import(&self, path: &Path, name: Option<&str>) -> Result<Vec<Image>> {
        let name = name.map(Reference::parse).transpose()?;
        let (inner, path) = (self.inner.clone(), path.to_owned());
        blocking(move || crate::import::import(&inner, &path, name)).await
    }
}

// === impl Inner ===

/// An image whose layers are all in the store, about to get its names.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) references: Vec<Reference>,
    pub(crate) digest: Digest,
    pub(crate) manifest_digest: Digest,
    /// Manifest and configuration.
    pub(crate) documents: Vec<(Digest, Vec<u8>)>,
    /// Each diff id once.
    pub(crate) diff_ids: Vec<Digest>,
    /// Pulled for a task.
    pub(crate) tracked: bool,
}

/// Layers that a pull counts on are not removed while it is under way.
pub(crate) struct Busy {
    inner: Arc<Inner>,
    diff_ids: Vec<Digest>,
}

impl Inner {
    /// Looks a reference up; the guard keeps the parts together meanwhile.
    pub(crate) fn find(&self, guard: &Guard, reference: &Reference) -> Result<Option<Image>> {
        let name = self.store.find_name(reference)?;
        name.map(|name| self.image(guard, reference, name)).transpose()
    }

    /// What a name stands for, as who asks for it calls it. [`Error::Damaged`] when it is not whole.
    pub(crate) fn image(&self, _guard: &Guard, reference: &Reference, name: Name) -> Result<Image> {
        let damaged = |why: String| Error::Damaged {
            reference: reference.to_string(),
            why,
        };
        let parts = self.store.parts(&name.manifest)?;
        let parts =
            parts.ok_or_else(|| damaged("its manifest or configuration is missing or altered".to_owned()))?;
        let mut layers = Vec::new();
        for diff_id in parts.config.lowers() {
            let layer = self.store.layer(&diff_id)?;
            layers.push(
                layer
                    .ok_or_else(|| damaged(format!("layer {diff_id} is missing")))?
                    .fs,
            );
        }
        Ok(Image {
            reference: reference.clone(),
            digest: name.digest,
            manifest_digest: name.manifest,
            image_id: parts.image_id,
            config: parts.config.run,
            layers,
            size: name.size,
            tracked: name.tracked,
        })
    }

    /// Gives an image its names. `None` when a layer disappeared meanwhile (another process removed it): fetch it
    /// again. Blocks.
    pub(crate) fn commit(&self, ready: &Ready) -> Result<Option<Vec<Image>>> {
        let guard = self.store.lock()?;
        let mut size = 0;
        for diff_id in &ready.diff_ids {
            match self.store.layer(diff_id)? {
                Some(layer) => size += layer.record.size,
                None => return Ok(None),
            }
        }
        for (digest, content) in &ready.documents {
            self.store.put_blob(&guard, digest, content)?;
        }
        let mut images = Vec::new();
        let mut replaced = false;
        for reference in &ready.references {
            let before = self.store.name(reference)?;
            if let Some(before) = before.filter(|name| name.manifest != ready.manifest_digest) {
                self.keep_used(&guard, before)?;
                replaced = true;
            }
            let name = Name {
                reference: reference.clone(),
                digest: ready.digest.clone(),
                manifest: ready.manifest_digest.clone(),
                size,
                tracked: ready.tracked,
            };
            self.store.set_name(&guard, &name)?;
            images.extend(self.find(&guard, reference)?);
        }
        if replaced {
            self.collect(guard)?;
        }
        Ok(Some(images))
    }

    /// An image in use that loses its name to another stays to be had by its digest, which the other tasks of a
    /// service ask for; it is cleaned up as one that was pulled.
    fn keep_used(&self, guard: &Guard, before: Name) -> Result<()> {
        let reference = before.reference.by_digest(&before.digest);
        let used = self
            .store
            .pins()?
            .iter()
            .any(|pin| pin.manifest == before.manifest);
        if !used || self.store.name(&reference)?.is_some() {
            return Ok(());
        }
        let name = Name {
            reference,
            tracked: true,
            ..before
        };
        self.store.set_name(guard, &name)
    }

    /// Makes sure that an image found under another name of its repository has the name asked for too, and is known
    /// to be one that the registry has. Blocks.
    pub(crate) fn adopt(&self, image: &Image) -> Result<()> {
        let guard = self.store.lock()?;
        // Whoever asked is about to use it.
        self.store.note_use(&guard, &image.manifest_digest)?;
        let tracked = match self.store.name(&image.reference)? {
            Some(name) if name.tracked || !self.options.tracks => return Ok(()),
            _ => self.options.tracks,
        };
        self.find(&guard, &image.reference)?
            .ok_or_else(|| Error::NotLocal {
                reference: image.reference.to_string(),
            })?;
        let name = Name {
            reference: image.reference.clone(),
            digest: image.digest.clone(),
            manifest: image.manifest_digest.clone(),
            size: image.size,
            tracked,
        };
        self.store.set_name(&guard, &name)
    }

    /// Removes what nothing leads to. Blocks.
    pub(crate) fn collect(&self, guard: Guard) -> Result<Removed> {
        let busy: HashSet<Digest> = locked(&self.busy).keys().cloned().collect();
        let trash = self.store.collect(&guard, &busy)?;
        self.count_stored()?;
        drop(guard);
        let removed = Removed {
            references: Vec::new(),
            layers: trash.layers,
            bytes: trash.bytes,
        };
        trash.discard();
        Ok(removed)
    }

    /// Tells the bound how much is stored now.
    pub(crate) fn count_stored(&self) -> Result<()> {
        if self.room.is_bounded() {
            self.room.counted(self.store.stored_bytes()?);
        }
        Ok(())
    }

    pub(crate) fn count_on(self: &Arc<Self>, diff_ids: &[Digest]) -> Busy {
        let mut busy = locked(&self.busy);
        for diff_id in diff_ids {
            *busy.entry(diff_id.clone()).or_default() += 1;
        }
        Busy {
            inner: self.clone(),
            diff_ids: diff_ids.to_vec(),
        }
    }

    pub(crate) fn layer_lock(&self, diff_id: &Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = locked(&self.layer_locks);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(diff_id).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(diff_id.clone(), Arc::downgrade(&lock));
        lock
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut busy = locked(&self.inner.busy);
        for diff_id in &self.diff_ids {
            if let Some(count) = busy.get_mut(diff_id) {
                *count -= 1;
                if *count == 0 {
                    busy.remove(diff_id);
                }
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Runs what blocks where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::io(
            "run",
            Path::new("image work"),
            std::io::Error::other(error),
        )),
    }
}
