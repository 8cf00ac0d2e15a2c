//! The last steps before the image's program runs, in the container and in the one order that works for all
//! of them. libcontainer gets here as root with every capability, because a system call filter (`Launch` is
//! where it will hang) can only be loaded before privileges go.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use caps::{CapSet, CapsHashSet};
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Gid, Uid, fchown, setgroups, setresgid, setresuid};

use super::user::User;
use crate::capabilities;
use crate::files::Plan;
use crate::spec::Command;
use crate::sys;

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything worked out beforehand, so that little can go wrong, and nothing be looked up, inside.
#[derive(Clone)]
pub(super) struct Launch {
    program: String,
    /// Where the program may be, in order.
    candidates: Vec<CString>,
    args: Vec<CString>,
    env: Vec<CString>,
    user: User,
    capabilities: CapsHashSet,
    /// (number as in setrlimit(2), soft, hard)
    rlimits: Vec<(u32, u64, u64)>,
}

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

impl Launch {
    pub(super) fn new(plan: &Plan, command: &Command, user: User) -> Result<Self, String> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| format!("{text:?} has a zero byte, which no argument can have"))
        };
        let mut env = command.env.clone();
        let mut default = |name: &str, value: &str| {
            if !env.iter().any(|(known, _)| known == name) {
                env.push((name.to_owned(), value.to_owned()));
            }
        };
        default("PATH", DEFAULT_PATH);
        default("HOME", &user.home);
        if let Some(hostname) = &plan.spec.hostname {
            default("HOSTNAME", hostname);
        }
        let program = command
            .args
            .first()
            .ok_or("no command: neither the image nor the task names one")?
            .clone();
        let path = env
            .iter()
            .rfind(|(name, _)| name == "PATH")
            .map_or(DEFAULT_PATH, |(_, value)| value);
        let candidates = if program.contains('/') {
            vec![text(&program)?]
        } else {
            // An empty element would mean the working directory, where images put what users upload.
            let dirs = path.split(':').filter(|dir| !dir.is_empty());
            dirs.map(|dir| text(&format!("{dir}/{program}")))
                .collect::<Result<_, _>>()?
        };
        Ok(Self {
            candidates,
            args: command
                .args
                .iter()
                .map(|arg| text(arg))
                .collect::<Result<_, _>>()?,
            env: env
                .iter()
                .map(|(name, value)| text(&format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            capabilities: capabilities::resolve(&plan.spec.capabilities)?,
            rlimits: plan.rlimits.clone(),
            program,
            user,
        })
    }

    /// Returns only when it failed, with the message and the exit code that stand for it.
    fn run(&self) -> (u8, String) {
        if let Err(err) = self.prepare() {
            return (
                126,
                format!(
                    "exec: {:?}: could not take on its user and limits: {err}",
                    self.program
                ),
            );
        }
        let mut denied = false;
        for candidate in &self.candidates {
            let err = sys::exec(candidate, &self.args, &self.env);
            match err.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if !self.present(candidate) => {}
                Some(libc::ENOENT) => {
                    let hint = "its interpreter (the #! line or the dynamic loader) is not in the image";
                    return (127, format!("exec: {:?}: {hint}", self.program));
                }
                Some(libc::EACCES) => denied = true,
                Some(libc::ENOEXEC) => {
                    return (
                        126,
                        format!(
                            "exec: {:?}: exec format error: not a program of this machine's kind",
                            self.program
                        ),
                    );
                }
                _ => return (126, format!("exec: {:?}: {}", self.program, plain(&err))),
            }
        }
        let (code, why) = match (denied, self.program.contains('/')) {
            (true, _) => (126, "permission denied"),
            (false, true) => (127, "no such file or directory"),
            (false, false) => (127, "executable file not found in $PATH"),
        };
        (code, format!("exec: {:?}: {why}", self.program))
    }

    fn present(&self, candidate: &CString) -> bool {
        candidate
            .to_str()
            .is_ok_and(|path| std::fs::symlink_metadata(Path::new(path)).is_ok())
    }

    fn prepare(&self) -> io::Result<()> {
        reset_oom_score();
        sys::default_signals();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        for (resource, soft, hard) in &self.rlimits {
            set_rlimit(*resource, *soft, *hard)?;
        }
        // So that the program can open /dev/stdout, the pipe behind it must be its own.
        let owner = Some(Uid::from_raw(self.user.uid));
        fchown(io::stdout(), owner, None)?;
        fchown(io::stderr(), owner, None)?;
        self.drop_privileges()?;
        // Changing the user has cleared it.
        die_with_shim()
    }

    fn drop_privileges(&self) -> io::Result<()> {
        let keep = &self.capabilities;
        for cap in caps::read(None, CapSet::Bounding).map_err(io::Error::other)? {
            if !keep.contains(&cap) {
                caps::drop(None, CapSet::Bounding, cap).map_err(io::Error::other)?;
            }
        }
        let groups: Vec<Gid> = self.user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        setgroups(&groups)?;
        let (gid, uid) = (Gid::from_raw(self.user.gid), Uid::from_raw(self.user.uid));
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
        caps::clear(None, CapSet::Ambient).map_err(io::Error::other)?;
        caps::clear(None, CapSet::Inheritable).map_err(io::Error::other)?;
        // For another user the kernel has taken the rest already, and exec gives only what files grant.
        let own = if self.user.uid == 0 {
            keep.clone()
        } else {
            CapsHashSet::new()
        };
        let permitted = caps::read(None, CapSet::Permitted).map_err(io::Error::other)?;
        let own: CapsHashSet = own.intersection(&permitted).copied().collect();
        caps::set(None, CapSet::Effective, &own).map_err(io::Error::other)?;
        caps::set(None, CapSet::Permitted, &own).map_err(io::Error::other)
    }
}

/// "No such file or directory" without the number that std adds.
fn plain(err: &io::Error) -> String {
    match err.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_lowercase(),
        None => err.to_string(),
    }
}

/// The daemon may be protected from the OOM killer; what it runs must not be.
fn reset_oom_score() {
    // Raising is always allowed. A lower score of the daemon's cannot be taken back without privileges then.
    let _ = std::fs::write("/proc/self/oom_score_adj", "0");
}

pub(super) fn die_with_shim() -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

#[allow(unsafe_code)]
fn set_rlimit(resource: u32, soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: soft,
        rlim_max: hard,
    };
    // JUSTIFICATION: the typed wrappers do not know all resources by number.
    // SAFETY: the structure is valid for the call; an unknown number is answered with EINVAL.
    match unsafe { libc::setrlimit(resource as libc::__rlimit_resource_t, &raw const limit) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
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
        let (code, message) = self.0.run();
        // libcontainer's own way of reporting has ended before exec, so this goes by a pipe of ours.
        let _ = File::from(sys::adopt_fd(self.1.failure)).write_all(format!("{code} {message}").as_bytes());
        sys::exit_now(i32::from(code))
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
