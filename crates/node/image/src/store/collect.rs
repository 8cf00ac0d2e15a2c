//! What no name and no pin leads to is removed. Decided afresh each time from what is on disk, so that it does not
//! matter where the last run was interrupted.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use super::{Guard, Staging, Store, entries, sync_parent};
use crate::error::Context;
use crate::{Digest, Result};

/// What a removal took away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// References that no longer stand for anything.
    pub references: Vec<String>,
    /// Layers that no image used any more.
    pub layers: usize,
    /// Bytes of those layers.
    pub bytes: u64,
}

/// Layers taken out of the store, still to be deleted.
#[derive(Debug, Default)]
pub(crate) struct Trash {
    pub(crate) layers: usize,
    pub(crate) bytes: u64,
    staging: Option<Staging>,
}

impl Trash {
    /// Deletes them; may take long, so without the lock.
    pub(crate) fn discard(self) {
        drop(self.staging);
    }
}

impl Store {
    /// Takes out what is not reachable. `busy` are the diff ids that pulls of this process count on.
    pub(crate) fn collect(&self, guard: &Guard, busy: &HashSet<Digest>) -> Result<Trash> {
        let names = self.names()?;
        let mut manifests: BTreeSet<Digest> = names.iter().map(|(name, _)| name.manifest.clone()).collect();
        manifests.extend(self.pins()?.into_iter().map(|pin| pin.manifest));
        let mut blobs: HashSet<String> = HashSet::new();
        let mut layers: HashSet<String> = busy.iter().map(Self::layer_name).collect();
        for manifest in &manifests {
            blobs.insert(manifest.hex().to_owned());
            let Some(parts) = self.parts(manifest)? else {
                // Without its documents nobody knows which layers it runs from: better too many than one too few.
                tracing::warn!(%manifest, "an image's documents are damaged; nothing is cleaned up until it is pulled again");
                return Ok(Trash::default());
            };
            blobs.insert(parts.image_id.hex().to_owned());
            layers.extend(parts.config.lowers().iter().map(Self::layer_name));
        }
        let folder = self.path("blobs/sha256");
        for name in entries(&folder)?.into_iter().filter(|name| !blobs.contains(name)) {
            let path = folder.join(name);
            fs::remove_file(&path).doing("remove", &path)?;
        }
        let known: HashSet<&str> = manifests.iter().map(Digest::hex).collect();
        self.forget_uses(|name| known.contains(name))?;
        let folder = self.path("layers");
        let mut trash = Trash::default();
        for name in entries(&folder)?
            .into_iter()
            .filter(|name| !layers.contains(name))
        {
            let staging = match trash.staging.take() {
                Some(staging) => staging,
                None => self.stage_locked(guard)?,
            };
            let path = folder.join(&name);
            trash.bytes += layer_size(&path);
            fs::rename(&path, staging.path().join(&name)).doing("remove", &path)?;
            trash.layers += 1;
            trash.staging = Some(staging);
        }
        if trash.layers > 0 {
            sync_parent(&folder.join("x"))?;
        }
        Ok(trash)
    }
}

/// Unknown sizes count as nothing: a layer without a record is about to go anyway.
pub(super) fn layer_size(path: &std::path::Path) -> u64 {
    let record = fs::read(path.join("layer.json")).unwrap_or_default();
    serde_json::from_slice::<super::LayerRecord>(&record).map_or(0, |record| record.size)
}
