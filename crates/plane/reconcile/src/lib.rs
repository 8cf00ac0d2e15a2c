//! Why tasks converge: every background decision of the control plane is a reconciler, and this crate drives
//! them all. A reconciler is told at most which key to look at; it reads the present state from its mirrors,
//! decides, writes, and may be killed, run twice or run late without harm. The driver's part is that a key that
//! was told is looked at afterwards, that one key is never worked on twice at once, that failure waits longer
//! each time, and that a slow resync heals whatever was missed.
//!
//! Deliberately absent: events. What changed is not passed on, only where to look.

mod driver;
mod queue;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::time::Duration;

pub use driver::{Driver, Handle};
pub use queue::Stats;

/// Why a reconcile did not succeed; logged with all its causes.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// What is to happen with a key that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing until it is told again, or the next resync.
    Done,
    /// Look again after this time, or earlier when told.
    Again(Duration),
}

/// One background duty of the control plane.
pub trait Reconciler: Send + Sync + 'static {
    /// What it is told about.
    type Key: Clone + Eq + Hash + fmt::Display + Send + Sync + 'static;

    /// Looks at one key as it is now, and does what is missing. May be dropped at any await when it takes longer
    /// than `Options::timeout` or the driver stops, and is then run again later.
    fn reconcile(&self, key: &Self::Key) -> impl Future<Output = Result<Action, Error>> + Send;

    /// Every key there is, from a snapshot in memory: what a resync looks at. It names what is to be cleaned up
    /// too, or a crash would leave that behind.
    fn keys(&self) -> Vec<Self::Key>;
}

/// How a driver runs.
#[derive(Debug, Clone)]
pub struct Options {
    /// So many keys are worked on at a time.
    pub workers: usize,
    /// So many keys are remembered at a time; what is told beyond that, a resync finds when there is room, if
    /// `Reconciler::keys` names it.
    pub max_keys: usize,
    /// Every key is looked at this often, and once at the start.
    pub resync: Duration,
    /// How long a key waits after failures.
    pub backoff: Backoff,
    /// A reconcile that takes longer is dropped and counts as failed.
    pub timeout: Duration,
    /// When the driver stops, what is being worked on has this long to end.
    pub grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 4,
            max_keys: 10_000,
            resync: Duration::from_secs(300),
            backoff: Backoff::default(),
            timeout: Duration::from_secs(120),
            grace: Duration::from_secs(10),
        }
    }
}

/// Waits that double with each failure in a row and begin anew after a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure. Also the shortest wait of a failing key that is told again, so that one that
    /// tells itself cannot spin.
    pub first: Duration,
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(200),
            max: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    /// The wait after so many failures in a row.
    pub fn after(&self, failures: u32) -> Duration {
        let doubled = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        self.first.saturating_mul(doubled).min(self.max)
    }
}

/// An error with all its causes in one line: `attaching eni-1: no address left: subnet is full`. A cause that
/// its parent already quotes is not said twice.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // At most so many causes: an error could be its own.
    for _ in 0..32 {
        let Some(error) = cause else { break };
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_cap() {
        let backoff = Backoff {
            first: Duration::from_millis(100),
            max: Duration::from_secs(1),
        };
        let waits: Vec<u128> = [1, 2, 3, 4, 5, 33, u32::MAX]
            .map(|n| backoff.after(n).as_millis())
            .into();
        assert_eq!(waits, [100, 200, 400, 800, 1000, 1000, 1000]);
    }

    #[test]
    fn every_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Cause {
            text: &'static str,
            source: Option<Box<Cause>>,
        }
        let of = |text, source: Option<Cause>| Cause {
            text,
            source: source.map(Box::new),
        };
        let error = of("attaching", Some(of("no address: full", Some(of("full", None)))));
        assert_eq!(chain(&error), "attaching: no address: full");
    }
}
