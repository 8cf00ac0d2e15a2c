//! Ranges of keys, in the one form that embedded trees and etcd both understand: a start, and an end that is
//! not included.

use bytes::Bytes;

/// The keys from `start` up to, and without, `end`; no `end` means to the last key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Bytes,
    pub end: Option<Bytes>,
}

impl KeyRange {
    /// This one key.
    pub fn key(key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        let mut end = Vec::with_capacity(key.len() + 1);
        end.extend_from_slice(key);
        end.push(0);
        Self {
            start: Bytes::copy_from_slice(key),
            end: Some(end.into()),
        }
    }

    /// Every key that begins with these bytes; of no bytes, every key.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref();
        Self {
            start: Bytes::copy_from_slice(prefix),
            end: after_prefix(prefix),
        }
    }

    /// Every key.
    pub fn all() -> Self {
        Self {
            start: Bytes::new(),
            end: None,
        }
    }

    /// From `start` up to, and without, `end`.
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self {
            start: start.into(),
            end: Some(end.into()),
        }
    }

    /// The part of this range after `key`: where the next page begins.
    #[must_use]
    pub fn after(&self, key: &[u8]) -> Self {
        let mut next = Vec::with_capacity(key.len() + 1);
        next.extend_from_slice(key);
        next.push(0);
        let start = if next.as_slice() > self.start.as_ref() {
            next.into()
        } else {
            self.start.clone()
        };
        Self {
            start,
            end: self.end.clone(),
        }
    }

    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_ref() && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }

    /// Whether no key can be in it.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end <= &self.start)
    }
}

/// The first key behind all keys with this prefix; none if there is no such key.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_hold_what_begins_with_them() {
        let check = |prefix: &[u8], key: &[u8], inside: bool| {
            assert_eq!(
                KeyRange::prefix(prefix).contains(key),
                inside,
                "{prefix:?} {key:?}"
            );
        };
        check(b"a/", b"a/", true);
        check(b"a/", b"a/\xff\xff", true);
        check(b"a/", b"a0", false);
        check(b"a/", b"a", false);
        check(b"a\xff", b"a\xff\xff", true);
        check(b"a\xff", b"b", false);
        check(b"\xff\xff", b"\xff\xff\xff", true);
        check(b"\xff\xff", b"\xff\xfe", false);
        check(b"", b"anything", true);
    }

    #[test]
    fn a_page_begins_after_its_cursor() {
        let range = KeyRange::prefix("k/");
        assert!(!range.after(b"k/b").contains(b"k/b"));
        assert!(range.after(b"k/b").contains(b"k/b\0"));
        assert_eq!(range.after(b"a"), range);
        assert!(KeyRange::between("b", "b").is_empty());
        assert!(!KeyRange::key("b").is_empty());
    }
}
