//! What an environment prints, as lines for its log stream.

use roadstead_base::Timestamp;
use roadstead_functions::LogLine;
use roadstead_runtime::{
    Backlog, ContainerId, Flushed, LogConfig, LogFollower, LogRead, Runtime, Stream, WhenFull,
};

/// Printed and not yet handed over; whoever prints more waits.
const BACKLOG: u64 = 1024 * 1024;
/// A line of a log stream; a longer one goes on in the next.
const MOST_LINE: usize = 250_000;
/// Kept of what an invocation logged, for who asks for the tail.
const TAIL: usize = 4096;
/// Taken and not told the shim of, which has no room for it until then.
const UNTOLD: u64 = BACKLOG / 4;
/// Records looked at together, whether they make lines or not.
const BATCH: usize = 1_000;

pub(crate) fn config() -> LogConfig {
    LogConfig::keeping(Backlog {
        limit: BACKLOG,
        when_full: WhenFull::Block,
        records: None,
    })
}

/// Lines of an environment's log, and whether there may be more of those that were asked for.
pub(crate) struct Taken {
    pub lines: Vec<LogLine>,
    pub more: bool,
}

pub(crate) struct Output {
    follower: LogFollower,
    /// Bytes of the log that the shim knows to be taken.
    told: u64,
    /// Begun lines of both streams.
    begun: [Vec<u8>; 2],
}

impl Output {
    pub(crate) async fn of(runtime: &Runtime, id: &ContainerId) -> roadstead_runtime::Result<Self> {
        Ok(Self {
            follower: runtime.follow_log(id).await?,
            told: 0,
            begun: [Vec::new(), Vec::new()],
        })
    }

    /// Has on file what was printed before.
    pub(crate) async fn flush(&mut self) -> roadstead_runtime::Result<Flushed> {
        self.follower.flush().await
    }

    /// The next lines that are on file before byte `end` of the log, and no more of them than can be handed over at once.
    /// What is taken makes room.
    pub(crate) async fn take(
        &mut self,
        now: Timestamp,
        end: Option<u64>,
    ) -> roadstead_runtime::Result<Taken> {
        let mut lines = Vec::new();
        let mut place = None;
        let mut more = true;
        // Empty lines count as well: there may be no end of them.
        for _ in 0..BATCH {
            if end.is_some_and(|end| self.follower.place().total >= end) {
                more = false;
                break;
            }
            let LogRead::Line { line, from: _, to } = self.follower.next().await? else {
                more = false;
                break;
            };
            place = Some(to);
            let begun = &mut self.begun[usize::from(line.stream == Stream::Stderr)];
            begun.extend_from_slice(&line.bytes);
            if line.partial && begun.len() < MOST_LINE {
                continue;
            }
            let whole = std::mem::take(begun);
            // Empty lines are no events.
            if !whole.is_empty() {
                lines.push(LogLine {
                    at: line.at().unwrap_or(now),
                    message: String::from_utf8_lossy(&whole).into_owned(),
                });
            }
        }
        if let Some(place) = place.filter(|place| place.total - self.told >= UNTOLD) {
            self.follower.sent(place).await?;
            self.told = place.total;
        }
        Ok(Taken { lines, more })
    }

    /// Lines that were begun and will not be ended: the invocation is over.
    pub(crate) fn rest(&mut self, now: Timestamp) -> Vec<LogLine> {
        let begun = self.begun.iter_mut().map(std::mem::take);
        let line = |bytes: Vec<u8>| LogLine {
            at: now,
            message: String::from_utf8_lossy(&bytes).into_owned(),
        };
        begun.filter(|bytes| !bytes.is_empty()).map(line).collect()
    }
}

/// The end of what was logged.
#[derive(Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    pub(crate) fn add(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.push(b'\n');
        if self.0.len() > 4 * TAIL {
            self.0.drain(..self.0.len() - TAIL);
        }
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        let over = self.0.len().saturating_sub(TAIL);
        self.0.drain(..over);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_last_four_kilobytes() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.add(&number.to_string());
        }
        let end = tail.end();
        assert_eq!(end.len(), 4096);
        assert!(end.ends_with(b"9998\n9999\n"));
        let mut short = Tail::default();
        short.add("a");
        assert_eq!(short.end(), b"a\n");
    }
}
