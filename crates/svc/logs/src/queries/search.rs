//! A query over the lines of its groups, newest first.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use roadstead_log_insights::{Bounds, Event, Query, Results, Run, Window};

use crate::Logs;
use crate::error::Result;
use crate::lines::merge::Merged;
use crate::lines::{LINE_BYTES, Line};
use crate::queries::Live;
use crate::queries::pointer::Pointer;
use crate::records::{GroupRecord, QueryStatus};

/// Lines between looks at the clock, and whether somebody stopped it.
const LOOK: u64 = 256;

pub(super) struct Search {
    pub logs: Arc<Logs>,
    /// With the account in front: `@log`.
    pub groups: Vec<(GroupRecord, Arc<str>)>,
    pub query: Query,
    pub window: Window,
    pub bounds: Bounds,
    pub live: Arc<Live>,
    /// When it has taken too long.
    pub until: i64,
}

struct Source {
    group: u64,
    stream: u64,
    name: Arc<str>,
    log: Arc<str>,
}

impl Search {
    pub(super) fn run(&self) -> Result<(QueryStatus, Results)> {
        let (mut sources, mut streams): (Vec<Source>, Vec<_>) = (Vec::new(), Vec::new());
        for (group, log) in &self.groups {
            let from = (self.window.start.max(group.kept_from(self.logs.clock.now())), 0);
            let to = (self.window.end.saturating_add(1), 0);
            for (name, stream) in self.logs.lines.streams(group.id, "")? {
                streams.push(self.logs.lines.read(group.id, stream.id, from, to, true));
                sources.push(Source {
                    group: group.id,
                    stream: stream.id,
                    name: name.into(),
                    log: Arc::clone(log),
                });
            }
        }
        let mut run = Run::new(&self.query, self.window, self.bounds);
        let (mut scanned, mut bytes) = (0u64, 0u64);
        let tell = |scanned, bytes, matched| {
            self.live.scanned.store(scanned, Ordering::Relaxed);
            self.live.bytes.store(bytes, Ordering::Relaxed);
            self.live.matched.store(matched, Ordering::Relaxed);
        };
        if self.logs.clock.now().0 >= self.until {
            return Ok((QueryStatus::Timeout, Vec::new()));
        }
        for line in Merged::backward(streams)? {
            let (index, line) = line?;
            scanned += 1;
            bytes += (line.message.len() + LINE_BYTES) as u64;
            if run.push(event(&sources[index], line)).is_err() {
                tell(scanned, bytes, run.matched());
                return Ok((QueryStatus::Failed, Vec::new()));
            }
            if scanned % LOOK == 0 {
                tell(scanned, bytes, run.matched());
                if self.live.cancelled.load(Ordering::Acquire) {
                    return Ok((QueryStatus::Cancelled, Vec::new()));
                }
                if self.logs.clock.now().0 >= self.until {
                    return Ok((QueryStatus::Timeout, Vec::new()));
                }
            }
        }
        tell(scanned, bytes, run.matched());
        Ok(match run.finish() {
            Ok(rows) => (QueryStatus::Complete, rows),
            Err(_too_large) => (QueryStatus::Failed, Vec::new()),
        })
    }
}

fn event(source: &Source, line: Line) -> Event {
    let pointer = Pointer {
        group: source.group,
        stream: source.stream,
        place: (line.time, line.number),
    };
    Event {
        timestamp: line.time,
        ingestion_time: line.ingested,
        message: line.message,
        stream: Arc::clone(&source.name),
        log: Arc::clone(&source.log),
        pointer: pointer.write(),
    }
}
