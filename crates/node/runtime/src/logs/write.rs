//! The shim's end: bytes come as the container writes them, records go out whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::waiting::Waiting;
use super::{Backlog, LogConfig, LogPlace, MAX_FILES, MAX_RECORD, Stream, WhenFull, aged};

/// Collected before it is written; a burst of short lines would otherwise be a system call each.
const BATCH: usize = 64 * 1024;

/// Writes records to `log`, `log.1`, ... within the bounds of a `LogConfig`.
pub(crate) struct LogWriter {
    path: PathBuf,
    config: LogConfig,
    file: File,
    /// Bytes in `file`, those in `batch` included.
    size: u64,
    /// Bytes of the files before it.
    before: u64,
    /// Of all bytes, those that have been sent on.
    sent: u64,
    /// The records behind them, where their number has a bound.
    waiting: Option<Waiting>,
    /// The container has ended: what is left in its pipes is taken.
    ending: bool,
    batch: Vec<u8>,
    /// The beginning of a line whose end has not come: per stream, at most `MAX_RECORD` bytes.
    unfinished: [Vec<u8>; 2],
}

impl LogWriter {
    /// Goes on with a log that an earlier run of the container left, of which `sent` is known to have been sent.
    pub(crate) fn open(path: PathBuf, config: LogConfig, sent: LogPlace) -> io::Result<Self> {
        let file = append(&path)?;
        let size = file.metadata()?.len();
        let all = before(&path, sent);
        let before = all.saturating_sub(size);
        let waiting = match config.backlog.and_then(|backlog| backlog.records) {
            Some(limit) => Some(Waiting::open(&path, limit, sent.total, all)?),
            None => None,
        };
        Ok(Self {
            path,
            config,
            file,
            size,
            before,
            sent: sent.total,
            waiting,
            ending: false,
            batch: Vec::new(),
            unfinished: [Vec::new(), Vec::new()],
        })
    }

    /// Whether the container has to wait until more of what it printed has been sent.
    pub(crate) fn is_full(&self) -> bool {
        let full = |backlog: Backlog| backlog.when_full == WhenFull::Block && self.unsent() >= backlog.limit;
        !self.ending && self.config.backlog.is_some_and(full)
    }

    /// So many bytes of the log have been sent on.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.sent = self.sent.max(bytes);
        if let Some(waiting) = &mut self.waiting {
            waiting.sent(bytes);
        }
    }

    /// Bytes of the log, from where it began.
    pub(crate) fn total(&self) -> u64 {
        self.before + self.size
    }

    /// The container has ended.
    pub(crate) fn ending(&mut self) {
        self.ending = true;
    }

    fn unsent(&self) -> u64 {
        self.total().saturating_sub(self.sent)
    }

    /// A record of this length would be too much.
    fn drops(&self, length: u64) -> bool {
        let Some(Backlog { limit, when_full, .. }) = self.config.backlog else {
            return false;
        };
        if self.waiting.as_ref().is_some_and(Waiting::is_full) {
            return true;
        }
        let unsent = self.unsent();
        match when_full {
            WhenFull::Drop => unsent > 0 && unsent + length > limit,
            // Only what a dying container's processes print past all measure.
            WhenFull::Block => unsent + length > limit + super::OVERSHOOT,
        }
    }

    /// Takes what came at `time` (RFC 3339) and has it on file when this returns. An unfinished line waits.
    pub(crate) fn push(&mut self, stream: Stream, mut bytes: &[u8], time: &str) -> io::Result<()> {
        while !bytes.is_empty() {
            let waiting = self.unfinished[stream as usize].len();
            let room = MAX_RECORD - waiting;
            let line_end = bytes.iter().take(room).position(|byte| *byte == b'\n');
            match line_end {
                Some(end) => {
                    self.record(stream, &bytes[..end], false, time)?;
                    bytes = &bytes[end + 1..];
                }
                None if bytes.len() >= room => {
                    self.record(stream, &bytes[..room], true, time)?;
                    bytes = &bytes[room..];
                }
                None => {
                    self.unfinished[stream as usize].extend_from_slice(bytes);
                    bytes = &[];
                }
            }
        }
        self.flush()
    }

    /// The stream has ended: a last line without a break is a line too.
    pub(crate) fn finish(&mut self, stream: Stream, time: &str) -> io::Result<()> {
        if !self.unfinished[stream as usize].is_empty() {
            self.record(stream, b"", false, time)?;
        }
        self.unfinished[stream as usize] = Vec::new();
        self.flush()
    }

    fn record(&mut self, stream: Stream, end: &[u8], partial: bool, time: &str) -> io::Result<()> {
        let tag = if partial { "P" } else { "F" };
        let begun = &self.unfinished[stream as usize];
        let length = time.len() + stream.name().len() + tag.len() + 4 + begun.len() + end.len();
        if self.drops(length as u64) {
            self.unfinished[stream as usize].clear();
            return Ok(());
        }
        if self.size + length as u64 > self.config.max_size && self.size > 0 {
            self.flush()?;
            self.rotate()?;
        }
        let begun = &mut self.unfinished[stream as usize];
        for part in [
            time.as_bytes(),
            b" ",
            stream.name().as_bytes(),
            b" ",
            tag.as_bytes(),
            b" ",
            begun,
            end,
            b"\n",
        ] {
            self.batch.extend_from_slice(part);
        }
        begun.clear();
        self.size += length as u64;
        if let Some(waiting) = &mut self.waiting {
            waiting.push(length);
        }
        if self.batch.len() >= BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // On a full disk the batch is given up rather than held: the container must not stand still for it.
        let before = self.size - self.batch.len() as u64;
        let written = self.file.write_all(&self.batch);
        self.batch.clear();
        if written.is_err() {
            // Sizes are what readers find; half a record must not run into the next one.
            self.size = self.file.metadata().map_or(before, |file| file.len());
            if self.size > before {
                self.batch.push(b'\n');
                self.size += 1;
            }
            if let Some(waiting) = &mut self.waiting {
                waiting.cut(self.before + self.size);
            }
        }
        if self.batch.capacity() > 2 * BATCH {
            self.batch.shrink_to(BATCH);
        }
        written
    }

    fn rotate(&mut self) -> io::Result<()> {
        let oldest = self.config.max_files.saturating_sub(1);
        for age in (0..oldest).rev() {
            match fs::rename(aged(&self.path, age), aged(&self.path, age + 1)) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                _ => {}
            }
        }
        if oldest == 0 {
            fs::remove_file(&self.path)?;
        }
        self.file = append(&self.path)?;
        self.before += self.size;
        self.size = 0;
        Ok(())
    }
}

/// Bytes of all files of a log, counted from where `place` is counted from; it is in one of them, or before them all.
fn before(log: &Path, place: LogPlace) -> u64 {
    let files = (0..MAX_FILES).map_while(|age| fs::metadata(aged(log, age)).ok());
    let mut younger = 0;
    for file in files {
        if file.ino() == place.inode {
            return place.total.saturating_sub(place.offset) + file.len() + younger;
        }
        younger += file.len();
    }
    place.total + younger
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::super::{LogLine, MIN_LOG_SIZE};
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn writer(dir: &tempfile::TempDir, config: LogConfig) -> LogWriter {
        LogWriter::open(dir.path().join("log"), config, LogPlace::default()).expect("opened")
    }

    fn lines(dir: &tempfile::TempDir, age: u32) -> Vec<LogLine> {
        let bytes = fs::read(aged(&dir.path().join("log"), age)).unwrap_or_default();
        bytes.strip_suffix(b"\n").map_or_else(Vec::new, |bytes| {
            bytes
                .split(|byte| *byte == b'\n')
                .map(|line| LogLine::parse(line).expect("a record"))
                .collect()
        })
    }

    #[test]
    fn any_bytes_come_back_in_lines_of_their_stream() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, LogConfig::default());
        log.push(Stream::Stdout, b"one\ntw", TIME).expect("written");
        log.push(Stream::Stderr, b"\xff\x00 x\r\n", TIME)
            .expect("written");
        log.push(Stream::Stdout, b"o\n\nend", TIME).expect("written");
        assert_eq!(
            lines(&dir, 0).len(),
            4,
            "what waits for its end is not a record yet"
        );
        log.finish(Stream::Stdout, TIME).expect("written");
        log.finish(Stream::Stderr, TIME).expect("written");
        let found: Vec<_> = lines(&dir, 0)
            .into_iter()
            .map(|l| (l.stream, l.partial, l.bytes))
            .collect();
        let expected: [(Stream, bool, &[u8]); 5] = [
            (Stream::Stdout, false, b"one"),
            (Stream::Stderr, false, b"\xff\x00 x\r"),
            (Stream::Stdout, false, b"two"),
            (Stream::Stdout, false, b""),
            (Stream::Stdout, false, b"end"),
        ];
        assert_eq!(found, expected.map(|(s, p, b)| (s, p, b.to_vec())));
    }

    #[test]
    fn a_long_line_is_cut_into_records_that_join_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, LogConfig::default());
        let line: Vec<u8> = (0..100_000u32).map(|i| b'a' + (i % 26) as u8).collect();
        for part in line.chunks(7_001) {
            log.push(Stream::Stdout, part, TIME).expect("written");
        }
        log.push(Stream::Stdout, b"\n", TIME).expect("written");
        let found = lines(&dir, 0);
        assert!(found.iter().all(|record| record.bytes.len() <= MAX_RECORD));
        assert!(found.iter().rev().skip(1).all(|record| record.partial));
        assert!(!found.last().expect("a record").partial);
        assert_eq!(
            found
                .into_iter()
                .flat_map(|record| record.bytes)
                .collect::<Vec<_>>(),
            line
        );
    }

    #[test]
    fn the_files_never_exceed_their_bound_and_keep_the_newest() {
        for max_files in [1, 3] {
            let dir = tempfile::tempdir().expect("a directory");
            let config = LogConfig {
                max_size: MIN_LOG_SIZE,
                max_files,
                backlog: None,
            };
            let mut log = writer(&dir, config);
            for i in 0..20_000 {
                log.push(Stream::Stdout, format!("line {i}\n").as_bytes(), TIME)
                    .expect("written");
            }
            let files = fs::read_dir(dir.path()).expect("a directory").flatten();
            let sizes: Vec<u64> = files.map(|f| f.metadata().expect("a file").len()).collect();
            assert_eq!(sizes.len(), max_files as usize);
            assert!(sizes.iter().all(|size| *size <= MIN_LOG_SIZE), "{sizes:?}");
            let last = lines(&dir, 0);
            assert_eq!(last.last().expect("a record").bytes, b"line 19999");
            if max_files > 1 {
                let before = lines(&dir, 1);
                let number = |line: &LogLine| -> u32 {
                    String::from_utf8_lossy(&line.bytes)[5..]
                        .parse()
                        .expect("a number")
                };
                assert_eq!(
                    number(before.last().expect("a record")) + 1,
                    number(&last[0]),
                    "nothing is lost between"
                );
            }
        }
    }
}
