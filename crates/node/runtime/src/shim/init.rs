//! The first process of a container that asked for one: many programs expect somebody else to be process 1,
//! who reaps what they orphan and without whom a signal without a handler would be lost on them. A fork that
//! never execs, so no image needs to have it.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Pid, setpgid, tcsetpgrp};
use rustix::process::{DumpableBehavior, WaitOptions};

use crate::sys::{self, Fork};

/// Parts the caller into the first process (with the child's pid) and the one that will be the program.
pub(super) fn fork(tty: bool) -> io::Result<Option<i32>> {
    // Before the fork: a signal that comes between is forwarded, not lost.
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None)?;
    // In a pid namespace that is shared, orphans would otherwise go to that one's first process.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    match sys::fork(None)? {
        Fork::Parent(child) => Ok(Some(child)),
        Fork::Child => {
            if tty {
                // The terminal's signals are for the program; the first process only leads the session.
                setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
                tcsetpgrp(rustix::stdio::stdin(), Pid::this())?;
            }
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            super::executor::die_with_shim()?;
            Ok(None)
        }
    }
}

/// Passes signals to `child` and reaps, until the child has ended: with its code.
pub(super) fn serve(child: i32) -> ! {
    sys::rename_process("init");
    // Nobody in the container reaches the daemon's binary through /proc/1/exe.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&nothing);
        let _ = rustix::stdio::dup2_stdout(&nothing);
        let _ = rustix::stdio::dup2_stderr(&nothing);
    }
    super::close_from(3);
    loop {
        match sys::wait_for_signal() {
            libc::SIGCHLD => {
                while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                    if pid.as_raw_nonzero().get() == child {
                        let signal = status.terminating_signal().map(|signal| 128 + signal);
                        sys::exit_now(status.exit_status().or(signal).unwrap_or(255));
                    }
                }
            }
            signal => {
                let _ = sys::kill(child, signal);
            }
        }
    }
}
