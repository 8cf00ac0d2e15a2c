//! The daemon's side: starting a forwarder, knowing it again after a restart, ending it.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{LINE, NAME, Order, Report};

/// How long the kernel may take to end a killed forwarder.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A forwarder: a process id, and when it started, since ids are given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pid: i32,
    /// In clock ticks since boot.
    start: u64,
}

impl Process {
    /// A descriptor that becomes readable when it ends; none when it is gone.
    pub(crate) fn open(self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(self.pid)?;
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        // Looked at while the descriptor is held: it is the same process or none.
        (start_of(self.pid) == Some(self.start)).then_some(fd)
    }

    /// Ends it and waits, so that its ports are free. One that is gone is none.
    ///
    /// # Errors
    /// The kernel's refusals, or that it does not end in time.
    pub(crate) fn end(self) -> io::Result<()> {
        let Some(fd) = self.open() else {
            self.collect();
            return Ok(());
        };
        match pidfd_send_signal(&fd, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ended = [PollFd::new(std::os::fd::AsFd::as_fd(&fd), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(ENDS_WITHIN).map_err(io::Error::other)?;
        loop {
            match poll(&mut ended, patience) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::TimedOut)),
                Ok(_) => break,
                Err(nix::Error::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.collect();
        Ok(())
    }

    /// Waits until it ends, and collects it if it was a child of this process.
    #[allow(unsafe_code)]
    pub(crate) async fn ended(self) {
        if let Some(fd) = self.open() {
            // JUSTIFICATION: tokio registers descriptors by no safe function.
            // SAFETY: the descriptor is owned by what is registered, and so is open until that is dropped.
            let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
            if let Ok(fd) = registered {
                let _ = fd.readable().await;
            }
        }
        self.collect();
    }

    /// Leaves no zombie if it was a child of this process.
    pub(crate) fn collect(self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// Field 22 of `stat`; the second, the command's name, may hold anything. None for a zombie.
fn start_of(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// A forwarder that waits to be told what to do. It ends by itself if the daemon dies before that, so whoever
/// writes its id down first leaves no stranger.
pub(crate) struct Starting {
    child: Child,
    pub(crate) process: Process,
}

impl Starting {
    /// Starts `helper`, or this very binary.
    ///
    /// # Errors
    /// The kernel's refusals.
    pub(crate) fn new(helper: Option<&Path>, container: &str) -> io::Result<Self> {
        let mut child = Command::new(helper.unwrap_or(Path::new("/proc/self/exe")))
            .arg0(NAME)
            .arg(container)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        match start_of(pid) {
            Some(start) => Ok(Self {
                child,
                process: Process { pid, start },
            }),
            None => {
                let _ = child.wait();
                Err(io::Error::other("the forwarder ended at once"))
            }
        }
    }

    /// Tells it what to forward and waits until it does. On any failure it has ended.
    ///
    /// # Errors
    /// That it ended without a word.
    pub(crate) fn order(mut self, order: &Order) -> io::Result<Report> {
        let report = self.converse(order);
        if !matches!(report, Ok(Report::Published(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        report
    }

    fn converse(&mut self, order: &Order) -> io::Result<Report> {
        let (input, output) = (self.child.stdin.take(), self.child.stdout.take());
        let (Some(mut input), Some(output)) = (input, output) else {
            return Err(io::Error::other("the forwarder has no pipes"));
        };
        let mut line = serde_json::to_vec(order)?;
        line.push(b'\n');
        input.write_all(&line)?;
        let mut answer = Vec::new();
        BufReader::new(output.take(LINE)).read_until(b'\n', &mut answer)?;
        if answer.is_empty() {
            return Err(io::Error::other("the forwarder ended without a word"));
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_id_and_its_start() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let start = start_of(pid).unwrap();
        let other = Process {
            pid,
            start: start + 1,
        };
        assert!(other.open().is_none());
        other.end().unwrap();
        assert!(child.try_wait().unwrap().is_none(), "a stranger is left alone");
        let own = Process { pid, start };
        assert!(own.open().is_some());
        own.end().unwrap();
        own.end().unwrap();
        assert_eq!(start_of(pid), None);
    }
}
