//! Subscription filters: lines that match go on to a function as they come in. What is owed is written down together with
//! the lines, and delivered afterwards, at least once and in order. Source: "Real-time processing of log data with
//! subscriptions" in the CloudWatch Logs user guide.

pub(crate) mod delete;
pub(crate) mod deliver;
pub(crate) mod describe;
mod destination;
mod metrics;
pub(crate) mod put;

use roadstead_base::Ctx;
use roadstead_log_patterns::{Match, Pattern};

use crate::lines::{Arrived, FilterKey, Owed, event_id};
use crate::records::{GroupRecord, OwedEvent, OwedRecord};

/// Of the lines of one delivery, so that what cannot be compressed still fits into an asynchronous invocation of
/// 256 KB once it is in base64. A line that is larger alone goes alone.
const MAX_BYTES: usize = 180 << 10;
/// What each line takes beside its text, about: id, time, names.
const EVENT_BYTES: usize = 100;

/// What is owed of new lines to the subscriptions of their group.
pub(crate) fn owed(ctx: &Ctx, group: &GroupRecord, arrived: Arrived<'_>) -> Vec<Owed> {
    let Arrived {
        group: _,
        stream,
        record: _,
        lines,
        first,
        now,
    } = arrived;
    let mut owed: Vec<Owed> = Vec::new();
    for (name, filter) in &group.subscriptions {
        // It was understood when the filter was made.
        let Ok(pattern) = filter.pattern.parse::<Pattern>() else {
            continue;
        };
        let to = FilterKey {
            group: group.id,
            filter: filter.id,
        };
        let mut room = 0;
        for ((time, line), number) in lines.iter().zip(first..) {
            let Some(found) = pattern.find(line) else {
                continue;
            };
            let event = event((*time, line), number, &found);
            let fields = event.extracted_fields.iter();
            let size = line.len()
                + fields
                    .map(|(name, text)| name.len() + text.len() + 6)
                    .sum::<usize>();
            let size = size + EVENT_BYTES;
            match owed.last_mut() {
                Some(last) if last.to == to && size <= room => {
                    room -= size;
                    last.record.events.push(event);
                }
                _ => {
                    room = MAX_BYTES.saturating_sub(size);
                    let record = OwedRecord {
                        account: ctx.account.to_string(),
                        region: ctx.region.to_string(),
                        group: group.name.clone(),
                        filter: name.clone(),
                        stream: stream.to_owned(),
                        created_at: now,
                        events: vec![event],
                    };
                    owed.push(Owed { to, number, record });
                }
            }
        }
    }
    owed
}

fn event((time, line): (i64, &str), number: u64, found: &Match<'_>) -> OwedEvent {
    let extracted_fields = match found {
        Match::Columns(columns) => columns
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.clone()))
            .collect(),
        Match::Plain | Match::Json(_) => Default::default(),
    };
    OwedEvent {
        id: event_id((time, number)),
        timestamp: time,
        message: line.to_owned(),
        extracted_fields,
    }
}
