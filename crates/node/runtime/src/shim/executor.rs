//! Where libcontainer hands over to us: in the container, as root with every capability, because a system call
//! filter can only be loaded before privileges go.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};

use super::launch::Launch;
use crate::sys;

/// The container's side of the gate, as descriptor numbers: they are carried across forks.
#[derive(Clone, Copy)]
pub(super) struct Doorstep {
    pub(super) go: i32,
    /// Where to say why the program could not be run: closed by a successful exec.
    pub(super) failure: i32,
}

impl Doorstep {
    /// Returns when the container is started, or not at all.
    pub(super) fn wait(self) {
        let mut byte = [0];
        if !matches!(File::from(sys::adopt_fd(self.go)).read(&mut byte), Ok(1)) {
            sys::exit_now(128 + libc::SIGKILL);
        }
    }
}

pub(super) fn die_with_shim() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

/// Runs a program of the image.
#[derive(Clone)]
pub(super) struct Exec(Launch, Doorstep);

impl Exec {
    pub(super) fn new(launch: Launch, doorstep: Doorstep) -> Self {
        Self(launch, doorstep)
    }
}

impl Executor for Exec {
    fn exec(&self, _: &Spec) -> Result<(), ExecutorError> {
        self.1.wait();
        // libcontainer's own way of reporting has ended before exec, so this goes by a pipe of ours.
        self.0.run(sys::adopt_fd(self.1.failure))
    }

    fn validate(&self, _: &Spec) -> Result<(), ExecutorValidationError> {
        // Nothing to check yet: whether the program exists is a question for start. But from here on the
        // process waits, and must not be left over if the shim is killed.
        die_with_shim().map_err(|err| ExecutorValidationError::ArgValidationError(err.to_string()))
    }

    fn setup_envs(&self, _: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        Ok(())
    }
}
