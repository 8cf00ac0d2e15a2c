//! Talking to a shim: one line there, one line back, over a socket in the container's directory. An open
//! connection is also how the shim's life is watched: the kernel closes it whatever happened, and no pid
//! has to be trusted.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::files::{CONTROL, Dir};

/// Longest line either side sends.
pub(crate) const MAX_LINE: usize = 4096;

/// What a shim can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Let the program run. Answered with its start time in milliseconds since 1970.
    Start,
    /// Send the first process a signal.
    Signal(i32),
    /// Kill everything in the container.
    Kill,
    /// So many bytes of the log have been sent on.
    Sent(u64),
    /// Put on file what has been printed so far. Answered with how many bytes the log has then, and with `rest` when it
    /// is full, so that not all is there.
    Flush,
}

impl Request {
    pub(crate) fn encode(self) -> String {
        match self {
            Self::Start => "start\n".into(),
            Self::Signal(signal) => format!("signal {signal}\n"),
            Self::Kill => "kill\n".into(),
            Self::Sent(bytes) => format!("sent {bytes}\n"),
            Self::Flush => "flush\n".into(),
        }
    }

    pub(crate) fn decode(line: &str) -> Option<Self> {
        match line.trim_end().split_once(' ') {
            None if line.trim_end() == "start" => Some(Self::Start),
            None if line.trim_end() == "kill" => Some(Self::Kill),
            None if line.trim_end() == "flush" => Some(Self::Flush),
            Some(("signal", number)) => number.parse().ok().map(Self::Signal),
            Some(("sent", number)) => number.parse().ok().map(Self::Sent),
            _ => None,
        }
    }
}

/// What a shim says: `ok ...` or `err ...`.
pub(crate) fn encode_reply(reply: &Result<String, String>) -> String {
    let (word, text) = match reply {
        Ok(text) => ("ok", text),
        Err(text) => ("err", text),
    };
    let text: String = text
        .chars()
        .map(|c| if c == '\n' { ' ' } else { c })
        .take(MAX_LINE / 4)
        .collect();
    format!("{word} {text}\n")
}

fn decode_reply(line: &str) -> Option<Result<String, String>> {
    let (word, text) = line.trim_end_matches('\n').split_once(' ')?;
    match word {
        "ok" => Some(Ok(text.to_owned())),
        "err" => Some(Err(text.to_owned())),
        _ => None,
    }
}

/// A connection to a live shim.
pub(crate) struct Control(BufReader<UnixStream>);

impl Control {
    /// `None` when there is no shim (any more).
    pub(crate) async fn connect(dir: &Dir) -> io::Result<Option<Self>> {
        // Socket addresses hold 107 bytes; a path through a descriptor always fits.
        let handle = match std::fs::File::open(dir.path()) {
            Ok(handle) => handle,
            Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(err),
        };
        let path = format!("/proc/self/fd/{}/{CONTROL}", handle.as_raw_fd());
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Some(Self::over(stream))),
            // It hung up in between: a shim ends with its container.
            Err(err)
                if hung_up(&err)
                    || matches!(
                        err.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                    ) =>
            {
                Ok(None)
            }
            Err(err) => Err(err),
        }
    }

    pub(crate) fn over(stream: UnixStream) -> Self {
        Self(BufReader::with_capacity(512, stream))
    }

    /// What a shim that ended early has written to its log.
    pub(crate) fn last_words(dir: &Dir) -> String {
        let log = std::fs::read_to_string(dir.shim_log()).unwrap_or_default();
        log.lines().last().unwrap_or("no message").to_owned()
    }

    /// Sends and waits for the answer, which is as `reply` returns it.
    pub(crate) async fn ask(
        &mut self,
        request: Request,
        patience: Duration,
    ) -> io::Result<Option<Result<String, String>>> {
        match self.0.get_mut().write_all(request.encode().as_bytes()).await {
            Err(err) if hung_up(&err) => return Ok(None),
            other => other?,
        }
        self.reply(patience).await
    }

    /// The next answer; `None` when the shim ended instead. Late is an error of kind `TimedOut`.
    pub(crate) async fn reply(&mut self, patience: Duration) -> io::Result<Option<Result<String, String>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.0).take(MAX_LINE as u64);
        let read = tokio::time::timeout(patience, bounded.read_until(b'\n', &mut line));
        match read.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))? {
            Err(err) if hung_up(&err) => Ok(None),
            Err(err) => Err(err),
            Ok(_) => Ok(decode_reply(&String::from_utf8_lossy(&line))),
        }
    }

    /// Returns when the shim has ended.
    pub(crate) async fn closed(&mut self) {
        let mut sink = [0; 64];
        while self.0.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    }
}

fn hung_up(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_replies_survive_the_line() {
        for request in [
            Request::Start,
            Request::Kill,
            Request::Signal(15),
            Request::Signal(64),
            Request::Sent(1 << 40),
        ] {
            assert_eq!(Request::decode(&request.encode()), Some(request));
        }
        for line in ["", "stop", "signal", "signal x", "kill 9"] {
            assert_eq!(Request::decode(line), None, "{line:?}");
        }
        let reply = Err("exec: \"/nope\":\nno such file".to_owned());
        assert_eq!(
            decode_reply(&encode_reply(&reply)),
            Some(Err("exec: \"/nope\": no such file".to_owned()))
        );
        assert!(encode_reply(&Ok("ä".repeat(9000))).len() <= MAX_LINE);
    }
}
