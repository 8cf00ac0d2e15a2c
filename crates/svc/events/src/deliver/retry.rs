//! When to try again. As documented: for 24 hours and up to 185 times, with exponential backoff and jitter, unless
//! the target says less.

use roadstead_base::{Timestamp, derived_hex};

use crate::records::{DeliveryRecord, RetryRecord};

const MAX_AGE_SECONDS: i32 = 86_400;
const MAX_ATTEMPTS: i32 = 185;
/// The waits double from the first to the longest.
const FIRST_MILLIS: i64 = 1_000;
const LONGEST_MILLIS: i64 = 600_000;

/// When the delivery is due after the attempt that just failed; none if it is to be given up.
pub(super) fn next(record: &DeliveryRecord, now: Timestamp) -> Option<Timestamp> {
    let RetryRecord {
        max_age_seconds,
        max_attempts,
    } = record.target.retry.unwrap_or(RetryRecord {
        max_age_seconds: None,
        max_attempts: None,
    });
    let retries = max_attempts.unwrap_or(MAX_ATTEMPTS);
    if i64::from(record.failures) >= i64::from(retries) {
        return None;
    }
    let doubled = FIRST_MILLIS
        .saturating_mul(1 << record.failures.min(20))
        .min(LONGEST_MILLIS);
    let due = now.plus_millis(doubled / 2 + jitter(record, doubled / 2));
    let oldest = i64::from(max_age_seconds.unwrap_or(MAX_AGE_SECONDS)) * 1000;
    (due.0 - record.created_at.0 <= oldest).then_some(due)
}

/// From 0 to `most`, the same for the same attempt.
fn jitter(record: &DeliveryRecord, most: i64) -> i64 {
    let hex = derived_hex(&record.id, &record.failures.to_string(), 8);
    let number = i64::from_str_radix(&hex, 16).unwrap_or_default();
    number % (most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::delivery;

    #[test]
    fn waits_double_within_bounds_and_end() {
        let mut record = delivery("d");
        let mut now = record.created_at;
        let mut tries = 0;
        while let Some(due) = next(&record, now) {
            let whole = (FIRST_MILLIS << record.failures.min(20)).min(LONGEST_MILLIS);
            let wait = due.0 - now.0;
            assert!(
                (whole / 2..=whole).contains(&wait),
                "{wait} of {whole} after {}",
                record.failures
            );
            now = due;
            record.failures += 1;
            tries += 1;
        }
        assert!(tries > 100 && tries <= 185, "{tries}");
        assert!(now.0 - record.created_at.0 <= 86_400_000);
    }

    #[test]
    fn a_target_may_say_less() {
        let mut record = delivery("d");
        let policy = |age, attempts| {
            Some(RetryRecord {
                max_age_seconds: age,
                max_attempts: attempts,
            })
        };
        record.target.retry = policy(None, Some(0));
        assert_eq!(next(&record, record.created_at), None);
        record.target.retry = policy(None, Some(1));
        assert!(next(&record, record.created_at).is_some());
        record.failures = 1;
        assert_eq!(next(&record, record.created_at), None);
        record.failures = 0;
        record.target.retry = policy(Some(60), None);
        assert_eq!(next(&record, record.created_at.plus_millis(60_000)), None);
    }
}
