//! System calls that no dependency wraps. Everything unsafe that does not belong to one place stands here.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};

pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x8;

/// A private copy of the mount at `path`, attached nowhere, with `attributes` added.
pub(crate) fn clone_mount(path: &Path, attributes: u64) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, path, flags)?;
    let attr = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // JUSTIFICATION: mount_setattr(2) has no wrapper in libc, nix or rustix.
    // SAFETY: the descriptor is open, the path is a static C string, and the structure outlives the call
    // and is passed with its own size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(tree)
}

/// Attaches what `clone_mount` returned.
pub(crate) fn attach_mount(tree: impl AsFd, target: &Path) -> io::Result<()> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Which side of a fork this is.
pub(crate) enum Fork {
    Child,
    Parent(i32),
}

/// fork(2), or with a cgroup v2 directory a fork that begins inside of it (which takes no kernel-wide lock,
/// as moving there afterwards would). Only for the shim: the process must have a single thread.
pub(crate) fn fork(into: Option<&OwnedFd>) -> io::Result<Fork> {
    #[repr(C)]
    #[derive(Default)]
    struct CloneArgs {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let pid = match into {
        // JUSTIFICATION: the container is set up by a child, so that the shim itself never leaves its place.
        // SAFETY: the process has one thread, so the child inherits no lock that somebody else holds.
        None => i64::from(unsafe { libc::fork() }),
        Some(cgroup) => {
            let args = CloneArgs {
                flags: CLONE_INTO_CGROUP,
                exit_signal: libc::SIGCHLD as u64,
                cgroup: cgroup.as_raw_fd() as u64,
                ..CloneArgs::default()
            };
            // JUSTIFICATION: no wrapper offers CLONE_INTO_CGROUP.
            // SAFETY: as above; no stack is passed, so the child goes on with a copy of this one, as after fork.
            unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) }
        }
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid as i32)),
    }
}

/// Leaves at once, without running destructors or flushing what the parent has buffered too.
pub(crate) fn exit_now(code: i32) -> ! {
    // JUSTIFICATION: a forked child must not run its parent's exit handlers.
    // SAFETY: _exit does not return and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Takes back a descriptor number that was handed to this process on purpose.
pub(crate) fn adopt_fd(fd: i32) -> OwnedFd {
    // JUSTIFICATION: descriptors cross the fork as numbers.
    // SAFETY: callers pass a number that is open and that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Every signal to its default action; an ignored SIGPIPE would otherwise survive exec.
pub(crate) fn default_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        if matches!(signal, libc::SIGKILL | libc::SIGSTOP | 32 | 33) {
            continue;
        }
        // JUSTIFICATION: nix cannot name the real-time signals.
        // SAFETY: installing the default action runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// kill(2) with any signal number, the real-time ones too.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // JUSTIFICATION: nix's kill takes only the signals that it can name.
    // SAFETY: plain system call on numbers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// execve(2); returns only when it failed.
pub(crate) fn exec(path: &CString, args: &[CString], env: &[CString]) -> io::Error {
    match nix::unistd::execve(path, args, env) {
        Err(errno) => errno.into(),
        Ok(never) => match never {},
    }
}

/// Replaces what `ps` shows as this process's command line. Longer text is cut to the room there is.
pub(crate) fn rename_process(name: &str) {
    let _ = rustix::thread::set_name(&CString::new(name).unwrap_or_default());
    let Some((start, end)) = argument_area() else {
        return;
    };
    let room = end.saturating_sub(start);
    if room < 2 {
        return;
    }
    let text = &name.as_bytes()[..name.len().min(room - 1)];
    // JUSTIFICATION: the pause container has no program of its own that could be exec'd under its name.
    // SAFETY: the kernel says that [start, end) is this process's argument area on the stack. std reads it only
    // for `std::env::args`, which is not used after this; there is one thread.
    unsafe {
        let area = std::slice::from_raw_parts_mut(start as *mut u8, room);
        area.fill(0);
        area[..text.len()].copy_from_slice(text);
    }
}

/// Start and end of the argument area. `/proc` may be gone when it is needed, so it is looked up early: see
/// `remember_argument_area`.
fn argument_area() -> Option<(usize, usize)> {
    ARGUMENTS.get().copied()
}

static ARGUMENTS: std::sync::OnceLock<(usize, usize)> = std::sync::OnceLock::new();

/// Notes where the command line lies, while `/proc` is there.
pub(crate) fn remember_argument_area() {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else {
        return;
    };
    let mut fields = stat_fields(&stat);
    // Fields 48 and 49 of proc_pid_stat(5); the iterator begins with the third.
    if let (Some(Ok(start)), Some(Ok(end))) = (fields.nth(45).map(str::parse), fields.next().map(str::parse))
    {
        let _ = ARGUMENTS.set((start, end));
    }
}

/// The fields of `/proc/PID/stat` after the command name, beginning with the state.
fn stat_fields(stat: &str) -> std::str::SplitAsciiWhitespace<'_> {
    stat.rsplit_once(')')
        .map_or("", |(_, rest)| rest)
        .split_ascii_whitespace()
}

/// When the process with this pid began, in clock ticks since boot: with the pid, its identity. One that has
/// ended and only waits to be reaped is not there any more.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat_fields(&stat);
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "12 (a) b (c)) S 1 2 3";
        assert_eq!(stat_fields(stat).collect::<Vec<_>>(), ["S", "1", "2", "3"]);
    }

    #[test]
    fn this_process_began_after_boot_and_nobody_has_pid_zero() {
        assert!(start_time(std::process::id() as i32).is_some_and(|ticks| ticks > 0));
        assert_eq!(start_time(0), None);
    }
}
