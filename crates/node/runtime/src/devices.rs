//! The host's devices that a container is given, found out before anything is made: a device that is not there
//! must fail by name, and its numbers decide what the control group lets through.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::spec::ContainerSpec;

/// More nodes than any machine's `/dev` has.
const MAX_NODES: usize = 4096;
/// Directories of `/dev` that are other file systems, or the container's own.
const NOT_DEVICES: [&str; 4] = ["pts", "shm", "mqueue", "fd"];
/// Nodes that every container has anyway, as its own.
const STANDARD: [&str; 8] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
    "/dev/ptmx",
    "/dev/console",
];

/// A device node to be made in the container, and what may be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) block: bool,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) mknod: bool,
}

/// Those that the spec names; of a privileged container, all.
pub(crate) fn resolve(spec: &ContainerSpec) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    for device in &spec.devices {
        let access = (device.read, device.write, device.mknod);
        let before = nodes.len();
        collect(&device.host, &text(&device.container)?, access, true, &mut nodes)?;
        if nodes.len() == before {
            return Err(format!("{} is no device", device.host.display()));
        }
    }
    if spec.privileged {
        collect(Path::new("/dev"), "/dev", (true, true, true), false, &mut nodes)?;
    }
    // The first word about a path holds: what the spec says, before what `/dev` happens to have.
    let mut seen = std::collections::HashSet::new();
    nodes.retain(|node| {
        !(spec.privileged && STANDARD.contains(&node.path.as_str())) && seen.insert(node.path.clone())
    });
    Ok(nodes)
}

fn text(path: &Path) -> Result<String, String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn collect(
    host: &Path,
    inside: &str,
    access: (bool, bool, bool),
    follow: bool,
    nodes: &mut Vec<Node>,
) -> Result<(), String> {
    let read = if follow {
        fs::metadata(host)
    } else {
        fs::symlink_metadata(host)
    };
    let meta = match read {
        // What vanishes while the directory is read was not asked for by name.
        Err(_) if !follow => return Ok(()),
        other => other.map_err(|err| format!("could not look at {}: {err}", host.display()))?,
    };
    let kind = meta.file_type();
    if kind.is_dir() {
        let entries =
            fs::read_dir(host).map_err(|err| format!("could not list {}: {err}", host.display()))?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !NOT_DEVICES.contains(name)) else {
                continue;
            };
            collect(&entry.path(), &format!("{inside}/{name}"), access, false, nodes)?;
        }
        return Ok(());
    }
    if !(kind.is_char_device() || kind.is_block_device()) {
        return Ok(());
    }
    if nodes.len() >= MAX_NODES {
        return Err(format!("more than {MAX_NODES} devices"));
    }
    let (read, write, mknod) = access;
    nodes.push(Node {
        path: inside.to_owned(),
        block: kind.is_block_device(),
        major: libc::major(meta.rdev()),
        minor: libc::minor(meta.rdev()),
        mode: meta.mode() & 0o777,
        uid: meta.uid(),
        gid: meta.gid(),
        read,
        write,
        mknod,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Command, Device, Process, Root};

    fn with(devices: &[(&str, &str)], privileged: bool) -> Result<Vec<Node>, String> {
        let mut spec = ContainerSpec::new(
            "c".parse().expect("an id"),
            Root::Empty,
            Process::Command(Command::default()),
        );
        spec.privileged = privileged;
        spec.devices = devices
            .iter()
            .map(|(host, container)| Device {
                host: host.into(),
                container: container.into(),
                read: true,
                write: false,
                mknod: false,
            })
            .collect();
        resolve(&spec)
    }

    #[test]
    fn a_device_is_taken_by_its_numbers_and_what_is_none_is_refused() {
        let nodes = with(&[("/dev/zero", "/dev/nil")], false).expect("a device");
        let [node] = &nodes[..] else { panic!("{nodes:?}") };
        assert_eq!(
            (node.path.as_str(), node.major, node.minor, node.block),
            ("/dev/nil", 1, 5, false)
        );
        assert!(node.read && !node.write && !node.mknod);
        assert!(with(&[("/dev/none-such", "/dev/x")], false).is_err());
        assert!(with(&[("/etc/passwd", "/dev/x")], false).is_err());
    }

    #[test]
    fn a_privileged_container_has_all_but_what_is_its_own() {
        let nodes = with(&[], true).expect("devices");
        assert!(
            nodes
                .iter()
                .all(|node| !STANDARD.contains(&node.path.as_str()) && !node.path.starts_with("/dev/pts/"))
        );
    }
}
