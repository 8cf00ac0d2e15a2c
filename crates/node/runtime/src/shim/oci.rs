//! The part of a plan that libcontainer carries out, in its own words. What it would do too early, too late
//! or not at all (user, groups, capabilities, limits, environment, control groups) is left out on purpose:
//! the executor and the set-up do that.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::root::{BUNDLE, LIBCONTAINER, ROOT, SHM};
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

/// Writes the bundle's `config.json`.
pub(super) fn write(plan: &Plan) -> Result<(), String> {
    let write = || {
        std::fs::create_dir(BUNDLE)?;
        std::fs::create_dir(LIBCONTAINER)?;
        std::fs::write(Path::new(BUNDLE).join("config.json"), config(plan).to_string())
    };
    write().map_err(|err| format!("could not write the bundle: {err}"))
}

fn config(plan: &Plan) -> Value {
    let spec = &plan.spec;
    let (cwd, mounts, masked, read_only) = match &spec.process {
        Process::Command(command) => {
            let cwd = command.cwd.as_deref().unwrap_or(Path::new("/"));
            (cwd, mounts(plan), &MASKED[..], &READ_ONLY[..])
        }
        Process::Pause => (Path::new("/"), vec![shm(plan)], &[][..], &[][..]),
    };
    let mut config = json!({
        "ociVersion": "1.2.0",
        "root": { "path": ROOT, "readonly": spec.readonly_root },
        "process": {
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
        },
    });
    if let Some(hostname) = &spec.hostname {
        config["hostname"] = json!(hostname);
    }
    config
}

fn namespaces(plan: &Plan) -> Vec<Value> {
    let own_or = |kind: &str, name: &str, other: Option<i32>| match other {
        Some(pid) => json!({ "type": kind, "path": format!("/proc/{pid}/ns/{name}") }),
        None => json!({ "type": kind }),
    };
    let mut all = vec![
        json!({ "type": "mount" }),
        own_or("ipc", "ipc", plan.ipc_of),
        own_or("pid", "pid", plan.pid_of),
        own_or("uts", "uts", plan.uts_of),
    ];
    match &plan.spec.network {
        Net::New | Net::With(_) => all.push(own_or("network", "net", plan.net_of)),
        Net::Join(path) => all.push(json!({ "type": "network", "path": path })),
        Net::Host => {}
    }
    if plan.cgroups.is_v2() {
        all.push(json!({ "type": "cgroup" }));
    }
    all
}

/// A network namespace of one's own lets any user listen on any port and ping: there is nobody to protect.
fn sysctls(plan: &Plan) -> Map<String, Value> {
    let mut all = Map::new();
    if matches!(plan.spec.network, Net::New) {
        all.insert("net.ipv4.ip_unprivileged_port_start".into(), json!("0"));
        all.insert("net.ipv4.ping_group_range".into(), json!("0 2147483647"));
    }
    all.extend(
        plan.spec
            .sysctls
            .iter()
            .map(|(name, value)| (name.clone(), json!(value))),
    );
    all
}

fn mounts(plan: &Plan) -> Vec<Value> {
    let mount = |kind: &str, target: &str, options: &[&str]| json!({ "type": kind, "source": kind, "destination": target, "options": options });
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
        mount("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
        mount("mqueue", "/dev/mqueue", &["nosuid", "noexec", "nodev"]),
        shm(plan),
    ];
    if plan.cgroups.is_v2() {
        all.push(mount(
            "cgroup2",
            "/sys/fs/cgroup",
            &["nosuid", "noexec", "nodev", "ro"],
        ));
    }
    all.extend(plan.spec.mounts.iter().map(asked_for));
    all
}

fn shm(plan: &Plan) -> Value {
    match plan.spec.ipc {
        Share::New => json!({
            "type": "tmpfs",
            "source": "shm",
            "destination": "/dev/shm",
            "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        }),
        Share::With(_) => json!({
            "type": "bind",
            "source": SHM,
            "destination": "/dev/shm",
            "options": ["rbind", "nosuid", "noexec", "nodev"],
        }),
    }
}

fn asked_for(mount: &Mount) -> Value {
    match &mount.kind {
        MountKind::Bind { source } | MountKind::Volume { source } => json!({
            "type": "bind",
            "source": source,
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
