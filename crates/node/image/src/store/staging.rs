//! Where something is built before it is complete. The directory is locked by whoever builds in it; the kernel lets
//! go of the lock when that process ends, however it ends, which is how leftovers are told from work in progress.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::{Guard, Store, entries};
use crate::error::Context;
use crate::{Error, Result};

static COUNTER: AtomicU64 = AtomicU64::new(0);
/// Names tried before giving up; one is taken only when a crashed process had the same id.
const ATTEMPTS: u32 = 10_000;

/// A directory under `tmp`, removed when dropped.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "left a temporary directory for the next start to remove");
        }
    }
}

impl Store {
    /// A new directory to build in.
    pub(crate) fn stage(&self) -> Result<Staging> {
        // Under the lock, so that a sweep does not see the directory before it is locked.
        let guard = self.lock()?;
        self.stage_locked(&guard)
    }

    pub(super) fn stage_locked(&self, _guard: &Guard) -> Result<Staging> {
        let tmp = self.path("tmp");
        for _ in 0..ATTEMPTS {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = tmp.join(format!("{}-{count}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(Error::io("create", &path, error)),
            }
            let lock = File::open(&path).doing("open", &path)?;
            flock(&lock, FlockOperation::NonBlockingLockExclusive).doing("lock", &path)?;
            return Ok(Staging { path, _lock: lock });
        }
        Err(Error::Store {
            path: tmp,
            why: "no free name for a temporary directory".to_owned(),
        })
    }

    /// Removes what nobody holds. Those who do may let go meanwhile: what is gone already is fine.
    pub(super) fn sweep(&self, _guard: &Guard) -> Result<()> {
        let tmp = self.path("tmp");
        for name in entries(&tmp)? {
            let path = tmp.join(name);
            match remove_unheld(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", &path, error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn remove_unheld(path: &Path) -> std::io::Result<()> {
    if !path.symlink_metadata()?.is_dir() {
        return fs::remove_file(path);
    }
    let dir = File::open(path)?;
    if flock(&dir, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    tracing::info!(path = %path.display(), "removing what an interrupted pull or import left");
    fs::remove_dir_all(path)
}
