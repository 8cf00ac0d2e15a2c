//! The data directory: who may use it, and whether this release understands it. Two daemons on one directory,
//! or an old daemon on new data, must stop with a sentence that says so, before anything is touched.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use redb::{Builder, Database};

use crate::disk::format::{self, MIGRATIONS};
use crate::disk::image;
use crate::error::{Error, Result};

/// A data directory that this process holds, and its open database.
pub(crate) struct DataDir {
    pub(crate) database: Database,
    pub(crate) lock: File,
}

/// Opens the directory, making it and the database in it if they are not there.
pub(crate) fn open(dir: &Path, cache_bytes: usize) -> Result<DataDir> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(Error::storage("making the data directory"))?;
    let lock = lock(dir)?;
    let path = dir.join("store.redb");
    if !path
        .try_exists()
        .map_err(Error::storage("looking for the database file"))?
    {
        create(dir, &path)?;
    }
    let database = builder(cache_bytes).open(&path).map_err(|error| match error {
        redb::DatabaseError::UpgradeRequired(version) => Error::corrupt(
            "file",
            format!(
                "{} has the layout of redb file format {version}, which was never used here",
                path.display()
            ),
        ),
        error => Error::Storage {
            doing: "opening the database file",
            source: std::sync::Arc::new(error),
        },
    })?;
    format::settle(dir, &database, MIGRATIONS)?;
    Ok(DataDir { database, lock })
}

fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    builder.set_repair_callback(|session| {
        tracing::info!(
            progress = session.progress(),
            "checking the store after an unclean stop"
        );
    });
    builder
}

/// Takes the lock that every user of the directory takes, or says who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("store.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(Error::storage("opening the lock file"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let told = (&file).take(16).read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
            let holder = if told {
                format!("process {}", pid.trim())
            } else {
                "another process".to_owned()
            };
            return Err(Error::Locked {
                dir: dir.to_owned(),
                holder,
            });
        }
        Err(TryLockError::Error(error)) => return Err(Error::storage("locking the data directory")(error)),
    }
    // Only for the message above; whether it can be written changes nothing.
    let _ = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

/// Makes the database beside its name and moves it there when it is whole, so that a crash in between leaves
/// nothing that looks like a store.
fn create(dir: &Path, path: &Path) -> Result<()> {
    let doing = "making the database file";
    let empty = image::empty(&Database::builder())?;
    let new: PathBuf = dir.join("store.redb.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::storage(doing)(error));
        }
        _ => {}
    }
    // The directory may have been there before, open to others; what is stored is nobody else's business.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(&empty)?;
            file.sync_all()
        });
    written.map_err(Error::storage(doing))?;
    fs::rename(&new, path).map_err(Error::storage(doing))?;
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::storage(doing))
}
