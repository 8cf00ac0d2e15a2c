//! What the end of a task says about its deployment, and how long it holds the next start back.

/// How a task that the service did not stop came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Milliseconds for which it was RUNNING; none: it never was.
    pub ran: Option<i64>,
    /// The service stopped it because its health check failed.
    pub sick: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// It counts for the circuit breaker, and slows starts down.
    Failure,
    /// It ran, but not for long: starts are slowed down, or a container that exits at once would keep the machine busy.
    Short,
}

/// A task that ran this long is no setback. Milliseconds.
const GOOD_WHILE: i64 = 10_000;
const FIRST_WAIT: i64 = 1_000;
/// The longest that a start is held back. Milliseconds.
pub const WAIT_MAX: i64 = 15 * 60_000;
/// Setbacks are forgotten after a while without any, and not before this. Milliseconds.
const MEMORY: i64 = 60_000;

pub fn judge(end: End) -> Option<Setback> {
    match end {
        End { ran: None, .. } | End { sick: true, .. } => Some(Setback::Failure),
        End { ran: Some(ran), .. } if ran < GOOD_WHILE => Some(Setback::Short),
        End { .. } => None,
    }
}

/// Milliseconds between the last of so many setbacks and the next start: doubling, up to [`WAIT_MAX`].
pub fn wait(setbacks: u32) -> i64 {
    match setbacks {
        0 => 0,
        _ => FIRST_WAIT
            .checked_shl(setbacks - 1)
            .filter(|wait| (0..WAIT_MAX).contains(wait) && setbacks < 32)
            .unwrap_or(WAIT_MAX),
    }
}

/// How many of them still count now.
pub fn setbacks_left(setbacks: u32, last: i64, now: i64) -> u32 {
    let forgotten = now - last > (2 * wait(setbacks)).max(MEMORY);
    if forgotten { 0 } else { setbacks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<i64> = [0, 1, 2, 3, 10, 11, 40, u32::MAX].map(wait).into();
        assert_eq!(
            waits,
            [0, 1000, 2000, 4000, 512_000, WAIT_MAX, WAIT_MAX, WAIT_MAX]
        );
    }

    #[test]
    fn setbacks_are_forgotten_after_a_while_without_any() {
        assert_eq!(setbacks_left(3, 0, 60_000), 3);
        assert_eq!(setbacks_left(3, 0, 60_001), 0);
        assert_eq!(setbacks_left(11, 0, 2 * WAIT_MAX), 11);
    }

    #[test]
    fn only_what_never_ran_or_was_sick_is_a_failure() {
        let end = |ran, sick| judge(End { ran, sick });
        assert_eq!(end(None, false), Some(Setback::Failure));
        assert_eq!(end(Some(60_000), true), Some(Setback::Failure));
        assert_eq!(end(Some(9_999), false), Some(Setback::Short));
        assert_eq!(end(Some(10_000), false), None);
    }
}
