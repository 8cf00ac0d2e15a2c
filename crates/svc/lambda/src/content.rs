//! The store of archives: each once, by its digest, beside the records. An archive is unpacked in a folder of its own
//! before its digest is written anywhere, so that what a record names is always there and whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roadstead_base::Timestamp;
use roadstead_functions::Content;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::records::{ArchiveRecord, Code};
use crate::zip::{Archive, Fault, Kind};

/// Bytes of an archive that is uploaded directly, and of all files in it and in a function's layers.
/// Source: "Lambda quotas".
pub(crate) const MAX_ARCHIVE: usize = 50 * 1024 * 1024;
pub(crate) const MAX_UNPACKED: u64 = 250 * 1024 * 1024;
const ARCHIVE: &str = "archive.zip";
const FILES: &str = "files";
/// Begins the names of folders that are not whole yet.
const DRAFT: &str = "draft-";

#[derive(Clone, Debug)]
pub(crate) struct Contents {
    folder: PathBuf,
    needs: Needs,
}

/// Which archives nobody may remove, and which may be one day; by their digests.
#[derive(Clone, Debug, Default)]
struct Needs(Arc<Mutex<Need>>);

#[derive(Debug, Default)]
struct Need {
    /// That somebody uploads, until a record names them.
    uploads: BTreeMap<String, usize>,
    /// That nothing names, since when.
    unnamed: BTreeMap<String, Timestamp>,
}

/// An archive that is not removed, although no record names it yet, until this is dropped.
#[must_use = "it is held until a record names the archive"]
#[derive(Debug)]
pub(crate) struct Upload {
    needs: Needs,
    sha256: String,
}

impl Contents {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self {
            folder,
            needs: Needs::default(),
        }
    }

    /// Checks an archive, and keeps it and what is in it.
    pub(crate) async fn put(&self, bytes: Vec<u8>) -> Result<(ArchiveRecord, Upload)> {
        let (folder, needs) = (self.folder.clone(), self.needs.clone());
        let kept = tokio::task::spawn_blocking(move || keep(&folder, &needs, &bytes)).await;
        kept.map_err(|_| Error::Folder("unpacking an archive was interrupted".into()))?
    }

    /// Checks an archive, and keeps nothing of it.
    pub(crate) async fn look(&self, bytes: Vec<u8>) -> Result<ArchiveRecord> {
        let looked = tokio::task::spawn_blocking(move || Ok(open(&bytes)?.1)).await;
        looked.map_err(|_| Error::Folder("reading an archive was interrupted".into()))?
    }

    /// What an archive held.
    pub(crate) fn unpacked(&self, archive: &ArchiveRecord) -> Content {
        Content {
            sha256: archive.sha256.clone(),
            folder: self.folder.join(&archive.sha256).join(FILES),
        }
    }

    /// The archive itself, as it came.
    pub(crate) fn archive(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256).join(ARCHIVE)
    }

    /// Removes what is not whole: at a start, when nothing is under way.
    pub(crate) fn sweep_drafts(&self) {
        let found = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in found {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(DRAFT)
                && let Err(error) = fs::remove_dir_all(entry.path())
            {
                cannot_remove(&name, &error);
            }
        }
    }

    /// Removes what no record names and nobody uploads, and no sweep has found named for so many milliseconds.
    pub(crate) fn sweep(&self, named: impl FnOnce() -> BTreeSet<String>, now: Timestamp, kept: i64) {
        let Ok(found) = fs::read_dir(&self.folder) else {
            return;
        };
        let found: Vec<String> = found
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let mut gone = Vec::new();
        {
            let mut need = self.needs.lock();
            // Asked for here: what was uploaded is either still held or named by now.
            let named = named();
            let Need { uploads, unnamed } = &mut *need;
            unnamed.retain(|sha256, _| !named.contains(sha256) && found.contains(sha256));
            for name in found {
                let whole = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
                if !whole || named.contains(&name) || uploads.contains_key(&name) {
                    continue;
                }
                let since = unnamed.entry(name.clone()).or_insert(now);
                let goes = now.0 - since.0 >= kept;
                if !goes {
                    continue;
                }
                // Out of the way of whoever uploads it again; the rest may take a while.
                let aside = format!("{DRAFT}{}", roadstead_base::random_hex(16));
                match fs::rename(self.folder.join(&name), self.folder.join(&aside)) {
                    Ok(()) => gone.push(aside),
                    Err(error) => cannot_remove(&name, &error),
                }
                unnamed.remove(&name);
            }
        }
        for name in gone {
            if let Err(error) = fs::remove_dir_all(self.folder.join(&name)) {
                cannot_remove(&name, &error);
            }
        }
    }
}

fn cannot_remove(folder: &str, error: &std::io::Error) {
    tracing::warn!(%error, folder, "an archive that nothing needs could not be removed");
}

impl Needs {
    fn lock(&self) -> MutexGuard<'_, Need> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upload(&self, sha256: &str) -> Upload {
        let mut need = self.lock();
        *need.uploads.entry(sha256.to_owned()).or_default() += 1;
        need.unnamed.remove(sha256);
        Upload {
            needs: self.clone(),
            sha256: sha256.to_owned(),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut need = self.needs.lock();
        if let Some(count) = need.uploads.get_mut(&self.sha256) {
            *count -= 1;
            if *count == 0 {
                need.uploads.remove(&self.sha256);
            }
        }
    }
}

impl Code {
    /// `CodeSha256`: of an archive in base64, of an image the digest's own digits.
    pub(crate) fn shown_sha256(&self) -> String {
        match self {
            Self::Archive(archive) => archive.shown_sha256(),
            Self::Image(image) => {
                let digits = image.resolved.rsplit_once(':').map(|(_, digits)| digits);
                digits.unwrap_or_default().to_owned()
            }
        }
    }
}

impl ArchiveRecord {
    /// As clients see it.
    pub(crate) fn shown_sha256(&self) -> String {
        STANDARD.encode(hex::decode(&self.sha256).unwrap_or_default())
    }
}

fn open(bytes: &[u8]) -> Result<(Archive<'_>, ArchiveRecord)> {
    let archive = Archive::open(bytes, MAX_UNPACKED).map_err(refusal)?;
    let record = ArchiveRecord {
        sha256: hex::encode(Sha256::digest(bytes)),
        size: bytes.len() as u64,
        unpacked: archive.size(),
    };
    Ok((archive, record))
}

fn keep(folder: &Path, needs: &Needs, bytes: &[u8]) -> Result<(ArchiveRecord, Upload)> {
    let (archive, record) = open(bytes)?;
    let upload = needs.upload(&record.sha256);
    let whole = folder.join(&record.sha256);
    if whole.is_dir() {
        return Ok((record, upload));
    }
    let draft = folder.join(format!("{DRAFT}{}", roadstead_base::random_hex(16)));
    let written = write(&draft, bytes, &archive).and_then(|()| match fs::rename(&draft, &whole) {
        // Somebody else was faster with the same.
        Err(_) if whole.is_dir() => Ok(()),
        renamed => renamed
            .and_then(|()| sync(folder))
            .map_err(|error| broken(&whole, &error)),
    });
    if draft.exists() {
        let _ = fs::remove_dir_all(&draft);
    }
    written.map(|()| (record, upload))
}

fn write(draft: &Path, bytes: &[u8], archive: &Archive<'_>) -> Result<()> {
    let io = |path: &Path, done: std::io::Result<()>| done.map_err(|error| broken(path, &error));
    let files = draft.join(FILES);
    io(&files, fs::create_dir_all(&files))?;
    io(draft, put(&draft.join(ARCHIVE), bytes, 0o600))?;
    // Links come last, so that nothing is written through one.
    let (links, others): (Vec<_>, Vec<_>) = archive
        .entries
        .iter()
        .partition(|(_, entry)| entry.kind == Kind::Link);
    for (path, entry) in others.into_iter().chain(links) {
        let to = files.join(path);
        match entry.kind {
            Kind::Folder => io(&to, fs::create_dir_all(&to))?,
            Kind::File { executable } => {
                let data = archive.read(path, entry).map_err(refusal)?;
                io(&to, parents(&to))?;
                io(&to, put(&to, &data, if executable { 0o755 } else { 0o644 }))?;
            }
            Kind::Link => {
                let data = archive.read(path, entry).map_err(refusal)?;
                io(&to, parents(&to))?;
                io(&to, symlink(String::from_utf8_lossy(&data).as_ref(), &to))?;
            }
        }
    }
    // One sync for all the files.
    io(draft, sync(draft))
}

fn parents(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

fn put(path: &Path, data: &[u8], mode: u32) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(data)
}

/// Until everything in the file system of a folder is on disk.
fn sync(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(fs::File::open(folder)?)?)
}

fn broken(path: &Path, error: &std::io::Error) -> Error {
    Error::Folder(format!("writing {}: {error}", path.display()))
}

/// What is wrong with an archive, in the documented words, and where.
fn refusal(fault: Fault) -> Error {
    match fault {
        Fault::TooLarge(most) => Error::invalid(format!("Unzipped size must be smaller than {most} bytes")),
        Fault::Empty => Error::invalid("Uploaded file must be a non-empty zip"),
        fault => Error::invalid(format!(
            "Could not unzip uploaded file. Please check your file, then try to upload again. ({fault})"
        )),
    }
}
