//! A log as whoever sends it on reads it: from where the one before got to, and telling how far it has been sent. That
//! is written down for the next daemon, and then told to the shim, which keeps what has not been sent.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LogLine, LogReader};
use crate::control::{Control, Request};
use crate::error::{Error, Result};
use crate::files::Dir;

/// How long the shim may take to put on file what was printed.
const FLUSH_WITHIN: Duration = Duration::from_secs(10);
/// How long the shim may take to note what has been sent; it is told again with the next batch.
const NOTE_WITHIN: Duration = Duration::from_secs(5);

/// A place between two records. It stays true when files are rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// The file.
    pub inode: u64,
    /// Bytes from its beginning.
    pub offset: u64,
    /// Bytes from where the log began, in files that are gone too.
    pub total: u64,
}

impl Ord for LogPlace {
    fn cmp(&self, other: &Self) -> Ordering {
        self.total.cmp(&other.total)
    }
}

impl PartialOrd for LogPlace {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What reading on brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRead {
    /// A record, and where it stands.
    Line {
        line: LogLine,
        from: LogPlace,
        to: LogPlace,
    },
    /// Nothing more yet.
    Quiet,
    /// Nothing more ever.
    Ended,
}

/// What a flush brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Where what was printed before ends, as [`LogPlace::total`] counts; what is printed meanwhile comes behind it, and
    /// may never end. None of a container that has ended: everything is before it.
    pub end: Option<u64>,
    /// Not so when the log is full (see [`crate::WhenFull::Block`]): there is more once this was sent on.
    pub all: bool,
}

/// Reads a container's log from where it was sent to.
pub struct LogFollower {
    dir: Dir,
    reader: LogReader,
    ended: bool,
    /// Kept by those who flush, which they do often.
    control: Option<Control>,
}

impl LogFollower {
    pub(crate) async fn open(dir: Dir, mut reader: LogReader) -> Result<Self> {
        match dir.sent() {
            Ok(Some(place)) => reader.go_to(place).await?,
            // Held from here on, also when it is rotated before anything of it is read.
            Ok(None) => reader.open_first().await?,
            // The machine went down while it was written: rather twice than never.
            Err(Error::Corrupt { .. }) => {
                tracing::warn!(dir = %dir.path().display(), "read from its beginning")
            }
            Err(error) => return Err(error),
        }
        Ok(Self {
            dir,
            reader,
            ended: false,
            control: None,
        })
    }

    /// Has everything on file that the container has printed before. What one that has ended printed is on file.
    ///
    /// # Errors
    /// The shim does not answer.
    pub async fn flush(&mut self) -> Result<Flushed> {
        let asked = self.ask(Request::Flush, FLUSH_WITHIN).await;
        Ok(
            match asked.map_err(Error::io("could not flush the log", self.dir.log()))? {
                Some(Ok(said)) => Flushed {
                    // Older shims do not say it.
                    end: said.split(' ').next().and_then(|end| end.parse().ok()),
                    all: !said.ends_with("rest"),
                },
                // An older shim that does not know the word: its log is as level as it is.
                Some(Err(_)) | None => Flushed { end: None, all: true },
            },
        )
    }

    /// Asks over the connection that is there, or over a new one, which then stays. Nothing: there is no shim any more.
    async fn ask(
        &mut self,
        request: Request,
        patience: Duration,
    ) -> std::io::Result<Option<Result<String, String>>> {
        // Taken out meanwhile: who hangs up in between leaves an answer behind that is nobody's.
        if let Some(mut control) = self.control.take()
            && let Some(answer) = control.ask(request, patience).await?
        {
            self.control = Some(control);
            return Ok(Some(answer));
        }
        let Some(mut control) = Control::connect(&self.dir).await? else {
            return Ok(None);
        };
        let answer = control.ask(request, patience).await?;
        self.control = answer.is_some().then_some(control);
        Ok(answer)
    }

    /// The place of the next record.
    pub fn place(&self) -> LogPlace {
        self.reader.place()
    }

    /// What is on file next.
    ///
    /// # Errors
    /// The log cannot be read.
    pub async fn next(&mut self) -> Result<LogRead> {
        let from = self.reader.place();
        // Looked at before reading: what was written before the end is then still found.
        let ended = self.ended || self.reader.ended();
        match self.reader.read_one().await? {
            Some(line) => {
                let to = self.reader.place();
                Ok(LogRead::Line { line, from, to })
            }
            None if ended => {
                self.ended = true;
                Ok(LogRead::Ended)
            }
            None => Ok(LogRead::Quiet),
        }
    }

    /// Everything before `place` has been sent: a next daemon goes on there, and the shim has room again.
    ///
    /// # Errors
    /// It could not be written down.
    pub async fn sent(&mut self, place: LogPlace) -> Result<()> {
        self.dir.write_sent(&place)?;
        let keeps = self.control.is_some();
        // A container that has ended needs no room.
        if let Err(error) = self.ask(Request::Sent(place.total), NOTE_WITHIN).await {
            tracing::debug!(dir = %self.dir.path().display(), %error, "the shim does not know yet");
        }
        if !keeps {
            self.control = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Backlog, LogConfig, LogQuery, LogWriter, MIN_LOG_SIZE, Stream, WhenFull};
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn writer(dir: &tempfile::TempDir, config: LogConfig) -> LogWriter {
        LogWriter::open(dir.path().join("log"), config, LogPlace::default()).expect("opened")
    }

    async fn follower(dir: &tempfile::TempDir) -> LogFollower {
        let query = LogQuery::default();
        let reader = LogReader::new(dir.path().join("log"), dir.path().join("exit.json"), query);
        LogFollower::open(Dir::new(dir.path()), reader)
            .await
            .expect("opened")
    }

    /// What is there, and the place behind it.
    async fn rest(follower: &mut LogFollower) -> (Vec<u32>, LogPlace) {
        let mut lines = Vec::new();
        while let LogRead::Line { line, from, to } = follower.next().await.expect("read") {
            assert!(from < to && to == follower.place());
            lines.push(String::from_utf8_lossy(&line.bytes).parse().expect("a number"));
        }
        (lines, follower.place())
    }

    fn print(log: &mut LogWriter, numbers: std::ops::Range<u32>) {
        for number in numbers {
            let line = format!("{number}\n");
            log.push(Stream::Stdout, line.as_bytes(), TIME).expect("written");
        }
    }

    fn backlog(limit: u64, when_full: WhenFull) -> LogConfig {
        LogConfig {
            max_size: MIN_LOG_SIZE,
            max_files: 4,
            backlog: Some(Backlog {
                limit,
                when_full,
                records: None,
            }),
        }
    }

    #[tokio::test]
    async fn what_is_rotated_before_anything_is_read_is_read_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, backlog(MIN_LOG_SIZE, WhenFull::Block));
        let mut reading = follower(&dir).await;
        let mut next = 0;
        while !dir.path().join("log.1").exists() {
            print(&mut log, next..next + 100);
            next += 100;
        }
        let (lines, _) = rest(&mut reading).await;
        assert_eq!(lines.first(), Some(&0));
    }

    #[tokio::test]
    async fn whoever_comes_next_goes_on_where_it_was_sent_to_also_across_rotations() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, backlog(MIN_LOG_SIZE, WhenFull::Drop));
        let (mut next, mut total) = (0u32, 0);
        for round in 0..60 {
            let count = 200 + round * 20;
            print(&mut log, next..next + count);
            let mut reading = follower(&dir).await;
            let (lines, place) = rest(&mut reading).await;
            assert_eq!(lines, (next..next + count).collect::<Vec<_>>(), "round {round}");
            assert!(place.total > total);
            total = place.total;
            next += count;
            reading.sent(place).await.expect("written down");
            log.sent(place.total);
        }
        assert!(dir.path().join("log.3").exists());
        let mut last = follower(&dir).await;
        assert_eq!(last.next().await.expect("read"), LogRead::Quiet);
        std::fs::write(dir.path().join("exit.json"), "{}").expect("written");
        assert_eq!(last.next().await.expect("read"), LogRead::Ended);
    }

    #[tokio::test]
    async fn what_was_not_sent_comes_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, LogConfig::default());
        print(&mut log, 0..10);
        let mut reading = follower(&dir).await;
        let mut third = LogPlace::default();
        for _ in 0..3 {
            match reading.next().await.expect("read") {
                LogRead::Line { to, .. } => third = to,
                other => panic!("{other:?}"),
            }
        }
        reading.sent(third).await.expect("written down");
        assert_eq!(
            rest(&mut follower(&dir).await).await.0,
            (3..10).collect::<Vec<_>>()
        );
        std::fs::write(dir.path().join("sent.json"), "").expect("written");
        assert_eq!(
            rest(&mut follower(&dir).await).await.0,
            (0..10).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn beyond_its_bound_a_log_drops_or_is_full() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, backlog(1_000, WhenFull::Drop));
        print(&mut log, 0..100);
        let mut reading = follower(&dir).await;
        let (lines, place) = rest(&mut reading).await;
        assert!(
            (10..100).contains(&lines.len()) && place.total <= 1_000,
            "{}",
            lines.len()
        );
        assert!(!log.is_full(), "nobody waits");
        log.sent(place.total);
        print(&mut log, 100..101);
        assert_eq!(rest(&mut reading).await.0, [100]);

        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, backlog(1_000, WhenFull::Block));
        print(&mut log, 0..10);
        assert!(!log.is_full());
        print(&mut log, 10..100);
        assert!(log.is_full());
        let mut reading = follower(&dir).await;
        let (lines, place) = rest(&mut reading).await;
        assert_eq!(lines.len(), 100, "what was read from the container is kept");
        log.sent(place.total);
        assert!(!log.is_full());
        print(&mut log, 100..200);
        log.ending();
        assert!(!log.is_full(), "what is left in the pipes is taken");
    }

    #[tokio::test]
    async fn a_next_run_counts_what_the_runs_before_left_unsent() {
        let config = backlog(MIN_LOG_SIZE, WhenFull::Block);
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, config);
        // Rotated once, and half of it sent.
        print(&mut log, 0..2_500);
        assert!(dir.path().join("log.1").exists() && !dir.path().join("log.2").exists());
        let mut reading = follower(&dir).await;
        let mut half = LogPlace::default();
        for _ in 0..1_250 {
            match reading.next().await.expect("read") {
                LogRead::Line { to, .. } => half = to,
                other => panic!("{other:?}"),
            }
        }
        let (_, end) = rest(&mut reading).await;
        for sent in [LogPlace::default(), half, end] {
            log.sent(sent.total);
            let path = dir.path().join("log");
            let mut next = LogWriter::open(path, config, sent).expect("opened");
            assert_eq!(next.is_full(), end.total - sent.total >= MIN_LOG_SIZE, "{sent:?}");
            assert_eq!(next.is_full(), log.is_full(), "as the writer before it");
            next.sent(end.total);
            assert!(!next.is_full());
        }
        drop(log);
        let mut next = LogWriter::open(dir.path().join("log"), config, end).expect("opened");
        print(&mut next, 0..2_500);
        let mut last = follower(&dir).await;
        last.sent(end).await.expect("noted");
        let (lines, place) = rest(&mut follower(&dir).await).await;
        assert_eq!(lines, (0..2_500).collect::<Vec<_>>());
        assert!(next.is_full(), "two files and a half, of which one is sent");
        next.sent(place.total);
        assert!(!next.is_full(), "both count the same bytes");
    }

    #[tokio::test]
    async fn a_bound_on_records_drops_what_comes_beyond_it() {
        let config = LogConfig {
            backlog: Some(Backlog {
                limit: MIN_LOG_SIZE,
                when_full: WhenFull::Block,
                records: Some(50),
            }),
            ..backlog(MIN_LOG_SIZE, WhenFull::Block)
        };
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = writer(&dir, config);
        print(&mut log, 0..100);
        assert!(!log.is_full(), "the container does not wait for it");
        let mut reading = follower(&dir).await;
        let mut tenth = LogPlace::default();
        for _ in 0..10 {
            match reading.next().await.expect("read") {
                LogRead::Line { to, .. } => tenth = to,
                other => panic!("{other:?}"),
            }
        }
        reading.sent(tenth).await.expect("noted");
        log.sent(tenth.total);
        print(&mut log, 100..120);
        let (lines, place) = rest(&mut follower(&dir).await).await;
        let left: Vec<_> = (10..50).chain(100..110).collect();
        assert_eq!(lines, left, "room for as many as were sent");
        // A next run counts what the one before left, over all files.
        drop(log);
        let mut next = LogWriter::open(dir.path().join("log"), config, tenth).expect("opened");
        print(&mut next, 120..130);
        assert_eq!(rest(&mut follower(&dir).await).await.1, place, "full");
        let mut next = LogWriter::open(dir.path().join("log"), config, place).expect("opened");
        for round in 1..100 {
            print(&mut next, round * 1000..round * 1000 + 50);
            let mut reading = follower(&dir).await;
            let (lines, place) = rest(&mut reading).await;
            let from = if round == 1 { 50 } else { 0 };
            assert_eq!(
                lines[from..],
                (round * 1000..round * 1000 + 50).collect::<Vec<_>>()
            );
            reading.sent(place).await.expect("noted");
            next = LogWriter::open(dir.path().join("log"), config, place).expect("opened");
        }
        assert!(dir.path().join("log.1").exists(), "across rotations");
    }

    #[test]
    fn files_hold_a_whole_backlog_besides_the_one_being_written() {
        for limit in [1, 4096, 10 << 20, 1 << 30] {
            let config = LogConfig::keeping(Backlog {
                limit,
                when_full: WhenFull::Block,
                records: None,
            });
            let whole = config.max_size * u64::from(config.max_files - 2);
            assert!(whole >= limit + super::super::OVERSHOOT, "{limit}");
        }
    }
}
