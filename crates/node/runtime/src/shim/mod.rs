//! The process that stands between the daemon and one container. It exists because raw clone in a threaded
//! daemon is unsafe, and because somebody has to collect the exit code and the output when the daemon is
//! replaced. It is the daemon's own binary started anew: one thread, a session of its own, outside the
//! daemon's control groups, no descriptor inherited, nothing held but two pipes and a socket.

mod cgroup_view;
mod copy_up;
mod exec;
mod executor;
mod init;
mod launch;
mod oci;
mod pause;
mod root;
mod serve;
mod setup;
mod start;
mod streams;
mod user;
mod userns;

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::control::encode_reply;
use crate::error::{Error, Result};
use crate::files::{CONTROL, Dir, ShimProcess};
use crate::sys;

/// How the daemon's binary is called when it is to be a shim; the container's directory follows.
pub(crate) const NAME: &str = "rs-shim";

/// Before the directory: to run a program in a container that has a shim already.
pub(crate) const EXEC: &str = "exec";

/// Call this first in `main`, before any thread or async runtime exists: when the process was started as a
/// shim (by `argv[0]`), it becomes one and does not return.
pub fn shim_main_if_asked() {
    let mut args = std::env::args_os();
    if args.next().as_deref() != Some(NAME.as_ref()) {
        return;
    }
    let outcome = match args.next() {
        Some(word) if word == EXEC => args.next().map(exec::run),
        dir => dir.map(run),
    };
    let code = match outcome {
        Some(Ok(())) => 0,
        Some(Err(err)) => {
            eprintln!("{err}");
            1
        }
        None => {
            eprintln!("{NAME} is started by the daemon, with the directory of a container");
            2
        }
    };
    std::process::exit(code);
}

/// What the serving loop works with besides the container's own pipes.
struct Post {
    dir: Dir,
    listener: UnixListener,
    /// The daemon that asked for the container.
    first: UnixStream,
    signals: SignalFd,
}

fn run(dir: OsString) -> Result<()> {
    let dir = Dir::new(dir);
    let signals =
        detach().map_err(|err| Error::Worker(format!("the shim could not detach itself: {err}")))?;
    let first = control_from_stdin().map_err(Error::io(
        "could not take over the control connection",
        dir.path(),
    ))?;
    let pid = std::process::id() as i32;
    dir.write_shim(&ShimProcess {
        pid,
        start: sys::start_time(pid).unwrap_or(0),
    })?;
    let plan = dir
        .plan()?
        .ok_or_else(|| Error::io("found no plan in", dir.path())(std::io::ErrorKind::NotFound.into()))?;
    let post = Post {
        listener: listen(&dir)?,
        dir,
        first,
        signals,
    };
    match setup::make(&plan, &post) {
        Ok(made) => serve::serve(plan, post, made),
        Err(message) => {
            // The daemon, which is told, removes the rest; if it is gone, the next one's clean-up does.
            let _ = std::fs::remove_file(post.dir.control());
            let _ = plan.cgroups.remove(&plan.cgroup);
            let _ = std::io::Write::write_all(&mut &post.first, encode_reply(&Err(message)).as_bytes());
            Ok(())
        }
    }
}

/// Cuts every tie to the process that started this one, and takes signals as something to read.
fn detach() -> std::io::Result<SignalFd> {
    nix::unistd::setsid()?;
    std::env::set_current_dir("/")?;
    close_from(3);
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let _ = rustix::thread::set_name(c"rs-shim");
    sys::remember_argument_area();
    // Only SIGKILL ends a shim: a signal meant for the daemon must not cost an exit code. Faults stay fatal.
    let mut blocked = SigSet::all();
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGABRT,
    ] {
        blocked.remove(fault);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)?;
    let mut read = SigSet::empty();
    read.add(Signal::SIGCHLD);
    Ok(SignalFd::with_flags(
        &read,
        SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
    )?)
}

#[allow(unsafe_code)]
fn close_from(first: u32) {
    // JUSTIFICATION: what the daemon had open at that moment must not live as long as the container.
    // SAFETY: called before this process has opened anything, or right before it gives everything up.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

fn control_from_stdin() -> std::io::Result<UnixStream> {
    let stream: OwnedFd = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(stream.into())
}

fn listen(dir: &Dir) -> Result<UnixListener> {
    // By a short relative name, since socket addresses are short.
    let bind = |path: &Path| {
        std::env::set_current_dir(path)?;
        let listener = UnixListener::bind(CONTROL);
        std::env::set_current_dir("/")?;
        listener
    };
    let listener = bind(dir.path()).map_err(Error::io("could not listen at", dir.control()))?;
    listener
        .set_nonblocking(true)
        .map_err(Error::io("could not listen at", dir.control()))?;
    Ok(listener)
}
