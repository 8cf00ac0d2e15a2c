//! Images on disk. Everything is put in place by one rename, after it is complete and synced, so that `kill -9` at
//! any instant leaves either the whole or nothing; what was in progress is found by its lost lock and removed.
//! Several processes may use one store (the daemon, and a command that imports): changes happen under a file lock
//! that is held for moments only, and nothing is remembered in memory that the disk does not say.
//!
//! ```text
//! version                 the form of everything below
//! lock                    taken for every change
//! blobs/sha256/<hex>      manifests, indexes and configurations
//! layers/<24 hex>/fs      an unpacked layer, a lower directory
//! layers/<24 hex>/layer.json
//! names/<hex>.json        a reference and the image it stands for; <hex> is the reference's SHA-256
//! pins/<hex>.json         an owner (a container) and the image it runs from
//! used/<hex>              touched when a container begins or ceases to use the manifest of that digest
//! tmp/                    in progress; a directory without a lock is a crash's leftover
//! ```
//!
//! Layer directories have short names: 127 of them, relative to `layers`, fit into the one page that mount options
//! have on kernels without `lowerdir+`.

mod collect;
mod layers;
mod names;
mod pins;
mod staging;
mod used;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::Context;
use crate::model::{Config, Document, parse_config, parse_document};
use crate::{Digest, Error, Result};

pub use collect::Removed;
pub(crate) use layers::LayerRecord;
pub(crate) use names::Name;
pub(crate) use pins::PinRecord;
pub(crate) use staging::Staging;

const VERSION: &str = "roadstead images 1\n";
const FOLDERS: [&str; 6] = ["blobs/sha256", "layers", "names", "pins", "used", "tmp"];

/// The folder of a store, checked.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// Held while the store is looked at or changed; released when dropped.
pub(crate) struct Guard {
    _file: File,
}

impl Store {
    /// Makes or checks the store, and removes what crashes left. Blocks.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let refuse = |why: &str| Error::Store {
            path: root.to_owned(),
            why: why.to_owned(),
        };
        if root.to_string_lossy().contains([':', ',', '\\', '\u{fffd}']) {
            return Err(refuse(
                "the path has a character that overlay mounts cannot take (: , \\)",
            ));
        }
        fs::create_dir_all(root).doing("create", root)?;
        let root = root.canonicalize().doing("resolve", root)?;
        let store = Self { root };
        let lock = store.path("lock");
        File::options()
            .create(true)
            .append(true)
            .open(&lock)
            .doing("create", &lock)?;
        let guard = store.lock()?;
        let version = store.path("version");
        match fs::read_to_string(&version) {
            Ok(found) if found == VERSION => {}
            Ok(found) => {
                let found = crate::digest::clip(found.trim());
                return Err(refuse(&format!(
                    "it was written in another form ('{found}', this program knows '{}'); use the program that wrote it, or another directory",
                    VERSION.trim()
                )));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                store.make_folders()?;
                store.write(&version, VERSION.as_bytes())?;
            }
            Err(error) => return Err(Error::io("read", &version, error)),
        }
        // A store of the same form may be older than one of its folders.
        store.make_folders()?;
        store.sweep(&guard)?;
        let trash = store.collect(&guard, &Default::default())?;
        drop(guard);
        trash.discard();
        Ok(store)
    }

    fn make_folders(&self) -> Result<()> {
        for folder in FOLDERS {
            let path = self.path(folder);
            fs::create_dir_all(&path).doing("create", &path)?;
        }
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Waits for the lock. Never held across network traffic or unpacking.
    pub(crate) fn lock(&self) -> Result<Guard> {
        self.take(FlockOperation::LockExclusive)
    }

    /// Keeps others from changing anything.
    pub(crate) fn lock_shared(&self) -> Result<Guard> {
        self.take(FlockOperation::LockShared)
    }

    fn take(&self, how: FlockOperation) -> Result<Guard> {
        let path = self.path("lock");
        let file = File::options().read(true).open(&path).doing("open", &path)?;
        loop {
            match flock(&file, how) {
                Ok(()) => return Ok(Guard { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::io("lock", &path, error)),
            }
        }
    }

    /// Replaces a small file so that it is whole and on disk afterwards. Needs the lock: the new content goes
    /// through one well-known name.
    fn write(&self, path: &Path, content: &[u8]) -> Result<()> {
        let fresh = self.path("tmp/next");
        let mut file = File::create(&fresh).doing("create", &fresh)?;
        file.write_all(content).doing("write", &fresh)?;
        file.sync_all().doing("sync", &fresh)?;
        fs::rename(&fresh, path).doing("rename", path)?;
        sync_parent(path)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path("blobs/sha256").join(digest.hex())
    }

    /// Keeps a document under its digest. Needs the lock.
    pub(crate) fn put_blob(&self, _guard: &Guard, digest: &Digest, content: &[u8]) -> Result<()> {
        if self.blob(digest)?.is_some() {
            return Ok(());
        }
        self.write(&self.blob_path(digest), content)
    }

    /// A document, `None` when it is missing or not what its name says.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.blob_path(digest);
        let content = read_bounded(&path, crate::model::MAX_DOCUMENT)?;
        Ok(content.filter(|content| Digest::of(content) == *digest))
    }
}

/// The documents of one image, read and checked.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) image_id: Digest,
    pub(crate) config: Config,
}

impl Store {
    /// What a manifest in the store leads to; `None` when a document is missing or damaged.
    pub(crate) fn parts(&self, manifest: &Digest) -> Result<Option<Parts>> {
        let Some(bytes) = self.blob(manifest)? else {
            return Ok(None);
        };
        let Document::Image(read) = parse_document(manifest.as_str(), &bytes, None)? else {
            return Ok(None);
        };
        let Some(bytes) = self.blob(&read.config.digest)? else {
            return Ok(None);
        };
        let config = parse_config(manifest.as_str(), &bytes, read.layers.len())?;
        Ok(Some(Parts {
            image_id: read.config.digest,
            config,
        }))
    }
}

/// A file of at most `limit` bytes; `None` when it does not exist.
fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", path, error)),
    };
    let mut content = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut content)
        .doing("read", path)?;
    if content.len() as u64 > limit {
        return Err(Error::TooLarge {
            what: path.display().to_string(),
            limit,
            unit: "bytes",
        });
    }
    Ok(Some(content))
}

/// Makes a rename or removal in a directory last.
fn sync_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else {
        return Ok(());
    };
    let dir = File::open(parent).doing("open", parent)?;
    dir.sync_all().doing("sync", parent)
}

/// Names of the entries of a directory that can be names of ours.
fn entries(path: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path).doing("list", path)? {
        let entry = entry.doing("list", path)?;
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
