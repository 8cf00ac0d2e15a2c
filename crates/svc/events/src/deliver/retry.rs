//! When to try again. As documented: for 24 hours and up to 185 times, with exponential backoff and jitter, unless
//! the target says less.

use roadstead_base::{Timestamp, derived_hex};

use crate::records::{DeliveryRecord, RetryRecord};

const MAX_AGE_SECONDS: i32 = 86_400;
const MAX_ATTEMPTS: i32 = 185;
/// The waits double from the first to the longest.
const FIRST_MILLIS: i64 = 1_000;
const LONGEST_MILLIS: i64 = 600_000;

/// Which bound of the policy was reached, by its documented name.
pub(super) type Exhausted = &'static str;

/// When the delivery is due after the attempt that just failed.
///
/// # Errors
/// It is to be given up: which bound was reached.
pub(super) fn next(record: &DeliveryRecord, now: Timestamp) -> Result<Timestamp, Exhausted> {
    let RetryRecord {
        max_age_seconds,
        max_attempts,
    } = match (&record.dead, record.target.retry) {
        (None, Some(policy)) => policy,
        _ => RetryRecord {
            max_age_seconds: None,
            max_attempts: None,
        },
    };
    let since = record.dead.as_ref().map_or(record.created_at, |dead| dead.at);
    let retries = max_attempts.unwrap_or(MAX_ATTEMPTS);
    if i64::from(record.failures) >= i64::from(retries) {
        return Err("MaximumRetryAttempts");
    }
    let doubled = FIRST_MILLIS
        .saturating_mul(1 << record.failures.min(20))
        .min(LONGEST_MILLIS);
    let due = now.plus_millis(doubled / 2 + jitter(record, doubled / 2));
    let oldest = i64::from(max_age_seconds.unwrap_or(MAX_AGE_SECONDS)) * 1000;
    match due.0 - since.0 <= oldest {
        true => Ok(due),
        false => Err("MaximumEventAgeInSeconds"),
    }
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
    use crate::records::DeadRecord;

    #[test]
    fn waits_double_within_bounds_and_end() {
        let mut record = delivery("d");
        let mut now = record.created_at;
        let mut tries = 0;
        while let Ok(due) = next(&record, now) {
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
        assert_eq!(next(&record, record.created_at), Err("MaximumRetryAttempts"));
        record.target.retry = policy(None, Some(1));
        assert!(next(&record, record.created_at).is_ok());
        record.failures = 1;
        assert_eq!(next(&record, record.created_at), Err("MaximumRetryAttempts"));
        record.failures = 0;
        record.target.retry = policy(Some(60), None);
        let late = record.created_at.plus_millis(60_000);
        assert_eq!(next(&record, late), Err("MaximumEventAgeInSeconds"));
        // What the target says is about the target; a dead letter has the full time from when it became one.
        record.dead = Some(DeadRecord {
            code: "TIMEOUT".into(),
            message: String::new(),
            exhausted: None,
            retries: 0,
            at: late,
        });
        assert!(next(&record, late).is_ok());
    }
}
