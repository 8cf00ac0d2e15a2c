//! The readers' end: the daemon, `logs` commands, log routing. It only looks at files, so it works while the
//! container runs, after it, and after a restart of the daemon.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader};

use super::{LogLine, LogPlace, LogQuery, MAX_FILES, MAX_RECORD, aged};
use crate::error::{Error, Result};

/// Time, stream, tag and blanks before the bytes of a record.
const MAX_PREFIX: usize = 64;
/// How often a file is looked for anew that was rotated while it was opened.
const MAX_LOOKS: usize = 100;
/// How often a follower looks for news.
const LOOK: Duration = Duration::from_millis(50);

/// Reads a container's log record by record.
pub struct LogReader {
    log: PathBuf,
    /// Exists once the container has exited and its log is complete.
    ended: PathBuf,
    query: LogQuery,
    /// For `tail`: collected at first use.
    queued: Option<VecDeque<LogLine>>,
    current: Option<Current>,
    /// Bytes of records before the next one, counted from where the log began.
    total: u64,
    /// What happens between finding a file and opening it.
    #[cfg(test)]
    meanwhile: Option<Box<dyn FnMut() + Send>>,
}

/// Which file of a log.
#[derive(Clone, Copy)]
enum Wanted {
    Oldest,
    Inode(u64),
    /// The one that was written to after that one.
    After(u64),
}

struct Current {
    reader: BufReader<File>,
    inode: u64,
    /// Where in the file the next record begins.
    offset: u64,
    /// What has been read of a record whose end is not on file yet.
    begun: Vec<u8>,
}

impl LogReader {
    pub(crate) fn new(log: PathBuf, ended: PathBuf, query: LogQuery) -> Self {
        Self {
            log,
            ended,
            query,
            queued: None,
            current: None,
            total: 0,
            #[cfg(test)]
            meanwhile: None,
        }
    }

    /// Goes on at a place, if the file is still there: what it names is never rotated away unless it was sent.
    pub(super) async fn go_to(&mut self, place: LogPlace) -> Result<()> {
        self.total = place.total;
        if let Some(mut current) = self.open(Wanted::Inode(place.inode)).await? {
            let seek = std::io::SeekFrom::Start(place.offset);
            current
                .reader
                .seek(seek)
                .await
                .map_err(Error::io("could not go on in the log", &self.log))?;
            current.offset = place.offset;
            self.current = Some(current);
        }
        Ok(())
    }

    /// Opens the oldest file, if there is one yet.
    pub(super) async fn open_first(&mut self) -> Result<()> {
        if self.current.is_none() {
            self.current = self.open(Wanted::Oldest).await?;
        }
        Ok(())
    }

    /// Before the next record.
    pub(super) fn place(&self) -> LogPlace {
        LogPlace {
            inode: self.current.as_ref().map_or(0, |current| current.inode),
            offset: self.current.as_ref().map_or(0, |current| current.offset),
            total: self.total,
        }
    }

    /// Whether the log is complete.
    pub(super) fn ended(&self) -> bool {
        self.ended.exists() || !self.log.exists()
    }

    /// The next record; `None` at the end, which a follower reaches when the container has exited. Records
    /// that were rotated away before they could be read are skipped.
    pub async fn next(&mut self) -> Result<Option<LogLine>> {
        if self.query.tail.is_some() && self.queued.is_none() {
            self.collect_tail().await?;
        }
        if let Some(line) = self.queued.as_mut().and_then(VecDeque::pop_front) {
            return Ok(Some(line));
        }
        loop {
            // Asked before reading: whatever was written before the end is then still found.
            let ended = !self.query.follow || self.ended();
            if let Some(line) = self.read_one().await? {
                return Ok(Some(line));
            }
            if ended {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn collect_tail(&mut self) -> Result<()> {
        let wanted = self.query.tail.unwrap_or(0);
        let mut last = VecDeque::new();
        while let Some(line) = self.read_one().await? {
            if last.len() == wanted {
                last.pop_front();
            }
            if wanted > 0 {
                last.push_back(line);
            }
        }
        self.queued = Some(last);
        Ok(())
    }

    /// The next record that is on file now.
    pub(super) async fn read_one(&mut self) -> Result<Option<LogLine>> {
        // The current file is known to be no longer written to: when it has been read out, it is done.
        let mut complete = false;
        loop {
            self.open_first().await?;
            let Some(current) = &mut self.current else {
                return Ok(None);
            };
            // A look at the file costs less than a read, which is another thread's.
            if !complete
                && std::fs::metadata(&self.log).is_ok_and(|meta| current.is_read_out(meta.ino(), meta.len()))
            {
                return Ok(None);
            }
            let before = current.offset;
            let record = current
                .record()
                .await
                .map_err(Error::io("could not read the log", &self.log))?;
            self.total += current.offset - before;
            match record {
                Some(record) => {
                    let line = LogLine::parse(&record);
                    if let Some(line) = line.filter(|line| self.query.stream.is_none_or(|s| s == line.stream))
                    {
                        return Ok(Some(line));
                    }
                }
                None if complete => {
                    let after = Wanted::After(current.inode);
                    let Some(next) = self.open(after).await? else {
                        return Ok(None);
                    };
                    self.current = Some(next);
                    complete = false;
                }
                None if self.rotated() => complete = true,
                None => return Ok(None),
            }
        }
    }

    /// Whether the file being read is no longer the one being written.
    fn rotated(&self) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        std::fs::metadata(&self.log).is_ok_and(|now| now.ino() != current.inode)
    }

    /// Opens a file of the log. Files get older under a reader: what was found is read only if it is still what was
    /// looked for once it is open. None: it is not there, or not yet.
    async fn open(&mut self, wanted: Wanted) -> Result<Option<Current>> {
        for _ in 0..MAX_LOOKS {
            let Some(age) = self.find(wanted) else {
                return Ok(None);
            };
            #[cfg(test)]
            if let Some(meanwhile) = &mut self.meanwhile {
                meanwhile();
            }
            let path = aged(&self.log, age);
            let file = match File::open(&path).await {
                Ok(file) => file,
                Err(err) if err.kind() == std::io::ErrorKind::NotFound => continue,
                Err(err) => return Err(Error::io("could not open", path)(err)),
            };
            let opened = file
                .metadata()
                .await
                .map_err(Error::io("could not look at", path))?;
            if self.find(wanted) == Some(age) && self.inode(age) == Some(opened.ino()) {
                return Ok(Some(Current {
                    reader: BufReader::new(file),
                    inode: opened.ino(),
                    offset: 0,
                    begun: Vec::new(),
                }));
            }
        }
        Ok(None)
    }

    /// The age of a file, as of now.
    fn find(&self, wanted: Wanted) -> Option<u32> {
        let oldest = |below: u32| (0..below).rev().find(|age| self.inode(*age).is_some());
        let of = |inode: u64| (0..MAX_FILES).find(|age| self.inode(*age) == Some(inode));
        match wanted {
            Wanted::Oldest => oldest(MAX_FILES),
            Wanted::Inode(inode) => of(inode),
            // Rotated away altogether: the oldest that is left comes next.
            Wanted::After(inode) => oldest(of(inode).unwrap_or(MAX_FILES)),
        }
    }

    fn inode(&self, age: u32) -> Option<u64> {
        let found = std::fs::metadata(aged(&self.log, age));
        found.ok().map(|found| found.ino())
    }
}

impl Current {
    /// Whether all of it has been read, and it is the file that is written.
    fn is_read_out(&self, inode: u64, length: u64) -> bool {
        inode == self.inode
            && self.reader.buffer().is_empty()
            && length <= self.offset + self.begun.len() as u64
    }

    /// A whole record without its line break, or nothing yet.
    async fn record(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let room = (MAX_RECORD + MAX_PREFIX).saturating_sub(self.begun.len()) as u64;
        (&mut self.reader)
            .take(room)
            .read_until(b'\n', &mut self.begun)
            .await?;
        if self.begun.last() == Some(&b'\n') {
            self.offset += self.begun.len() as u64;
            self.begun.pop();
            return Ok(Some(std::mem::take(&mut self.begun)));
        }
        if self.begun.len() >= MAX_RECORD + MAX_PREFIX {
            // Not a record of ours (a torn write after a crash): start again after it.
            self.offset += self.begun.len() as u64;
            self.begun.clear();
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LogConfig, LogWriter, MIN_LOG_SIZE, Stream};
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.678Z";

    fn reader(dir: &tempfile::TempDir, query: LogQuery) -> LogReader {
        LogReader::new(dir.path().join("log"), dir.path().join("exit.json"), query)
    }

    async fn all(mut reader: LogReader) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = reader.next().await.expect("read") {
            lines.push(String::from_utf8_lossy(&line.bytes).into_owned());
        }
        lines
    }

    #[tokio::test]
    async fn tail_and_stream_choose_records() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = LogWriter::open(dir.path().join("log"), LogConfig::default(), LogPlace::default())
            .expect("opened");
        for i in 0..10 {
            log.push(Stream::Stdout, format!("o{i}\n").as_bytes(), TIME)
                .expect("written");
            log.push(Stream::Stderr, format!("e{i}\n").as_bytes(), TIME)
                .expect("written");
        }
        let query = |tail, stream| LogQuery {
            tail,
            follow: false,
            stream,
        };
        assert_eq!(all(reader(&dir, query(None, None))).await.len(), 20);
        assert_eq!(all(reader(&dir, query(Some(3), None))).await, ["e8", "o9", "e9"]);
        assert_eq!(
            all(reader(&dir, query(Some(2), Some(Stream::Stdout)))).await,
            ["o8", "o9"]
        );
        assert!(all(reader(&dir, query(Some(0), None))).await.is_empty());
        assert_eq!(
            all(reader(&dir, query(Some(99), Some(Stream::Stderr))))
                .await
                .len(),
            10
        );
    }

    /// Fills the file that is written to with numbered records, until it is rotated.
    fn rotate(log: &mut LogWriter, path: &std::path::Path, number: &mut u32) {
        let written_to = || std::fs::metadata(path).expect("a log").ino();
        let full = written_to();
        while written_to() == full {
            let record = format!("{number:01000}\n");
            log.push(Stream::Stdout, record.as_bytes(), TIME)
                .expect("written");
            *number += 1;
        }
    }

    #[tokio::test]
    async fn a_rotation_between_finding_a_file_and_opening_it_skips_nothing() {
        for from_the_beginning in [true, false] {
            let dir = tempfile::tempdir().expect("a directory");
            let config = LogConfig {
                max_size: MIN_LOG_SIZE,
                max_files: 50,
                backlog: None,
            };
            let path = dir.path().join("log");
            let mut log = LogWriter::open(path.clone(), config, LogPlace::default()).expect("opened");
            let mut written = 0;
            for _ in 0..3 {
                rotate(&mut log, &path, &mut written);
            }
            let mut reader = reader(&dir, LogQuery::default());
            if from_the_beginning {
                reader.open_first().await.expect("opened");
            }
            let (count, counted) = std::sync::mpsc::channel();
            let mut left = 6;
            reader.meanwhile = Some(Box::new(move || {
                if left > 0 {
                    left -= 1;
                    rotate(&mut log, &path, &mut written);
                    count.send(written).expect("somebody counts");
                }
            }));
            let read = all(reader).await;
            let written = counted.try_iter().last().expect("it was rotated");
            let numbers: Vec<u32> = read.iter().map(|line| line.parse().expect("a number")).collect();
            assert_eq!(numbers, (0..written).collect::<Vec<_>>());
        }
    }

    #[tokio::test]
    async fn a_follower_sees_every_line_across_rotations_and_then_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let config = LogConfig {
            max_size: MIN_LOG_SIZE,
            max_files: 3,
            backlog: None,
        };
        let mut log = LogWriter::open(dir.path().join("log"), config, LogPlace::default()).expect("opened");
        log.push(Stream::Stdout, b"0\n", TIME).expect("written");
        let mut follower = reader(
            &dir,
            LogQuery {
                follow: true,
                ..LogQuery::default()
            },
        );
        let mut expected = 0u32;
        let read = async |follower: &mut LogReader| {
            let line = follower.next().await.expect("read");
            line.map(|line| {
                String::from_utf8_lossy(&line.bytes)
                    .parse::<u32>()
                    .expect("a number")
            })
        };
        // Stays within what the files can hold behind the writer.
        for batch in 0..40u32 {
            for i in 0..500u32 {
                if batch + i > 0 {
                    log.push(Stream::Stdout, format!("{}\n", batch * 500 + i).as_bytes(), TIME)
                        .expect("written");
                }
            }
            while expected < (batch + 1) * 500 {
                assert_eq!(read(&mut follower).await, Some(expected));
                expected += 1;
            }
        }
        std::fs::write(dir.path().join("exit.json"), "{}").expect("written");
        assert_eq!(read(&mut follower).await, None);
    }
}
