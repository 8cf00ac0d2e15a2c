//! What the kernel cannot tell again after the daemon's death: which map was applied, which interface is
//! whose. Small files, replaced whole. Nothing is synced to disk, because all of it describes devices and
//! namespaces of this boot.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Replaces `path` so that a reader sees the old file or the new one, never half of one. What was there stays as
/// `.new` and is written over next time: a file system that guards renames (ext4) would else send the new data
/// to the disk on each one, which takes milliseconds.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let other = spare(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&other)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    drop(file);
    match renameat_with(CWD, &other, CWD, path, RenameFlags::EXCHANGE) {
        // The first time there is nothing to exchange with, and not every file system can.
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS) => fs::rename(&other, path),
        done => Ok(done?),
    }
}

/// Where [`replace`] prepares the next content of `path`.
pub(crate) fn spare(path: &Path) -> PathBuf {
    let mut name = path.to_path_buf().into_os_string();
    name.push(".new");
    name.into()
}

/// Removes what [`replace`] wrote; its absence is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    for file in [path, &spare(path)] {
        match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
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
        remove(&path).map_err(failed("removing", &path))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_replaced_whole_whatever_its_length_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(folder.path().join("some")).unwrap();
        for text in ["first", "a longer second", "3", "", "the fifth"] {
            records.put("one", &text).unwrap();
            assert_eq!(records.all::<String>().unwrap(), [text]);
        }
        // A process that died while it wrote.
        fs::write(folder.path().join("some/one.json.new"), "{\"ha").unwrap();
        assert_eq!(records.all::<String>().unwrap(), ["the fifth"]);
        records.put("one", &"x").unwrap();
        assert_eq!(records.all::<String>().unwrap(), ["x"]);
        for _ in 0..2 {
            records.remove("one").unwrap();
        }
        assert_eq!(fs::read_dir(folder.path().join("some")).unwrap().count(), 0);
    }
}
