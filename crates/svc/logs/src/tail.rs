//! Live tail: lines as they come in, to whoever listens. A session is in memory alone: it ends with its connection, and
//! with the process.

pub(crate) mod session;
pub(crate) mod start;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use roadstead_api_logs::LiveTailSessionLogEvent;
use roadstead_base::{Ctx, Partition, Timestamp};
use roadstead_log_patterns::Pattern;

use crate::error::{Error, Result};
use crate::records::GroupRecord;

/// Sessions of an account in a region at once, as documented.
const MAX_SESSIONS: usize = 15;
/// Lines of one update, as documented; of more there is a sample.
pub(crate) const MAX_LINES: usize = 500;

/// The sessions there are.
#[derive(Default)]
pub(crate) struct Tails {
    sessions: Mutex<Vec<Weak<Tail>>>,
}

/// What a session wants, and what came in for it since its last update.
pub(crate) struct Tail {
    partition: Partition,
    /// Each by its id, with what the request called it.
    groups: Vec<(u64, String)>,
    streams: Streams,
    pattern: Pattern,
    since: Mutex<Since>,
    /// The service ends.
    over: AtomicBool,
}

pub(crate) enum Streams {
    All,
    Named(Vec<String>),
    Prefixed(Vec<String>),
}

/// Lines since the last update.
#[derive(Default)]
pub(crate) struct Since {
    /// At most [`MAX_LINES`], each with the number in order of which it came.
    pub lines: Vec<(u64, LiveTailSessionLogEvent)>,
    pub seen: u64,
}

impl Streams {
    fn include(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefixed(prefixes) => prefixes.iter().any(|prefix| stream.starts_with(prefix)),
        }
    }
}

impl Tails {
    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Tail>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, ctx: &Ctx, tail: &Arc<Tail>) -> Result<()> {
        let mut sessions = self.sessions();
        sessions.retain(|session| session.strong_count() > 0);
        let own = sessions.iter().filter_map(Weak::upgrade);
        if own.filter(|session| session.partition == ctx.partition()).count() >= MAX_SESSIONS {
            let message = format!("There are {MAX_SESSIONS} Live Tail sessions already.");
            return Err(Error::Limit(message));
        }
        sessions.push(Arc::downgrade(tail));
        Ok(())
    }

    /// Lines that were just taken.
    pub(crate) fn offer(&self, group: &GroupRecord, stream: &str, lines: &[(i64, &str)], now: Timestamp) {
        let sessions: Vec<Arc<Tail>> = self.sessions().iter().filter_map(Weak::upgrade).collect();
        for session in sessions {
            session.offer(group, stream, lines, now);
        }
    }

    /// Ends every session.
    pub(crate) fn end(&self) {
        for session in self.sessions().iter().filter_map(Weak::upgrade) {
            session.over.store(true, Ordering::Release);
        }
    }
}

impl Tail {
    fn offer(&self, group: &GroupRecord, stream: &str, lines: &[(i64, &str)], now: Timestamp) {
        let Some((_, identifier)) = self.groups.iter().find(|(id, _)| *id == group.id) else {
            return;
        };
        if !self.streams.include(stream) {
            return;
        }
        let mut since = self.since();
        for (time, message) in lines.iter().filter(|(_, message)| self.pattern.matches(message)) {
            since.add(|| LiveTailSessionLogEvent {
                ingestion_time: Some(now.0),
                log_group_identifier: Some(identifier.clone()),
                log_stream_name: Some(stream.to_owned()),
                message: Some((*message).to_owned()),
                timestamp: Some(*time),
            });
        }
    }

    fn since(&self) -> std::sync::MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Since {
    /// Each line that came has the same chance to be among those that are kept.
    fn add(&mut self, line: impl FnOnce() -> LiveTailSessionLogEvent) {
        self.seen += 1;
        let number = self.seen;
        if self.lines.len() < MAX_LINES {
            self.lines.push((number, line()));
            return;
        }
        let place = usize::try_from(mixed(number) % number).unwrap_or(usize::MAX);
        if let Some(old) = self.lines.get_mut(place) {
            *old = (number, line());
        }
    }
}

/// A number spread over all there are (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut value = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_the_whole_second() {
        let mut since = Since::default();
        for _ in 0..5000 {
            since.add(LiveTailSessionLogEvent::default);
        }
        assert_eq!((since.lines.len(), since.seen), (MAX_LINES, 5000));
        let late = since.lines.iter().filter(|(number, _)| *number > 2500).count();
        assert!((200..300).contains(&late), "{late} of 500 from the later half");
    }
}
