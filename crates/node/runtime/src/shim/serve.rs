//! The rest of a shim's life: carry output to the log, answer the daemon, reap, and in the end write down how
//! the container ended. One thread around one poll.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use roadstead_base::{Clock, SystemClock, Timestamp};
use rustix::process::{WaitOptions, WaitStatus};

use super::setup::{Gate, Made};
use super::streams::Streams;
use super::{Post, start};
use crate::control::{MAX_LINE, Request, encode_reply};
use crate::error::{Error, Result};
use crate::files::{Life, Plan};
use crate::logs::{LogWriter, Stream};
use crate::status::Exit;
use crate::sys;

/// Connections held at a time; each waiter of the daemon's has one. More are turned away.
const MAX_CLIENTS: usize = 64;
/// Bytes taken from a pipe at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes that a pipe holds at the most: it has its first size, and whoever prints cannot have it grow beyond this.
const PIPE: usize = 1024 * 1024;
/// How long output is awaited from processes that outlive the first one and cannot be killed.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

struct Client {
    stream: UnixStream,
    line: Vec<u8>,
}

struct Shim {
    plan: Plan,
    post: Post,
    pid: i32,
    /// Present until the container is started.
    gate: Option<Gate>,
    started_at: Option<Timestamp>,
    /// Why the program could not be run, with the exit code that stands for it.
    refused: Option<(i32, String)>,
    streams: Streams,
    log: LogWriter,
    clients: VecDeque<Client>,
}

pub(super) fn serve(plan: Plan, post: Post, made: Made) -> Result<()> {
    let sent = post.dir.sent().ok().flatten().unwrap_or_default();
    let log = LogWriter::open(post.dir.log(), plan.spec.log, sent)
        .map_err(Error::io("could not open the log", post.dir.log()))?;
    post.dir.remove_exit()?;
    post.dir.write_life(&Life {
        pid: made.pid,
        started_at: None,
    })?;
    let first = post.first.try_clone().map_err(Error::io(
        "could not keep the control connection",
        post.dir.path(),
    ))?;
    let mut shim = Shim {
        plan,
        pid: made.pid,
        gate: Some(made.gate),
        started_at: None,
        refused: None,
        streams: made.streams,
        log,
        clients: VecDeque::new(),
        post,
    };
    shim.admit(first);
    shim.tell(0, &Ok(made.pid.to_string()));
    let status = shim.run();
    shim.finish(status)
}

impl Shim {
    /// Until the container's first process has ended: how.
    fn run(&mut self) -> WaitStatus {
        let mut chunk = vec![0; CHUNK];
        loop {
            let ready = self.await_events(PollTimeout::NONE);
            for stream in ready.streams {
                self.pump(stream, &mut chunk);
            }
            if ready.signal {
                while let Ok(Some(_)) = self.post.signals.read_signal() {}
                if let Some(status) = self.reap() {
                    return status;
                }
            }
            // From the back, so that removing one does not shift the others.
            for index in ready.clients.into_iter().rev() {
                self.hear(index);
            }
            if ready.connection
                && let Ok((stream, _)) = self.post.listener.accept()
            {
                self.admit(stream);
            }
        }
    }

    fn await_events(&self, timeout: PollTimeout) -> Ready {
        let mut waits = vec![
            PollFd::new(self.post.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.post.listener.as_fd(), PollFlags::POLLIN),
        ];
        let mut open = Vec::with_capacity(2);
        let full = self.log.is_full();
        for (stream, pipe) in [Stream::Stdout, Stream::Stderr]
            .into_iter()
            .zip(&self.streams.outputs)
        {
            // Whoever prints into a pipe that is not read waits in the end.
            if let Some(pipe) = pipe
                && !full
            {
                waits.push(PollFd::new(pipe.as_fd(), PollFlags::POLLIN));
                open.push(stream);
            }
        }
        let fixed = waits.len();
        waits.extend(
            self.clients
                .iter()
                .map(|client| PollFd::new(client.stream.as_fd(), PollFlags::POLLIN)),
        );
        // An interrupted or failed poll reports nothing; the next one will.
        let _ = poll(&mut waits, timeout);
        let ready = |wait: &PollFd<'_>| wait.revents().is_some_and(|events| !events.is_empty());
        Ready {
            signal: ready(&waits[0]),
            connection: ready(&waits[1]),
            streams: open
                .iter()
                .zip(&waits[2..fixed])
                .filter(|(_, w)| ready(w))
                .map(|(s, _)| *s)
                .collect(),
            clients: waits[fixed..]
                .iter()
                .enumerate()
                .filter(|(_, w)| ready(w))
                .map(|(i, _)| i)
                .collect(),
        }
    }

    /// Takes one chunk, so that neither stream and no client starves.
    fn pump(&mut self, stream: Stream, chunk: &mut [u8]) {
        let Some(pipe) = &mut self.streams.outputs[stream as usize] else {
            return;
        };
        let time = SystemClock.now().to_rfc3339();
        // A log that cannot be written loses lines; the container goes on.
        match pipe.read(chunk) {
            Ok(0) => {
                self.streams.outputs[stream as usize] = None;
                let _ = self.log.finish(stream, &time);
            }
            Ok(length) => {
                let _ = self.log.push(stream, &chunk[..length], &time);
            }
            Err(err) if matches!(err.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(_) => self.streams.outputs[stream as usize] = None,
        }
    }

    /// Collects every child that has ended; the container's first process is one of several.
    fn reap(&mut self) -> Option<WaitStatus> {
        // rustix rather than nix, which takes an end by a real-time signal for an error.
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid.as_raw_nonzero().get() == self.pid {
                return Some(status);
            }
        }
        None
    }

    fn admit(&mut self, stream: UnixStream) {
        // Without blocking, a client that does not read cannot stop the shim.
        if self.clients.len() < MAX_CLIENTS && stream.set_nonblocking(true).is_ok() {
            self.clients.push_back(Client {
                stream,
                line: Vec::new(),
            });
        }
    }

    fn hear(&mut self, index: usize) {
        let Some(client) = self.clients.get_mut(index) else {
            return;
        };
        let mut buffer = [0; 512];
        match client.stream.read(&mut buffer) {
            Ok(length) if length > 0 && client.line.len() + length <= MAX_LINE => {
                client.line.extend_from_slice(&buffer[..length]);
            }
            Err(err) if matches!(err.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => return,
            _ => {
                self.clients.remove(index);
                return;
            }
        }
        let Some(end) = client.line.iter().position(|byte| *byte == b'\n') else {
            return;
        };
        let line: Vec<u8> = client.line.drain(..=end).collect();
        let reply = match Request::decode(&String::from_utf8_lossy(&line)) {
            Some(Request::Start) => self.start(),
            Some(Request::Signal(signal)) => {
                // Not reaped yet, so the pid can be nobody else's.
                sys::kill(self.pid, signal)
                    .map(|()| String::new())
                    .map_err(|err| err.to_string())
            }
            Some(Request::Kill) => {
                self.plan.cgroups.lift_quota(&self.plan.cgroup);
                let _ = sys::kill(self.pid, libc::SIGKILL);
                // On cgroup v1 a frozen process does not even die.
                self.plan.cgroups.thaw_quietly(&self.plan.cgroup);
                Ok(String::new())
            }
            Some(Request::Sent(bytes)) => {
                self.log.sent(bytes);
                Ok(String::new())
            }
            Some(Request::Flush) => Ok(self.flush()),
            None => Err("not a request that this version knows".to_owned()),
        };
        self.tell(index, &reply);
    }

    fn tell(&mut self, index: usize, reply: &Result<String, String>) {
        if let Some(client) = self.clients.get_mut(index)
            && client.stream.write_all(encode_reply(reply).as_bytes()).is_err()
        {
            self.clients.remove(index);
        }
    }

    /// Takes what is in the pipes now: as much as they hold, for whoever prints meanwhile may never end.
    fn flush(&mut self) -> String {
        let mut chunk = vec![0; CHUNK];
        for _ in 0..PIPE.div_ceil(CHUNK) {
            let ready = self.await_events(PollTimeout::ZERO);
            if ready.streams.is_empty() {
                break;
            }
            for stream in ready.streams {
                self.pump(stream, &mut chunk);
            }
        }
        let end = self.log.total();
        match self.log.is_full() {
            true => format!("{end} rest"),
            false => end.to_string(),
        }
    }

    fn start(&mut self) -> Result<String, String> {
        let Some(gate) = self.gate.take() else {
            return match (self.started_at, &self.refused) {
                (Some(at), _) => Ok(at.0.to_string()),
                (None, Some((_, message))) => Err(message.clone()),
                (None, None) => Err("the container has ended".to_owned()),
            };
        };
        match start::start(gate) {
            Ok(()) => {
                let at = SystemClock.now();
                self.started_at = Some(at);
                let life = Life {
                    pid: self.pid,
                    started_at: Some(at),
                };
                self.post.dir.write_life(&life).map_err(|err| err.to_string())?;
                Ok(at.0.to_string())
            }
            Err((code, message)) => {
                // The process ends by itself, with this code, unless it hangs.
                let _ = sys::kill(self.pid, libc::SIGKILL);
                self.refused = Some((code, message.clone()));
                Err(message)
            }
        }
    }

    /// The first process has ended: nothing else may stay, and what was printed must be on file before the
    /// end is told.
    fn finish(mut self, status: WaitStatus) -> Result<()> {
        let finished_at = SystemClock.now();
        // Processes that were in a pid namespace shared with others are still there.
        let killed = self.plan.cgroups.kill(&self.plan.cgroup);
        self.drain();
        let (code, reason) = match (&self.refused, status.exit_status(), status.terminating_signal()) {
            (Some((code, message)), ..) => (*code, Some(message.clone())),
            (None, Some(code), _) => (code, None),
            (None, None, Some(signal)) => (128 + signal, None),
            (None, None, None) => (255, Some(format!("the kernel reported {status:?}"))),
        };
        let reason = reason.or_else(|| killed.err().map(|err| err.to_string()));
        // Read while the group exists. Whether the first process itself was killed, or passed on the code of
        // a child that was, it was for want of memory; an unrelated earlier kill does not change another code.
        let oom_killed = code == 128 + libc::SIGKILL && self.plan.cgroups.oom_kills(&self.plan.cgroup) > 0;
        self.post.dir.write_exit(&Exit {
            code,
            oom_killed,
            finished_at,
            reason,
        })?;
        let _ = std::fs::remove_file(self.post.dir.control());
        // Hanging up is how everybody learns that the record is there.
        self.clients.clear();
        drop((self.post.listener, self.post.first));
        self.post.dir.sync_exit()
    }

    fn drain(&mut self) {
        // Nobody is answered any more, but they wait for the record: they hang on until it is written.
        let waiting = std::mem::take(&mut self.clients);
        self.log.ending();
        let mut chunk = vec![0; CHUNK];
        let deadline = SystemClock.now().plus_millis(DRAIN_WITHIN.as_millis() as i64);
        while self.streams.outputs.iter().any(Option::is_some) && SystemClock.now() < deadline {
            let ready = self.await_events(PollTimeout::from(100u16));
            for stream in ready.streams {
                self.pump(stream, &mut chunk);
            }
            if ready.signal {
                while let Ok(Some(_)) = self.post.signals.read_signal() {}
                let _ = self.reap();
            }
            if ready.connection {
                // Comes back, and then finds the record.
                let _ = self.post.listener.accept();
            }
        }
        self.clients = waiting;
        let time = SystemClock.now().to_rfc3339();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let _ = self.log.finish(stream, &time);
        }
    }
}

/// What can be read without waiting.
struct Ready {
    signal: bool,
    connection: bool,
    streams: Vec<Stream>,
    clients: Vec<usize>,
}
