//! An ordered map of bytes. Reads see what was written before; they block on the disk at most as long as a block takes
//! to read, so that long scans belong on a thread for such.

use std::ops::RangeBounds;

use fjall::{Guard, Iter, Keyspace};

use crate::error::{Error, Result};

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

#[derive(Clone)]
pub struct Space {
    pub(crate) keyspace: Keyspace,
}

impl std::fmt::Debug for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Space({})", self.keyspace.name())
    }
}

impl Space {
    /// # Errors
    /// The disk cannot be read.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let found = self.keyspace.get(key).map_err(Error::Read)?;
        Ok(found.map(|value| value.to_vec()))
    }

    /// The pairs of a range in order of keys, as of now; from either end.
    pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = Result<Pair>> + use<K, R> {
        Pairs(self.keyspace.range(range))
    }

    /// The pairs whose keys begin with this.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> impl DoubleEndedIterator<Item = Result<Pair>> {
        Pairs(self.keyspace.prefix(prefix))
    }

    /// Bytes on disk.
    pub fn disk_bytes(&self) -> u64 {
        self.keyspace.disk_space()
    }
}

struct Pairs(Iter);

fn pair(guard: Guard) -> Result<Pair> {
    let (key, value) = guard.into_inner().map_err(Error::Read)?;
    Ok((key.to_vec(), value.to_vec()))
}

impl Iterator for Pairs {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(pair)
    }
}

impl DoubleEndedIterator for Pairs {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(pair)
    }
}
