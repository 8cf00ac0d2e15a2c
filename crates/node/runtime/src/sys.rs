//! System calls that no dependency wraps. Everything unsafe that does not belong to one place stands here.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, OpenTreeFlags};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use rustix::pty::OpenptFlags;

pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;
pub(crate) const MOUNT_ATTR_NOEXEC: u64 = 0x8;
const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;

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
    set_attributes(&tree, &attr).map(|()| tree)
}

fn set_attributes(tree: &OwnedFd, attr: &libc::mount_attr) -> io::Result<()> {
    // JUSTIFICATION: mount_setattr(2) has no wrapper in libc, nix or rustix.
    // SAFETY: the descriptor is open, the path is a static C string, and the structure outlives the call
    // and is passed with its own size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            attr as *const libc::mount_attr,
            size_of::<libc::mount_attr>(),
        )
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A private copy of the mount at `path`, attached nowhere, in which owners are as the user namespace maps them.
pub(crate) fn idmapped(path: &Path, users: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, path, flags)?;
    let attr = libc::mount_attr {
        attr_set: MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: users.as_raw_fd() as u64,
    };
    set_attributes(&tree, &attr).map(|()| tree)
}

/// Attaches what `clone_mount` or `idmapped` returned.
pub(crate) fn attach_mount(tree: impl AsFd, target: &Path) -> io::Result<()> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// Most descriptors that come with one message: three streams.
const MAX_PASSED: usize = 3;

/// Sends bytes, and descriptors with them.
pub(crate) fn send_with(socket: impl AsFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PASSED))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = rustix::net::sendmsg(
        socket,
        &[io::IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Receives what is there, and the descriptors that came with it.
pub(crate) fn receive_with(socket: impl AsFd, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_PASSED))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = rustix::net::recvmsg(socket, &mut [io::IoSliceMut::new(bytes)], &mut ancillary, flags)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(passed) = message {
            descriptors.extend(passed);
        }
    }
    Ok((received.bytes, descriptors))
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

/// A new terminal of the caller's mount namespace: its own side, and the side that programs use. The image may
/// have put anything at its name, so only a terminal multiplexer of the kernel's own kind is taken.
pub(crate) fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    const DEVPTS: i64 = 0x1cd1;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let own = rustix::fs::open("/dev/pts/ptmx", flags, Mode::empty())?;
    let (kind, stat) = (rustix::fs::fstatfs(&own)?.f_type, rustix::fs::fstat(&own)?);
    if kind != DEVPTS || stat.st_rdev != libc::makedev(5, 2) {
        return Err(io::Error::other("the container has no terminals"));
    }
    rustix::pty::unlockpt(&own)?;
    let user_side = rustix::pty::ioctl_tiocgptpeer(&own, OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    Ok((own, user_side))
}

/// The window's size, of which the kernel tells the program.
pub(crate) fn set_window(terminal: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = rustix::termios::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

/// Moves `kept` to the number `number`, to be closed by exec, and closes everything but the standard streams.
pub(crate) fn keep_only(kept: &OwnedFd, number: i32) -> io::Result<()> {
    // JUSTIFICATION: every owner of a descriptor is about to be forgotten; the numbers are what is dealt with.
    // SAFETY: plain system calls on numbers; the caller uses nothing afterwards but `number`.
    unsafe {
        if kept.as_raw_fd() != number && libc::dup3(kept.as_raw_fd(), number, libc::O_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::syscall(libc::SYS_close_range, number + 1, libc::c_int::MAX, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
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

/// The next signal, whichever it is, of those that the caller has blocked: all of them.
pub(crate) fn wait_for_signal() -> i32 {
    let mut signal = 0;
    // JUSTIFICATION: nix cannot name the real-time signals.
    // SAFETY: the set is filled before it is read, and both outlive the call. It fails only for a bad set.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut set);
        libc::sigwait(&raw const set, &raw mut signal);
    }
    signal
}

/// A child of the caller's own parent: what a process that only prepares leaves behind.
pub(crate) fn fork_sibling() -> io::Result<Fork> {
    let flags = libc::CLONE_PARENT | libc::SIGCHLD;
    // JUSTIFICATION: no wrapper offers CLONE_PARENT without a stack of its own.
    // SAFETY: as for `fork`: one thread, and no stack is passed, so the child goes on with a copy of this one.
    match unsafe { libc::syscall(libc::SYS_clone, flags as libc::c_long, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid as i32)),
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

/// The parent of the process with this pid.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat_fields(&stat).nth(1)?.parse().ok()
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
