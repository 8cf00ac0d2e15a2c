//! What containers print, in files that outlive both daemon and shim and never exceed their bound. A line is
//! `TIME STREAM TAG BYTES`: the form that container log readers know, in which any bytes but a line break
//! stand as they are; tag `P` says that the next record of the stream goes on with the line.

mod follow;
mod read;
mod waiting;
mod write;

pub use follow::{Flushed, LogFollower, LogPlace, LogRead};
pub use read::LogReader;
pub(crate) use write::LogWriter;

use std::path::{Path, PathBuf};

use roadstead_base::Timestamp;
use serde::{Deserialize, Serialize};

/// A longer line is cut into records of this many bytes.
pub const MAX_RECORD: usize = 16 * 1024;
/// The most that a container can add to its log after it was found full: two chunks of empty lines, each with what
/// stands before its bytes.
const OVERSHOOT: u64 = 8 * 1024 * 1024;
/// Files a log can have at most.
const MAX_FILES: u32 = 100;
/// Below this a file could not hold a single record.
pub const MIN_LOG_SIZE: u64 = 64 * 1024;

/// Bounds on the disk that a container's output takes: `max_files` times `max_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// Bytes per file, at least `MIN_LOG_SIZE`.
    pub max_size: u64,
    /// 1 to 100.
    pub max_files: u32,
    /// Set when the log is read to be sent on: what has not been sent is kept.
    #[serde(default)]
    pub backlog: Option<Backlog>,
}

/// What has been printed and not been sent on yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backlog {
    /// Bytes of records.
    pub limit: u64,
    pub when_full: WhenFull,
    /// Records; what comes beyond them is dropped, whatever happens beyond the bytes.
    #[serde(default)]
    pub records: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenFull {
    /// The container's writes wait.
    Block,
    /// What it prints is dropped.
    Drop,
}

impl LogConfig {
    /// Files that hold a whole backlog and something of what was sent before, so that what is rotated away has
    /// always been sent.
    pub fn keeping(backlog: Backlog) -> Self {
        let room = backlog.limit + OVERSHOOT;
        let max_size = room.div_ceil(4).max(MIN_LOG_SIZE);
        Self {
            max_size,
            max_files: 6,
            backlog: Some(backlog),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            max_size: 10 * 1024 * 1024,
            max_files: 2,
            backlog: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// What to read of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only the last so many records (of the stream asked for).
    pub tail: Option<usize>,
    /// Go on until the container has exited, instead of ending with what is there.
    pub follow: bool,
    /// One stream; both when absent.
    pub stream: Option<Stream>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// RFC 3339, UTC, with milliseconds: when the shim received it.
    pub time: String,
    pub stream: Stream,
    /// The line goes on in the stream's next record.
    pub partial: bool,
    /// Without the line break; any bytes.
    pub bytes: Vec<u8>,
}

impl LogLine {
    /// When it was received.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::from_rfc3339(&self.time)
    }

    /// Reads back what `LogWriter` wrote, without its final line break.
    fn parse(record: &[u8]) -> Option<Self> {
        let mut parts = record.splitn(4, |byte| *byte == b' ');
        let time = std::str::from_utf8(parts.next()?).ok()?.to_owned();
        let stream = match parts.next()? {
            b"stdout" => Stream::Stdout,
            b"stderr" => Stream::Stderr,
            _ => return None,
        };
        let partial = match parts.next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        Some(Self {
            time,
            stream,
            partial,
            bytes: parts.next()?.to_vec(),
        })
    }
}

/// The file that is `age` rotations old; 0 is the one being written.
fn aged(log: &Path, age: u32) -> PathBuf {
    match age {
        0 => log.to_owned(),
        age => {
            let mut name = log.as_os_str().to_owned();
            name.push(format!(".{age}"));
            PathBuf::from(name)
        }
    }
}
