//! Each refusal names its member, and nothing is refused that could work.

use super::*;
use crate::spec::{Command, Mount};

fn sample() -> ContainerSpec {
    let command = Command {
        args: vec!["true".into()],
        ..Command::default()
    };
    let root = Root::Overlay {
        lower: vec!["/".into()],
        writable: None,
    };
    ContainerSpec::new("c".parse().expect("an id"), root, Process::Command(command))
}

fn check(change: impl FnOnce(&mut ContainerSpec), member: Option<&str>) {
    let mut changed = sample();
    change(&mut changed);
    match (spec(&changed), member) {
        (Ok(()), None) => {}
        (Err(Error::Invalid { member, .. }), Some(expected)) => assert_eq!(member, expected),
        (found, expected) => panic!("{found:?}, expected {expected:?}"),
    }
}

fn command(spec: &mut ContainerSpec) -> &mut Command {
    match &mut spec.process {
        Process::Command(command) => command,
        Process::Pause => panic!("a command"),
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    check(|_| {}, None);
    check(|s| s.root = Root::Empty, Some("root"));
    check(
        |s| {
            s.root = Root::Overlay {
                lower: vec![],
                writable: None,
            }
        },
        Some("root"),
    );
    check(|s| command(s).args.clear(), Some("args"));
    check(
        |s| command(s).env.push(("A=B".into(), String::new())),
        Some("env"),
    );
    check(|s| command(s).env.push(("A".into(), "\0".into())), Some("env"));
    check(|s| command(s).cwd = Some("tmp".into()), Some("cwd"));
    check(|s| s.hostname = Some("x".repeat(65)), Some("hostname"));
    check(|s| s.capabilities.add.push("FLY".into()), Some("capabilities"));
    check(|s| s.resources.memory_limit = Some(1024), Some("resources"));
    check(|s| s.resources.swap = Some(1024), Some("resources"));
    check(|s| s.resources.pids_limit = Some(0), Some("resources"));
    check(|s| s.log.max_size = 1, Some("log"));
    check(|s| s.log.max_files = 0, Some("log"));
    check(
        |s| {
            s.network = Net::Join("/proc/self/ns/net".into());
            s.sysctls.insert("net.core.somaxconn".into(), "1".into());
        },
        Some("sysctls"),
    );
}

#[test]
fn what_loosens_or_tightens_is_refused_where_it_would_mean_nothing() {
    use crate::spec::{Device, UserNamespace};
    let other = || Share::With("other".parse().expect("an id"));
    check(|s| s.oom_score_adj = 1001, Some("oom_score_adj"));
    check(|s| s.swappiness = Some(101), Some("swappiness"));
    check(|s| s.shm_size = Some(1 << 20), None);
    check(|s| s.shm_size = Some(0), Some("shm_size"));
    for ipc in [other(), Share::Host] {
        check(
            |s| {
                s.shm_size = Some(1 << 20);
                s.ipc = ipc;
            },
            Some("shm_size"),
        );
    }
    check(
        |s| {
            s.process = Process::Pause;
            s.init = true;
        },
        Some("process"),
    );
    let device = |host: &str, container: &str, read| Device {
        host: host.into(),
        container: container.into(),
        read,
        write: false,
        mknod: false,
    };
    check(|s| s.devices.push(device("/dev/null", "/dev/nil", true)), None);
    for (host, container, read) in [
        ("/dev/null", "/dev/nil", false),
        ("dev/null", "/dev/nil", true),
        ("/dev/null", "/tmp/nil", true),
        ("/dev/null", "/dev", true),
        ("/dev/null", "/dev/../x", true),
    ] {
        check(|s| s.devices.push(device(host, container, read)), Some("devices"));
    }
    let users = |first, size| Some(UserNamespace { first, size });
    check(|s| s.user_namespace = users(100_000, 65_536), None);
    for (first, size) in [(0, 65_536), (100_000, 10), (u32::MAX - 10, 65_536)] {
        check(|s| s.user_namespace = users(first, size), Some("user_namespace"));
    }
    let mapped = |change: fn(&mut ContainerSpec)| {
        check(
            |s| {
                s.user_namespace = users(100_000, 65_536);
                change(s);
            },
            Some("user_namespace"),
        );
    };
    mapped(|s| s.privileged = true);
    mapped(|s| s.network = Net::Host);
    mapped(|s| s.ipc = Share::Host);
    mapped(|s| s.process = Process::Pause);
    for option in ["bind", "remount", "shared", "a,b"] {
        let kind = MountKind::Tmpfs {
            size: None,
            options: vec![option.into()],
        };
        let mount = Mount {
            kind,
            target: "/t".into(),
            read_only: false,
        };
        check(|s| s.mounts.push(mount), Some("mounts"));
    }
}

#[test]
fn kernel_parameters_belong_to_a_namespace_of_the_containers_own() {
    let set = |name: &str, change: fn(&mut ContainerSpec), member| {
        check(
            |s| {
                s.sysctls.insert(name.into(), "1".into());
                change(s);
            },
            member,
        );
    };
    for name in [
        "net.core.somaxconn",
        "net/core/somaxconn",
        "kernel.shmmax",
        "fs.mqueue.msg_max",
    ] {
        set(name, |_| {}, None);
    }
    for name in [
        "",
        "net..x",
        "kernel.pid_max",
        "vm.swappiness",
        "fs.file-max",
        "net.core.x\n",
    ] {
        set(name, |_| {}, Some("sysctls"));
    }
    set("net.core.somaxconn", |s| s.network = Net::Host, Some("sysctls"));
    set("kernel.shmmax", |s| s.ipc = Share::Host, Some("sysctls"));
}

#[test]
fn mounts_are_checked_at_both_ends() {
    let mount = |source: &str, target: &str| Mount {
        kind: MountKind::Bind {
            source: source.into(),
        },
        target: target.into(),
        read_only: false,
    };
    check(|s| s.mounts.push(mount("/tmp", "/data")), None);
    for (source, target) in [
        ("/none-such", "/data"),
        ("tmp", "/data"),
        ("/tmp", "data"),
        ("/tmp", "/"),
        ("/tmp", "/a/../b"),
    ] {
        check(|s| s.mounts.push(mount(source, target)), Some("mounts"));
    }
}

#[test]
fn limits_have_known_names_and_an_order() {
    let with = |name: &str, soft, hard| {
        let mut spec = sample();
        spec.ulimits.push(Ulimit {
            name: name.into(),
            soft,
            hard,
        });
        rlimits(&spec)
    };
    assert_eq!(with("core", 0, 0).expect("limits")[0], (libc::RLIMIT_CORE, 0, 0));
    assert!(with("files", 1, 1).is_err());
    assert!(with("core", 2, 1).is_err());
    let most = ceiling(libc::RLIMIT_NOFILE).expect("a limit");
    let (_, soft, hard) = with("nofile", 10, u64::MAX).expect("clamped, not refused")[0];
    assert!(soft == 10 && (hard == most || hard == u64::MAX));
}
