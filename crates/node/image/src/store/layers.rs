//! Unpacked layers, named by what they contain and shared by every image that has them.

use std::fs::{self, File};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Staging, Store, read_bounded, sync_parent};
use crate::error::Context;
use crate::{Digest, Error, Result};

/// Digits of the diff id in a directory's name; the record inside has all of them.
const SHORT: usize = 24;
const MAX_RECORD: u64 = 64 << 10;

/// What is known of a layer besides its files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    pub(crate) diff_id: Digest,
    /// Bytes of the tar stream.
    pub(crate) size: u64,
    pub(crate) entries: u64,
}

/// A layer in the store.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// The lower directory.
    pub(crate) fs: PathBuf,
    pub(crate) record: LayerRecord,
}

impl Store {
    pub(super) fn layer_name(diff_id: &Digest) -> String {
        diff_id.hex()[..SHORT].to_owned()
    }

    /// The layer with this diff id, if it is there.
    pub(crate) fn layer(&self, diff_id: &Digest) -> Result<Option<Layer>> {
        let dir = self.path("layers").join(Self::layer_name(diff_id));
        let path = dir.join("layer.json");
        let Some(content) = read_bounded(&path, MAX_RECORD)? else {
            return Ok(None);
        };
        let record: LayerRecord = serde_json::from_slice(&content).map_err(|error| Error::Store {
            path: path.clone(),
            why: error.to_string(),
        })?;
        if record.diff_id != *diff_id {
            return Err(Error::Store {
                path,
                why: format!("it is {}, not {diff_id}", record.diff_id),
            });
        }
        let fs = dir.join("fs");
        Ok(fs.is_dir().then_some(Layer { fs, record }))
    }

    /// Bytes of all layers. A layer whose record cannot be read counts as nothing.
    pub(crate) fn stored_bytes(&self) -> Result<u64> {
        let folder = self.path("layers");
        let sizes = super::entries(&folder)?
            .into_iter()
            .map(|name| super::collect::layer_size(&folder.join(name)));
        Ok(sizes.fold(0, u64::saturating_add))
    }

    /// Moves a layer that was unpacked to `layer/fs` in `staging` into its place. Blocks until it is on disk.
    pub(crate) fn commit_layer(&self, staging: &Staging, record: &LayerRecord) -> Result<()> {
        let whole = staging.path().join("layer");
        let path = whole.join("layer.json");
        let content = serde_json::to_vec(record).map_err(|error| Error::io("encode", &path, error))?;
        fs::write(&path, content).doing("write", &path)?;
        // One call instead of one for each of thousands of files; it reports what could not be written.
        let dir = File::open(&whole).doing("open", &whole)?;
        rustix::fs::syncfs(&dir).doing("sync", &whole)?;
        let to = self.path("layers").join(Self::layer_name(&record.diff_id));
        // Another process may have been faster with the same content, or half of it may be gone.
        let _guard = self.lock()?;
        if self.layer(&record.diff_id)?.is_some() {
            return Ok(());
        }
        if to.symlink_metadata().is_ok() {
            let broken = staging.path().join("broken");
            fs::rename(&to, &broken).doing("move away", &to)?;
        }
        fs::rename(&whole, &to).doing("rename", &to)?;
        sync_parent(&to)
    }
}
