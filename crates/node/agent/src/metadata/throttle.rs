//! 40 requests a second with bursts of 60, for each task: a loop in one must not slow the others down.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use roadstead_base::Timestamp;

const RATE_PER_SECOND: f64 = 40.0;
const BURST: f64 = 60.0;
/// Addresses remembered; beyond it the ones that asked longest ago are forgotten.
const MOST: usize = 2_048;

#[derive(Debug, Default)]
pub(super) struct Throttle(HashMap<Ipv4Addr, (f64, Timestamp)>);

impl Throttle {
    /// Whether this request may pass.
    pub(super) fn pass(&mut self, from: Ipv4Addr, now: Timestamp) -> bool {
        if self.0.len() >= MOST && !self.0.contains_key(&from) {
            let oldest = self
                .0
                .iter()
                .min_by_key(|(_, (_, at))| *at)
                .map(|(address, _)| *address);
            oldest.map(|address| self.0.remove(&address));
        }
        let (tokens, at) = self.0.entry(from).or_insert((BURST, now));
        let gained = (now.0 - at.0).max(0) as f64 / 1000.0 * RATE_PER_SECOND;
        *tokens = (*tokens + gained).min(BURST);
        *at = now;
        let pass = *tokens >= 1.0;
        if pass {
            *tokens -= 1.0;
        }
        pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_pass_and_floods_do_not() {
        let (a, b) = (Ipv4Addr::new(169, 254, 172, 2), Ipv4Addr::new(169, 254, 172, 3));
        let mut throttle = Throttle::default();
        let passed = (0..100).filter(|_| throttle.pass(a, Timestamp(0))).count();
        assert_eq!(passed, 60);
        assert!(throttle.pass(b, Timestamp(0)), "another task is not held up");
        let later = (0..100).filter(|_| throttle.pass(a, Timestamp(500))).count();
        assert_eq!(later, 20);
    }
}
