//! Which ticks to fire now. The caller keeps one durable mark, the last tick that it answered for, and asks again
//! whenever it wakes: after a second, or after a night with the lid closed.

use jiff::{SignedDuration, Timestamp};

use crate::Schedule;

/// What a schedule owes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Due {
    /// To be fired now, in order.
    pub fire: Vec<Timestamp>,
    /// Ticks that are too old to be fired, or too many.
    pub missed: u64,
    /// The mark to keep once these are fired; none if nothing was due.
    pub mark: Option<Timestamp>,
    /// When to ask again: the next tick, or sooner if more is due than may be answered at once.
    pub next: Option<Timestamp>,
}

/// More old ticks are not even counted in one answer.
const MAX_COUNTED: u64 = 100_000;

/// The ticks after `mark` up to `now`. Each that is at most `patience` late is fired, once, in order; what is older
/// was missed and is told as such. At most `most` are fired at once; of more, the latest.
pub fn due(
    schedule: &Schedule,
    anchor: Timestamp,
    mark: Timestamp,
    now: Timestamp,
    patience: SignedDuration,
    most: usize,
) -> Due {
    let mut due = Due::default();
    let oldest = now.checked_sub(patience).unwrap_or(Timestamp::MIN);
    let mut last = mark;
    let mut ticks = 0;
    while let Some(tick) = schedule.next_after(anchor, last) {
        if tick > now || ticks == MAX_COUNTED {
            due.next = Some(tick);
            break;
        }
        ticks += 1;
        last = tick;
        due.mark = Some(tick);
        if tick < oldest {
            due.missed += 1;
            continue;
        }
        due.fire.push(tick);
        if due.fire.len() > most {
            due.fire.remove(0);
            due.missed += 1;
        }
    }
    due
}
