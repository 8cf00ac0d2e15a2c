//! The engine's bounds, each in one place.

use std::time::Duration;

use super::pace::Pace;

/// Bounds and patience. `Default` is for a node, not for tests.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a stopped task is remembered, with its logs.
    pub retention: Duration,
    /// How many stopped tasks are remembered.
    pub retained: usize,
    /// Tasks at the same time, stopped ones included; more are refused.
    pub tasks: usize,
    /// How long a task waits for a map with its interface.
    pub network_wait: Duration,
    pub pull: Duration,
    pub create: Duration,
    pub start: Duration,
    pub news: Pace,
    /// Tries to send lines.
    pub logs: Pace,
    /// How long a container's log may take to be opened before it starts.
    pub log_open: Duration,
    /// How long the lines of a container that has ended may take to be sent.
    pub log_flush: Duration,
    /// How often a failing tear-down is tried before the task is reported stopped all the same.
    pub tear_down_tries: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(3 * 60 * 60),
            retained: 500,
            tasks: 5_000,
            network_wait: Duration::from_secs(5 * 60),
            pull: Duration::from_secs(2 * 60 * 60),
            create: Duration::from_secs(4 * 60),
            start: Duration::from_secs(3 * 60),
            news: Pace::NEWS,
            logs: Pace::LOGS,
            log_open: Duration::from_secs(30),
            log_flush: Duration::from_secs(20),
            tear_down_tries: 3,
        }
    }
}
