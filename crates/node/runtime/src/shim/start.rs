//! Letting a waiting container run, and finding out whether its program really began.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::setup::Gate;

/// How long an exec may take; longer only on a hung file system.
const PATIENCE: Duration = Duration::from_secs(30);

/// The error is the exit code that stands for the failure, and why.
pub(super) fn start(gate: Gate) -> Result<(), (i32, String)> {
    let Gate { go, failure } = gate;
    File::from(go)
        .write_all(b"1")
        .map_err(|err| (126, format!("the container could not be told to start: {err}")))?;
    let mut waits = [PollFd::new(failure.as_fd(), PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    if poll(&mut waits, patience) == Ok(0) {
        return Err((126, "the program could not be read in time".to_owned()));
    }
    let mut text = String::new();
    // Nothing but the end of the pipe: exec has closed it.
    match File::from(failure).take(4096).read_to_string(&mut text) {
        Ok(0) => Ok(()),
        _ => {
            let (code, message) = text.split_once(' ').unwrap_or(("126", &text));
            Err((code.parse().unwrap_or(126), message.to_owned()))
        }
    }
}
