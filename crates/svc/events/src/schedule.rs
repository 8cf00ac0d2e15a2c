//! Keeps schedules. What a tick owes is written down together with the mark that the tick was answered for, so that
//! a crash at any moment neither skips a tick nor counts one twice.

mod tick;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_schedule::Schedule;
use roadstead_store::{Entry, Key, Revision};
use tokio::sync::watch;

use crate::Events;
use crate::records::RuleRecord;

/// The longest sleep: the clock may be set, and rules may come.
const NAP: Duration = Duration::from_secs(1);

/// What is known of a rule with a schedule.
struct Kept {
    revision: Revision,
    schedule: Schedule,
    /// Not due before.
    next: Option<Timestamp>,
}

/// Runs until told to stop.
pub(crate) async fn keep(events: Arc<Events>, mut stop: watch::Receiver<bool>) {
    let mut kept: HashMap<Key, Kept> = HashMap::new();
    let mut changes = events.rules.changes();
    while !*stop.borrow_and_update() {
        let next = round(&events, &mut kept).await;
        let now = events.clock.now();
        let wait = next.map_or(NAP, |next| {
            Duration::from_millis(u64::try_from(next.0 - now.0).unwrap_or_default()).min(NAP)
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            // A rule that comes or changes may be due sooner.
            _ = changes.next() => {}
            _ = stop.changed() => {}
        }
    }
}

/// One round over all rules, as after a start.
#[cfg(test)]
pub(crate) async fn once(events: &Events) -> Option<Timestamp> {
    round(events, &mut HashMap::new()).await
}

/// Answers for every tick that is due. When the next one will be.
async fn round(events: &Events, kept: &mut HashMap<Key, Kept>) -> Option<Timestamp> {
    let snapshot = events.rules.snapshot();
    kept.retain(|key, _| snapshot.get(key).is_some());
    let now = events.clock.now();
    let mut soonest: Option<Timestamp> = None;
    for entry in snapshot.iter() {
        let Some(known) = know(kept, entry) else { continue };
        if known.next.is_none_or(|next| next <= now) {
            match tick::answer(events, entry, &known.schedule, now).await {
                Ok(next) => known.next = next,
                Err(error) => {
                    tracing::warn!(rule = %entry.key, %error, "a schedule could not be kept; trying again");
                    known.next = Some(now.plus_millis(i64::try_from(NAP.as_millis()).unwrap_or(1000)));
                }
            }
        }
        let next = known.next.unwrap_or(Timestamp(i64::MAX));
        soonest = Some(soonest.map_or(next, |soonest| soonest.min(next)));
    }
    soonest
}

/// What is known of a rule, made anew if the rule changed; none if it keeps no schedule.
fn know<'k>(kept: &'k mut HashMap<Key, Kept>, entry: &Entry<RuleRecord>) -> Option<&'k mut Kept> {
    let text = entry.value.schedule.as_deref().filter(|_| entry.value.enabled);
    let Some(text) = text else {
        kept.remove(&entry.key);
        return None;
    };
    if kept
        .get(&entry.key)
        .is_none_or(|known| known.revision != entry.revision)
    {
        match Schedule::parse(text) {
            Ok(schedule) => {
                let fresh = Kept {
                    revision: entry.revision,
                    schedule,
                    next: None,
                };
                kept.insert(entry.key.clone(), fresh);
            }
            Err(fault) => {
                tracing::error!(rule = %entry.key, %fault, "a schedule that was kept cannot be read");
                kept.remove(&entry.key);
            }
        }
    }
    kept.get_mut(&entry.key)
}
