//! The mounts that exist before libcontainer begins, in the set-up's own mount namespace.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::mount::{self, MountFlags, MountPropagationFlags, UnmountFlags};

use super::userns::Users;
use crate::files::Dir;
use crate::spec::Root;
use crate::sys;

const CGROUPS: &str = "/sys/fs/cgroup";

// What only the set-up needs lies in memory, in that same namespace, and is gone with it.
pub(super) const ROOT: &str = "/sys/fs/cgroup/root";
pub(super) const SHM: &str = "/sys/fs/cgroup/shm";
pub(super) const SYS: &str = "/sys/fs/cgroup/sys";
pub(super) const BUNDLE: &str = "/sys/fs/cgroup/bundle";
pub(super) const LIBCONTAINER: &str = "/sys/fs/cgroup/lc";

/// A mount namespace that nothing leaks out of, without control groups: libcontainer would migrate its
/// processes through `cgroup.procs`, under a lock that costs 10 ms, into the group where they are already.
/// The empty tmpfs looks like a v1 machine without controllers, on which it has nothing to do.
pub(super) fn unshare() -> Result<(), String> {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .map_err(|err| format!("could not make a mount namespace: {err}"))?;
    mount::mount_change(
        "/",
        MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC,
    )
    .map_err(|err| format!("could not separate the mount namespace: {err}"))?;
    // Not mounted, or several times over: both end here.
    for _ in 0..4 {
        if mount::unmount(CGROUPS, UnmountFlags::DETACH).is_err() {
            break;
        }
    }
    mount::mount("tmpfs", CGROUPS, "tmpfs", MountFlags::empty(), c"mode=755")
        .map_err(|err| format!("could not cover {CGROUPS}: {err}"))
}

/// Mounts the root file system where the bundle expects it.
pub(super) fn mount(root: &Root, dir: &Dir, users: Option<&Users>) -> Result<(), String> {
    make_dir(Path::new(ROOT), 0o755)?;
    match root {
        Root::Overlay { lower, writable } => {
            let home = writable.as_deref().unwrap_or(dir.path());
            overlay(lower, home, users)
        }
        Root::Empty => mount::mount("tmpfs", ROOT, "tmpfs", MountFlags::NOSUID, c"mode=755,size=64k")
            .map_err(|err| format!("could not mount an empty root: {err}")),
    }
}

/// `home`: where the writable layer is made.
fn overlay(lower: &[PathBuf], home: &Path, users: Option<&Users>) -> Result<(), String> {
    let (upper, work) = (home.join("upper"), home.join("work"));
    let scratch = Path::new(CGROUPS);
    make_dir(&scratch.join("l"), 0o700)?;
    make_dir(&work, 0o700)?;
    // The writable layer's own directory is the container's `/`: as the top layer has it.
    let top = lower.first().ok_or("the root has no layers")?;
    let mode = fs::metadata(top)
        .map_err(|err| format!("layer {} of the root is missing: {err}", top.display()))?
        .permissions()
        .mode();
    make_dir(&upper, mode & 0o7777)?;
    if let Some(users) = users {
        // What the container writes belongs to its users; the layers do not, and are shown as if they did.
        let root = Some(users.on_host(0)?);
        chown(&upper, root, root).map_err(|err| format!("could not give the root its owner: {err}"))?;
    }
    let link = |to: &Path, name: &str| {
        symlink(to, scratch.join(name)).map_err(|err| format!("could not link {}: {err}", to.display()))
    };
    // Short relative names keep within the page that mount options may take, and free of its separators.
    let mut names = Vec::with_capacity(lower.len());
    for (index, layer) in lower.iter().enumerate() {
        let name = format!("l/{index}");
        match users {
            Some(users) => users.mount(layer, &scratch.join(&name))?,
            None => link(layer, &name)?,
        }
        names.push(name);
    }
    link(&upper, "upper")?;
    link(&work, "work")?;
    let options = format!("lowerdir={},upperdir=upper,workdir=work", names.join(":"));
    // Nobody expects a container's own layer to survive a power failure; syncing it at every end would be
    // paid by all. Kernels before 5.10 do not know the option.
    std::env::set_current_dir(scratch).map_err(|err| format!("could not enter {CGROUPS}: {err}"))?;
    let attempt = |options: &str| {
        let options = CString::new(options).unwrap_or_default();
        mount::mount(
            "overlay",
            "root",
            "overlay",
            MountFlags::empty(),
            options.as_c_str(),
        )
    };
    let mounted = attempt(&format!("{options},volatile")).or_else(|_| attempt(&options));
    let _ = std::env::set_current_dir("/");
    mounted.map_err(|err| {
        let missing = lower.iter().find(|layer| !layer.is_dir());
        match missing {
            Some(layer) => format!("layer {} of the root is missing", layer.display()),
            None => format!("could not mount the root from {} layers: {err}", lower.len()),
        }
    })
}

fn make_dir(path: &Path, mode: u32) -> Result<(), String> {
    let made = match fs::create_dir(path) {
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    made.and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|err| format!("could not make {}: {err}", path.display()))
}

/// Shared memory belongs to a shared IPC namespace, but is a mount, which only a process inside of the other
/// container's mount namespace can take a copy of.
pub(super) fn borrow_shm(pid: i32) -> Result<OwnedFd, String> {
    let borrow = || -> std::io::Result<OwnedFd> {
        let home = File::open("/proc/self/ns/mnt")?;
        setns(
            File::open(format!("/proc/{pid}/ns/mnt"))?,
            CloneFlags::CLONE_NEWNS,
        )?;
        let tree = sys::clone_mount(Path::new("/dev/shm"), 0);
        setns(home, CloneFlags::CLONE_NEWNS)?;
        tree
    };
    borrow().map_err(|err| format!("could not share /dev/shm: {err}"))
}

/// Puts it where the bundle expects it.
pub(super) fn place_shm(tree: OwnedFd) -> Result<(), String> {
    make_dir(Path::new(SHM), 0o755)?;
    sys::attach_mount(tree, Path::new(SHM)).map_err(|err| format!("could not share /dev/shm: {err}"))
}

/// A `/sys` for a container with users of its own, which may not mount one that shows another's network:
/// the host's, without what lies in it.
pub(super) fn place_sys() -> Result<(), String> {
    make_dir(Path::new(SYS), 0o755)?;
    let attributes =
        sys::MOUNT_ATTR_RDONLY | sys::MOUNT_ATTR_NOSUID | sys::MOUNT_ATTR_NODEV | sys::MOUNT_ATTR_NOEXEC;
    sys::clone_mount(Path::new("/sys"), attributes)
        .and_then(|tree| sys::attach_mount(tree, Path::new(SYS)))
        .map_err(|err| format!("could not share /sys: {err}"))
}

/// The working directory is made if the image lacks it, as image builders rely on.
pub(super) fn make_cwd(inside: &pathrs::Root, cwd: &Path, users: Option<&Users>) -> Result<(), String> {
    let owner = users.map_or(Ok(0), |users| users.on_host(0))?;
    setfsgid(Gid::from_raw(owner));
    setfsuid(Uid::from_raw(owner));
    let made = inside.mkdir_all(cwd, &fs::Permissions::from_mode(0o755));
    setfsuid(Uid::from_raw(0));
    setfsgid(Gid::from_raw(0));
    made.map(drop)
        .map_err(|err| format!("working directory {}: {err}", cwd.display()))
}
