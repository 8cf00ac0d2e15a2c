//! What the agent must know again after `kill -9`. One small file per task, replaced whole, so that there is
//! never half of a record; a version stands in each, and a newer one is refused rather than misread.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The format of every record. A change of meaning needs a new number and code that reads both.
pub const FORMAT: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} was written by a newer agent (format {found}, this one knows {known}); run that version")]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{path} is not readable as a record of the agent: {source}; move it away to start without it")]
    Corrupt {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("writing was given up because the agent is stopping")]
    Stopping,
}

/// Named records, kept across restarts. Keys are a kind and a name, `tasks/0123…`.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Durable when it returns.
    async fn put(&self, key: &str, text: Vec<u8>) -> Result<(), JournalError>;
    /// Survives the agent when it returns, not the machine: for what is untrue anyway once the machine is down.
    async fn note(&self, key: &str, text: Vec<u8>) -> Result<(), JournalError> {
        self.put(key, text).await
    }
    async fn remove(&self, key: &str) -> Result<(), JournalError>;
    /// All records of a kind by name.
    async fn all(&self, kind: &str) -> Result<BTreeMap<String, Vec<u8>>, JournalError>;
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[derive(Serialize, Deserialize)]
struct Stamped<T> {
    format: u32,
    record: T,
}

/// The text of a record.
pub fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Stamped {
        format: FORMAT,
        record,
    })
}

/// # Errors
/// A newer format, or something that is no record.
pub fn read<T: DeserializeOwned>(key: &str, text: &[u8]) -> Result<T, JournalError> {
    let corrupt = |source| JournalError::Corrupt {
        path: key.into(),
        source,
    };
    let Version { format } = serde_json::from_slice(text).map_err(corrupt)?;
    if format > FORMAT {
        return Err(JournalError::Newer {
            path: key.into(),
            found: format,
            known: FORMAT,
        });
    }
    serde_json::from_slice::<Stamped<T>>(text)
        .map(|stamped| stamped.record)
        .map_err(corrupt)
}

/// Records as files: `DIR/KIND/NAME.json`.
pub struct Files {
    root: PathBuf,
    /// Without it, an ephemeral node is spared the wait for the disk.
    sync: bool,
}

impl Files {
    /// # Errors
    /// The directory cannot be made.
    pub fn open(root: impl Into<PathBuf>, sync: bool) -> Result<Self, JournalError> {
        let root = root.into();
        make(&root)?;
        Ok(Self { root, sync })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(format!("{key}.json"))
    }
}

/// Environments of tasks stand in the records: they are nobody's but root's to read.
fn make(dir: &Path) -> Result<(), JournalError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io("making", dir))
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, JournalError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(JournalError::Stopping))
}

/// Writes a file whole; readers see the old one or the new one.
async fn replace(path: PathBuf, text: Vec<u8>, sync: bool) -> Result<(), JournalError> {
    blocking(move || {
        let dir = path.parent().unwrap_or(&path).to_owned();
        make(&dir)?;
        let new = path.with_extension("new");
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&new).map_err(io("writing", &new))?;
        file.write_all(&text).map_err(io("writing", &new))?;
        if sync {
            file.sync_data().map_err(io("syncing", &new))?;
        }
        fs::rename(&new, &path).map_err(io("replacing", &path))?;
        if sync {
            File::open(&dir)
                .and_then(|dir| dir.sync_all())
                .map_err(io("syncing", &dir))?;
        }
        Ok(())
    })
    .await
}

#[async_trait]
impl Journal for Files {
    async fn put(&self, key: &str, text: Vec<u8>) -> Result<(), JournalError> {
        replace(self.path(key), text, self.sync).await
    }

    async fn note(&self, key: &str, text: Vec<u8>) -> Result<(), JournalError> {
        replace(self.path(key), text, false).await
    }

    async fn remove(&self, key: &str) -> Result<(), JournalError> {
        let path = self.path(key);
        blocking(move || match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io("removing", &path)(error)),
            _ => Ok(()),
        })
        .await
    }

    async fn all(&self, kind: &str) -> Result<BTreeMap<String, Vec<u8>>, JournalError> {
        let dir = self.root.join(kind);
        blocking(move || {
            let entries = match fs::read_dir(&dir) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
                entries => entries.map_err(io("listing", &dir))?,
            };
            let mut all = BTreeMap::new();
            for entry in entries {
                let path = entry.map_err(io("listing", &dir))?.path();
                // A `.new` is what a crash left of a replacement that never happened.
                if path.extension().is_some_and(|extension| extension == "json")
                    && let Some(name) = path.file_stem().and_then(|name| name.to_str())
                {
                    let text = fs::read(&path).map_err(io("reading", &path))?;
                    if text.is_empty() {
                        // What was only noted may be empty after the machine went down.
                        tracing::warn!(path = %path.display(), "an empty record is passed over");
                    } else {
                        all.insert(name.to_owned(), text);
                    }
                }
            }
            Ok(all)
        })
        .await
    }
}

/// Records in memory: for simulation, where the "disk" outlives the agents that come and go over it.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Memory {
    fn records(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for Memory {
    async fn put(&self, key: &str, text: Vec<u8>) -> Result<(), JournalError> {
        self.records().insert(key.to_owned(), text);
        Ok(())
    }

    async fn remove(&self, key: &str) -> Result<(), JournalError> {
        self.records().remove(key);
        Ok(())
    }

    async fn all(&self, kind: &str) -> Result<BTreeMap<String, Vec<u8>>, JournalError> {
        let prefix = format!("{kind}/");
        let records = self.records();
        let named = records
            .iter()
            .filter_map(|(key, text)| Some((key.strip_prefix(&prefix)?, text)));
        Ok(named
            .map(|(name, text)| (name.to_owned(), text.clone()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn records_are_replaced_whole_and_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = Files::open(dir.path(), true).expect("opens");
        files
            .put("tasks/a", write(&1).expect("writes"))
            .await
            .expect("puts");
        files
            .put("tasks/a", write(&2).expect("writes"))
            .await
            .expect("puts");
        fs::write(dir.path().join("tasks/b.new"), "half").expect("writes");
        fs::write(dir.path().join("tasks/c.json"), "").expect("writes");
        let all = Files::open(dir.path(), true)
            .expect("opens")
            .all("tasks")
            .await
            .expect("lists");
        assert_eq!(
            all.keys().collect::<Vec<_>>(),
            ["a"],
            "what was never completed is not there"
        );
        assert_eq!(read::<i32>("tasks/a", &all["a"]).expect("reads"), 2);
        let mode = fs::metadata(dir.path().join("tasks/a.json"))
            .expect("is there")
            .permissions();
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777,
            0o600,
            "environments hold secrets"
        );
        files.remove("tasks/a").await.expect("removes");
        files.remove("tasks/a").await.expect("twice is fine");
        assert!(files.all("tasks").await.expect("lists").is_empty());
    }

    #[test]
    fn a_newer_record_is_refused_with_clear_words() {
        let error =
            read::<i32>("tasks/a", br#"{"format":2,"record":{"what":"ever"}}"#).expect_err("is refused");
        assert!(
            error
                .to_string()
                .contains("newer agent (format 2, this one knows 1)"),
            "{error}"
        );
        assert!(matches!(
            read::<i32>("tasks/a", b"{"),
            Err(JournalError::Corrupt { .. })
        ));
    }
}
