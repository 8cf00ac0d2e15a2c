//! What this machine lacks, and how to get it: each check tries the real thing, since a kernel's own word
//! about itself is often not to be had.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

/// One thing Roadstead needs or would like.
struct Check {
    name: &'static str,
    /// Without it tasks cannot run.
    needed: bool,
    found: std::result::Result<String, String>,
}

pub(crate) fn run() -> Result<()> {
    let checks = [
        root(),
        cgroups(),
        overlay(),
        disks(),
        nft(),
        namespaces(),
        nofile(),
        ipv6(),
        limits(),
    ];
    let mut out = std::io::stdout().lock();
    let mut missing = 0;
    for Check { name, needed, found } in &checks {
        match found {
            Ok(what) => writeln!(out, "ok       {name}: {what}")?,
            Err(advice) if *needed => {
                missing += 1;
                writeln!(out, "MISSING  {name}: {advice}")?;
            }
            Err(advice) => writeln!(out, "note     {name}: {advice}")?,
        }
    }
    if missing > 0 {
        bail!("{missing} of the things Roadstead needs are missing");
    }
    Ok(())
}

/// Only a kernel built or booted so has none.
fn ipv6() -> Check {
    let found = if roadstead_net::ipv6_is_there() {
        Ok("tasks in dual-stack subnets get IPv6 addresses".to_owned())
    } else {
        Err(
            "the kernel has no IPv6, so tasks in dual-stack subnets are refused; boot without ipv6.disable=1, or set \
             the account setting dualStackIPv6 to disabled"
                .to_owned(),
        )
    };
    Check {
        name: "IPv6",
        needed: false,
        found,
    }
}

fn root() -> Check {
    let found = if nix::unistd::geteuid().is_root() {
        Ok("running as root".to_owned())
    } else {
        Err(
            "Roadstead makes namespaces, mounts and devices: run it as root, with sudo for example"
                .to_owned(),
        )
    };
    Check {
        name: "root",
        needed: true,
        found,
    }
}

fn cgroups() -> Check {
    let controllers = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    let v2 = ["cpu", "memory", "pids"]
        .iter()
        .all(|name| controllers.split_whitespace().any(|c| c == *name));
    let v1 = ["cpu", "memory", "pids", "devices", "freezer"]
        .iter()
        .all(|name| {
            Path::new("/sys/fs/cgroup")
                .join(name)
                .join("cgroup.procs")
                .exists()
        });
    let found = if v2 {
        Ok("version 2 with cpu, memory and pids".to_owned())
    } else if v1 {
        Ok("version 1 with cpu, memory, pids, devices and freezer".to_owned())
    } else {
        Err("neither version 2 with the cpu, memory and pids controllers nor version 1 with cpu, memory, pids, devices \
             and freezer is mounted at /sys/fs/cgroup: boot with systemd.unified_cgroup_hierarchy=1, or mount them"
            .to_owned())
    };
    Check {
        name: "cgroups",
        needed: true,
        found,
    }
}

/// What the disks of Fargate tasks are made with.
fn disks() -> Check {
    let found = if !quiet("mkfs.ext4", &["-V"]) {
        Err("Fargate tasks get a disk of their own size by mkfs.ext4: install Debian's e2fsprogs".to_owned())
    } else if !Path::new("/dev/loop-control").exists() {
        Err("Fargate tasks get a disk of their own size by loop devices: load the module `loop`".to_owned())
    } else {
        Ok("ext4 in files, by loop devices".to_owned())
    };
    Check {
        name: "disks",
        needed: false,
        found,
    }
}

fn overlay() -> Check {
    let known = std::fs::read_to_string("/proc/filesystems").is_ok_and(|text| text.contains("\toverlay"));
    let found = if known || quiet("modprobe", &["overlay"]) {
        Ok("the kernel has it".to_owned())
    } else {
        Err("the kernel has no overlay file system: load the module `overlay`, or use a kernel with CONFIG_OVERLAY_FS"
            .to_owned())
    };
    Check {
        name: "overlay",
        needed: true,
        found,
    }
}

/// A private network namespace gets a table as the firewall makes them, and takes it along when it ends.
fn nft() -> Check {
    let rules = "table inet rs_doctor { chain c { type filter hook forward priority 0; ct state established accept; }; }\n\
                 table netdev rs_doctor { }\n";
    let found = if !present("nft") {
        Err("the command nft is not there: apt-get install nftables".to_owned())
    } else if !in_namespace("nft", &["-f", "-"], rules) {
        Err("nft cannot make a table with connection tracking in a fresh network namespace: the kernel needs \
             CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET, CONFIG_NF_TABLES_NETDEV and CONFIG_NF_CONNTRACK, and this \
             process CAP_NET_ADMIN and CAP_SYS_ADMIN"
            .to_owned())
    } else {
        Ok("tables with connection tracking work".to_owned())
    };
    Check {
        name: "nftables",
        needed: true,
        found,
    }
}

fn namespaces() -> Check {
    let found = if !present("ip") {
        Err("the command ip is not there to try it with: apt-get install iproute2".to_owned())
    } else if in_namespace(
        "ip",
        &[
            "link",
            "add",
            "rsdoctor0",
            "type",
            "veth",
            "peer",
            "name",
            "rsdoctor1",
        ],
        "",
    ) && in_namespace("ip", &["link", "add", "rsdoctor0", "type", "bridge"], "")
    {
        Ok("veth pairs and bridges can be made".to_owned())
    } else {
        Err("no veth pair or bridge can be made in a fresh network namespace: the kernel needs CONFIG_NET_NS, \
             CONFIG_VETH and CONFIG_BRIDGE"
            .to_owned())
    };
    Check {
        name: "network namespaces",
        needed: true,
        found,
    }
}

fn nofile() -> Check {
    let found = match nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE) {
        Ok((_, hard)) if hard >= 4096 => Ok(format!("up to {hard} open files")),
        Ok((_, hard)) => Err(format!(
            "only {hard} open files are allowed: raise the limit (ulimit -n) to 4096 or more"
        )),
        Err(error) => Err(format!("the limit of open files cannot be read: {error}")),
    };
    Check {
        name: "open files",
        needed: false,
        found,
    }
}

/// `ulimits` of containers above the daemon's own hard limits need this.
fn limits() -> Check {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default();
    let found = if effective & (1 << CAP_SYS_RESOURCE) != 0 {
        Ok("CAP_SYS_RESOURCE is there".to_owned())
    } else {
        Err(
            "without CAP_SYS_RESOURCE, containers' ulimits are cut to this process's own hard limits"
                .to_owned(),
        )
    };
    Check {
        name: "resource limits",
        needed: false,
        found,
    }
}

fn present(command: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

fn quiet(command: &str, arguments: &[&str]) -> bool {
    Command::new(command)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn in_namespace(command: &str, arguments: &[&str], input: &str) -> bool {
    let child = Command::new("unshare")
        .args(["--net", "--", command])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    child.wait().is_ok_and(|status| status.success())
}
