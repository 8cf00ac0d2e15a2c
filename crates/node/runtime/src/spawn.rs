//! Starting shims.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::Stdio;

use tokio::net::UnixStream;
use tokio::process::Command;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::files::Dir;
use crate::shim;
use crate::sys;

/// The binary that shims run, through a read-only mount of its own that is attached nowhere. Until a
/// container's program is exec'd its process still runs this file; a hostile image that finds a way to
/// reopen it for writing fails at the mount.
pub(crate) struct ShimExe(OwnedFd);

impl ShimExe {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let attributes = sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV;
        sys::clone_mount(path, attributes).map(Self).map_err(Error::io(
            "could not make a read-only mount of the shim's binary (root? Linux 5.12?)",
            path,
        ))
    }

    /// Starts a shim for the container in `dir`; the connection is the first to it.
    pub(crate) fn start(&self, dir: &Dir) -> Result<Control> {
        self.spawn(dir, &[]).map(Control::over)
    }

    /// Starts a helper that runs a program in the container.
    pub(crate) fn start_exec(&self, dir: &Dir) -> Result<UnixStream> {
        self.spawn(dir, &[shim::EXEC])
    }

    fn spawn(&self, dir: &Dir, words: &[&str]) -> Result<UnixStream> {
        let fail = || Error::io("could not start a shim for", dir.path());
        let (ours, theirs) = StdUnixStream::pair().map_err(fail())?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(dir.shim_log())
            .map_err(fail())?;
        let mut child = Command::new(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
            .arg0(shim::NAME)
            .args(words)
            .arg(dir.path())
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(fail())?;
        // Only so that no zombie stays: the shim's life is watched through its connections.
        tokio::spawn(async move { child.wait().await });
        ours.set_nonblocking(true).map_err(fail())?;
        UnixStream::from_std(ours).map_err(fail())
    }
}
