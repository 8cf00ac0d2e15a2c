//! What can be said about a spec before anything is made: refusals by the member's name, and resource limits
//! that this machine cannot grant.

mod privileges;
mod sysctls;

use std::path::{Component, Path};

use caps::{CapSet, Capability};

use crate::capabilities;
use crate::error::{Error, Result};
use crate::logs::MIN_LOG_SIZE;
use crate::spec::{
    ContainerSpec, CpuQuota, ExecSpec, MAX_LAYERS, MIN_MEMORY_LIMIT, MountKind, Net, Process, Resources,
    Root, Share, Ulimit,
};

/// A container may open this many files unless its ulimits say otherwise.
const DEFAULT_NOFILE: u64 = 65_535;

/// Options of mount(8) about other kinds of mounts, or about whom a mount is shared with.
const NOT_FOR_TMPFS: [&str; 11] = [
    "bind",
    "rbind",
    "remount",
    "shared",
    "rshared",
    "slave",
    "rslave",
    "private",
    "rprivate",
    "unbindable",
    "runbindable",
];

pub(crate) fn spec(spec: &ContainerSpec) -> Result<()> {
    let refuse = |member, reason: String| {
        Err(Error::Invalid {
            id: spec.id.clone(),
            member,
            reason,
        })
    };
    match (&spec.root, &spec.process) {
        (Root::Empty, Process::Command(_)) => {
            return refuse("root", "a command needs layers to be found in".into());
        }
        (Root::Overlay { lower, writable }, _) => {
            if lower.is_empty() || lower.len() > MAX_LAYERS {
                return refuse(
                    "root",
                    format!("{} layers; 1 to {MAX_LAYERS} are possible", lower.len()),
                );
            }
            if let Some(layer) = lower.iter().chain(writable).find(|layer| !layer.is_absolute()) {
                return refuse("root", format!("{} is not absolute", layer.display()));
            }
        }
        _ => {}
    }
    if let Process::Command(command) = &spec.process {
        if command.args.first().is_none_or(String::is_empty) {
            return refuse(
                "args",
                "no command: neither the image nor the task names one".into(),
            );
        }
        if let Some((name, _)) = command
            .env
            .iter()
            .find(|(name, _)| name.is_empty() || name.contains('='))
        {
            return refuse("env", format!("{name:?} is not a variable's name"));
        }
        let zero = |text: &String| text.contains('\0');
        if command.args.iter().any(zero) || command.env.iter().any(|(name, value)| zero(name) || zero(value))
        {
            return refuse("env", "arguments and variables cannot contain a zero byte".into());
        }
        if let Some(cwd) = &command.cwd
            && !cwd.is_absolute()
        {
            return refuse("cwd", format!("{} is not absolute", cwd.display()));
        }
    }
    if let Net::Join(path) = &spec.network
        && !(path.is_absolute() && path.exists())
    {
        return refuse("network", format!("there is no namespace {}", path.display()));
    }
    if let Some(hostname) = &spec.hostname {
        if spec.uts != Share::New {
            return refuse(
                "hostname",
                "belongs to the container whose UTS namespace is shared".into(),
            );
        }
        if hostname.is_empty() || hostname.len() > 64 {
            return refuse(
                "hostname",
                format!("{} bytes; the kernel allows 1 to 64", hostname.len()),
            );
        }
    }
    for mount in &spec.mounts {
        if !is_plain(&mount.target) {
            return refuse(
                "mounts",
                format!("target {} is not an absolute plain path", mount.target.display()),
            );
        }
        match &mount.kind {
            MountKind::Bind { source } | MountKind::Volume { source } => {
                if !source.is_absolute() || !source.exists() {
                    return refuse("mounts", format!("source {} does not exist", source.display()));
                }
            }
            MountKind::Tmpfs { options, .. } => {
                if let Some(option) = options.iter().find(|option| option.contains([',', '\0'])) {
                    return refuse("mounts", format!("{option:?} is not one tmpfs option"));
                }
                if let Some(option) = options
                    .iter()
                    .find(|option| NOT_FOR_TMPFS.contains(&option.as_str()))
                {
                    return refuse(
                        "mounts",
                        format!("{option} means nothing for a tmpfs of the container's own"),
                    );
                }
            }
        }
    }
    sysctls::check(spec).or_else(|reason| refuse("sysctls", reason))?;
    privileges::check(spec).or_else(|(member, reason)| refuse(member, reason))?;
    capabilities::resolve(&spec.capabilities)
        .or_else(|reason| refuse("capabilities", reason).map(|()| Default::default()))?;
    resources(&spec.resources).or_else(|reason| refuse("resources", reason))?;
    if spec.log.max_size < MIN_LOG_SIZE {
        return refuse(
            "log",
            format!("max_size {} is below {MIN_LOG_SIZE}", spec.log.max_size),
        );
    }
    if !(1..=100).contains(&spec.log.max_files) {
        return refuse(
            "log",
            format!("max_files {} is not within 1 to 100", spec.log.max_files),
        );
    }
    Ok(())
}

/// A program to be run in a container that runs already.
pub(crate) fn exec(spec: &ExecSpec) -> Result<(), String> {
    let ExecSpec {
        args,
        env,
        cwd,
        user: _,
        tty: _,
    } = spec;
    if args.first().is_none_or(String::is_empty) {
        return Err("no command".into());
    }
    if let Some((name, _)) = env.iter().find(|(name, _)| name.is_empty() || name.contains('=')) {
        return Err(format!("{name:?} is not a variable's name"));
    }
    let zero = |text: &String| text.contains('\0');
    if args.iter().any(zero) || env.iter().any(|(name, value)| zero(name) || zero(value)) {
        return Err("arguments and variables cannot contain a zero byte".into());
    }
    match cwd {
        Some(cwd) if !cwd.is_absolute() => Err(format!("{} is not absolute", cwd.display())),
        _ => Ok(()),
    }
}

/// Absolute and without `.` or `..`; more than `/`.
fn is_plain(path: &Path) -> bool {
    let mut parts = path.components();
    parts.next() == Some(Component::RootDir) && {
        let rest: Vec<_> = parts.collect();
        !rest.is_empty() && rest.iter().all(|part| matches!(part, Component::Normal(_)))
    }
}

pub(crate) fn resources(resources: &Resources) -> Result<(), String> {
    let Resources {
        cpu_shares: _,
        cpu_quota,
        memory_limit,
        memory_reservation,
        swap,
        pids_limit,
    } = resources;
    if let Some(limit) = memory_limit
        && *limit < MIN_MEMORY_LIMIT
    {
        return Err(format!("memory_limit {limit} is below {MIN_MEMORY_LIMIT} bytes"));
    }
    if swap.is_some() && memory_limit.is_none() {
        return Err("swap is counted on top of memory_limit, which is missing".into());
    }
    if let (Some(limit), Some(reservation)) = (memory_limit, memory_reservation)
        && reservation > limit
    {
        return Err(format!(
            "memory_reservation {reservation} exceeds memory_limit {limit}"
        ));
    }
    if let Some(quota) = cpu_quota {
        self::quota(*quota)?;
    }
    if *pids_limit == Some(0) {
        return Err("pids_limit 0 would let nothing run".into());
    }
    Ok(())
}

pub(crate) fn quota(CpuQuota { quota_us, period_us }: CpuQuota) -> Result<(), String> {
    if !(1_000..=1_000_000).contains(&period_us) || quota_us < 1_000 {
        return Err("cpu_quota: the period is 1000 to 1000000 microseconds, the quota at least 1000".into());
    }
    Ok(())
}

/// Limits for setrlimit(2), clamped to what this process may hand on: (resource, soft, hard).
pub(crate) fn rlimits(spec: &ContainerSpec) -> Result<Vec<(u32, u64, u64)>> {
    let may_raise = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_RESOURCE).unwrap_or(false);
    let mut limits = Vec::with_capacity(spec.ulimits.len() + 1);
    for Ulimit { name, soft, hard } in &spec.ulimits {
        let refuse = |reason| Error::Invalid {
            id: spec.id.clone(),
            member: "ulimits",
            reason,
        };
        let resource = number(name).ok_or_else(|| refuse(format!("{name:?} is not a resource limit")))?;
        if soft > hard {
            return Err(refuse(format!("{name}: soft {soft} exceeds hard {hard}")));
        }
        let (soft, hard) = match ceiling(resource) {
            Some(most) if !may_raise && *hard > most => {
                tracing::warn!(container = %spec.id, limit = name, asked = hard, granted = most,
                    "clamped: this process may not raise resource limits (CAP_SYS_RESOURCE)");
                ((*soft).min(most), most)
            }
            _ => (*soft, *hard),
        };
        limits.push((resource, soft, hard));
    }
    let nofile = libc::RLIMIT_NOFILE;
    if !limits.iter().any(|(resource, ..)| *resource == nofile) {
        let most = if may_raise {
            u64::MAX
        } else {
            ceiling(nofile).unwrap_or(u64::MAX)
        };
        let value = DEFAULT_NOFILE.min(most);
        limits.push((nofile, value, value));
    }
    Ok(limits)
}

fn number(name: &str) -> Option<u32> {
    Some(match name {
        "core" => libc::RLIMIT_CORE,
        "cpu" => libc::RLIMIT_CPU,
        "data" => libc::RLIMIT_DATA,
        "fsize" => libc::RLIMIT_FSIZE,
        "locks" => libc::RLIMIT_LOCKS,
        "memlock" => libc::RLIMIT_MEMLOCK,
        "msgqueue" => libc::RLIMIT_MSGQUEUE,
        "nice" => libc::RLIMIT_NICE,
        "nofile" => libc::RLIMIT_NOFILE,
        "nproc" => libc::RLIMIT_NPROC,
        "rss" => libc::RLIMIT_RSS,
        "rtprio" => libc::RLIMIT_RTPRIO,
        "rttime" => libc::RLIMIT_RTTIME,
        "sigpending" => libc::RLIMIT_SIGPENDING,
        "stack" => libc::RLIMIT_STACK,
        _ => return None,
    })
}

fn ceiling(resource: u32) -> Option<u64> {
    rlimit(resource).map(|(_, hard)| hard)
}

/// This process's own limit: (soft, hard).
#[allow(unsafe_code)]
pub(crate) fn rlimit(resource: u32) -> Option<(u64, u64)> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // JUSTIFICATION: the typed wrappers do not know all resources by number.
    // SAFETY: the structure is valid for the call; an unknown number is answered with EINVAL.
    let done = unsafe { libc::getrlimit(resource as libc::__rlimit_resource_t, &raw mut limit) };
    (done == 0).then_some((limit.rlim_cur, limit.rlim_max))
}

#[cfg(test)]
mod tests;
