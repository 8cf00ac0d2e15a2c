//! From a plan to a container that waits for its start. The work is done by a forked child, which moves into
//! the container's control group and into a mount namespace of its own and then lets libcontainer do the
//! rest: the shim never leaves its place, keeps none of the memory, and the root file system is mounted
//! nowhere but inside of the container, so that it is gone with it whatever crashes.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::executor::{Doorstep, Exec};
use super::launch::{self, Launch};
use super::pause::Pause;
use super::streams::{self, Ends, Streams};
use super::user::User;
use super::userns::{self, Users};
use super::{Post, cgroup_view, copy_up, oci, root, user};
use crate::files::{Dir, Plan};
use crate::ids::ContainerId;
use crate::spec::Process;
use crate::sys::{self, Fork};

/// How long the set-up may take before it is given up. It is milliseconds; this is for a hung file system.
const PATIENCE: Duration = Duration::from_secs(60);
/// A report fits into one write, which a pipe keeps together.
const MAX_REPORT: usize = 4096;

/// A container that waits for its start.
pub(super) struct Made {
    pub(super) pid: i32,
    pub(super) streams: Streams,
    pub(super) gate: Gate,
}

/// Where a finished container waits for its start, and whence news of the start come.
pub(super) struct Gate {
    /// One byte opens it. If the shim dies, the container ends without having run.
    pub(super) go: OwnedFd,
    /// Closed by a successful exec; before, it may carry the reason why there was none.
    pub(super) failure: OwnedFd,
}

pub(super) fn make(plan: &Plan, post: &Post) -> Result<Made, String> {
    plan.cgroups.leave_daemon(&plan.shim_cgroup).map_err(text)?;
    plan.cgroups
        .create(&plan.cgroup, &plan.spec.resources)
        .map_err(text)?;
    if let Some(swappiness) = plan.spec.swappiness {
        plan.cgroups
            .set_swappiness(&plan.cgroup, swappiness)
            .map_err(text)?;
    }
    if !plan.spec.privileged {
        plan.cgroups
            .restrict_devices(&plan.cgroup, &plan.devices)
            .map_err(text)?;
    }
    let (mut streams, ends) = Streams::make(&plan.spec)?;
    let (go_end, go) = pipe()?;
    let (failure, failure_end) = pipe()?;
    // A socket, since a terminal's descriptor may come with the report.
    let (report, report_end) = UnixStream::pair().map_err(|err| format!("could not make a socket: {err}"))?;
    let into = plan.cgroups.fork_into(&plan.cgroup).map_err(text)?;
    match sys::fork(into.as_ref()).map_err(|err| format!("could not fork: {err}"))? {
        Fork::Child => {
            // A copy kept here would outlive the shim and look like it.
            for fd in [
                post.listener.as_raw_fd(),
                post.first.as_raw_fd(),
                post.signals.as_raw_fd(),
            ] {
                let _ = nix::unistd::close(fd);
            }
            drop((streams, go, failure, report));
            let doorstep = (go_end, failure_end);
            let (text, terminal) = match build(plan, &post.dir, ends, &doorstep) {
                Ok((pid, terminal)) => (format!("ok {pid}"), terminal),
                Err(message) => (format!("err {message}"), None),
            };
            let end = (0..=MAX_REPORT.min(text.len()))
                .rev()
                .find(|end| text.is_char_boundary(*end));
            let text = &text.as_bytes()[..end.unwrap_or(0)];
            let _ = sys::send_with(&report_end, text, terminal.as_ref().map(AsFd::as_fd).as_slice());
            sys::exit_now(0)
        }
        Fork::Parent(builder) => {
            drop((ends, go_end, failure_end, report_end));
            let (pid, terminal) = await_report(&report, builder, post)?;
            streams.terminal(terminal);
            Ok(Made {
                pid,
                streams,
                gate: Gate { go, failure },
            })
        }
    }
}

pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), String> {
    nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|err| format!("could not make a pipe: {err}"))
}

/// The pid of the container's first process and its terminal, or why there is none.
fn await_report(report: &UnixStream, builder: i32, post: &Post) -> Result<(i32, Option<OwnedFd>), String> {
    let mut waits = [
        PollFd::new(report.as_fd(), PollFlags::POLLIN),
        PollFd::new(post.signals.as_fd(), PollFlags::POLLIN),
    ];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    let builder = Pid::from_raw(builder);
    let mut ended = false;
    // Wakes at most once for each of the few processes that the set-up consists of.
    loop {
        let woken = poll(&mut waits, patience);
        if waits[0].revents().is_some_and(|events| !events.is_empty()) {
            break;
        }
        if ended || woken == Ok(0) {
            let _ = sys::kill(builder.as_raw(), libc::SIGKILL);
            let _ = waitpid(builder, None);
            let what = if ended {
                "ended without a word"
            } else {
                "took too long"
            };
            return Err(format!("setting up the container {what}"));
        }
        let _ = post.signals.read_signal();
        // Whatever it had to say is in the pipe now: look once more.
        ended = matches!(
            waitpid(builder, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(_)
        );
    }
    let mut buffer = vec![0; MAX_REPORT];
    let (length, mut descriptors) = sys::receive_with(report, &mut buffer).unwrap_or_default();
    if !ended {
        let _ = waitpid(builder, None);
    }
    let text = String::from_utf8_lossy(&buffer[..length]);
    match text.split_once(' ') {
        Some(("ok", pid)) => {
            let pid = pid.parse().map_err(|_| format!("no pid: {pid:?}"))?;
            Ok((pid, descriptors.pop()))
        }
        Some(("err", message)) => Err(message.to_owned()),
        _ => Err("setting up the container ended without a word".to_owned()),
    }
}

/// In the child: everything from here on happens in the container's group and in a private mount namespace.
fn build(
    plan: &Plan,
    dir: &Dir,
    ends: Ends,
    (go, failure): &(OwnedFd, OwnedFd),
) -> Result<(i32, Option<OwnedFd>), String> {
    let spec = &plan.spec;
    set_oom_score(spec.oom_score_adj)?;
    launch::raise_limits(plan)?;
    plan.cgroups.enter(&plan.cgroup).map_err(text)?;
    let view = match spec.process {
        Process::Command(_) => cgroup_view::collect(&plan.cgroups.view(&plan.cgroup), spec.privileged)?,
        Process::Pause => Vec::new(),
    };
    let shm = plan.ipc_of.map(root::borrow_shm).transpose()?;
    let users = spec.user_namespace.map(userns::make).transpose()?;
    if users.is_some() {
        userns::join_network(plan)?;
    }
    root::unshare()?;
    root::mount(&spec.root, dir, users.as_ref())?;
    if let Some(tree) = shm {
        root::place_shm(tree)?;
    }
    let inside = pathrs::Root::open(root::ROOT).map_err(|err| format!("could not open the root: {err}"))?;
    copy_up::fill_volumes(&inside, &spec.mounts, users.as_ref())?;
    let staged = match &users {
        Some(users) => {
            root::place_sys()?;
            users.stage(&spec.mounts)?
        }
        None => Vec::new(),
    };
    let doorstep = Doorstep {
        go: go.as_raw_fd(),
        failure: failure.as_raw_fd(),
    };
    let builder = ContainerBuilder::new(spec.id.to_string(), SyscallType::default())
        .with_root_path(root::LIBCONTAINER)
        .map_err(|err| chain(&err))?;
    let builder = match &spec.process {
        Process::Command(command) => {
            let user = user::resolve(&inside, command.user.as_deref(), &command.groups)?;
            if let Some(cwd) = &command.cwd {
                root::make_cwd(&inside, cwd, users.as_ref())?;
            }
            ends.give_to(host_user(&user, users.as_ref())?)?;
            let launch = Launch::new(plan, dir, command, user, spec.tty)?;
            builder.with_executor(Exec::new(launch, doorstep))
        }
        Process::Pause => builder.with_executor(Pause(doorstep)),
    };
    drop(inside);
    oci::write(plan, &staged)?;
    let (builder, console) = ends.attach(builder)?;
    let container = builder
        .as_init(root::BUNDLE)
        .with_systemd(false)
        .with_detach(true)
        // Makes the container a child of the shim instead of this process.
        .as_sibling(true)
        .build()
        .map_err(|err| chain(&err))?;
    let terminal = console.map(streams::Console::take).transpose()?;
    let pid = container.pid().ok_or("the container has no process")?.as_raw();
    pass_on(&spec.id).map_err(|err| format!("the container does not listen: {err}"))?;
    cgroup_view::attach(view, pid, spec.privileged)?;
    Ok((pid, terminal))
}

/// The container's user as the host knows it.
fn host_user(user: &User, users: Option<&Users>) -> Result<u32, String> {
    users.map_or(Ok(user.uid), |users| users.on_host(user.uid))
}

/// The daemon may be protected from the OOM killer; what it runs must not be by accident.
fn set_oom_score(score: i32) -> Result<(), String> {
    std::fs::write("/proc/self/oom_score_adj", score.to_string()).map_err(|err| {
        format!(
            "could not set the OOM score to {score}: {err}; below the daemon's own it takes CAP_SYS_RESOURCE"
        )
    })
}

/// libcontainer's own way of holding a container back is a socket in a directory that only this namespace
/// has, and would let it run if the shim died. So it is opened now, and the executor waits at the gate.
fn pass_on(id: &ContainerId) -> std::io::Result<()> {
    UnixStream::connect(Path::new(root::LIBCONTAINER).join(id).join("notify.sock"))?
        .write_all(b"start container")
}

fn text(err: crate::error::Error) -> String {
    chain(&err)
}

/// An error and what caused it, without saying the same twice.
pub(super) fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut next = err.source();
    while let Some(err) = next {
        let cause = err.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = err.source();
    }
    text
}
