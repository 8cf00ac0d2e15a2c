//! The container that does nothing but exist: it holds a task's network (and IPC) namespace while the other
//! containers come and go. It is a fork of the shim that never execs, so it needs neither image nor binary.

use std::collections::HashMap;
use std::fs::File;

use caps::CapSet;
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use rustix::process::DumpableBehavior;

use super::executor::{Doorstep, die_with_shim};
use crate::sys;

#[derive(Clone)]
pub(super) struct Pause(pub(super) Doorstep);

impl Executor for Pause {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        self.0.wait();
        // Give up what the shim lent: also tells it that the start succeeded, as a successful exec would.
        if let Ok(nothing) = File::options().read(true).write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stdout(&nothing);
            let _ = rustix::stdio::dup2_stderr(&nothing);
        }
        sys::rename_process("pause");
        for set in [
            CapSet::Ambient,
            CapSet::Bounding,
            CapSet::Inheritable,
            CapSet::Effective,
            CapSet::Permitted,
        ] {
            let _ = caps::clear(None, set);
        }
        // Whoever shares the pid namespace must not reach the daemon's binary through /proc/1/exe.
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        let _ = die_with_shim();
        super::close_from(3);
        serve()
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        die_with_shim().map_err(|err| ExecutorValidationError::ArgValidationError(err.to_string()))
    }

    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}

/// Waits for the end, and reaps what other containers leave in a shared pid namespace.
fn serve() -> ! {
    // Every signal is blocked since the shim began: the first process of a pid namespace gets no others.
    let mut awaited = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        awaited.add(signal);
    }
    loop {
        match awaited.wait() {
            Ok(Signal::SIGCHLD) => {
                while !matches!(
                    waitpid(None, Some(WaitPidFlag::WNOHANG)),
                    Ok(WaitStatus::StillAlive) | Err(_)
                ) {}
            }
            Ok(_) => sys::exit_now(0),
            Err(_) => {}
        }
    }
}
