//! The forwarder's own process, from its start to the moment it serves.

use std::fs;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::Path;

use nix::sched::{CloneFlags, setns};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{LINE, NAME, Order, Report, bind, serve};

/// Call this first in `main`, before any thread exists: when the process was started as a forwarder (by
/// `argv[0]`), it becomes one and does not return.
pub fn forward_main_if_asked() {
    if std::env::args_os().next().as_deref() != Some(NAME.as_ref()) {
        return;
    }
    let report = match prepare() {
        // Only the daemon's death before it said what to forward.
        Ok(None) => std::process::exit(1),
        Ok(Some((sockets, order, published))) => {
            let report = Report::Published(published);
            match serve::start(sockets, order.to, || say(&report)) {
                Ok(()) => std::process::exit(0),
                Err(error) => Report::Failed(format!("starting to forward: {error}")),
            }
        }
        Err(report) => report,
    };
    let _ = say(&report);
    std::process::exit(1);
}

fn say(report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

type Prepared = (Vec<bind::Socket>, Order, Vec<super::PublishedPort>);

/// Listens in the namespace outside and enters the one inside.
fn prepare() -> Result<Option<Prepared>, Report> {
    let failed = |what: &str, error: io::Error| Report::Failed(format!("{what}: {error}"));
    let mut line = Vec::new();
    let mut input = io::BufReader::new(io::stdin().lock().take(LINE));
    input
        .read_until(b'\n', &mut line)
        .map_err(|e| failed("reading the order", e))?;
    if line.last() != Some(&b'\n') {
        return Ok(None);
    }
    let order: Order = serde_json::from_slice(&line).map_err(|e| failed("reading the order", e.into()))?;
    detach().map_err(|e| failed("leaving the daemon", e))?;
    if let Some(outside) = &order.outside {
        enter(outside).map_err(|e| failed("entering the node's namespace", e))?;
    }
    let (sockets, published) = bind::all(&order.ports)?;
    enter(&order.inside).map_err(|e| failed("entering the bridge network", e))?;
    Ok(Some((sockets, order, published)))
}

fn enter(path: &Path) -> io::Result<()> {
    Ok(setns(fs::File::open(path)?, CloneFlags::CLONE_NEWNET)?)
}

/// Neither the daemon's terminal, nor its directory, nor a service manager that ends its control groups
/// reaches this process; and each connection takes two descriptors.
fn detach() -> io::Result<()> {
    // Fails only for the leader of a group, which a process that was just started is not.
    let _ = nix::unistd::setsid();
    std::env::set_current_dir("/")?;
    leave_groups();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}

/// Moves to the root of each cgroup hierarchy. One that refuses is left as it is: the ports then end with the
/// daemon's group and come back with the daemon.
fn leave_groups() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else {
            continue;
        };
        if path == "/" {
            continue;
        }
        let root = Path::new("/sys/fs/cgroup");
        // One thread: `tasks` moves it without the lock that `cgroup.procs` takes.
        let file = if controllers.is_empty() {
            let unified = root.join("unified");
            if unified.is_dir() {
                unified
            } else {
                root.to_owned()
            }
            .join("cgroup.procs")
        } else {
            root.join(controllers.strip_prefix("name=").unwrap_or(controllers))
                .join("tasks")
        };
        let _ = fs::write(file, "0");
    }
}
