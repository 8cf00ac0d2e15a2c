//! When an image was last used: the modification time of an empty file per image. Not synced: what a power cut
//! takes back only makes an image look older than it is, by as long as the page cache waits.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use super::{Guard, Store};
use crate::error::Context;
use crate::{Digest, Error, Result};

impl Store {
    fn used_path(&self, manifest: &Digest) -> PathBuf {
        self.path("used").join(manifest.hex())
    }

    /// It is used now.
    pub(crate) fn note_use(&self, _guard: &Guard, manifest: &Digest) -> Result<()> {
        let path = self.used_path(manifest);
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .doing("create", &path)?;
        let now = rustix::fs::Timestamps {
            last_access: rustix::fs::Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            },
            last_modification: rustix::fs::Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_NOW,
            },
        };
        rustix::fs::futimens(&file, &now).doing("touch", &path)
    }

    pub(crate) fn last_use(&self, manifest: &Digest) -> Result<Option<SystemTime>> {
        let path = self.used_path(manifest);
        match path.metadata().and_then(|meta| meta.modified()) {
            Ok(time) => Ok(Some(time)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("examine", &path, error)),
        }
    }

    /// Forgets what is not there any more.
    pub(super) fn forget_uses(&self, keep: impl Fn(&str) -> bool) -> Result<()> {
        let folder = self.path("used");
        for name in super::entries(&folder)?.into_iter().filter(|name| !keep(name)) {
            let path = folder.join(name);
            fs::remove_file(&path).doing("remove", &path)?;
        }
        Ok(())
    }
}
