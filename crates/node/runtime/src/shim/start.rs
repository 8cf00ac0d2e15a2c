//! Letting a waiting container run, and finding out whether its program really began.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::files::Dir;
use crate::ids::ContainerId;

/// How long an exec may take; longer only on a hung file system.
const PATIENCE: Duration = Duration::from_secs(30);

/// The error is the exit code that stands for the failure, and why.
pub(super) fn start(dir: &Dir, id: &ContainerId, failure: OwnedFd) -> Result<(), (i32, String)> {
    let go = || -> std::io::Result<()> {
        // libcontainer listens here. By a relative name, since socket addresses are short.
        std::env::set_current_dir(dir.libcontainer().join(id))?;
        let connected = UnixStream::connect("notify.sock");
        std::env::set_current_dir("/")?;
        connected?.write_all(b"start container")
    };
    go().map_err(|err| (126, format!("the container could not be told to start: {err}")))?;
    let mut waits = [PollFd::new(failure.as_fd(), PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    if poll(&mut waits, patience) == Ok(0) {
        return Err((126, "the program could not be read in time".to_owned()));
    }
    let mut text = String::new();
    // Nothing but the end of the pipe: exec has closed it.
    match std::fs::File::from(failure).take(4096).read_to_string(&mut text) {
        Ok(0) => Ok(()),
        _ => {
            let (code, message) = text.split_once(' ').unwrap_or(("126", &text));
            Err((code.parse().unwrap_or(126), message.to_owned()))
        }
    }
}
