//! The bound on the store's size. It holds while layers are unpacked, not only before: a registry's word on how much
//! there is to come is not relied on, and pulls at the same time share what is left.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// Bytes of layers (as tar streams) in the store and on their way into it.
#[derive(Debug)]
pub(crate) struct Room {
    limit: Option<u64>,
    stored: AtomicU64,
    coming: AtomicU64,
}

/// What one layer took so far; given back unless it is kept.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Room {
    pub(crate) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            stored: AtomicU64::new(0),
            coming: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.limit.is_some()
    }

    /// What the disk says; other processes change it too.
    pub(crate) fn counted(&self, stored: u64) {
        self.stored.store(stored, Ordering::Relaxed);
    }

    /// Whether so much more can come at all. `what` is the image, for the message.
    pub(crate) fn check(&self, what: &str, bytes: u64) -> Result<()> {
        match self.missing(bytes) {
            0 => Ok(()),
            _ => Err(self.full(what)),
        }
    }

    /// Bytes that would have to go for `bytes` more to fit.
    pub(crate) fn missing(&self, bytes: u64) -> u64 {
        let Some(limit) = self.limit else { return 0 };
        let used = self.stored.load(Ordering::Relaxed) + self.coming.load(Ordering::Relaxed);
        used.saturating_add(bytes).saturating_sub(limit)
    }

    pub(crate) fn reserve(&self) -> Reserved<'_> {
        Reserved { room: self, bytes: 0 }
    }

    pub(crate) fn full(&self, what: &str) -> Error {
        Error::StoreFull {
            what: what.to_owned(),
            limit: self.limit.unwrap_or(u64::MAX),
            used: self.stored.load(Ordering::Relaxed),
        }
    }
}

impl Reserved<'_> {
    /// Takes so much more; returns how many bytes too many that is.
    pub(crate) fn more(&mut self, bytes: u64) -> u64 {
        self.bytes += bytes;
        self.room.coming.fetch_add(bytes, Ordering::Relaxed);
        self.room.missing(0)
    }

    /// The layer is in the store.
    pub(crate) fn keep(self) {
        self.room.stored.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.room.coming.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn what_is_coming_counts_until_it_is_given_back_or_kept() {
        let room = Room::new(Some(100));
        room.counted(40);
        let (mut one, mut two) = (room.reserve(), room.reserve());
        assert_eq!((one.more(30), two.more(30)), (0, 0));
        assert_eq!(two.more(1), 1, "101 of 100");
        drop(two);
        assert_eq!(room.missing(30), 0);
        one.keep();
        assert_eq!(room.missing(31), 1);
        assert!(room.check("x", 30).is_ok());
        let error = room.check("x", 31).expect_err("full").to_string();
        assert!(error.contains("100") && error.contains("70"), "{error}");
        room.counted(0);
        assert_eq!(room.missing(100), 0);
        assert_eq!(Room::new(None).missing(u64::MAX), 0);
    }
}
