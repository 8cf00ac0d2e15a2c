//! A fresh volume begins with what the image has at its place, owners and modes included: programs that drop
//! their privileges rely on finding their data directory as the image's author left it.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

use pathrs::flags::OpenFlags;

use super::userns::Users;
use crate::spec::{Mount, MountKind};

/// Deeper trees are refused, rather than the stack trusted.
const MAX_DEPTH: usize = 256;

/// Fills each volume of `mounts` that is empty. Volumes keep the container's owners, not the host's for them.
pub(super) fn fill_volumes(
    inside: &pathrs::Root,
    mounts: &[Mount],
    users: Option<&Users>,
) -> Result<(), String> {
    for mount in mounts {
        let MountKind::Volume { source } = &mount.kind else {
            continue;
        };
        fill(inside, &mount.target, source, users).map_err(|err| {
            format!(
                "could not fill volume {} for {}: {err}",
                source.display(),
                mount.target.display()
            )
        })?;
    }
    Ok(())
}

fn fill(inside: &pathrs::Root, target: &Path, volume: &Path, users: Option<&Users>) -> io::Result<()> {
    // Another container may be about to fill it, too: whoever comes second finds it filled.
    let held = File::open(volume)?;
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive)?;
    if fs::read_dir(volume)?.next().is_some() {
        return Ok(());
    }
    let Ok(found) = inside.resolve(target) else {
        return Ok(());
    };
    let Ok(dir) = found.reopen(OpenFlags::O_DIRECTORY | OpenFlags::O_RDONLY) else {
        return Ok(());
    };
    let dir: OwnedFd = dir.into();
    // From here on only names below an open directory are followed, and no links.
    let here = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd()));
    let meta = fs::metadata(&here)?;
    copy_entries(&here, volume, MAX_DEPTH, users)?;
    dress(volume, &meta, users)
}

fn copy_entries(from: &Path, to: &Path, depth: usize, users: Option<&Users>) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other("it is nested too deeply"));
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        let meta = fs::symlink_metadata(&source)?;
        let kind = meta.file_type();
        if kind.is_dir() {
            fs::create_dir(&copy)?;
            copy_entries(&source, &copy, depth - 1, users)?;
            dress(&copy, &meta, users)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &copy)?;
            let (uid, gid) = owner(&meta, users);
            lchown(&copy, uid, gid)?;
        } else if kind.is_file() {
            io::copy(&mut File::open(&source)?, &mut File::create_new(&copy)?)?;
            dress(&copy, &meta, users)?;
        }
        // Sockets, pipes and device nodes of an image mean nothing in a volume.
    }
    Ok(())
}

/// Owner before mode: changing the owner clears set-uid.
fn dress(path: &Path, meta: &Metadata, users: Option<&Users>) -> io::Result<()> {
    let (uid, gid) = owner(meta, users);
    chown(path, uid, gid)?;
    fs::set_permissions(path, fs::Permissions::from_mode(meta.mode() & 0o7777))
}

fn owner(meta: &Metadata, users: Option<&Users>) -> (Option<u32>, Option<u32>) {
    let own = |id| Some(users.map_or(id, |users| users.in_container(id)));
    (own(meta.uid()), own(meta.gid()))
}
