//! A set of revision numbers, kept as ranges: a family has few gaps and may have a million revisions, and each
//! registration writes the set again.

use serde::{Deserialize, Serialize};

/// Revision numbers, lowest first, as inclusive ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Revisions(Vec<(i32, i32)>);

impl Revisions {
    /// Adds a number above all others.
    pub(crate) fn push(&mut self, revision: i32) {
        match self.0.last_mut() {
            Some((_, end)) if *end + 1 == revision => *end = revision,
            Some((_, end)) if *end >= revision => debug_assert!(false, "revisions only grow"),
            _ => self.0.push((revision, revision)),
        }
    }

    /// Adds any number.
    pub(crate) fn insert(&mut self, revision: i32) {
        if self.contains(revision) {
            return;
        }
        let at = self.0.partition_point(|(start, _)| *start < revision);
        let joins = |range: Option<&(i32, i32)>, edge: fn(&(i32, i32)) -> i32| {
            range.is_some_and(|it| edge(it) == revision)
        };
        let before = joins(at.checked_sub(1).and_then(|at| self.0.get(at)), |(_, end)| {
            end + 1
        });
        let after = joins(self.0.get(at), |(start, _)| start - 1);
        match (before, after) {
            (true, true) => {
                self.0[at - 1].1 = self.0[at].1;
                self.0.remove(at);
            }
            (true, false) => self.0[at - 1].1 = revision,
            (false, true) => self.0[at].0 = revision,
            (false, false) => self.0.insert(at, (revision, revision)),
        }
    }

    pub(crate) fn remove(&mut self, revision: i32) {
        let Some(at) = self
            .0
            .iter()
            .position(|(start, end)| (*start..=*end).contains(&revision))
        else {
            return;
        };
        let (start, end) = self.0[at];
        let left = (start < revision).then_some((start, revision - 1));
        let right = (revision < end).then_some((revision + 1, end));
        self.0.splice(at..=at, left.into_iter().chain(right));
    }

    pub(crate) fn contains(&self, revision: i32) -> bool {
        self.0
            .iter()
            .any(|(start, end)| (*start..=*end).contains(&revision))
    }

    /// All of them, lowest first; from the back, highest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = i32> {
        self.0.iter().flat_map(|(start, end)| *start..=*end)
    }

    pub(crate) fn last(&self) -> Option<i32> {
        self.0.last().map(|(_, end)| *end)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        let sizes = self
            .0
            .iter()
            .map(|(start, end)| end.abs_diff(*start) as usize + 1);
        sizes.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_split_and_vanish() {
        let mut set = Revisions::default();
        (1..=5).for_each(|revision| set.push(revision));
        assert_eq!(set.0, [(1, 5)]);
        set.remove(3);
        assert_eq!(set.0, [(1, 2), (4, 5)]);
        set.remove(5);
        set.remove(9);
        assert_eq!(
            (set.last(), set.contains(3), set.contains(4)),
            (Some(4), false, true)
        );
        set.push(6);
        assert_eq!(set.0, [(1, 2), (4, 4), (6, 6)]);
        for revision in [1, 2, 4, 6] {
            set.remove(revision);
        }
        assert!(set.is_empty() && set.last().is_none());
    }

    #[test]
    fn numbers_put_in_anywhere_join_their_neighbours() {
        let mut set = Revisions::default();
        for (revision, ranges) in [
            (5, vec![(5, 5)]),
            (3, vec![(3, 3), (5, 5)]),
            (4, vec![(3, 5)]),
            (4, vec![(3, 5)]),
            (7, vec![(3, 5), (7, 7)]),
            (2, vec![(2, 5), (7, 7)]),
            (8, vec![(2, 5), (7, 8)]),
            (6, vec![(2, 8)]),
        ] {
            set.insert(revision);
            assert_eq!(set.0, ranges, "{revision}");
        }
        assert_eq!(set.len(), 7);
    }
}
