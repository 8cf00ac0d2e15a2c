//! A session at work: an update each second, for three hours. A client that reads more slowly than updates come finds ten
//! of them waiting; the oldest are dropped.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use roadstead_api_logs::{LiveTailSessionMetadata, LiveTailSessionUpdate, errors};
use roadstead_protocol::{ApiError, Event, EventStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::MissedTickBehavior;

use crate::Logs;
use crate::tail::{MAX_LINES, Since, Tail};

/// Updates that wait for the client, as documented.
const MAX_WAITING: usize = 10;

type Item = Result<Event, ApiError>;

#[derive(Default)]
struct Waiting {
    items: Mutex<VecDeque<Item>>,
    more: Notify,
}

impl Waiting {
    fn put(&self, item: Item) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() == MAX_WAITING {
            items.pop_front();
        }
        items.push_back(item);
        self.more.notify_one();
    }

    fn take(&self) -> Option<Item> {
        self.items
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

pub(super) fn run(logs: &Arc<Logs>, tail: Arc<Tail>, start: Event) -> EventStream {
    let (sender, mut receiver) = mpsc::channel(1);
    let logs = Arc::clone(logs);
    tokio::spawn(async move {
        // The first one is never dropped.
        if sender.send(Ok(start)).await.is_err() {
            return;
        }
        let waiting = Waiting::default();
        tokio::select! {
            () = sender.closed() => {}
            () = forward(&waiting, &sender) => {}
            () = tick(&logs, &tail, &waiting) => {
                while let Some(item) = waiting.take() {
                    if sender.send(item).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    EventStream::new(move |cx| receiver.poll_recv(cx))
}

/// Until the client is gone.
async fn forward(waiting: &Waiting, sender: &mpsc::Sender<Item>) {
    while let Ok(place) = sender.reserve().await {
        let item = loop {
            match waiting.take() {
                Some(item) => break item,
                None => waiting.more.notified().await,
            }
        };
        place.send(item);
    }
}

/// Until the session is over.
async fn tick(logs: &Logs, tail: &Tail, waiting: &Waiting) {
    let most = i64::try_from(logs.options.tail_time.as_millis()).unwrap_or(i64::MAX);
    let until = logs.clock.now().0.saturating_add(most);
    let mut ticks = tokio::time::interval(logs.options.tail_tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if tail.over.load(Ordering::Acquire) {
            return;
        }
        if logs.clock.now().0 >= until {
            let message = "The Live Tail session has been open for three hours.";
            waiting.put(Err(errors::session_timeout_exception(message)));
            return;
        }
        let since = std::mem::take(&mut *tail.since());
        waiting.put(Ok(Event::new("sessionUpdate", update(since))));
    }
}

fn update(since: Since) -> LiveTailSessionUpdate {
    let Since { mut lines, seen } = since;
    lines.sort_unstable_by_key(|(number, _)| *number);
    LiveTailSessionUpdate {
        session_metadata: Some(LiveTailSessionMetadata {
            sampled: Some(seen > MAX_LINES as u64),
        }),
        session_results: Some(lines.into_iter().map(|(_, line)| line).collect()),
    }
}
