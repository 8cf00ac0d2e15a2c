//! Users of a container's own. The image's files, and the volumes, belong to the host's users; the container sees
//! them as its own through idmapped mounts, so that nothing has to be copied or changed. libcontainer makes the
//! namespace that the container runs in; the one here only holds the same mapping, which is what a mount takes.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::files::Plan;
use crate::spec::{Mount, MountKind, Net, UserNamespace};
use crate::sys::{self, Fork};

/// Where mounts wait for libcontainer, in the set-up's own mount namespace.
const STAGE: &str = "/sys/fs/cgroup/m";

/// A mapping that mounts can be made with.
pub(super) struct Users {
    mapping: UserNamespace,
    namespace: OwnedFd,
}

pub(super) fn make(mapping: UserNamespace) -> Result<Users, String> {
    let make = || -> std::io::Result<OwnedFd> {
        let (ready, ready_end) = nix::unistd::pipe()?;
        let (done_end, done) = nix::unistd::pipe()?;
        match sys::fork(None)? {
            Fork::Child => {
                drop((ready, done));
                let made = unshare(CloneFlags::CLONE_NEWUSER).is_ok();
                let _ = nix::unistd::write(&ready_end, if made { b"1" } else { b"0" });
                // Until the parent has what it wants, or is gone.
                drop(ready_end);
                let _ = nix::unistd::read(&done_end, &mut [0]);
                sys::exit_now(0)
            }
            Fork::Parent(child) => {
                drop((ready_end, done_end));
                let mut made = [0];
                let told = nix::unistd::read(&ready, &mut made);
                let namespace = if told == Ok(1) && made == *b"1" {
                    map(child, mapping)
                } else {
                    Err(std::io::Error::other(
                        "the kernel refuses user namespaces (user.max_user_namespaces?)",
                    ))
                };
                drop(done);
                let _ = waitpid(Pid::from_raw(child), None);
                namespace
            }
        }
    };
    match make() {
        Ok(namespace) => Ok(Users { mapping, namespace }),
        Err(err) => Err(format!("could not map users: {err}")),
    }
}

/// Enters a network namespace that is to be shared. It belongs to other users, so that afterwards it is too late.
pub(super) fn join_network(plan: &Plan) -> Result<(), String> {
    let path = match (&plan.spec.network, plan.net_of) {
        (Net::Join(path), _) => path.clone(),
        (Net::With(_), Some(pid)) => format!("/proc/{pid}/ns/net").into(),
        _ => return Ok(()),
    };
    File::open(&path)
        .and_then(|namespace| Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?))
        .map_err(|err| format!("could not enter the network namespace {}: {err}", path.display()))
}

fn map(child: i32, mapping: UserNamespace) -> std::io::Result<OwnedFd> {
    let line = format!("0 {} {}", mapping.first, mapping.size);
    for file in ["uid_map", "gid_map"] {
        std::fs::write(format!("/proc/{child}/{file}"), &line)?;
    }
    Ok(File::open(format!("/proc/{child}/ns/user"))?.into())
}

impl Users {
    /// The host's number for one of the container's users or groups.
    pub(super) fn on_host(&self, id: u32) -> Result<u32, String> {
        let UserNamespace { first, size } = self.mapping;
        if id < size {
            Ok(first + id)
        } else {
            Err(format!(
                "user or group {id}: the container has {size} users of its own, beginning with 0"
            ))
        }
    }

    /// The container's number for one of the host's, as the container's files have it.
    pub(super) fn in_container(&self, id: u32) -> u32 {
        match id.checked_sub(self.mapping.first) {
            Some(own) if own < self.mapping.size => own,
            _ => id,
        }
    }

    /// What is at `path`, with the host's users 0, 1, ... as the container's 0, 1, ..., attached at `target`.
    pub(super) fn mount(&self, path: &Path, target: &Path) -> Result<(), String> {
        let place = || -> std::io::Result<()> {
            if std::fs::metadata(path)?.is_dir() {
                std::fs::create_dir(target)?;
            } else {
                File::create(target)?;
            }
            sys::attach_mount(sys::idmapped(path, &self.namespace)?, target)
        };
        place().map_err(|err| {
            let hint = "its file system must allow idmapped mounts";
            format!(
                "could not show {} with the container's users: {err}; {hint}",
                path.display()
            )
        })
    }

    /// The spec's binds and volumes, where libcontainer can find them with the container's users.
    pub(super) fn stage(&self, mounts: &[Mount]) -> Result<Vec<Option<PathBuf>>, String> {
        std::fs::create_dir(STAGE).map_err(|err| format!("could not make {STAGE}: {err}"))?;
        let stage = |(index, mount): (usize, &Mount)| match &mount.kind {
            MountKind::Bind { source } | MountKind::Volume { source } => {
                let target = Path::new(STAGE).join(index.to_string());
                self.mount(source, &target).map(|()| Some(target))
            }
            MountKind::Tmpfs { .. } => Ok(None),
        };
        mounts.iter().enumerate().map(stage).collect()
    }
}
