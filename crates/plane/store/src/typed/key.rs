//! Keys as paths of names, so that a name that holds a slash can never reach into its neighbour's records.

use std::fmt;

use bytes::Bytes;
use roadstead_base::Partition;

use crate::range::{KeyRange, after_prefix};

/// A path of segments, such as `000000000000/us-east-1/ecs-task/default/0f3c`. Each segment may be any text;
/// what would be read as structure is escaped.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// The path of no segments, above every key.
    pub fn root() -> Self {
        Self(Bytes::new())
    }

    /// `account/region`: where the keys of an account in a region begin.
    pub fn of(partition: &Partition) -> Self {
        Self::root()
            .child(partition.account.as_str())
            .child(partition.region.as_str())
    }

    /// A key as the store holds it.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The path with one more segment.
    #[must_use]
    pub fn child(&self, segment: impl AsRef<str>) -> Self {
        let mut path = Vec::with_capacity(self.0.len() + segment.as_ref().len() + 1);
        path.extend_from_slice(&self.0);
        if !path.is_empty() {
            path.push(b'/');
        }
        escape(segment.as_ref(), &mut path);
        Self(path.into())
    }

    /// All keys below this one, this one not included.
    pub fn below(&self) -> KeyRange {
        KeyRange::prefix(self.below_prefix())
    }

    fn below_prefix(&self) -> Vec<u8> {
        let mut prefix = self.0.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        prefix
    }

    /// The range that begins behind all keys below this one.
    pub(crate) fn behind(&self) -> KeyRange {
        match after_prefix(&self.below_prefix()) {
            Some(start) => KeyRange { start, end: None },
            None => KeyRange::between(Bytes::new(), Bytes::new()),
        }
    }

    /// Whether this key is below the other.
    pub fn is_below(&self, other: &Key) -> bool {
        other.0.is_empty() && !self.0.is_empty()
            || self
                .0
                .strip_prefix(other.0.as_ref())
                .is_some_and(|rest| rest.first() == Some(&b'/'))
    }

    /// The segments as they were given.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = String> {
        let path = if self.0.is_empty() {
            None
        } else {
            Some(self.0.split(|byte| *byte == b'/').map(unescape))
        };
        path.into_iter().flatten()
    }

    /// The last segment as it was given; of the root, nothing.
    pub fn name(&self) -> String {
        self.segments().next_back().unwrap_or_default()
    }

    /// Whether segment `index` is `name`, without making a copy of it.
    pub(crate) fn has_segment(&self, index: usize, name: &str) -> bool {
        let mut escaped = Vec::with_capacity(name.len());
        escape(name, &mut escaped);
        self.0.split(|byte| *byte == b'/').nth(index) == Some(escaped.as_slice())
    }

    /// The key cut to its first segments.
    pub(crate) fn first(&self, segments: usize) -> Option<Key> {
        let ends = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'/')
            .map(|(at, _)| at);
        let end = ends.chain([self.0.len()]).nth(segments.checked_sub(1)?)?;
        Some(Key(self.0.slice(..end)))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn to_bytes(&self) -> Bytes {
        self.0.clone()
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

/// Percent-encodes slash, percent and control characters; the empty segment, which two slashes in a row would
/// hide, becomes `%_`.
fn escape(segment: &str, out: &mut Vec<u8>) {
    if segment.is_empty() {
        out.extend_from_slice(b"%_");
    }
    for byte in segment.bytes() {
        if byte == b'/' || byte == b'%' || byte.is_ascii_control() {
            let digit = |nibble: u8| b"0123456789ABCDEF"[usize::from(nibble)];
            out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        } else {
            out.push(byte);
        }
    }
}

fn unescape(segment: &[u8]) -> String {
    if segment == b"%_" {
        return String::new();
    }
    let mut text = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = (*byte == b'%').then(|| rest.split_at_checked(2)).flatten();
        let decoded = hex.and_then(|(hex, tail)| {
            let byte = u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
            Some((byte, tail))
        });
        match decoded {
            Some((byte, tail)) => {
                text.push(byte);
                rest = tail;
            }
            None => text.push(*byte),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_stay_apart() {
        let check = |segments: &[&str], stored: &str| {
            let key = segments
                .iter()
                .fold(Key::root(), |key, segment| key.child(segment));
            assert_eq!(key.to_string(), stored);
            assert_eq!(key.segments().collect::<Vec<_>>(), segments);
            assert_eq!(key.name(), segments.last().copied().unwrap_or_default());
        };
        check(&[], "");
        check(&["a", "b"], "a/b");
        check(&["a/b", "c"], "a%2Fb/c");
        check(&["a", "", "b"], "a/%_/b");
        check(&["%_", "%2F", "100%"], "%25_/%252F/100%25");
        check(&["täsk\n", "\u{7f}"], "täsk%0A/%7F");
    }

    #[test]
    fn below_means_whole_segments() {
        let a = Key::root().child("a");
        assert!(a.child("b").is_below(&a) && a.is_below(&Key::root()));
        assert!(
            !a.is_below(&a) && !Key::root().child("ab").is_below(&a) && !Key::root().is_below(&Key::root())
        );
        assert!(a.below().contains(a.child("").as_bytes()));
        assert!(!a.below().contains(b"a") && !a.below().contains(b"a0"));
        assert!(a.behind().contains(b"a0") && !a.behind().contains(b"a/\xff"));
        let deep = a.child("b").child("c");
        assert_eq!(deep.first(2), Some(a.child("b")));
        assert_eq!(deep.first(3), Some(deep.clone()));
        assert_eq!((deep.first(4), deep.first(0)), (None, None));
        assert!(deep.has_segment(1, "b") && !deep.has_segment(1, "c") && !deep.has_segment(3, "d"));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(segments in prop::collection::vec(any::<String>(), 1..5)) {
            let key = segments.iter().fold(Key::root(), |key, segment| key.child(segment));
            prop_assert_eq!(key.segments().collect::<Vec<_>>(), segments);
        }

        #[test]
        fn different_paths_are_different_keys(
            a in prop::collection::vec("[a/%_]{0,3}", 0..3),
            b in prop::collection::vec("[a/%_]{0,3}", 0..3),
        ) {
            let of = |path: &[String]| path.iter().fold(Key::root(), |key, segment| key.child(segment));
            prop_assert_eq!(a == b, of(&a) == of(&b));
            let below = a.len() > b.len() && a[..b.len()] == b;
            prop_assert_eq!(of(&a).is_below(&of(&b)), below);
        }
    }
}
