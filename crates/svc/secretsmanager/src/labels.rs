//! Versions and their staging labels. A label is on one version at a time; AWSCURRENT is always on one once there is
//! a version, and where it was before, AWSPREVIOUS is. No I/O here.

use std::collections::BTreeSet;

use roadstead_base::Timestamp;

use crate::error::{Error, Result};
use crate::records::{Secret, Version};

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// Versions of one secret.
const MAX_VERSIONS: usize = 100;
/// Labels of all versions of a secret.
const MAX_LABELS: usize = 20;
/// For so long a version stays, whatever its labels.
const DAY_MILLIS: i64 = 86_400_000;

impl Secret {
    /// The version that has a label.
    pub(crate) fn labelled(&self, label: &str) -> Option<&str> {
        let mut versions = self.versions.iter();
        let found = versions.find(|(_, version)| version.labels.contains(label));
        found.map(|(id, _)| id.as_str())
    }

    /// Adds a version with its labels, and returns the versions that are dropped for it.
    pub(crate) fn add(
        &mut self,
        id: &str,
        labels: Option<Vec<String>>,
        now: Timestamp,
    ) -> Result<Vec<String>> {
        let version = Version {
            created: now,
            accessed: None,
            labels: BTreeSet::new(),
        };
        let mut labels = labels.unwrap_or_else(|| vec![CURRENT.to_owned()]);
        if self.versions.is_empty() && !labels.iter().any(|label| label == CURRENT) {
            labels.push(CURRENT.to_owned());
        }
        self.versions.insert(id.to_owned(), version);
        // AWSCURRENT first: a label that is asked for itself stays where it was asked for.
        labels.sort_by_key(|label| label != CURRENT);
        for label in labels {
            self.put_label(&label, id);
        }
        self.changed = now;
        self.check_labels()?;
        let dropped = self.prune(id, now);
        if self.versions.len() > MAX_VERSIONS {
            return Err(Error::Limit(format!(
                "You have {MAX_VERSIONS} versions of this secret, of which none can be removed yet."
            )));
        }
        Ok(dropped)
    }

    /// Moves a label, takes it away, or puts it on: UpdateSecretVersionStage.
    pub(crate) fn move_label(
        &mut self,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let holder = self.labelled(label).map(str::to_owned);
        for id in [to, from].into_iter().flatten() {
            if !self.versions.contains_key(id) {
                return Err(Error::NoSuchVersion {
                    what: format!("VersionId: {id}"),
                });
            }
        }
        match (to, from, &holder) {
            (None, None, _) => {
                return Err(Error::parameter(
                    "You must specify MoveToVersionId, RemoveFromVersionId, or both.",
                ));
            }
            (_, Some(from), holder) if holder.as_deref() != Some(from) => {
                return Err(Error::parameter(format!(
                    "Staging label {label} isn't attached to version {from} that RemoveFromVersionId names."
                )));
            }
            (Some(to), None, Some(holder)) if holder != to => {
                return Err(Error::parameter(format!(
                    "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to \
                     version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
                )));
            }
            (None, Some(_), _) if label == CURRENT => {
                return Err(Error::parameter(format!(
                    "You can't remove the staging label {CURRENT} from a version: move it to another with \
                     MoveToVersionId."
                )));
            }
            (Some(to), _, _) => self.put_label(label, to),
            (None, Some(from), _) => {
                if let Some(version) = self.versions.get_mut(from) {
                    version.labels.remove(label);
                }
            }
        }
        self.changed = now;
        self.check_labels()
    }

    fn put_label(&mut self, label: &str, to: &str) {
        let before = self.labelled(label).map(str::to_owned);
        if before.as_deref() == Some(to) {
            return;
        }
        for version in self.versions.values_mut() {
            version.labels.remove(label);
        }
        if let Some(version) = self.versions.get_mut(to) {
            version.labels.insert(label.to_owned());
        }
        if label == CURRENT
            && let Some(before) = before
        {
            self.put_label(PREVIOUS, &before);
        }
    }

    fn check_labels(&self) -> Result<()> {
        let count: usize = self.versions.values().map(|version| version.labels.len()).sum();
        if count > MAX_LABELS {
            return Err(Error::Limit(format!(
                "You can attach up to {MAX_LABELS} staging labels to the versions of a secret."
            )));
        }
        Ok(())
    }

    /// Drops the oldest versions without labels beyond the limit, none of the last day.
    fn prune(&mut self, keep: &str, now: Timestamp) -> Vec<String> {
        let mut dropped = Vec::new();
        while self.versions.len() > MAX_VERSIONS {
            let old = |version: &Version| now.0.saturating_sub(version.created.0) > DAY_MILLIS;
            let oldest = self
                .versions
                .iter()
                .filter(|(id, version)| *id != keep && version.labels.is_empty() && old(version))
                .min_by_key(|(_, version)| version.created)
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { break };
            self.versions.remove(&oldest);
            dropped.push(oldest);
        }
        dropped
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn secret() -> Secret {
        Secret {
            name: "s".into(),
            suffix: "abcdef".into(),
            description: None,
            tags: BTreeMap::new(),
            created: Timestamp(0),
            changed: Timestamp(0),
            accessed: None,
            deletion: None,
            versions: BTreeMap::new(),
            policy: None,
        }
    }

    fn with(ids: &[&str]) -> Secret {
        let mut secret = secret();
        for (at, id) in (0..).zip(ids) {
            secret.add(id, None, Timestamp(at)).expect("adds");
        }
        secret
    }

    fn shown(secret: &Secret) -> Vec<String> {
        let labels = |version: &Version| version.labels.iter().cloned().collect::<Vec<_>>().join(",");
        let versions = secret.versions.iter();
        versions
            .map(|(id, version)| format!("{id}:{}", labels(version)))
            .collect()
    }

    #[test]
    fn a_new_version_is_current_and_the_one_before_it_previous() {
        assert_eq!(shown(&with(&["a"])), ["a:AWSCURRENT"]);
        assert_eq!(shown(&with(&["a", "b"])), ["a:AWSPREVIOUS", "b:AWSCURRENT"]);
        assert_eq!(
            shown(&with(&["a", "b", "c"])),
            ["a:", "b:AWSPREVIOUS", "c:AWSCURRENT"]
        );
    }

    #[test]
    fn labels_of_ones_own_move_and_the_first_version_is_current_anyway() {
        let own = |label: &str| Some(vec![label.to_owned()]);
        let mut secret = secret();
        secret.add("a", own("TEST"), Timestamp(0)).expect("adds");
        secret.add("b", own("TEST"), Timestamp(1)).expect("adds");
        assert_eq!(shown(&secret), ["a:AWSCURRENT", "b:TEST"]);
        let both = Some(vec![PREVIOUS.to_owned(), CURRENT.to_owned()]);
        secret.add("c", both, Timestamp(2)).expect("adds");
        assert_eq!(shown(&secret), ["a:", "b:TEST", "c:AWSCURRENT,AWSPREVIOUS"]);
    }

    #[test]
    fn labels_are_moved_as_documented() {
        let check = |label: &str, to: Option<&str>, from: Option<&str>, expected: Result<&[&str], &str>| {
            let mut secret = with(&["a", "b", "c"]);
            let moved = secret.move_label(label, to, from, Timestamp(9));
            match (moved, expected) {
                (Ok(()), Ok(expected)) => assert_eq!(shown(&secret), expected, "{label} {to:?} {from:?}"),
                (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
                (moved, expected) => panic!("{label} {to:?} {from:?}: {moved:?}, not {expected:?}"),
            }
        };
        check(
            CURRENT,
            Some("b"),
            Some("c"),
            Ok(&["a:", "b:AWSCURRENT", "c:AWSPREVIOUS"]),
        );
        check(
            CURRENT,
            Some("a"),
            Some("c"),
            Ok(&["a:AWSCURRENT", "b:", "c:AWSPREVIOUS"]),
        );
        check(
            CURRENT,
            Some("c"),
            None,
            Ok(&["a:", "b:AWSPREVIOUS", "c:AWSCURRENT"]),
        );
        check(
            "X",
            Some("a"),
            None,
            Ok(&["a:X", "b:AWSPREVIOUS", "c:AWSCURRENT"]),
        );
        check(PREVIOUS, None, Some("b"), Ok(&["a:", "b:", "c:AWSCURRENT"]));
        check(
            CURRENT,
            Some("a"),
            None,
            Err("RemoveFromVersionId can't be empty"),
        );
        check(CURRENT, Some("a"), Some("b"), Err("isn't attached to version b"));
        check("X", None, Some("b"), Err("isn't attached"));
        check(
            CURRENT,
            None,
            Some("c"),
            Err("can't remove the staging label AWSCURRENT"),
        );
        check(CURRENT, None, None, Err("must specify"));
        check("X", Some("z"), None, Err("VersionId: z"));
    }

    #[test]
    fn versions_and_labels_are_bounded() {
        let mut secret = secret();
        for n in 0..100 {
            secret.add(&format!("v{n:03}"), None, Timestamp(n)).expect("adds");
        }
        let full = secret.clone().add("x", None, Timestamp(DAY_MILLIS));
        assert!(matches!(full, Err(Error::Limit(_))), "{full:?}");
        let dropped = secret
            .add("x", None, Timestamp(DAY_MILLIS + 1))
            .expect("a day later");
        assert_eq!(dropped, ["v000"]);
        let mut secret = with(&["a"]);
        let labels = |count: usize| Some((0..count).map(|n| format!("L{n}")).collect());
        secret.add("b", labels(19), Timestamp(1)).expect("twenty");
        let full = secret.move_label("L19", Some("a"), None, Timestamp(2));
        assert!(matches!(full, Err(Error::Limit(_))), "{full:?}");
    }

    proptest! {
        /// Whatever is done, one version is current, and no label is on two.
        #[test]
        fn there_is_always_one_current_version(
            steps in proptest::collection::vec((0_u8..3, 0_usize..5, 0_usize..5, 0_usize..4), 0..40),
        ) {
            const LABELS: [&str; 4] = [CURRENT, PREVIOUS, "A", "B"];
            let mut secret = secret();
            for (now, (what, one, two, label)) in (0..).zip(steps) {
                let (one, two) = (format!("v{one}"), format!("v{two}"));
                let mut next = secret.clone();
                let done = match what {
                    0 if next.versions.contains_key(&one) => Ok(()),
                    0 => next.add(&one, Some(vec![LABELS[label].to_owned()]), Timestamp(now)).map(drop),
                    1 => next.move_label(LABELS[label], Some(&one), Some(&two), Timestamp(now)),
                    _ => next.move_label(LABELS[label], None, Some(&two), Timestamp(now)),
                };
                if done.is_ok() {
                    secret = next;
                }
                for label in LABELS {
                    let count = secret.versions.values().filter(|v| v.labels.contains(label)).count();
                    prop_assert!(count <= 1);
                    prop_assert!(label != CURRENT || count == usize::from(!secret.versions.is_empty()));
                }
            }
        }
    }
}
