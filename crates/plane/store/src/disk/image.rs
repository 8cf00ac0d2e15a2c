//! A new database is made in memory and written to disk in one piece: redb syncs each of a dozen small steps, which on
//! a busy disk is most of what a first start takes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Builder, StorageBackend};

use crate::disk::initialize;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Default)]
struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    fn with<R>(&self, work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|bytes| bytes.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.with(|bytes| {
            let end = offset.checked_add(out.len());
            let found = end.and_then(|end| bytes.get(offset..end));
            out.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.with(|bytes| bytes.resize(len, 0));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let end = offset
            .checked_add(data.len())
            .ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.with(|bytes| {
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[offset..end].copy_from_slice(data);
        });
        Ok(())
    }
}

/// The bytes of an empty database, closed well.
pub(super) fn empty(builder: &Builder) -> Result<Vec<u8>> {
    let doing = "making the database";
    let image = Image::default();
    let database = builder
        .create_with_backend(image.clone())
        .map_err(Error::storage(doing))?;
    initialize(&database)?;
    database.close().map_err(Error::storage(doing))?;
    Ok(image.with(std::mem::take))
}
