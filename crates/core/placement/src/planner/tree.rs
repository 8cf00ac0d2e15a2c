//! A tournament: who of many is best, and how many are as good, kept while single entries change. A change costs
//! the logarithm of their number.

/// Smaller is better; compared from the left.
pub(super) type Key = [i64; 7];

const NOBODY: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Winner {
    /// The first of the best.
    slot: u32,
    /// How many are as good.
    ties: u32,
}

const NONE: Winner = Winner {
    slot: NOBODY,
    ties: 0,
};

pub(super) struct Tree {
    /// None: does not take part.
    keys: Vec<Option<Key>>,
    /// A complete binary tree, root at 1, leaves from `leaves` on.
    nodes: Vec<Winner>,
    leaves: usize,
}

impl Tree {
    pub(super) fn of(keys: Vec<Option<Key>>) -> Self {
        let leaves = keys.len().next_power_of_two();
        let mut tree = Self {
            nodes: vec![NONE; leaves * 2],
            keys,
            leaves,
        };
        for slot in 0..tree.keys.len() {
            tree.set_leaf(slot);
        }
        for node in (1..leaves).rev() {
            tree.play(node);
        }
        tree
    }

    pub(super) fn set(&mut self, slot: usize, key: Option<Key>) {
        match self.keys.get_mut(slot) {
            Some(place) if *place != key => *place = key,
            _ => return,
        }
        self.set_leaf(slot);
        let mut node = (self.leaves + slot) / 2;
        while node >= 1 {
            self.play(node);
            node /= 2;
        }
    }

    fn set_leaf(&mut self, slot: usize) {
        let takes_part = self.keys.get(slot).is_some_and(Option::is_some);
        if let Some(leaf) = self.nodes.get_mut(self.leaves + slot) {
            *leaf = match u32::try_from(slot) {
                Ok(slot) if takes_part => Winner { slot, ties: 1 },
                _ => NONE,
            };
        }
    }

    fn key(&self, winner: Winner) -> Option<Key> {
        self.keys.get(winner.slot as usize).copied().flatten()
    }

    fn at(&self, node: usize) -> Winner {
        self.nodes.get(node).copied().unwrap_or(NONE)
    }

    fn play(&mut self, node: usize) {
        let (left, right) = (self.at(node * 2), self.at(node * 2 + 1));
        let winner = match (self.key(left), self.key(right)) {
            (None, _) => right,
            (_, None) => left,
            (Some(a), Some(b)) if a < b => left,
            (Some(a), Some(b)) if b < a => right,
            _ => Winner {
                slot: left.slot,
                ties: left.ties + right.ties,
            },
        };
        if let Some(place) = self.nodes.get_mut(node) {
            *place = winner;
        }
    }

    /// The first of the best, its key, and how many are as good.
    pub(super) fn best(&self) -> Option<(usize, Key, u32)> {
        // With one leaf the root is the leaf.
        let winner = self.at(1);
        Some((winner.slot as usize, self.key(winner)?, winner.ties))
    }

    /// The `nth` of those that are as good as the best, in order, from 0.
    pub(super) fn nth_best(&self, mut nth: u32) -> Option<usize> {
        let best = self.key(self.at(1))?;
        let mut node = 1;
        while node < self.leaves {
            let left = self.at(node * 2);
            let tied = if self.key(left) == Some(best) {
                left.ties
            } else {
                0
            };
            if nth < tied {
                node *= 2;
            } else {
                nth -= tied;
                node = node * 2 + 1;
            }
        }
        Some(self.at(node).slot as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: i64) -> Option<Key> {
        Some([value, 0, 0, 0, 0, 0, 0])
    }

    #[test]
    fn the_first_of_the_best_wins_and_ties_are_counted() {
        let mut tree = Tree::of(vec![key(3), None, key(1), key(2), key(1)]);
        assert_eq!(tree.best().map(|(slot, _, ties)| (slot, ties)), Some((2, 2)));
        assert_eq!((tree.nth_best(0), tree.nth_best(1)), (Some(2), Some(4)));
        tree.set(2, None);
        assert_eq!(tree.best().map(|(slot, _, ties)| (slot, ties)), Some((4, 1)));
        tree.set(1, key(0));
        assert_eq!(tree.best().map(|(slot, _, _)| slot), Some(1));
        for slot in 0..5 {
            tree.set(slot, None);
        }
        assert!(tree.best().is_none() && tree.nth_best(0).is_none());
        assert!(Tree::of(Vec::new()).best().is_none());
        assert_eq!(
            Tree::of(vec![key(7)]).best().map(|(slot, _, ties)| (slot, ties)),
            Some((0, 1))
        );
    }
}
