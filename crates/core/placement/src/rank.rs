//! Who takes it first, of those who may. Without a strategy: the instance with the fewest tasks, then the one
//! with the most memory left, then the first; so copies spread, and the answer never depends on chance.

use std::cmp::Reverse;

use crate::model::{Candidate, Snapshot};

pub(crate) fn best<'c>(snapshot: &Snapshot, fitting: &[&'c Candidate]) -> Option<&'c Candidate> {
    let free = |candidate: &Candidate| snapshot.nodes.get(&candidate.node).map_or(0, |node| node.memory);
    fitting
        .iter()
        .copied()
        .min_by_key(|candidate| (candidate.tasks, Reverse(free(candidate))))
}
