//! Events that wait to be sent, and how many of them one request takes.

use std::collections::VecDeque;

use crate::assemble::Event;

/// Of a request, each event counted with 26 bytes more.
pub const MAX_BATCH_BYTES: usize = 1_048_576;
pub const MAX_BATCH_EVENTS: usize = 10_000;
const EVENT_BYTES: usize = 26;
/// Milliseconds between the first and the last event of a request.
const MAX_SPAN: i64 = 86_400_000;

/// Events in the order they came.
pub struct Queue<P> {
    events: VecDeque<Event<P>>,
    bytes: usize,
}

impl<P> Default for Queue<P> {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
        }
    }
}

fn size<P>(event: &Event<P>) -> usize {
    event.message.len() + EVENT_BYTES
}

impl<P: Copy> Queue<P> {
    pub fn extend(&mut self, events: impl IntoIterator<Item = Event<P>>) {
        for event in events {
            self.bytes += size(&event);
            self.events.push_back(event);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether waiting for more would not make the next request any bigger.
    pub fn is_full(&self) -> bool {
        self.bytes >= MAX_BATCH_BYTES || self.events.len() >= MAX_BATCH_EVENTS
    }

    /// The next request's events, in the order of their times, and the place that is safe once they are sent. What came
    /// first stands first among events of one time.
    pub fn take(&mut self) -> Option<(Vec<Event<P>>, P)> {
        let first = self.events.front()?;
        let (mut earliest, mut latest, mut bytes, mut count) = (first.time, first.time, 0, 0);
        for event in &self.events {
            earliest = earliest.min(event.time);
            latest = latest.max(event.time);
            bytes += size(event);
            if count == MAX_BATCH_EVENTS || bytes > MAX_BATCH_BYTES || latest - earliest > MAX_SPAN {
                break;
            }
            count += 1;
        }
        let mut batch: Vec<_> = self.events.drain(..count).collect();
        self.bytes -= batch.iter().map(size).sum::<usize>();
        let safe = batch.last()?.safe;
        batch.sort_by_key(|event| event.time);
        Some((batch, safe))
    }
}
