//! The helper that runs a program in a container which runs already. It enters nothing itself: a child joins the
//! container's control group and namespaces, and leaves behind the process that becomes the program, as the
//! helper's own child. The daemon hanging up ends the program.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, Uid, fchown};
use rustix::process::{DumpableBehavior, PidfdFlags, WaitOptions, pidfd_open};

use super::launch::{Launch, raise_limits};
use super::setup::pipe;
use super::{control_from_stdin, detach, user};
use crate::control::encode_reply;
use crate::error::{Error, Result};
use crate::files::{Dir, Plan};
use crate::spec::{Command, ExecSpec, Process};
use crate::sys::{self, Fork};

/// The kernel takes no more arguments and environment than this.
const MAX_REQUEST: u64 = 2 * 1024 * 1024;
/// Where the program's side of the failure pipe is, when everything else is closed.
const FAILURE: i32 = 3;

pub(super) fn run(dir: OsString) -> Result<()> {
    let dir = Dir::new(dir);
    let signals =
        detach().map_err(|err| Error::Worker(format!("the helper could not detach itself: {err}")))?;
    let control = control_from_stdin().map_err(Error::io(
        "could not take over the control connection",
        dir.path(),
    ))?;
    match start(&dir, &control) {
        Ok((pid, streams)) => {
            let line = format!("ok {pid}\n");
            let passed: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
            let told = sys::send_with(&control, line.as_bytes(), &passed);
            drop(streams);
            stand_by(pid, control, &signals, told.is_ok());
        }
        Err(message) => {
            let _ = (&control).write_all(encode_reply(&Err(message)).as_bytes());
        }
    }
    Ok(())
}

/// The program's pid and the daemon's ends of its streams.
fn start(dir: &Dir, control: &UnixStream) -> Result<(i32, Vec<OwnedFd>), String> {
    let text = |err: Error| err.to_string();
    let spec = request(control)?;
    let ended = || "the container has ended".to_owned();
    let plan = dir.plan().map_err(text)?.ok_or_else(ended)?;
    let first = dir.life().map_err(text)?.ok_or_else(ended)?.pid;
    let shim = dir.shim().map_err(text)?.ok_or_else(ended)?;
    plan.cgroups.leave_daemon(&plan.shim_cgroup).map_err(text)?;
    let process = rustix::process::Pid::from_raw(first).ok_or_else(ended)?;
    let process = pidfd_open(process, PidfdFlags::empty()).map_err(|_| ended())?;
    // Asked after opening: it is the shim's child, so it is the container and no later process with its pid.
    if sys::parent(first) != Some(shim.pid) {
        return Err(ended());
    }
    let inside = File::open(format!("/proc/{first}/root"))
        .map(pathrs::Root::from_fd)
        .map_err(|err| format!("could not look into the container: {err}"))?;
    let command = command(&plan, spec.clone())?;
    let user = user::resolve(&inside, command.user.as_deref(), &command.groups)?;
    drop(inside);
    let owner = plan
        .spec
        .user_namespace
        .map_or(user.uid, |users| users.first + user.uid.min(users.size - 1));
    let launch = Launch::new(&plan, dir, &command, user, spec.tty)?.directly();
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    if !spec.tty {
        let (input, input_end) = pipe()?;
        let (output_end, output) = pipe()?;
        let (errors_end, errors) = pipe()?;
        for end in [&output, &errors] {
            fchown(end.as_fd(), Some(Uid::from_raw(owner)), None)
                .map_err(|err| format!("could not give the program its streams: {err}"))?;
        }
        theirs = vec![input, output, errors];
        ours = vec![input_end, output_end, errors_end];
    }
    let (failure_end, failure) = pipe()?;
    let (report, report_end) = UnixStream::pair().map_err(|err| format!("could not make a socket: {err}"))?;
    let into = plan.cgroups.fork_into(&plan.cgroup).map_err(text)?;
    match sys::fork(into.as_ref()).map_err(|err| format!("could not fork: {err}"))? {
        Fork::Child => {
            drop((ours, failure_end, report));
            let cwd = command.cwd.unwrap_or_else(|| "/".into());
            let entry = Entry {
                theirs,
                failure,
                report: report_end,
            };
            if let Err(message) = enter(&plan, &process, first, &launch, &cwd, entry) {
                eprintln!("{message}");
            }
            sys::exit_now(0)
        }
        Fork::Parent(child) => {
            drop((theirs, failure, report_end));
            let outcome = hear(&report, failure_end, spec.tty, &mut ours);
            let _ = waitpid(Pid::from_raw(child), None);
            outcome.map(|pid| (pid, ours))
        }
    }
}

fn request(control: &UnixStream) -> Result<ExecSpec, String> {
    let mut line = Vec::new();
    let mut reader = std::io::BufReader::new(control).take(MAX_REQUEST);
    std::io::BufRead::read_until(&mut reader, b'\n', &mut line)
        .map_err(|err| format!("could not hear what to run: {err}"))?;
    serde_json::from_slice(&line).map_err(|err| format!("could not understand what to run: {err}"))
}

/// The container's own program, with what is different about this one.
fn command(plan: &Plan, spec: ExecSpec) -> Result<Command, String> {
    let Process::Command(own) = &plan.spec.process else {
        return Err("a pause container has nothing that could be run".to_owned());
    };
    let ExecSpec {
        args,
        env,
        cwd,
        user,
        tty: _,
    } = spec;
    let mut command = own.clone();
    command.args = args;
    for (name, value) in env {
        match command.env.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => command.env.push((name, value)),
        }
    }
    if user.is_some() {
        command.groups.clear();
    }
    command.user = user.or(command.user);
    command.cwd = cwd.or(command.cwd);
    Ok(command)
}

/// What the container's side needs of the helper's.
struct Entry {
    /// stdin, stdout, stderr; none for a terminal, which is made inside.
    theirs: Vec<OwnedFd>,
    failure: OwnedFd,
    report: UnixStream,
}

/// In a child: joins the container, and leaves a process there.
fn enter(
    plan: &Plan,
    process: &OwnedFd,
    first: i32,
    launch: &Launch,
    cwd: &std::path::Path,
    entry: Entry,
) -> Result<(), String> {
    let say = |message: String| {
        tell(&entry.failure, &message);
        message
    };
    let score = plan.spec.oom_score_adj.to_string();
    std::fs::write("/proc/self/oom_score_adj", score)
        .map_err(|err| say(format!("could not set the OOM score: {err}")))?;
    raise_limits(plan).map_err(say)?;
    plan.cgroups
        .enter(&plan.cgroup)
        .map_err(|err| say(err.to_string()))?;
    // From here on until the program is exec'd, nobody in the container may look into this process.
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    setns(process, others(first)).map_err(|err| say(format!("could not enter the container: {err}")))?;
    match sys::fork_sibling().map_err(|err| say(format!("could not fork: {err}")))? {
        Fork::Parent(pid) => {
            let _ = (&entry.report).write_all(format!("ok {pid}\n").as_bytes());
            Ok(())
        }
        Fork::Child => become_program(launch, cwd, entry),
    }
}

/// The namespaces in which the container is and the helper is not.
fn others(first: i32) -> CloneFlags {
    let mut flags = CloneFlags::empty();
    for (name, flag) in [
        ("user", CloneFlags::CLONE_NEWUSER),
        ("mnt", CloneFlags::CLONE_NEWNS),
        ("pid", CloneFlags::CLONE_NEWPID),
        ("net", CloneFlags::CLONE_NEWNET),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ] {
        let of = |who: &str| std::fs::read_link(format!("/proc/{who}/ns/{name}")).ok();
        if of("self") != of(&first.to_string()) {
            flags |= flag;
        }
    }
    flags
}

fn become_program(launch: &Launch, cwd: &std::path::Path, entry: Entry) -> ! {
    let Entry {
        theirs,
        failure,
        report,
    } = entry;
    let prepare = || -> std::io::Result<()> {
        nix::unistd::setsid()?;
        match &theirs[..] {
            [input, output, errors] => {
                rustix::stdio::dup2_stdin(input)?;
                rustix::stdio::dup2_stdout(output)?;
                rustix::stdio::dup2_stderr(errors)?;
            }
            _ => {
                let (terminal, user_side) = sys::open_terminal()?;
                sys::send_with(&report, b"tty\n", &[terminal.as_fd()])?;
                rustix::stdio::dup2_stdin(&user_side)?;
                rustix::stdio::dup2_stdout(&user_side)?;
                rustix::stdio::dup2_stderr(&user_side)?;
                rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            }
        }
        // Descriptors of the host's must be gone before a path of the container's is followed.
        sys::keep_only(&failure, FAILURE)
    };
    if let Err(err) = prepare() {
        tell(&failure, &format!("could not prepare the program: {err}"));
        sys::exit_now(126);
    }
    std::mem::forget((theirs, failure, report));
    let failure = sys::adopt_fd(FAILURE);
    if let Err(err) = std::env::set_current_dir(cwd).and_then(|()| std::env::current_dir().map(drop)) {
        tell(&failure, &format!("working directory {}: {err}", cwd.display()));
        sys::exit_now(126);
    }
    launch.run(failure)
}

/// Waits until the program runs, or for the reason why it does not.
fn hear(report: &UnixStream, failure: OwnedFd, tty: bool, ours: &mut Vec<OwnedFd>) -> Result<i32, String> {
    let mut problem = String::new();
    // Ends when exec has closed it, or with whoever held it.
    let _ = File::from(failure).take(4096).read_to_string(&mut problem);
    let mut pid = None;
    let mut buffer = [0; 256];
    // Both lines were written before the pipe ended; their order is anybody's guess.
    let _ = report.set_nonblocking(true);
    for _ in 0..2 {
        let Ok((length, passed)) = sys::receive_with(report, &mut buffer) else {
            break;
        };
        ours.extend(passed);
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        for line in text.lines() {
            pid = pid.or(line.strip_prefix("ok ").and_then(|pid| pid.parse::<i32>().ok()));
        }
    }
    let streams = if tty { 1 } else { 3 };
    match (pid, problem.split_once(' ')) {
        (Some(pid), None) if ours.len() == streams => Ok(pid),
        (pid, problem) => {
            if let Some(pid) = pid {
                let _ = waitpid(Pid::from_raw(pid), None);
            }
            Err(problem
                .map_or("the program ended before it began", |(_, why)| why)
                .to_owned())
        }
    }
}

/// Until the program has ended: tells its code.
fn stand_by(pid: i32, mut control: UnixStream, signals: &SignalFd, mut wanted: bool) {
    loop {
        if !wanted {
            // The session first, while its leader holds the number.
            let _ = sys::kill(-pid, libc::SIGKILL);
            let _ = sys::kill(pid, libc::SIGKILL);
        }
        let mut waits = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        if wanted {
            waits.push(PollFd::new(control.as_fd(), PollFlags::POLLIN));
        }
        let _ = poll(&mut waits, PollTimeout::NONE);
        let told = waits
            .get(1)
            .and_then(PollFd::revents)
            .is_some_and(|events| !events.is_empty());
        while let Ok(Some(_)) = signals.read_signal() {}
        while let Ok(Some((ended, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if ended.as_raw_nonzero().get() == pid {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                let code = status.exit_status().or(signal).unwrap_or(255);
                let _ = control.write_all(format!("exit {code}\n").as_bytes());
                return;
            }
        }
        if told {
            // "kill", or the end of who wanted it.
            let _ = control.read(&mut [0; 64]);
            wanted = false;
        }
    }
}

/// Short enough for one write, which a pipe takes whole.
fn tell(failure: &OwnedFd, why: &str) {
    let _ = rustix::io::write(failure, format!("126 {why}").as_bytes());
}
