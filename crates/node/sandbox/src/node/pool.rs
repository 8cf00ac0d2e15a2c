//! Which environments there are: idle, busy, or closing, which is between an answer and the next invocation; and what
//! memory they hold together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use roadstead_functions::{Error, Spec};

use crate::environment::Environment;

/// What an environment holds of the machine besides the function's own memory.
const OVERHEAD_MB: u64 = 16;

pub(super) struct Idle {
    pub(super) environment: Arc<Environment>,
    since: Instant,
}

#[derive(Default)]
pub(super) struct Pool {
    /// By revision, the one used last at the end.
    idle: BTreeMap<String, Vec<Idle>>,
    /// Invocations under way by revision, until their environments have been closed.
    busy: BTreeMap<String, usize>,
    /// Those of them whose answers are there and whose environments can take another soon.
    closing: BTreeMap<String, usize>,
    /// Revisions that will not be asked for again and have invocations under way.
    retired: BTreeSet<String>,
    memory_mb: u64,
    stopped: bool,
}

/// Memory of an environment, in MB.
pub(super) fn held(spec: &Spec) -> u64 {
    u64::from(spec.memory_mb) + OVERHEAD_MB
}

impl Pool {
    /// Takes no more environments. Those that idle; nothing the second time.
    pub(super) fn stop(&mut self) -> Option<Vec<Arc<Environment>>> {
        if std::mem::replace(&mut self.stopped, true) {
            return None;
        }
        let idle = std::mem::take(&mut self.idle);
        Some(
            idle.into_values()
                .flatten()
                .map(|idle| idle.environment)
                .collect(),
        )
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.busy.is_empty()
    }

    /// The idle environment of the revision that was used last.
    pub(super) fn take(&mut self, revision: &str) -> Option<Arc<Environment>> {
        let idle = self.idle.get_mut(revision)?;
        let taken = idle.pop();
        if idle.is_empty() {
            self.idle.remove(revision);
        }
        taken.map(|idle| idle.environment)
    }

    /// Room for one more of this size, for which idle ones give way, the longest idle first. Without room for it, even
    /// if all of them did, none does: who takes one out has to end it.
    pub(super) fn room(&mut self, spec: &Spec, most_mb: u64) -> Result<Vec<Arc<Environment>>, Error> {
        let wanted = held(spec);
        let mut gone = Vec::new();
        if self.stopped {
            return Err(Error::NoRoom("this machine stops".to_owned()));
        }
        let idle = self.idle.values().flatten();
        let idle_mb: u64 = idle.map(|idle| held(&idle.environment.spec)).sum();
        if self.memory_mb.saturating_sub(idle_mb) + wanted > most_mb {
            return Err(Error::NoRoom(format!(
                "functions hold {} MB of the {most_mb} MB that they may have together",
                self.memory_mb
            )));
        }
        while self.memory_mb + wanted > most_mb {
            let oldest = self
                .idle
                .iter()
                .filter_map(|(revision, idle)| Some((idle.first()?.since, revision.clone())))
                .min();
            let Some(idle) = oldest.and_then(|(_, revision)| self.idle.get_mut(&revision)) else {
                break;
            };
            let Idle {
                environment,
                since: _,
            } = idle.remove(0);
            if idle.is_empty() {
                self.idle.remove(&environment.spec.revision);
            }
            // Counted off here, not again when it is discarded.
            self.free(&environment.spec);
            gone.push(environment);
        }
        self.memory_mb += wanted;
        Ok(gone)
    }

    /// An environment of this size is gone, or will be.
    pub(super) fn free(&mut self, spec: &Spec) {
        self.memory_mb = self.memory_mb.saturating_sub(held(spec));
    }

    pub(super) fn begin(&mut self, revision: &str) {
        *self.busy.entry(revision.to_owned()).or_default() += 1;
    }

    pub(super) fn end(&mut self, revision: &str) {
        if count_down(&mut self.busy, revision) {
            self.retired.remove(revision);
        }
    }

    pub(super) fn close(&mut self, revision: &str) {
        *self.closing.entry(revision.to_owned()).or_default() += 1;
    }

    pub(super) fn closed(&mut self, revision: &str) {
        count_down(&mut self.closing, revision);
    }

    /// Whether an environment of the revision is about to be idle; or of any.
    pub(super) fn is_closing(&self, revision: &str) -> bool {
        self.closing.contains_key(revision)
    }

    pub(super) fn is_any_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// It idles from now on, unless nobody will want it any more.
    pub(super) fn give_back(&mut self, environment: &Arc<Environment>) -> bool {
        let revision = &environment.spec.revision;
        if self.stopped || self.retired.contains(revision) {
            return false;
        }
        self.idle.entry(revision.clone()).or_default().push(Idle {
            environment: Arc::clone(environment),
            since: Instant::now(),
        });
        true
    }

    /// Since when nobody uses it; none while somebody does.
    pub(super) fn idle_since(&self, environment: &Arc<Environment>) -> Option<Instant> {
        let idle = self.idle.get(&environment.spec.revision);
        idle.into_iter()
            .flatten()
            .find(|idle| Arc::ptr_eq(&idle.environment, environment))
            .map(|idle| idle.since)
    }

    /// Nobody gets it any more, if it has idled since then.
    pub(super) fn remove_idle(&mut self, environment: &Arc<Environment>, since: Instant) -> bool {
        let revision = &environment.spec.revision;
        let Some(all) = self.idle.get_mut(revision) else {
            return false;
        };
        let before = all.len();
        all.retain(|idle| idle.since != since || !Arc::ptr_eq(&idle.environment, environment));
        let removed = all.len() < before;
        if all.is_empty() {
            self.idle.remove(revision);
        }
        removed
    }

    /// No invocation of the revision will come; its idle environments.
    pub(super) fn retire(&mut self, revision: &str) -> Vec<Arc<Environment>> {
        if self.busy.contains_key(revision) {
            self.retired.insert(revision.to_owned());
        }
        let idle = self.idle.remove(revision).unwrap_or_default();
        idle.into_iter().map(|idle| idle.environment).collect()
    }
}

/// Whether that was the last one.
fn count_down(counts: &mut BTreeMap<String, usize>, revision: &str) -> bool {
    let Some(count) = counts.get_mut(revision) else {
        return false;
    };
    *count -= 1;
    let last = *count == 0;
    if last {
        counts.remove(revision);
    }
    last
}
