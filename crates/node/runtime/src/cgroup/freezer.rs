//! Standing still: all processes of a group at once, and none of them can tell.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Layout, keyed, pause, write};
use crate::error::{Error, Result};

/// How long processes may take to stand still: one in the middle of a disk access does not until it is done.
const STILL_WITHIN: Duration = Duration::from_secs(10);

impl Layout {
    /// Returns when everything in `group` stands still.
    pub(crate) fn freeze(&self, group: &Path) -> Result<()> {
        let deadline = Instant::now() + STILL_WITHIN;
        loop {
            // v1 needs telling again when something was forked in between.
            self.set(group, true)?;
            if self.is_frozen(group) {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.set(group, false)?;
                return Err(Error::Cgroup(format!(
                    "processes of {} do not stand still",
                    group.display()
                )));
            }
            pause(Duration::from_millis(1));
        }
    }

    pub(crate) fn thaw(&self, group: &Path) -> Result<()> {
        self.set(group, false)
    }

    /// For groups that may not have a freezer, or be gone.
    pub(crate) fn thaw_quietly(&self, group: &Path) {
        if self.is_frozen(group) {
            let _ = self.set(group, false);
        }
    }

    pub(crate) fn is_frozen(&self, group: &Path) -> bool {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        match self {
            Self::V1 { .. } => self
                .freezer(group)
                .is_some_and(|dir| read(dir.join("freezer.state")).trim() == "FROZEN"),
            Self::V2 { mount } => keyed(&read(mount.join(group).join("cgroup.events")), "frozen") == Some(1),
        }
    }

    fn set(&self, group: &Path, still: bool) -> Result<()> {
        match self {
            Self::V1 { .. } => {
                let dir = self.freezer(group).ok_or_else(|| {
                    Error::Cgroup("no freezer is mounted; mount it at /sys/fs/cgroup/freezer".into())
                })?;
                write(
                    &dir.join("freezer.state"),
                    if still { "FROZEN" } else { "THAWED" },
                )
            }
            Self::V2 { mount } => write(
                &mount.join(group).join("cgroup.freeze"),
                if still { "1" } else { "0" },
            ),
        }
    }

    fn freezer(&self, group: &Path) -> Option<PathBuf> {
        let dir = self.with_controller("freezer", group);
        (dir != group).then_some(dir)
    }
}
