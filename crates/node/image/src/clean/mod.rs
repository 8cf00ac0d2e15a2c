//! Disks fill up with what ran once. Images that no container uses go after a while, by themselves, and sooner when
//! a bound on the store would otherwise refuse a pull.

mod choose;

use std::collections::{BTreeMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use roadstead_base::Timestamp;

use crate::images::{Inner, blocking};
use crate::store::Removed;
use crate::{Digest, Images, Result};

pub use choose::Cleanup;
use choose::{Candidate, cycle, room};

impl Images {
    /// One cycle of cleaning: removes what the policy allows now.
    pub async fn clean(&self) -> Result<Removed> {
        let inner = self.inner.clone();
        blocking(move || {
            let policy = &inner.options.cleanup;
            inner.take_away(|candidates, now| cycle(policy, candidates, now))
        })
        .await
    }

    /// Cleans for as long as this handle's owner lives: a cycle every interval, the first after one. Returns at once
    /// when the policy says so.
    pub async fn keep_clean(&self) {
        let policy = &self.inner.options.cleanup;
        if !policy.enabled {
            return;
        }
        loop {
            tokio::time::sleep(policy.interval).await;
            match self.clean().await {
                Ok(removed) if removed.references.is_empty() => {}
                Ok(removed) => {
                    tracing::info!(images = ?removed.references, bytes = removed.bytes, "removed images that nobody used");
                }
                Err(error) => tracing::warn!(%error, "images are not cleaned up this time"),
            }
        }
    }
}

impl Inner {
    /// Removes images so that `bytes` more fit, as far as the policy allows. Blocks.
    pub(crate) fn make_room(&self, bytes: u64) -> Result<Removed> {
        let policy = &self.options.cleanup;
        let removed = self.take_away(|candidates, now| room(policy, candidates, now, bytes))?;
        if !removed.references.is_empty() {
            tracing::info!(images = ?removed.references, bytes = removed.bytes, "removed images to make room for another");
        }
        Ok(removed)
    }

    /// The same while a layer is being unpacked, which then goes on or does not. Some more than it takes now, since
    /// more of it is likely to come. Blocks.
    pub(crate) fn relieve(&self, missing: u64) {
        if let Err(error) = self.make_room(missing.saturating_mul(16)) {
            tracing::warn!(%error, "no room is made in the image store");
        }
    }

    fn take_away(&self, choose: impl FnOnce(&[Candidate], Timestamp) -> Vec<Digest>) -> Result<Removed> {
        let guard = self.store.lock()?;
        let chosen: HashSet<Digest> = choose(&self.candidates()?, self.options.clock.0.now())
            .into_iter()
            .collect();
        let mut references = Vec::new();
        for (name, _) in self.store.names()? {
            if chosen.contains(&name.manifest) {
                self.store.remove_name(&guard, &name.reference)?;
                references.push(name.reference.to_string());
            }
        }
        if references.is_empty() {
            return Ok(Removed::default());
        }
        let removed = self.collect(guard)?;
        Ok(Removed {
            references,
            ..removed
        })
    }

    fn candidates(&self) -> Result<Vec<Candidate>> {
        let pinned: HashSet<Digest> = self.store.pins()?.into_iter().map(|pin| pin.manifest).collect();
        let mut found: BTreeMap<Digest, Candidate> = BTreeMap::new();
        for (name, stored_at) in self.store.names()? {
            let stored = stamp(stored_at);
            let candidate = found.entry(name.manifest.clone()).or_insert_with(|| Candidate {
                in_use: pinned.contains(&name.manifest),
                manifest: name.manifest.clone(),
                names: Vec::new(),
                tracked: true,
                stored,
                used: stored,
                size: name.size,
            });
            candidate.tracked &= name.tracked;
            candidate.stored = candidate.stored.max(stored);
            candidate.names.push(name.reference);
        }
        let mut candidates: Vec<Candidate> = found.into_values().collect();
        for candidate in &mut candidates {
            let used = self.store.last_use(&candidate.manifest)?.map(stamp);
            candidate.used = used.unwrap_or(candidate.stored).max(candidate.stored);
        }
        Ok(candidates)
    }
}

/// A file's time as the project's.
fn stamp(time: SystemTime) -> Timestamp {
    let since = |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Timestamp(match time.duration_since(UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(before) => -since(before.duration()),
    })
}
