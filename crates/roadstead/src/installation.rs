//! Which Roadstead the records are of. Its name and its secrets lie among the records, so that every server of
//! one etcd has them; the data folder remembers the name, so that a daemon that is given other records does not
//! take this machine's tasks for strangers and end them.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use roadstead_base::{random_bytes, random_hex};
use roadstead_store::{Compare, Key, Op, Store, Txn};
use serde::{Deserialize, Serialize};

use crate::place;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: String,
    /// What page tokens are made with.
    page_key: [u8; 32],
}

/// What a data folder remembers of the records that its tasks are in.
#[derive(Debug, Serialize, Deserialize)]
struct Known {
    id: String,
    store: String,
}

/// Outside every account.
fn key() -> Key {
    Key::root().child("roadstead").child("-").child("installation")
}

/// The page key of a store that this process alone has.
pub(crate) async fn of_memory(store: &dyn Store) -> Result<[u8; 32]> {
    Ok(record(store, None).await?.page_key)
}

/// The page key of a store; `shown` is how the store is called. Refuses records that are not this folder's.
pub(crate) async fn settle(store: &dyn Store, data: &Path, shown: &str) -> Result<[u8; 32]> {
    let record = record(store, earlier_page_key(data)?).await?;
    match known(data)? {
        Some(known) if known.id != record.id => bail!(
            "{} works with other records (of Roadstead {} in the store {}) than the store {shown} holds (of Roadstead \
             {}), so its tasks would be ended as unknown: give the --store it had, or end them with `roadstead down \
             --data {}` first",
            data.display(),
            known.id,
            known.store,
            record.id,
            data.display()
        ),
        Some(known) if known.store == shown => {}
        _ => {
            let known = Known {
                id: record.id,
                store: shown.to_owned(),
            };
            place::durable(&data.join(RECORDS), &serde_json::to_vec(&known)?)?;
        }
    }
    remove(&data.join(PAGE_KEY))?;
    Ok(record.page_key)
}

/// The store that the folder's tasks are recorded in, if it is elsewhere.
pub(crate) fn elsewhere(data: &Path) -> Result<Option<String>> {
    Ok(known(data)?
        .map(|known| known.store)
        .filter(|store| store != "disk"))
}

/// The folder has no tasks any more: whichever records come next are right.
pub(crate) fn forget(data: &Path) -> Result<()> {
    remove(&data.join(RECORDS))
}

const RECORDS: &str = "records";
/// Where releases before the first kept the page key.
const PAGE_KEY: &str = "page-key";

fn known(data: &Path) -> Result<Option<Known>> {
    let path = data.join(RECORDS);
    read(&path)?
        .map(|text| {
            serde_json::from_slice(&text)
                .with_context(|| format!("reading {}; it was changed by hand", path.display()))
        })
        .transpose()
}

fn earlier_page_key(data: &Path) -> Result<Option<[u8; 32]>> {
    let path = data.join(PAGE_KEY);
    read(&path)?
        .map(|bytes| {
            bytes.try_into().map_err(|_| {
                anyhow!(
                    "{} does not hold 32 bytes; it was changed by hand",
                    path.display()
                )
            })
        })
        .transpose()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The record, made if there is none; with the page key that an earlier release kept in the folder.
async fn record(store: &dyn Store, page_key: Option<[u8; 32]>) -> Result<Record> {
    let key = key();
    if store.get(key.as_bytes()).await?.is_none() {
        let record = Record {
            id: random_hex(12),
            page_key: match page_key {
                Some(key) => key,
                None => random_bytes()?,
            },
        };
        // Whoever comes second reads what the first one made.
        store
            .commit(Txn {
                compare: vec![Compare::absent(&key)],
                then: vec![Op::put(key.to_bytes(), serde_json::to_vec(&record)?)],
                otherwise: vec![],
            })
            .await
            .context("writing which Roadstead the records are of")?;
    }
    let found = store.get(key.as_bytes()).await?;
    let found = found.context("the record of which Roadstead this is was removed")?;
    serde_json::from_slice(&found.value).context("reading which Roadstead the records are of")
}

#[cfg(test)]
mod tests {
    use roadstead_store::{Embedded, Options};

    use super::*;

    fn memory() -> Embedded {
        Embedded::in_memory(Options::default()).expect("a store")
    }

    #[tokio::test]
    async fn secrets_stay_with_the_records() {
        let (one, other) = (memory(), memory());
        let folder = tempfile::tempdir().expect("a folder");
        let key = settle(&one, folder.path(), "etcd://a:1").await.expect("made");
        assert_eq!(
            settle(&one, folder.path(), "etcd://a:1").await.expect("read"),
            key
        );
        // Another machine, and the same records by another address.
        let machine = tempfile::tempdir().expect("a folder");
        let there = settle(&one, machine.path(), "etcd://b:1").await;
        assert_eq!(there.expect("shared"), key);
        assert_eq!(
            settle(&one, folder.path(), "etcd://b:1").await.expect("read"),
            key
        );
        let shown = elsewhere(folder.path()).expect("reads");
        assert_eq!(shown.as_deref(), Some("etcd://b:1"));
        assert_ne!(of_memory(&other).await.expect("made"), key);
    }

    #[tokio::test]
    async fn other_records_are_refused_until_the_folder_forgets() {
        let (one, other) = (memory(), memory());
        let folder = tempfile::tempdir().expect("a folder");
        settle(&one, folder.path(), "etcd://a:1").await.expect("made");
        let refused = settle(&other, folder.path(), "disk").await.expect_err("others");
        let text = refused.to_string();
        for words in [
            "in the store etcd://a:1",
            "the store disk",
            "roadstead down",
            "--store",
        ] {
            assert!(text.contains(words), "{text}");
        }
        forget(folder.path()).expect("forgets");
        settle(&other, folder.path(), "disk").await.expect("free");
    }

    #[tokio::test]
    async fn the_key_of_an_earlier_release_is_taken_over() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("page-key"), [7; 32]).expect("written");
        let store = memory();
        assert_eq!(
            settle(&store, folder.path(), "disk").await.expect("made"),
            [7; 32]
        );
        assert!(!folder.path().join("page-key").exists());
        assert_eq!(
            settle(&store, folder.path(), "disk").await.expect("read"),
            [7; 32]
        );
    }
}
