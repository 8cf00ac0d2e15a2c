//! The time by which leases run out. It is handed in and only ever goes forward, so that tests and simulation
//! can step it, and so that setting the machine's clock ends nobody's lease.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that never goes back; its zero is arbitrary.
pub trait Monotonic: Send + Sync + fmt::Debug + 'static {
    fn now(&self) -> Duration;
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub struct MachineTime(Instant);

impl Default for MachineTime {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Monotonic for MachineTime {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is moved. After moving it, call `Embedded::tick`, or wait: the store
/// looks at its clock at least twice a second while it has leases.
#[derive(Debug, Default)]
pub struct ManualTime(AtomicU64);

impl ManualTime {
    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Monotonic for ManualTime {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}
