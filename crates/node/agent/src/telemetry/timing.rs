//! The telemetry's patience.

use std::time::Duration;

use crate::run::Pace;

/// `Default` is the protocol's.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two samples of a container.
    pub sample: Duration,
    /// Between two reports.
    pub report: Duration,
    /// Without any frame for so long, plus up to as much again, the agent closes.
    pub inactivity: Duration,
    /// One frame's way out.
    pub write: Duration,
    /// How long an answer of DiscoverPollEndpoint is good.
    pub discovered: Duration,
    /// How long a deregistered instance stays away.
    pub rest: Duration,
    pub reconnect: Pace,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            sample: Duration::from_secs(1),
            report: Duration::from_secs(roadstead_acs::telemetry::PERIOD_SECONDS),
            inactivity: Duration::from_secs(60),
            write: Duration::from_secs(3 * 60),
            discovered: Duration::from_secs(12 * 60 * 60),
            rest: Duration::from_secs(60 * 60),
            reconnect: Pace {
                first: Duration::from_secs(1),
                factor: 2.0,
                most: Duration::from_secs(60),
                tries: u32::MAX,
                jitter: 0.2,
            },
        }
    }
}
