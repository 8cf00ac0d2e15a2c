//! A container's standard streams: two pipes that the shim reads, or a terminal; and a stdin that is at its end,
//! or that stays open and says nothing.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;

use libcontainer::container::builder::ContainerBuilder;
use nix::unistd::{Uid, fchown};

use super::setup::pipe;
use crate::spec::ContainerSpec;
use crate::sys;

/// Where libcontainer sends the terminal: in the set-up's own mount namespace.
const CONSOLE: &str = "/sys/fs/cgroup/console.sock";

/// The shim's side.
pub(super) struct Streams {
    /// stdout and stderr; of a terminal, the first is both.
    pub(super) outputs: [Option<File>; 2],
    /// Held so that the container's stdin does not end.
    _input: Option<OwnedFd>,
}

/// The container's side.
pub(super) enum Ends {
    Pipes {
        input: OwnedFd,
        output: OwnedFd,
        errors: OwnedFd,
    },
    Terminal,
}

impl Streams {
    pub(super) fn make(spec: &ContainerSpec) -> Result<(Self, Ends), String> {
        if spec.tty {
            let later = Self {
                outputs: [None, None],
                _input: None,
            };
            return Ok((later, Ends::Terminal));
        }
        let (stdout, output) = pipe()?;
        let (stderr, errors) = pipe()?;
        let (input, held) = if spec.interactive {
            let (input, held) = pipe()?;
            (input, Some(held))
        } else {
            let nothing =
                File::open("/dev/null").map_err(|err| format!("could not open /dev/null: {err}"))?;
            (nothing.into(), None)
        };
        let streams = Self {
            outputs: [Some(stdout.into()), Some(stderr.into())],
            _input: held,
        };
        Ok((
            streams,
            Ends::Pipes {
                input,
                output,
                errors,
            },
        ))
    }

    /// The terminal's own side, once there is one.
    pub(super) fn terminal(&mut self, terminal: Option<OwnedFd>) {
        if let Some(terminal) = terminal {
            self.outputs[0] = Some(terminal.into());
        }
    }
}

impl Ends {
    /// So that the program can open /dev/stdout, the pipe behind it must be its own.
    pub(super) fn give_to(&self, user: u32) -> Result<(), String> {
        let Self::Pipes { output, errors, .. } = self else {
            return Ok(());
        };
        for end in [output, errors] {
            fchown(end.as_fd(), Some(Uid::from_raw(user)), None)
                .map_err(|err| format!("could not give the container its streams: {err}"))?;
        }
        Ok(())
    }

    pub(super) fn attach(
        self,
        builder: ContainerBuilder,
    ) -> Result<(ContainerBuilder, Option<Console>), String> {
        match self {
            Self::Pipes {
                input,
                output,
                errors,
            } => Ok((
                builder.with_stdin(input).with_stdout(output).with_stderr(errors),
                None,
            )),
            Self::Terminal => {
                let listener = UnixListener::bind(CONSOLE)
                    .map_err(|err| format!("could not make a socket for the terminal: {err}"))?;
                Ok((
                    builder.with_console_socket(Some(CONSOLE)),
                    Some(Console(listener)),
                ))
            }
        }
    }
}

/// Where the terminal arrives.
pub(super) struct Console(UnixListener);

impl Console {
    pub(super) fn take(self) -> Result<OwnedFd, String> {
        let take = || {
            let (stream, _) = self.0.accept()?;
            let (_, mut descriptors) = sys::receive_with(&stream, &mut [0; 256])?;
            descriptors.pop().ok_or(std::io::ErrorKind::UnexpectedEof.into())
        };
        take().map_err(|err: std::io::Error| format!("there is no terminal: {err}"))
    }
}
