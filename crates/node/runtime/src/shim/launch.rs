//! The last steps before a program runs, in the container and in the one order that works for all of them.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use caps::{CapSet, CapsHashSet};
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::executor::die_with_shim;
use super::init;
use super::user::User;
use crate::capabilities;
use crate::check::rlimit;
use crate::files::{Dir, Plan};
use crate::seccomp::{self, Program};
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
    filter: Option<Program>,
    no_new_privileges: bool,
    /// Whether a process of ours comes first and the program is its child.
    init: bool,
    tty: bool,
}

impl Launch {
    /// What the plan says about any program of the container, the first one or a later one.
    pub(super) fn new(
        plan: &Plan,
        dir: &Dir,
        command: &Command,
        user: User,
        tty: bool,
    ) -> Result<Self, String> {
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
        if tty {
            default("TERM", "xterm");
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
            capabilities: capabilities::of(&plan.spec)?,
            rlimits: plan.rlimits.clone(),
            filter: plan
                .filtered
                .then(|| dir.filter())
                .transpose()
                .map_err(|err| err.to_string())?,
            no_new_privileges: plan.spec.no_new_privileges,
            init: plan.spec.init,
            tty,
            program,
            user,
        })
    }

    /// The same without a process of ours before it.
    pub(super) fn directly(self) -> Self {
        Self { init: false, ..self }
    }

    /// Becomes the program. Why it could not be run is written to `failure`, with the exit code that stands
    /// for it; a successful exec closes it without a word.
    pub(super) fn run(&self, failure: OwnedFd) -> ! {
        if let Err(err) = self.prepare() {
            let why = format!(
                "exec: {:?}: could not take on its user and limits: {err}",
                self.program
            );
            give_up(failure, 126, &why);
        }
        if self.init {
            match init::fork(self.tty) {
                Ok(None) => {}
                Ok(Some(child)) => {
                    drop(failure);
                    init::serve(child)
                }
                Err(err) => give_up(failure, 126, &format!("exec: {:?}: {err}", self.program)),
            }
        }
        let (code, message) = self.exec();
        give_up(failure, code, &message)
    }

    /// Returns only when it failed.
    fn exec(&self) -> (u8, String) {
        let mut denied = false;
        for candidate in &self.candidates {
            let err = sys::exec(candidate, &self.args, &self.env);
            match err.raw_os_error() {
                Some(libc::ENOENT | libc::ENOTDIR) if !present(candidate) => {}
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

    fn prepare(&self) -> io::Result<()> {
        sys::default_signals();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        for (resource, soft, hard) in &self.rlimits {
            set_rlimit(*resource, *soft, *hard)?;
        }
        if let Some(filter) = &self.filter {
            // While every capability is there: without no_new_privileges, loading takes one.
            seccomp::load(filter)?;
        }
        self.drop_privileges()?;
        if self.no_new_privileges {
            rustix::thread::set_no_new_privs(true)?;
        }
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

/// Raises hard limits as far as the plan goes, for a program that will be in a user namespace, where it could not
/// do so itself. What is set exactly, and what is lowered, is set last, by `Launch`.
pub(super) fn raise_limits(plan: &Plan) -> Result<(), String> {
    if plan.spec.user_namespace.is_none() {
        return Ok(());
    }
    for (resource, _, hard) in &plan.rlimits {
        let (soft, most) = rlimit(*resource).unwrap_or((0, u64::MAX));
        if *hard > most {
            set_rlimit(*resource, soft, *hard)
                .map_err(|err| format!("could not raise resource limit {resource} to {hard}: {err}"))?;
        }
    }
    Ok(())
}

fn give_up(failure: OwnedFd, code: u8, message: &str) -> ! {
    let _ = File::from(failure).write_all(format!("{code} {message}").as_bytes());
    sys::exit_now(i32::from(code))
}

fn present(candidate: &CString) -> bool {
    candidate
        .to_str()
        .is_ok_and(|path| std::fs::symlink_metadata(Path::new(path)).is_ok())
}

/// "No such file or directory" without the number that std adds.
fn plain(err: &io::Error) -> String {
    match err.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_lowercase(),
        None => err.to_string(),
    }
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
