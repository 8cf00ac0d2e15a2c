//! The part of a plan that libcontainer carries out, in its own words. What it would do too early, too late
//! or not at all (user, groups, capabilities, limits, environment, control groups) is left out on purpose:
//! the executor and the set-up do that.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::root::{BUNDLE, LIBCONTAINER, ROOT, SHM};
use crate::devices::Node;
use crate::files::Plan;
use crate::spec::{Mount, MountKind, Net, Process, Share};

/// What ordinary containers must not read, as Docker hides it.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = [
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
];
const DEFAULT_SHM: u64 = 64 << 20;

/// Writes the bundle's `config.json`. `staged` are the sources of the spec's mounts where they are not as the
/// spec says.
pub(super) fn write(plan: &Plan, staged: &[Option<PathBuf>]) -> Result<(), String> {
    let write = || {
        std::fs::create_dir(BUNDLE)?;
        std::fs::create_dir(LIBCONTAINER)?;
        std::fs::write(
            Path::new(BUNDLE).join("config.json"),
            config(plan, staged).to_string(),
        )
    };
    write().map_err(|err| format!("could not write the bundle: {err}"))
}

fn config(plan: &Plan, staged: &[Option<PathBuf>]) -> Value {
    let spec = &plan.spec;
    let (cwd, mounts) = match &spec.process {
        Process::Command(command) => {
            let cwd = command.cwd.as_deref().unwrap_or(Path::new("/"));
            (cwd, mounts(plan, staged))
        }
        Process::Pause => (Path::new("/"), shm(plan).into_iter().collect()),
    };
    let hides = matches!(spec.process, Process::Command(_)) && !spec.privileged;
    let (masked, read_only) = if hides {
        (&MASKED[..], &READ_ONLY[..])
    } else {
        (&[][..], &[][..])
    };
    let mut config = json!({
        "ociVersion": "1.2.0",
        "root": { "path": ROOT, "readonly": spec.readonly_root },
        "process": {
            "terminal": spec.tty,
            // Set although the executor makes the environment: with HOME missing, libcontainer would ask the
            // C library, which would load code from the image.
            "env": ["HOME=/"],
            "user": { "uid": 0, "gid": 0 },
            "args": ["see executor"],
            "cwd": cwd,
        },
        "mounts": mounts,
        "linux": {
            "namespaces": namespaces(plan),
            "cgroupsPath": Path::new("/").join(&plan.cgroup),
            "maskedPaths": masked,
            "readonlyPaths": read_only,
            "sysctl": sysctls(plan),
            "devices": plan.devices.iter().map(device).collect::<Vec<_>>(),
        },
    });
    if let Some(hostname) = &spec.hostname {
        config["hostname"] = json!(hostname);
    }
    if let Some(users) = spec.user_namespace {
        let mapping = json!([{ "containerID": 0, "hostID": users.first, "size": users.size }]);
        config["linux"]["uidMappings"] = mapping.clone();
        config["linux"]["gidMappings"] = mapping;
    }
    config
}

fn device(node: &Node) -> Value {
    json!({
        "path": node.path,
        "type": if node.block { "b" } else { "c" },
        "major": node.major,
        "minor": node.minor,
        "fileMode": node.mode,
        "uid": node.uid,
        "gid": node.gid,
    })
}

fn namespaces(plan: &Plan) -> Vec<Value> {
    let spec = &plan.spec;
    let at = |kind: &str, name: &str, other: Option<i32>| match other {
        Some(pid) => json!({ "type": kind, "path": format!("/proc/{pid}/ns/{name}") }),
        None => json!({ "type": kind }),
    };
    let mut all = vec![json!({ "type": "mount" })];
    for (kind, share, other) in [
        ("ipc", &spec.ipc, plan.ipc_of),
        ("pid", &spec.pid, plan.pid_of),
        ("uts", &spec.uts, plan.uts_of),
    ] {
        if *share != Share::Host {
            all.push(at(kind, kind, other));
        }
    }
    match &spec.network {
        Net::New => all.push(json!({ "type": "network" })),
        // With users of its own the set-up is in it already: from inside, the container may not enter.
        Net::With(_) | Net::Join(_) if spec.user_namespace.is_some() => {}
        Net::With(_) => all.push(at("network", "net", plan.net_of)),
        Net::Join(path) => all.push(json!({ "type": "network", "path": path })),
        Net::Host => {}
    }
    if plan.cgroups.is_v2() {
        all.push(json!({ "type": "cgroup" }));
    }
    if spec.user_namespace.is_some() {
        all.push(json!({ "type": "user" }));
    }
    all
}

/// A network namespace of one's own lets any user listen on any port and ping: there is nobody to protect.
fn sysctls(plan: &Plan) -> Map<String, Value> {
    let spec = &plan.spec;
    let mut all = Map::new();
    if matches!(spec.network, Net::New) {
        let last_group = spec
            .user_namespace
            .map_or(i32::MAX as u32, |users| users.size - 1);
        all.insert("net.ipv4.ip_unprivileged_port_start".into(), json!("0"));
        all.insert(
            "net.ipv4.ping_group_range".into(),
            json!(format!("0 {last_group}")),
        );
    }
    all.extend(
        spec.sysctls
            .iter()
            .map(|(name, value)| (name.clone(), json!(value))),
    );
    all
}

fn mounts(plan: &Plan, staged: &[Option<PathBuf>]) -> Vec<Value> {
    let spec = &plan.spec;
    let mount = |kind: &str, target: &str, options: &[&str]| json!({ "type": kind, "source": kind, "destination": target, "options": options });
    let read_only = if spec.privileged { "rw" } else { "ro" };
    let sys = if spec.user_namespace.is_some() && !matches!(spec.network, Net::New) {
        // A sysfs shows a network namespace, and only its owner may mount one.
        json!({ "type": "bind", "source": super::root::SYS, "destination": "/sys",
                "options": ["rbind", "nosuid", "noexec", "nodev", "rro"] })
    } else {
        mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", read_only])
    };
    let mut all = vec![
        mount("proc", "/proc", &["nosuid", "noexec", "nodev"]),
        mount(
            "tmpfs",
            "/dev",
            &["nosuid", "strictatime", "mode=755", "size=65536k"],
        ),
        mount(
            "devpts",
            "/dev/pts",
            &[
                "nosuid",
                "noexec",
                "newinstance",
                "ptmxmode=0666",
                "mode=0620",
                "gid=5",
            ],
        ),
        sys,
        mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    all.extend(shm(plan));
    if plan.cgroups.is_v2() {
        all.push(mount(
            "cgroup2",
            "/sys/fs/cgroup",
            &["nosuid", "noexec", "nodev", read_only],
        ));
    }
    let sources = staged.iter().map(Option::as_ref).chain(std::iter::repeat(None));
    all.extend(
        spec.mounts
            .iter()
            .zip(sources)
            .map(|(mount, source)| asked_for(mount, source)),
    );
    all
}

fn shm(plan: &Plan) -> Option<Value> {
    let borrowed = |source: &str| {
        json!({
            "type": "bind",
            "source": source,
            "destination": "/dev/shm",
            "options": ["rbind", "nosuid", "noexec", "nodev"],
        })
    };
    let spec = &plan.spec;
    Some(match spec.ipc {
        // The user may want something else there: a mount at the same place takes this one's.
        _ if spec
            .mounts
            .iter()
            .any(|mount| mount.target == Path::new("/dev/shm")) =>
        {
            return None;
        }
        Share::New => {
            let size = spec.shm_size.unwrap_or(DEFAULT_SHM);
            json!({
                "type": "tmpfs",
                "source": "shm",
                "destination": "/dev/shm",
                "options": ["nosuid", "noexec", "nodev", "mode=1777", format!("size={size}")],
            })
        }
        Share::With(_) => borrowed(SHM),
        Share::Host => borrowed("/dev/shm"),
    })
}

fn asked_for(mount: &Mount, staged: Option<&PathBuf>) -> Value {
    match &mount.kind {
        MountKind::Bind { source } | MountKind::Volume { source } => json!({
            "type": "bind",
            "source": staged.unwrap_or(source),
            "destination": mount.target,
            // "rro" also covers what is mounted below the source.
            "options": if mount.read_only { vec!["rbind", "rro"] } else { vec!["rbind"] },
        }),
        MountKind::Tmpfs { size, options } => {
            let mut all = vec!["nosuid".to_owned(), "nodev".to_owned()];
            all.extend(size.map(|size| format!("size={size}")));
            all.extend(options.iter().cloned());
            all.extend(mount.read_only.then(|| "ro".to_owned()));
            json!({ "type": "tmpfs", "source": "tmpfs", "destination": mount.target, "options": all })
        }
    }
}
