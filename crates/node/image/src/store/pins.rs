//! A container runs from directories of the store; while it does, they stay. Pins survive the daemon, as containers
//! do. They are not synced: what ends the page cache ends the containers too.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Guard, Store, entries, read_bounded};
use crate::error::Context;
use crate::{Digest, Error, Result};

const MAX_RECORD: u64 = 64 << 10;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PinRecord {
    pub(crate) owner: String,
    pub(crate) manifest: Digest,
}

impl Store {
    fn pin_path(&self, owner: &str) -> PathBuf {
        self.path("pins")
            .join(format!("{}.json", Digest::of(owner.as_bytes()).hex()))
    }

    /// Sets or replaces the pin of an owner.
    pub(crate) fn set_pin(&self, _guard: &Guard, pin: &PinRecord) -> Result<()> {
        let path = self.pin_path(&pin.owner);
        let content = serde_json::to_vec(pin).map_err(|error| Error::io("encode", &path, error))?;
        let fresh = self.path("tmp/next");
        fs::write(&fresh, content).doing("write", &fresh)?;
        fs::rename(&fresh, &path).doing("rename", &path)
    }

    /// False when the owner had none.
    pub(crate) fn remove_pin(&self, _guard: &Guard, owner: &str) -> Result<bool> {
        let path = self.pin_path(owner);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove", &path, error)),
        }
    }

    /// The pin of an owner.
    pub(crate) fn pin(&self, owner: &str) -> Result<Option<PinRecord>> {
        read_pin(self.pin_path(owner))
    }

    pub(crate) fn pins(&self) -> Result<Vec<PinRecord>> {
        let folder = self.path("pins");
        let mut pins = Vec::new();
        for entry in entries(&folder)? {
            pins.extend(read_pin(folder.join(entry))?);
        }
        Ok(pins)
    }
}

fn read_pin(path: PathBuf) -> Result<Option<PinRecord>> {
    let Some(content) = read_bounded(&path, MAX_RECORD)? else {
        return Ok(None);
    };
    match serde_json::from_slice(&content) {
        Ok(pin) => Ok(Some(pin)),
        // Written without a sync: empty after a power cut, when no container is left to hold anything.
        Err(_) if content.is_empty() => {
            fs::remove_file(&path).doing("remove", &path)?;
            Ok(None)
        }
        Err(error) => Err(Error::Store {
            path,
            why: error.to_string(),
        }),
    }
}
