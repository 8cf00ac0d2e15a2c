//! References and the images they stand for.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Guard, Store, entries, read_bounded, sync_parent};
use crate::error::Context;
use crate::{Digest, Error, Reference, Result};

const MAX_RECORD: u64 = 64 << 10;

/// One name of one image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Name {
    pub(crate) reference: Reference,
    /// What the reference led to: a manifest, or the index that lists it.
    pub(crate) digest: Digest,
    /// The manifest for this node's platform.
    pub(crate) manifest: Digest,
    /// Bytes of all layers, unpacked.
    pub(crate) size: u64,
    /// Pulled for a task, so that it may be cleaned up and pulled again.
    #[serde(default)]
    pub(crate) tracked: bool,
}

impl Store {
    fn name_path(&self, reference: &Reference) -> PathBuf {
        let digest = Digest::of(reference.to_string().as_bytes());
        self.path("names").join(format!("{}.json", digest.hex()))
    }

    pub(crate) fn set_name(&self, _guard: &Guard, name: &Name) -> Result<()> {
        let path = self.name_path(&name.reference);
        let content = serde_json::to_vec(name).map_err(|error| Error::io("encode", &path, error))?;
        self.write(&path, &content)
    }

    pub(crate) fn remove_name(&self, _guard: &Guard, reference: &Reference) -> Result<()> {
        let path = self.name_path(reference);
        fs::remove_file(&path).doing("remove", &path)?;
        sync_parent(&path)
    }

    pub(crate) fn name(&self, reference: &Reference) -> Result<Option<Name>> {
        self.read_name(self.name_path(reference))
    }

    /// Finds a reference by its own name or, for a digest, by any name of the same repository that led there.
    pub(crate) fn find_name(&self, reference: &Reference) -> Result<Option<Name>> {
        if let Some(name) = self.name(reference)? {
            return Ok(Some(name));
        }
        let Some(digest) = reference.digest() else {
            return Ok(None);
        };
        let same = |name: &Name| {
            name.reference.name() == reference.name() && (name.digest == *digest || name.manifest == *digest)
        };
        Ok(self.names()?.into_iter().map(|(name, _)| name).find(same))
    }

    /// All names with the time they were last set, ordered by reference.
    pub(crate) fn names(&self) -> Result<Vec<(Name, SystemTime)>> {
        let folder = self.path("names");
        let mut names = Vec::new();
        for entry in entries(&folder)? {
            let path = folder.join(entry);
            let time = path
                .metadata()
                .and_then(|meta| meta.modified())
                .doing("examine", &path)?;
            if let Some(name) = self.read_name(path)? {
                names.push((name, time));
            }
        }
        names.sort_by(|a, b| a.0.reference.cmp(&b.0.reference));
        Ok(names)
    }

    fn read_name(&self, path: PathBuf) -> Result<Option<Name>> {
        let Some(content) = read_bounded(&path, MAX_RECORD)? else {
            return Ok(None);
        };
        let name = serde_json::from_slice(&content);
        name.map(Some).map_err(|error| Error::Store {
            path,
            why: error.to_string(),
        })
    }
}
