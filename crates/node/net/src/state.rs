//! What the kernel cannot tell again after the daemon's death: which map was applied, which interface is
//! whose. Small files, replaced whole. Nothing is synced to disk, because all of it describes devices and
//! namespaces of this boot.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Replaces `path` so that a reader sees the old file or the new one, never half of one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.to_path_buf().into_os_string();
    temporary.push(".new");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}

/// A directory of records, one file each.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    directory: PathBuf,
}

impl Records {
    pub(crate) fn open(directory: PathBuf) -> Result<Self> {
        fs::create_dir_all(&directory).map_err(failed("making", &directory))?;
        Ok(Self { directory })
    }

    pub(crate) fn put<T: Serialize>(&self, name: &str, record: &T) -> Result<()> {
        let path = self.path(name);
        let bytes = serde_json::to_vec(record).map_err(|e| failed("writing", &path)(e.into()))?;
        replace(&path, &bytes).map_err(failed("writing", &path))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("removing", &path)(e)),
            _ => Ok(()),
        }
    }

    /// Every record that can be read; one that cannot (half a file after a power cut) is removed, with a
    /// word in the log, since what it described ended with that boot.
    pub(crate) fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        let entries = fs::read_dir(&self.directory).map_err(failed("listing", &self.directory))?;
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("listing", &self.directory))?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let bytes = fs::read(&path).map_err(failed("reading", &path))?;
            match serde_json::from_slice(&bytes) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "record unreadable, removed");
                    fs::remove_file(&path).map_err(failed("removing", &path))?;
                }
            }
        }
        Ok(records)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }
}

fn failed(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |source| Error::State {
        attempt,
        path,
        source,
    }
}
