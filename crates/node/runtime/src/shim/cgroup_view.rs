//! `/sys/fs/cgroup` inside of a container on cgroup v1: its own groups, read-only unless it is privileged, so
//! that programs which size themselves by their limits can. It is put in place from outside after the set-up, because
//! libcontainer must not see any control group while it works.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use rustix::mount::{MountFlags, mount, mount_remount};

use crate::sys;

/// A container's groups as mounts that are attached nowhere yet, with the name that each will have.
pub(super) type View = Vec<(String, OwnedFd)>;

pub(super) fn collect(groups: &[(String, PathBuf)], writable: bool) -> Result<View, String> {
    let mut attributes = sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;
    if !writable {
        attributes |= sys::MOUNT_ATTR_RDONLY;
    }
    let clone = |(name, dir): &(String, PathBuf)| {
        sys::clone_mount(dir, attributes)
            .map(|tree| (name.clone(), tree))
            .map_err(|err| format!("could not take the control group {}: {err}", dir.display()))
    };
    groups.iter().map(clone).collect()
}

/// Enters the container's mount namespace for good, which the caller can afford as its last act. The path
/// leads through `/sys`, which the set-up has mounted, not the image.
pub(super) fn attach(view: View, pid: i32, writable: bool) -> Result<(), String> {
    if view.is_empty() {
        return Ok(());
    }
    let place = || -> std::io::Result<()> {
        setns(
            File::open(format!("/proc/{pid}/ns/mnt"))?,
            CloneFlags::CLONE_NEWNS,
        )?;
        let base = Path::new("/sys/fs/cgroup");
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("tmpfs", base, "tmpfs", flags, c"mode=755,size=64k")?;
        for (name, tree) in view {
            let target = base.join(&name);
            std::fs::create_dir(&target)?;
            sys::attach_mount(tree, &target)?;
            // Hierarchies mounted together are looked for by each of their names.
            for alias in name.split(',').filter(|alias| *alias != name) {
                symlink(&name, base.join(alias))?;
            }
        }
        if !writable {
            mount_remount(base, flags | MountFlags::RDONLY, c"")?;
        }
        Ok(())
    };
    place().map_err(|err| format!("could not show the container its control groups: {err}"))
}
