//! Records that wait to be sent, counted: a driver may have a bound on their number besides the one on their bytes.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::{MAX_FILES, aged};

/// The lengths of the records behind the place that a log was sent to: four bytes for each of at least forty.
pub(super) struct Waiting {
    limit: u64,
    lengths: VecDeque<u32>,
    /// Of all bytes of the log, those before the first of them.
    from: u64,
}

impl Waiting {
    /// Counts what a log has behind its first `sent` bytes; it ends at byte `end`.
    pub(super) fn open(log: &Path, limit: u64, sent: u64, end: u64) -> io::Result<Self> {
        let mut waiting = Self {
            limit,
            lengths: VecDeque::new(),
            from: end,
        };
        for age in 0..MAX_FILES {
            if waiting.from <= sent {
                break;
            }
            let bytes = match std::fs::read(aged(log, age)) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            };
            for line in bytes.split_inclusive(|byte| *byte == b'\n').rev() {
                waiting.lengths.push_front(line.len() as u32);
                waiting.from = waiting.from.saturating_sub(line.len() as u64);
            }
        }
        waiting.sent(sent);
        Ok(waiting)
    }

    pub(super) fn is_full(&self) -> bool {
        self.lengths.len() as u64 >= self.limit
    }

    pub(super) fn push(&mut self, length: usize) {
        self.lengths.push_back(length as u32);
    }

    /// The first `bytes` of the log have been sent.
    pub(super) fn sent(&mut self, bytes: u64) {
        while let Some(length) = self.lengths.front()
            && self.from + u64::from(*length) <= bytes
        {
            self.from += u64::from(*length);
            self.lengths.pop_front();
        }
        if self.lengths.is_empty() {
            self.from = self.from.max(bytes);
        }
    }

    /// Records were given up: the log ends at byte `end`.
    pub(super) fn cut(&mut self, end: u64) {
        let mut all = self.from + self.lengths.iter().map(|length| u64::from(*length)).sum::<u64>();
        while all > end
            && let Some(length) = self.lengths.pop_back()
        {
            all -= u64::from(length);
        }
        // What is left of the last of them is a record of its own.
        if end > all {
            self.lengths.push_back((end - all) as u32);
        }
    }
}
