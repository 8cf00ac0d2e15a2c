//! Which images go: the rules of automated image cleanup of the vendor's agent, as its configuration documents them.
//! No disk, no clock.

use std::collections::HashSet;
use std::time::Duration;

use roadstead_base::Timestamp;

use crate::{Digest, Reference};

/// An image that was asked for is used a moment later, if nothing goes wrong in between.
const A_MOMENT: Duration = Duration::from_secs(60);

/// When images nobody uses are removed. The names in capitals are the vendor's agent's, whose defaults these are.
#[derive(Clone, Debug)]
pub struct Cleanup {
    /// `ECS_DISABLE_IMAGE_CLEANUP`, the other way round.
    pub enabled: bool,
    /// `ECS_IMAGE_CLEANUP_INTERVAL`: between two cycles.
    pub interval: Duration,
    /// `ECS_IMAGE_MINIMUM_CLEANUP_AGE`: since the image was pulled.
    pub minimum_age: Duration,
    /// `ECS_NUM_IMAGES_DELETE_PER_CYCLE`.
    pub per_cycle: usize,
    /// `ECS_ENABLE_UNTRACKED_IMAGE_CLEANUP`: also images that no task made this node pull, such as imported ones.
    pub untracked: bool,
    /// `NON_ECS_IMAGE_MINIMUM_CLEANUP_AGE`: since such an image was stored.
    pub untracked_minimum_age: Duration,
    /// `ECS_EXCLUDE_UNTRACKED_IMAGE`: kept although untracked.
    pub untracked_exclude: Vec<Reference>,
}

impl Default for Cleanup {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(30 * 60),
            minimum_age: Duration::from_secs(60 * 60),
            per_cycle: 5,
            untracked: false,
            untracked_minimum_age: Duration::from_secs(60 * 60),
            untracked_exclude: Vec::new(),
        }
    }
}

/// An image that could go.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) manifest: Digest,
    pub(crate) names: Vec<Reference>,
    /// A task made this node pull it, under every name it has.
    pub(crate) tracked: bool,
    /// When its newest name was set.
    pub(crate) stored: Timestamp,
    /// When a container last began or ceased to use it; when it was stored, if none ever did.
    pub(crate) used: Timestamp,
    /// A container uses it, or a pull counts on it.
    pub(crate) in_use: bool,
    pub(crate) size: u64,
}

/// A regular cycle: the least recently used first; tracked images before others.
pub(crate) fn cycle(policy: &Cleanup, candidates: &[Candidate], now: Timestamp) -> Vec<Digest> {
    if !policy.enabled {
        return Vec::new();
    }
    let mut chosen = eligible(policy, candidates, now);
    chosen.sort_by_key(|candidate| (!candidate.tracked, candidate.used));
    let chosen = chosen.into_iter().take(policy.per_cycle);
    chosen.map(|candidate| candidate.manifest.clone()).collect()
}

/// Enough to have `bytes` more: everything a cycle may take, however many, the least recently used first. What
/// layers the images share is not looked at: whoever asks looks again afterwards.
pub(crate) fn room(policy: &Cleanup, candidates: &[Candidate], now: Timestamp, bytes: u64) -> Vec<Digest> {
    if !policy.enabled {
        return Vec::new();
    }
    let mut chosen = eligible(policy, candidates, now);
    chosen.sort_by_key(|candidate| (!candidate.tracked, candidate.used));
    let mut freed = 0_u64;
    let enough = chosen.into_iter().take_while(|candidate| {
        let wanted = freed < bytes;
        freed = freed.saturating_add(candidate.size);
        wanted
    });
    enough.map(|candidate| candidate.manifest.clone()).collect()
}

fn eligible<'a>(policy: &Cleanup, candidates: &'a [Candidate], now: Timestamp) -> Vec<&'a Candidate> {
    let excluded: HashSet<&Reference> = policy.untracked_exclude.iter().collect();
    let old = |since: Timestamp, age: Duration| {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        now.0.saturating_sub(since.0) >= age
    };
    let fits = |candidate: &&Candidate| {
        !candidate.in_use
            && old(candidate.used, A_MOMENT)
            && match candidate.tracked {
                true => old(candidate.stored, policy.minimum_age),
                false => {
                    policy.untracked
                        && old(candidate.stored, policy.untracked_minimum_age)
                        && !candidate.names.iter().any(|name| excluded.contains(name))
                }
            }
    };
    candidates.iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn candidate(name: &str, stored: i64, used: i64) -> Candidate {
        Candidate {
            manifest: Digest::of(name.as_bytes()),
            names: vec![Reference::parse(name).expect("a name")],
            tracked: true,
            stored: Timestamp(stored * MINUTE),
            used: Timestamp(used * MINUTE),
            in_use: false,
            size: 10,
        }
    }

    fn names(chosen: &[Digest], of: &[Candidate]) -> Vec<String> {
        let name = |digest: &Digest| {
            let found = of.iter().find(|candidate| candidate.manifest == *digest);
            found.expect("one of them").names[0]
                .repository()
                .replace("library/", "")
        };
        chosen.iter().map(name).collect()
    }

    fn check(what: &str, policy: &Cleanup, candidates: &[Candidate], expected: &[&str]) {
        let chosen = cycle(policy, candidates, Timestamp(1000 * MINUTE));
        assert_eq!(names(&chosen, candidates), expected, "{what}");
    }

    #[test]
    fn cycles_take_what_is_documented() {
        let policy = Cleanup::default();
        let a = || candidate("a", 0, 100);
        let b = || candidate("b", 0, 50);
        check("the least recently used first", &policy, &[a(), b()], &["b", "a"]);
        let used = Candidate { in_use: true, ..b() };
        check("what is used stays", &policy, &[a(), used], &["a"]);
        let (young, old) = (candidate("y", 941, 941), candidate("o", 940, 940));
        check("an hour since the pull", &policy, &[young, old], &["o"]);
        let seven: Vec<Candidate> = (0..7).map(|n| candidate(&format!("i{n}"), n, n)).collect();
        check("five a cycle", &policy, &seven, &["i0", "i1", "i2", "i3", "i4"]);
        let off = Cleanup {
            enabled: false,
            ..Cleanup::default()
        };
        check("switched off", &off, &[a()], &[]);
        let imported = || Candidate {
            tracked: false,
            ..candidate("imported", 0, 0)
        };
        check("untracked ones stay", &policy, &[imported(), a()], &["a"]);
        let untracked = Cleanup {
            untracked: true,
            ..Cleanup::default()
        };
        check(
            "untracked ones go last",
            &untracked,
            &[imported(), a()],
            &["a", "imported"],
        );
        let excluded = Cleanup {
            untracked_exclude: vec![Reference::parse("imported").expect("a name")],
            ..untracked.clone()
        };
        check("but for those named", &excluded, &[imported(), a()], &["a"]);
        let patient = Cleanup {
            untracked_minimum_age: Duration::from_secs(1000 * 60 + 1),
            ..untracked
        };
        check("and the young", &patient, &[imported()], &[]);
    }

    #[test]
    fn room_is_made_by_no_more_than_it_takes() {
        let policy = Cleanup {
            per_cycle: 1,
            ..Cleanup::default()
        };
        let candidates = [candidate("a", 0, 3), candidate("b", 0, 2), candidate("c", 990, 1)];
        for (bytes, expected) in [
            (0, vec![]),
            (1, vec!["b"]),
            (10, vec!["b"]),
            (11, vec!["b", "a"]),
            (1000, vec!["b", "a"]),
        ] {
            let chosen = room(&policy, &candidates, Timestamp(1000 * MINUTE), bytes);
            assert_eq!(names(&chosen, &candidates), expected, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn nothing_in_use_or_young_or_untracked_ever_goes(
            images in proptest::collection::vec((any::<bool>(), any::<bool>(), 0_i64..2000, 0_i64..2000), 0..30),
            per_cycle in 1_usize..10,
            bytes in 0_u64..1000,
        ) {
            let candidates: Vec<Candidate> = images
                .iter()
                .enumerate()
                .map(|(n, (tracked, in_use, stored, used))| Candidate {
                    tracked: *tracked,
                    in_use: *in_use,
                    ..candidate(&format!("i{n}"), *stored, *used)
                })
                .collect();
            let policy = Cleanup { per_cycle, ..Cleanup::default() };
            let now = Timestamp(1000 * MINUTE);
            let cycled = cycle(&policy, &candidates, now);
            prop_assert!(cycled.len() <= per_cycle);
            for digest in cycled.into_iter().chain(room(&policy, &candidates, now, bytes)) {
                let gone = candidates.iter().find(|candidate| candidate.manifest == digest).expect("one");
                prop_assert!(gone.tracked && !gone.in_use && gone.stored.0 <= 940 * MINUTE);
            }
        }
    }
}
