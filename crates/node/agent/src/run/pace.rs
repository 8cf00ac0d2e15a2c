//! How patience grows: the waits between tries, bounded in length and number.

use std::time::Duration;

/// Waits that grow from one try to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub first: Duration,
    pub factor: f64,
    /// While the waits grow, they stay below this.
    pub most: Duration,
    /// How many tries there are; after them it is given up.
    pub tries: u32,
    /// Share by which a wait may be longer.
    pub jitter: f64,
}

impl Pace {
    /// News of tasks: about a day of tries, growing to five minutes apart.
    pub const NEWS: Self = Self {
        first: Duration::from_millis(250),
        factor: 1.75,
        most: Duration::from_secs(300),
        tries: 298,
        jitter: 0.2,
    };
    /// Lines of containers: growing to half a minute apart, for as long as there are any.
    pub const LOGS: Self = Self {
        first: Duration::from_millis(250),
        factor: 2.0,
        most: Duration::from_secs(30),
        tries: u32::MAX,
        jitter: 0.2,
    };
    /// Registration: 3 s doubling to 192 s, for about an hour.
    pub const REGISTER: Self = Self {
        first: Duration::from_secs(3),
        factor: 2.0,
        most: Duration::from_secs(192),
        tries: 22,
        jitter: 0.2,
    };
    /// The channel: 250 ms times 1.5 to two minutes, for ever.
    pub const CHANNEL: Self = Self {
        first: Duration::from_millis(250),
        factor: 1.5,
        most: Duration::from_secs(120),
        tries: u32::MAX,
        jitter: 0.2,
    };

    /// The wait after `failed` tries in a row, `None` when it is time to give up. `chance` is 0 to 1.
    pub fn wait(&self, failed: u32, chance: f64) -> Option<Duration> {
        if failed >= self.tries {
            return None;
        }
        let exponent = i32::try_from(failed.saturating_sub(1).min(64)).unwrap_or(64);
        let grown = (self.first.as_secs_f64() * self.factor.powi(exponent)).min(self.most.as_secs_f64());
        Some(Duration::from_secs_f64(
            grown * (1.0 + self.jitter * chance.clamp(0.0, 1.0)),
        ))
    }
}

/// A number from 0 to 1, not the same on all nodes at once.
pub fn jitter() -> f64 {
    // Without randomness all nodes wait equally long, which is a pity and no fault.
    roadstead_base::random_bytes::<2>().map_or(0.5, |bytes| {
        f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_end() {
        let seconds: Vec<u64> = (1..=8)
            .map(|n| Pace::REGISTER.wait(n, 0.0).expect("a wait").as_secs())
            .collect();
        assert_eq!(seconds, [3, 6, 12, 24, 48, 96, 192, 192]);
        assert_eq!(Pace::REGISTER.wait(22, 0.0), None);
        assert_eq!(Pace::CHANNEL.wait(1, 1.0), Some(Duration::from_millis(300)));
        assert!(
            Pace::CHANNEL
                .wait(1_000_000, 1.0)
                .is_some_and(|wait| wait <= Duration::from_secs(144))
        );
    }

    #[test]
    fn news_are_tried_for_about_a_day() {
        let total: Duration = (1..298).filter_map(|n| Pace::NEWS.wait(n, 0.0)).sum();
        let hours = total.as_secs() / 3600;
        assert!((20..26).contains(&hours), "{hours} h");
        let growing = (1..298)
            .filter(|n| Pace::NEWS.wait(*n, 0.0) < Some(Duration::from_secs(300)))
            .count();
        assert!((11..16).contains(&growing), "{growing} growing waits");
    }
}
