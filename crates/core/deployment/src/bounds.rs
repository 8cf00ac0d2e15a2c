//! The numbers that a deployment keeps to, with the rounding that is documented for each.

/// `deploymentConfiguration` of a rolling update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub minimum_healthy_percent: u32,
    pub maximum_percent: u32,
}

impl Bounds {
    /// As few healthy tasks may be left: rounded up.
    pub fn least(self, desired: usize) -> usize {
        (desired * self.minimum_healthy_percent as usize).div_ceil(100)
    }

    /// As many tasks may be PENDING or RUNNING: rounded down.
    pub fn most(self, desired: usize) -> usize {
        desired * self.maximum_percent as usize / 100
    }
}

const FEWEST: usize = 3;
const MOST: usize = 200;

/// So many tasks in a row must fail for the circuit breaker to open: half the desired count, between 3 and 200.
pub fn breaker_threshold(desired: usize) -> u32 {
    let threshold = desired.div_ceil(2).clamp(FEWEST, MOST);
    u32::try_from(threshold).unwrap_or(u32::MAX)
}
