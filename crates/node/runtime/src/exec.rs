//! The daemon's end of a program that runs in a container besides its first process: for health checks, and for
//! people who want to look. A helper process of its own, as every container's shim is one, enters the container
//! and stands by; it ends the program when this end is dropped, also if the daemon dies.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::files::Dir;
use crate::ids::ContainerId;
use crate::spawn::ShimExe;
use crate::spec::ExecSpec;
use crate::sys;

/// How long entering the container may take.
const START_WITHIN: Duration = Duration::from_secs(45);
/// How long a killed program may take to be told.
const END_WITHIN: Duration = Duration::from_secs(10);
const CHUNK: usize = 16 * 1024;

/// The program's streams. Reading and writing them is the caller's business; nothing is logged.
#[derive(Debug)]
pub enum ExecStreams {
    Pipes {
        input: OwnedFd,
        output: OwnedFd,
        errors: OwnedFd,
    },
    /// A terminal's own side: what is written is typed.
    Terminal(OwnedFd),
}

/// A program that runs in a container. Dropping it ends the program.
#[derive(Debug)]
pub struct Execution {
    id: ContainerId,
    control: UnixStream,
    /// In the host's pid namespace.
    pub pid: i32,
    pub streams: ExecStreams,
}

/// What a program has said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    /// 128 + n for an end by signal n; `None` when it took too long and was killed.
    pub code: Option<i32>,
    /// stdout and stderr as they came, at most as much as was asked for.
    pub output: Vec<u8>,
}

pub(crate) async fn start(exe: &ShimExe, id: &ContainerId, dir: &Dir, spec: &ExecSpec) -> Result<Execution> {
    let shim = |problem: String| Error::Shim {
        id: id.clone(),
        problem,
    };
    let control = exe.start_exec(dir)?;
    let mut request = serde_json::to_vec(spec).map_err(|err| shim(format!("cannot be asked: {err}")))?;
    request.push(b'\n');
    let talk = async {
        write_all(&control, &request).await?;
        receive(&control).await
    };
    let answer = tokio::time::timeout(START_WITHIN, talk).await;
    let (line, mut passed) = match answer {
        Ok(answer) => answer.map_err(|err| shim(format!("could not run a program: {err}")))?,
        Err(_) => return Err(shim("took too long to run a program".into())),
    };
    match line.trim_end().split_once(' ') {
        Some(("ok", pid)) => {
            let streams = match (passed.pop(), passed.pop(), passed.pop()) {
                (Some(terminal), None, None) => ExecStreams::Terminal(terminal),
                (Some(errors), Some(output), Some(input)) => ExecStreams::Pipes {
                    input,
                    output,
                    errors,
                },
                _ => return Err(shim("ran a program without streams".into())),
            };
            let pid = pid.parse().unwrap_or(0);
            Ok(Execution {
                id: id.clone(),
                control,
                pid,
                streams,
            })
        }
        Some(("err", message)) => Err(Error::Start {
            id: id.clone(),
            message: message.to_owned(),
        }),
        _ => Err(shim(format!("ended early: {}", Control::last_words(dir)))),
    }
}

async fn write_all(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// One line, and the descriptors that came with it. Nothing at all when the helper has ended.
async fn receive(stream: &UnixStream) -> io::Result<(String, Vec<OwnedFd>)> {
    loop {
        stream.readable().await?;
        let mut buffer = [0; 4096];
        match stream.try_io(tokio::io::Interest::READABLE, || {
            sys::receive_with(stream, &mut buffer)
        }) {
            Ok((length, passed)) => {
                return Ok((String::from_utf8_lossy(&buffer[..length]).into_owned(), passed));
            }
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
    }
}

impl Execution {
    /// Waits for the end: the exit code, or 128 + n for an end by signal n.
    pub async fn wait(&self) -> Result<i32> {
        let (line, _) = receive(&self.control)
            .await
            .map_err(|err| self.lost(&err.to_string()))?;
        match line
            .trim_end()
            .strip_prefix("exit ")
            .and_then(|code| code.parse().ok())
        {
            Some(code) => Ok(code),
            None => Err(self.lost("ended without a word")),
        }
    }

    /// Ends the program, and what it has started in its session.
    pub async fn kill(&self) -> Result<()> {
        write_all(&self.control, b"kill\n")
            .await
            .map_err(|err| self.lost(&err.to_string()))
    }

    /// Tells a terminal's program how large the window is. Without a terminal there is nothing to tell.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        match &self.streams {
            ExecStreams::Terminal(terminal) => {
                sys::set_window(terminal.as_fd(), rows, columns).map_err(|err| self.lost(&err.to_string()))
            }
            ExecStreams::Pipes { .. } => Ok(()),
        }
    }

    /// Waits for the end, with what the program prints: at most `limit` bytes of it, the rest is read and
    /// dropped. After `patience` the program is killed. Its stdin is at its end.
    pub async fn collect(self, limit: usize, patience: Duration) -> Result<ExecOutput> {
        let Self {
            id,
            control,
            pid,
            streams,
        } = self;
        let (readers, terminal) = match streams {
            ExecStreams::Pipes {
                input,
                output,
                errors,
            } => {
                drop(input);
                (vec![output, errors], None)
            }
            ExecStreams::Terminal(terminal) => {
                let copy = terminal
                    .try_clone()
                    .map_err(Error::io("could not copy", "a terminal"))?;
                (vec![copy], Some(terminal))
            }
        };
        let waiting = Execution {
            id,
            control,
            pid,
            // Nobody reads these any more.
            streams: ExecStreams::Terminal(match terminal {
                Some(terminal) => terminal,
                None => std::fs::File::open("/dev/null")
                    .map_err(Error::io("could not open", "/dev/null"))?
                    .into(),
            }),
        };
        let mut collector = Collector::new(readers, limit).map_err(|err| waiting.lost(&err.to_string()))?;
        let ended = {
            let end = tokio::time::timeout(patience, waiting.wait());
            tokio::pin!(end);
            loop {
                tokio::select! {
                    ended = &mut end => break ended,
                    () = collector.take() => {}
                }
            }
        };
        let code = match ended {
            Ok(code) => Some(code?),
            Err(_) => {
                waiting.kill().await?;
                let _ = tokio::time::timeout(END_WITHIN, waiting.wait()).await;
                None
            }
        };
        // What was printed before the end is in the pipe; what a child prints later is not waited for.
        collector.rest();
        Ok(ExecOutput {
            code,
            output: collector.output,
        })
    }

    fn lost(&self, problem: &str) -> Error {
        Error::Shim {
            id: self.id.clone(),
            problem: format!("lost a program: {problem}"),
        }
    }
}

struct Collector {
    readers: Vec<AsyncFd<OwnedFd>>,
    output: Vec<u8>,
    limit: usize,
}

impl Collector {
    #[allow(unsafe_code)]
    fn new(descriptors: Vec<OwnedFd>, limit: usize) -> io::Result<Self> {
        let mut readers = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            rustix::io::ioctl_fionbio(&descriptor, true)?;
            // JUSTIFICATION: there is no safe way to wait for pipes and terminals alike.
            // SAFETY: the descriptor is owned, stays open as long as its registration, and gives one number.
            readers.push(unsafe { AsyncFd::register(descriptor) }?);
        }
        Ok(Self {
            readers,
            output: Vec::new(),
            limit,
        })
    }

    /// Waits for output and takes it; for ever once all streams have ended.
    async fn take(&mut self) {
        let ready = match &self.readers[..] {
            [] => std::future::pending().await,
            [one] => one.readable().await.map(|mut guard| (0, guard.clear_ready())),
            [one, other, ..] => tokio::select! {
                ready = one.readable() => ready.map(|mut guard| (0, guard.clear_ready())),
                ready = other.readable() => ready.map(|mut guard| (1, guard.clear_ready())),
            },
        };
        if let Ok((index, ())) = ready
            && !self.drain(index)
        {
            self.readers.remove(index);
        }
    }

    fn rest(&mut self) {
        for index in 0..self.readers.len() {
            self.drain(index);
        }
    }

    /// Takes what is there; `false` at the stream's end.
    fn drain(&mut self, index: usize) -> bool {
        let Some(reader) = self.readers.get(index) else {
            return false;
        };
        let mut chunk = [0; CHUNK];
        // Bounded, so that a program that never stops printing cannot keep the loop from the clock.
        for _ in 0..64 {
            match read(reader.get_ref().as_fd(), &mut chunk) {
                Ok(0) => return false,
                Ok(length) => {
                    let room = self.limit.saturating_sub(self.output.len()).min(length);
                    self.output.extend_from_slice(&chunk[..room]);
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => return true,
                // EIO: nobody has the terminal open any more.
                Err(_) => return false,
            }
        }
        true
    }
}

fn read(from: BorrowedFd<'_>, chunk: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(from, chunk)?)
}
