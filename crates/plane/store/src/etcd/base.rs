//! Where the store begins in etcd. Its keys lie below a prefix and its revisions count from when it was made, so
//! that it looks the same in a cluster of its own, in a part of one, and on every other backend.

use bytes::Bytes;

use crate::api::Revision;
use crate::range::{KeyRange, after_prefix};

/// Keys that begin with this byte are the backend's own: no read shows them and no write may make them.
pub(super) const RESERVED: u8 = 0;
/// The first key that is not reserved.
const FIRST_KEY: &[u8] = &[RESERVED + 1];
/// How etcd spells "no end".
pub(super) const NO_END: &[u8] = &[0];

/// Revisions and keys are changed on the way to etcd and back, by this and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// The revision at which etcd stood before Roadstead took it, less one, so that the revision of taking it is
    /// the store's first.
    revision: u64,
    /// Empty, or a path that ends with a slash.
    prefix: Bytes,
}

impl Base {
    pub(super) fn new(revision: u64, prefix: &str) -> Self {
        Self {
            revision,
            prefix: Bytes::copy_from_slice(prefix.as_bytes()),
        }
    }

    /// etcd's own keys and revisions.
    pub(super) fn raw() -> Self {
        Self::new(0, "")
    }

    pub(super) fn ours(&self, theirs: u64) -> Revision {
        Revision(theirs.saturating_sub(self.revision))
    }

    pub(super) fn theirs(&self, ours: Revision) -> u64 {
        ours.0.saturating_add(self.revision).min(i64::MAX as u64)
    }

    /// For comparisons, where zero means absent.
    pub(super) fn compared(&self, ours: Revision) -> u64 {
        if ours.0 == 0 { 0 } else { self.theirs(ours) }
    }

    /// A key of the store's as etcd has it.
    pub(super) fn key(&self, key: &Bytes) -> Bytes {
        if self.prefix.is_empty() {
            return key.clone();
        }
        [&self.prefix[..], key].concat().into()
    }

    /// One of the backend's own keys as etcd has it.
    pub(super) fn own(&self, name: &str) -> Bytes {
        [&self.prefix[..], &[RESERVED], b"roadstead/", name.as_bytes()]
            .concat()
            .into()
    }

    /// The backend's own keys below a name, as etcd wants a range.
    pub(super) fn own_below(&self, name: &str) -> (Bytes, Bytes) {
        let start = self.own(name);
        let end = after_prefix(&start).unwrap_or(Bytes::from_static(NO_END));
        (start, end)
    }

    /// etcd's key as the store has it; none if it is not the store's, or one of the backend's own.
    pub(super) fn bare(&self, theirs: &Bytes) -> Option<Bytes> {
        let key = theirs.strip_prefix(&self.prefix[..])?;
        (key.first() != Some(&RESERVED)).then(|| theirs.slice(self.prefix.len()..))
    }

    /// As [`Base::bare`], for keys that are known to be the store's.
    pub(super) fn strip(&self, theirs: Bytes) -> Bytes {
        if theirs.starts_with(&self.prefix) {
            return theirs.slice(self.prefix.len()..);
        }
        theirs
    }

    /// Every key that would be the store's, the backend's own among them, as etcd wants a range.
    pub(super) fn whole(&self) -> (Bytes, Bytes) {
        if self.prefix.is_empty() {
            return (Bytes::from_static(NO_END), Bytes::from_static(NO_END));
        }
        let end = after_prefix(&self.prefix).unwrap_or(Bytes::from_static(NO_END));
        (self.prefix.clone(), end)
    }

    /// The prefixes in which this one lies.
    pub(super) fn above(&self) -> impl Iterator<Item = Base> {
        let ends = self.prefix.iter().enumerate();
        let slashes = ends.filter(|(at, byte)| **byte == b'/' && at + 1 < self.prefix.len());
        let prefixes = slashes.map(|(at, _)| self.prefix.slice(..=at));
        let none = (!self.prefix.is_empty()).then(Bytes::new);
        prefixes.chain(none).map(|prefix| Self { revision: 0, prefix })
    }

    /// Start and end as etcd wants them, without the reserved keys; none if no key can be in it.
    pub(super) fn bounds(&self, range: &KeyRange) -> Option<(Bytes, Bytes)> {
        let start = range.start.clone().max(Bytes::from_static(FIRST_KEY));
        match &range.end {
            Some(end) if *end <= start => None,
            Some(end) => Some((self.key(&start), self.key(end))),
            None => Some((self.key(&start), self.whole().1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_below_the_prefix_and_come_back() {
        for (prefix, end) in [("", "\0"), ("/a/", "/a0")] {
            let base = Base::new(7, prefix);
            let key = base.key(&"k".into());
            assert_eq!(key, format!("{prefix}k"));
            assert_eq!(base.bare(&key).unwrap(), "k");
            assert_eq!(base.bare(&base.own("format")), None);
            let all = base.bounds(&KeyRange::all()).unwrap();
            assert_eq!(all, (format!("{prefix}\x01").into(), end.to_owned().into()));
            let some = base.bounds(&KeyRange::between("b", "c")).unwrap();
            assert_eq!(some, (format!("{prefix}b").into(), format!("{prefix}c").into()));
            assert_eq!(base.bounds(&KeyRange::between("c", "c")), None);
            assert_eq!(base.ours(base.theirs(Revision(3))), Revision(3));
        }
        assert_eq!(Base::new(0, "/a/").bare(&"/b/k".into()), None);
        assert_eq!(Base::new(0, "/a/").bare(&"/a".into()), None);
    }

    #[test]
    fn a_prefix_knows_those_it_lies_in() {
        let above = |prefix: &str| -> Vec<String> {
            let bases = Base::new(0, prefix);
            let above = bases.above().map(|base| base.prefix);
            above
                .map(|prefix| String::from_utf8_lossy(&prefix).into_owned())
                .collect()
        };
        assert_eq!(above(""), Vec::<String>::new());
        assert_eq!(above("/a/"), ["/", ""]);
        assert_eq!(above("/a/b/"), ["/", "/a/", ""]);
    }
}
