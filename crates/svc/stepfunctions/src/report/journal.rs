//! Lines on their way to log groups. Executions put them here and go on; one task writes them, in batches of what came
//! meanwhile. A machine's lines go to a stream of its own, a new one after each start of the service.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roadstead_base::{Ctx, Partition, Timestamp, random_hex};
use roadstead_protocol::ApiError;
use serde_json::{Value as Json, json};
use tokio::sync::{Notify, watch};

use crate::States;
use crate::run::lock;

/// What may wait or be on its way, as while the log service takes nothing; beyond that what comes is lost.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Of one call of PutLogEvents: lines, bytes with so many more for each line, and milliseconds between first and last.
const LINES: usize = 10_000;
const BYTES: usize = 1_048_576;
const LINE_BYTES: usize = 26;
const SPAN: i64 = 86_400_000;
/// How often a call is made that may succeed later, and how long it is not.
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_secs(1);
/// Streams that are remembered; after that machines begin new ones.
const STREAMS: usize = 10_000;
/// Who writes, as in the log group's records.
const DELIVERY: &str = "delivery.logs.amazonaws.com";

/// Where lines of a machine go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub partition: Partition,
    pub group: String,
    pub machine: String,
}

pub(crate) struct Line {
    pub to: Arc<Place>,
    pub at: i64,
    /// Of the event.
    pub id: u64,
    pub message: String,
}

impl Line {
    fn bytes(&self) -> usize {
        self.message.len() + LINE_BYTES
    }
}

#[derive(Default)]
struct Waiting {
    lines: Vec<Line>,
    /// Of the lines, and of those that were taken and not let go yet.
    bytes: usize,
    lost: usize,
}

#[derive(Default)]
pub(crate) struct Journal {
    waiting: Mutex<Waiting>,
    woken: Notify,
}

impl Journal {
    pub(super) fn put(&self, line: Line) {
        let mut waiting = lock(&self.waiting);
        let bytes = waiting.bytes + line.bytes();
        if bytes > WAITING_BYTES {
            waiting.lost += 1;
            return;
        }
        waiting.bytes = bytes;
        waiting.lines.push(line);
        drop(waiting);
        self.woken.notify_one();
    }

    fn take(&self) -> Vec<Line> {
        let (lines, lost) = {
            let mut waiting = lock(&self.waiting);
            (
                std::mem::take(&mut waiting.lines),
                std::mem::take(&mut waiting.lost),
            )
        };
        if lost > 0 {
            tracing::warn!(lost, "more was to be logged of executions than could wait");
        }
        lines
    }

    /// These were written, or are given up: others may come.
    fn let_go(&self, lines: &[Line]) {
        let bytes: usize = lines.iter().map(Line::bytes).sum();
        lock(&self.waiting).bytes -= bytes;
    }
}

/// The streams that lines go to, while the service runs.
#[derive(Default)]
struct Streams {
    open: HashMap<Arc<Place>, String>,
    /// Where nothing could be written, which is told once.
    failing: HashSet<Arc<Place>>,
}

/// Writes what waits until told to stop, and then all of it.
pub(super) async fn keep(states: &States, mut stop: watch::Receiver<bool>) {
    let mut streams = Streams::default();
    let journal = &states.reports.journal;
    while !*stop.borrow_and_update() {
        write(states, &mut streams, &stop).await;
        tokio::select! {
            () = journal.woken.notified() => {}
            _ = stop.changed() => {}
        }
    }
    write(states, &mut streams, &stop).await;
}

async fn write(states: &States, streams: &mut Streams, stop: &watch::Receiver<bool>) {
    let mut places: HashMap<Arc<Place>, Vec<Line>> = HashMap::new();
    for line in states.reports.journal.take() {
        places.entry(Arc::clone(&line.to)).or_default().push(line);
    }
    for (place, mut lines) in places {
        // Steps of an execution that follow closely may come here the other way around.
        lines.sort_by_key(|line| (line.at, line.id));
        for batch in batches(&lines) {
            deliver(states, streams, &place, batch, stop).await;
            states.reports.journal.let_go(batch);
        }
    }
}

/// Tries again what may succeed later, and gives up the rest.
async fn deliver(
    states: &States,
    streams: &mut Streams,
    place: &Arc<Place>,
    batch: &[Line],
    stop: &watch::Receiver<bool>,
) {
    // Others' lines do not wait over and over for a place that takes none.
    let mut left = if streams.failing.contains(place) { 1 } else { TRIES };
    loop {
        left -= 1;
        match put(states, streams, place, batch).await {
            Ok(()) => {
                streams.failing.remove(place);
                return;
            }
            Err(error) if left > 0 && error.is_transient() && !*stop.borrow() => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => {
                if streams.failing.len() < STREAMS && streams.failing.insert(Arc::clone(place)) {
                    let (group, machine) = (&place.group, &place.machine);
                    tracing::warn!(%error, group, machine, "what executions tell cannot be logged, and is lost");
                }
                return;
            }
        }
    }
}

/// As many lines at a time as one call takes.
fn batches(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    let mut rest = lines;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let mut bytes = 0;
        let fits = |line: &&Line| {
            bytes += line.bytes();
            bytes <= BYTES && line.at - first.at < SPAN
        };
        let count = rest.iter().take(LINES).take_while(fits).count().max(1);
        let (batch, others) = rest.split_at(count);
        rest = others;
        Some(batch)
    })
}

async fn put(
    states: &States,
    streams: &mut Streams,
    place: &Arc<Place>,
    lines: &[Line],
) -> Result<(), ApiError> {
    let Partition { account, region } = &place.partition;
    let ctx = states
        .dispatcher
        .internal_ctx(DELIVERY, account.clone(), region.clone());
    if let Some(stream) = streams.open.get(place) {
        match put_to(states, &ctx, place, stream, lines).await {
            // Somebody deleted the stream, or the group, which tells itself next.
            Err(error) if error.code == "ResourceNotFoundException" => {}
            other => return other,
        }
    }
    let stream = name(&place.machine, states.clock.now());
    let input = json!({"logGroupName": place.group, "logStreamName": stream});
    states
        .dispatcher
        .call_json("logs", "CreateLogStream", &ctx, input)
        .await?;
    if streams.open.len() >= STREAMS {
        streams.open.clear();
    }
    streams.open.insert(Arc::clone(place), stream.clone());
    put_to(states, &ctx, place, &stream, lines).await
}

async fn put_to(
    states: &States,
    ctx: &Ctx,
    place: &Place,
    stream: &str,
    lines: &[Line],
) -> Result<(), ApiError> {
    let events: Vec<Json> = lines
        .iter()
        .map(|line| json!({"timestamp": line.at, "message": line.message}))
        .collect();
    let input = json!({"logGroupName": place.group, "logStreamName": stream, "logEvents": events});
    let put = states.dispatcher.call_json("logs", "PutLogEvents", ctx, input);
    put.await.map(drop)
}

/// `states/machine/2023-11-14-22-13/1a2b3c4d`
fn name(machine: &str, now: Timestamp) -> String {
    let minute: String = now
        .to_rfc3339()
        .chars()
        .take(16)
        .map(|one| if one == 'T' || one == ':' { '-' } else { one })
        .collect();
    format!("states/{machine}/{minute}/{}", random_hex(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(at: i64, bytes: usize) -> Line {
        let to = Place {
            partition: roadstead_testing::ctx().partition(),
            group: "g".into(),
            machine: "m".into(),
        };
        Line {
            to: Arc::new(to),
            at,
            id: 1,
            message: "x".repeat(bytes),
        }
    }

    #[test]
    fn a_batch_is_what_one_call_takes() {
        let check = |lines: &[Line], expected: &[usize]| {
            let lengths: Vec<usize> = batches(lines).map(<[Line]>::len).collect();
            assert_eq!(lengths, expected);
        };
        check(&[], &[]);
        let small: Vec<Line> = (0..LINES + 1).map(|_| line(0, 1)).collect();
        check(&small, &[LINES, 1]);
        let large: Vec<Line> = (0..9).map(|_| line(0, BYTES / 4 - LINE_BYTES)).collect();
        check(&large, &[4, 4, 1]);
        check(&[line(0, 1), line(SPAN - 1, 1), line(SPAN, 1)], &[2, 1]);
        check(&[line(0, 2 * BYTES), line(0, 1)], &[1, 1]);
    }

    #[test]
    fn what_cannot_wait_is_lost_and_the_rest_is_not() {
        let journal = Journal::default();
        for _ in 0..100 {
            journal.put(line(0, 1024 * 1024));
        }
        let taken = journal.take();
        assert_eq!(taken.len(), 63);
        journal.put(line(0, 1024 * 1024));
        assert_eq!(journal.take().len(), 0, "those on their way count");
        journal.let_go(&taken);
        journal.put(line(0, 1024 * 1024));
        assert_eq!(journal.take().len(), 1);
    }

    #[test]
    fn streams_are_named_by_machine_and_time() {
        let name = name("m", roadstead_testing::START);
        let (head, tail) = name.rsplit_once('/').expect("a path");
        assert_eq!((head, tail.len()), ("states/m/2023-11-14-22-13", 8));
    }
}
