//! What a container can see and do, and what it cannot.

mod support;

use std::path::Path;

use roadstead_runtime::{
    Capabilities, Command, CpuQuota, Error, GroupName, Mount, MountKind, Net, Process, Resources, Share,
    Ulimit,
};
use support::Bench;

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn standard_files_are_there_and_the_machine_is_not() {
    let bench = Bench::new().await;
    bench
        .check(
            bench.script(
                "files",
                "ls /proc/acpi /proc/scsi /sys/firmware 2>/dev/null | grep -v : ; \
                 head -c 10 /proc/kcore | wc -c; head -c 10 /proc/timer_list | wc -c; \
                 (echo 1 > /proc/sys/kernel/pid_max) 2>/dev/null || echo proc/sys ro; \
                 (echo x > /proc/sysrq-trigger) 2>/dev/null || echo sysrq ro; \
                 mkdir /sys/fs/x 2>/dev/null || echo sys ro; \
                 for f in null zero full random urandom tty ptmx fd stdin stdout stderr shm/. pts/. mqueue/.; do \
                 [ -e /dev/$f ] || echo missing $f; done; \
                 touch /dev/shm/ok && head -c 4 /dev/zero | wc -c; ls /dev | grep -c vda; \
                 ls -d /proc/[0-9]* | wc -l | xargs test 5 -ge && echo few processes; \
                 hostname | wc -l; grep -c eth /proc/net/dev || true",
            ),
            "0\n0\nproc/sys ro\nsysrq ro\nsys ro\n4\n0\nfew processes\n1\n0",
        )
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn devices_can_be_made_but_not_opened() {
    let bench = Bench::new().await;
    let script = "mknod /tmp/disk b 254 0 && mknod /tmp/mem c 1 1 && echo made; \
         head -c1 /tmp/disk 2>&1 | grep -o 'not permitted'; head -c1 /tmp/mem 2>&1 | grep -o 'not permitted'; \
         mount -t tmpfs x /tmp 2>/dev/null || echo no mount";
    bench
        .check(
            bench.script("devices", script),
            "made\nnot permitted\nnot permitted\nno mount",
        )
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn capabilities_are_the_default_14_changed_as_asked() {
    let bench = Bench::new().await;
    let script = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2";
    let default = "0000000000000000\n00000000a80425fb\n00000000a80425fb\n00000000a80425fb\n0000000000000000";
    bench.check(bench.script("default", script), default).await;

    let mut changed = bench.script("changed", "grep CapEff /proc/self/status | cut -f2");
    changed.capabilities = Capabilities {
        add: vec!["NET_ADMIN".into()],
        drop: vec!["ALL".into()],
    };
    bench.check(changed, "0000000000001000").await;

    let mut user = bench.script("user", script);
    if let Process::Command(Command { user, .. }) = &mut user.process {
        *user = Some("101:102".into());
    }
    let none = "0000000000000000";
    bench
        .check(user, &format!("{none}\n{none}\n{none}\n00000000a80425fb\n{none}"))
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn a_read_only_root_takes_no_writes_and_a_writable_one_leaves_the_image_alone() {
    let bench = Bench::new().await;
    let script = "echo new > /data/seed && echo wrote || echo refused; touch /tmp/x 2>/dev/null; ls /tmp";
    bench.check(bench.script("rw", script), "wrote\nx").await;
    let mut spec = bench.script("ro", script);
    spec.readonly_root = true;
    bench.check(spec, "refused").await;
    let seed = std::fs::read_to_string(bench.rootfs.join("data/seed")).expect("the image");
    assert_eq!(seed, "from the image\n");
    // Layers hide each other from the top down.
    let top = bench.dir.path().join("top");
    std::fs::create_dir_all(top.join("data")).expect("a directory");
    std::fs::write(top.join("data/seed"), "from above\n").expect("a file");
    let mut layered = bench.script("layers", "cat /data/seed");
    layered.root = roadstead_runtime::Root::Overlay {
        lower: vec![top, bench.rootfs.clone()],
        writable: None,
    };
    bench.check(layered, "from above").await;
    bench.finish().await;
}

#[tokio::test]
async fn mounts_are_what_was_asked_for() {
    let bench = Bench::new().await;
    let host = bench.dir.path().join("host");
    std::fs::create_dir(&host).expect("a directory");
    std::fs::write(host.join("note"), "hello\n").expect("a file");
    let volume = bench.dir.path().join("volume");
    std::fs::create_dir(&volume).expect("a directory");
    let mount = |kind, target: &str, read_only| Mount {
        kind,
        target: target.into(),
        read_only,
    };
    let bind = |source: &Path| MountKind::Bind {
        source: source.to_owned(),
    };
    let tmpfs = MountKind::Tmpfs {
        size: Some(MIB),
        options: vec!["mode=1770".into(), "noexec".into()],
    };
    let mut spec = bench.script(
        "mounts",
        "cat /rw/note /etc/note /data/seed; echo changed > /rw/made; echo more >> /data/seed; \
         (echo x > /ro/made) 2>/dev/null || echo read-only; \
         head -c 2000000 /dev/zero > /scratch/big 2>/dev/null || echo full; stat -c %a /scratch",
    );
    spec.mounts = vec![
        mount(bind(&host), "/rw", false),
        mount(bind(&host), "/ro", true),
        mount(bind(&host.join("note")), "/etc/note", true),
        mount(
            MountKind::Volume {
                source: volume.clone(),
            },
            "/data",
            false,
        ),
        mount(tmpfs, "/scratch", false),
    ];
    bench
        .check(spec, "hello\nhello\nfrom the image\nread-only\nfull\n1770")
        .await;
    assert_eq!(
        std::fs::read_to_string(host.join("made")).expect("made"),
        "changed\n"
    );
    // A volume that has content keeps it.
    let mut again = bench.script("again", "cat /data/seed");
    again.mounts = vec![mount(MountKind::Volume { source: volume }, "/data", true)];
    bench.check(again, "from the image\nmore").await;
    bench.finish().await;
}

#[tokio::test]
async fn links_in_the_image_do_not_lead_out_of_it() {
    let bench = Bench::new().await;
    let outside = bench.dir.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    let host = bench.dir.path().join("host");
    std::fs::create_dir(&host).expect("a directory");
    // The same path inside, so that the link leads somewhere.
    let inside = bench.rootfs.join(outside.strip_prefix("/").expect("absolute"));
    std::fs::create_dir_all(inside).expect("a directory");
    std::os::unix::fs::symlink(&outside, bench.rootfs.join("evil")).expect("a link");
    let mut spec = bench.script("links", "echo x > /evil/mine/file; pwd");
    spec.mounts = vec![Mount {
        kind: MountKind::Bind { source: host.clone() },
        target: "/evil/mine".into(),
        read_only: false,
    }];
    if let Process::Command(command) = &mut spec.process {
        command.cwd = Some("/evil/cwd".into());
    }
    let (exit, _) = bench.run(spec).await;
    assert_eq!(exit.code, 0);
    assert_eq!(
        std::fs::read_dir(&outside).expect("a directory").count(),
        0,
        "nothing was made outside"
    );
    assert!(host.join("file").exists());
    bench.finish().await;
}

#[tokio::test]
async fn limits_are_written_and_shown_to_the_container() {
    let bench = Bench::new().await;
    let group: GroupName = "task-1".parse().expect("a name");
    let in_group = Resources {
        memory_limit: Some(64 * MIB),
        cpu_quota: Some(CpuQuota {
            quota_us: 50_000,
            period_us: 100_000,
        }),
        ..Resources::default()
    };
    let mut spec = bench.script(
        "limits",
        "cd /sys/fs/cgroup; cat cpu/cpu.shares memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes \
         pids/pids.max; (echo 9 > pids/pids.max) 2>/dev/null || echo read-only; ulimit -n; ulimit -c",
    );
    spec.group = Some(group.clone());
    spec.resources = Resources {
        cpu_shares: Some(0),
        memory_limit: Some(32 * MIB),
        memory_reservation: Some(16 * MIB),
        pids_limit: Some(20),
        ..Resources::default()
    };
    spec.ulimits = vec![
        Ulimit {
            name: "nofile".into(),
            soft: 100,
            hard: 200,
        },
        Ulimit {
            name: "core".into(),
            soft: 0,
            hard: 0,
        },
    ];
    let early = bench.runtime.create(spec.clone()).await;
    assert!(
        matches!(early, Err(Error::Invalid { member: "group", .. })),
        "{early:?}"
    );
    bench
        .runtime
        .ensure_group(&group, &in_group)
        .await
        .expect("a group");
    bench
        .runtime
        .ensure_group(&group, &in_group)
        .await
        .expect("twice is no error");
    bench
        .check(spec, "2\n33554432\n16777216\n20\nread-only\n100\n0")
        .await;

    let dir = Path::new("/sys/fs/cgroup")
        .join("memory")
        .join(&bench.options.cgroup_parent)
        .join("g-task-1");
    assert_eq!(
        std::fs::read_to_string(dir.join("memory.limit_in_bytes"))
            .expect("a limit")
            .trim(),
        "67108864"
    );
    assert!(dir.join("c-limits").is_dir(), "the container is below its group");
    assert!(
        bench.runtime.remove_group(&group).await.is_err(),
        "not while it has a container"
    );
    bench.runtime.delete(&bench.id("limits")).await.expect("deleted");
    bench.runtime.remove_group(&group).await.expect("removed");
    assert!(!dir.exists());
    bench.finish().await;
}

#[tokio::test]
async fn running_out_of_memory_is_told_apart_from_being_killed() {
    let bench = Bench::new().await;
    let hog = "head -c 100m /dev/zero | tail > /dev/null";
    let limited = |id: &str, script: &str| {
        let mut spec = bench.script(id, script);
        spec.resources.memory_limit = Some(16 * MIB);
        spec
    };
    // The first process itself, and a child whose end a shell passes on.
    let (exit, _) = bench.run(limited("own", "exec tail /dev/zero")).await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    let (exit, _) = bench
        .run(limited("child", &format!("sh -c '{hog}'; exit $?")))
        .await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    // A program that got over it, and one that was killed without having lacked memory.
    let (exit, _) = bench.run(limited("over-it", &format!("{hog}; exit 0"))).await;
    assert_eq!((exit.code, exit.oom_killed), (0, false));
    bench.start(limited("killed", "exec sleep 100")).await;
    bench.runtime.kill(&bench.id("killed")).await.expect("killed");
    let exit = bench.runtime.wait(&bench.id("killed")).await.expect("an exit");
    assert_eq!((exit.code, exit.oom_killed), (137, false));
    bench.finish().await;
}

#[tokio::test]
async fn the_task_groups_limit_also_counts_as_want_of_memory() {
    let bench = Bench::new().await;
    let group: GroupName = "small".parse().expect("a name");
    let limit = Resources {
        memory_limit: Some(16 * MIB),
        ..Resources::default()
    };
    bench.runtime.ensure_group(&group, &limit).await.expect("a group");
    let mut spec = bench.script("hog", "exec tail /dev/zero");
    spec.group = Some(group);
    let (exit, _) = bench.run(spec).await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    bench.finish().await;
}

#[tokio::test]
async fn a_fork_bomb_ends_at_its_limit() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "bomb",
        "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo unreachable",
    );
    spec.resources.pids_limit = Some(4);
    let (exit, out) = bench.run(spec).await;
    assert!(exit.code != 0 && !out.contains("unreachable"), "{exit:?} {out}");
    bench.finish().await;
}

#[tokio::test]
async fn containers_share_the_namespaces_of_a_pause_container() {
    let bench = Bench::new().await;
    let pid = bench.start(bench.pause("pause")).await;
    let namespace =
        |pid: i32, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace");
    assert_eq!(
        std::fs::read_to_string(format!("/proc/{pid}/comm")).expect("a name"),
        "pause\n"
    );
    let cmdline = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("a command line");
    assert_eq!(cmdline.trim_end_matches('\0'), "pause");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
    assert!(status.contains("CapBnd:\t0000000000000000"), "{status}");
    assert_ne!(namespace(pid, "net"), namespace(std::process::id() as i32, "net"));
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("descriptors")
        .count();
    assert_eq!(fds, 3, "nothing but standard streams");

    let mut member = bench.spec("member", &["sleep", "100"]);
    member.network = Net::With(bench.id("pause"));
    member.ipc = Share::With(bench.id("pause"));
    member.uts = Share::With(bench.id("pause"));
    let member = bench.start(member).await;
    let mut by_path = bench.script("by-path", "echo x > /dev/shm/shared; exec sleep 100");
    by_path.network = Net::Join(format!("/proc/{pid}/ns/net").into());
    by_path.ipc = Share::With(bench.id("pause"));
    by_path.pid = Share::With(bench.id("pause"));
    let by_path = bench.start(by_path).await;
    for kind in ["net", "ipc"] {
        assert_eq!(namespace(member, kind), namespace(pid, kind), "{kind}");
        assert_eq!(namespace(by_path, kind), namespace(pid, kind), "{kind}");
    }
    assert_eq!(namespace(member, "uts"), namespace(pid, "uts"));
    assert_ne!(namespace(member, "pid"), namespace(pid, "pid"));
    assert_eq!(namespace(by_path, "pid"), namespace(pid, "pid"));
    assert_ne!(namespace(member, "mnt"), namespace(pid, "mnt"));
    // Shared memory goes with the IPC namespace.
    support::until("the file is shared", async || {
        Path::new(&format!("/proc/{member}/root/dev/shm/shared")).exists()
    })
    .await;
    // In a shared pid namespace the daemon's binary is out of reach.
    let mut spy = bench.script(
        "spy",
        "cat /proc/1/exe > /dev/null 2>&1 && echo reached || echo out of reach",
    );
    spy.pid = Share::With(bench.id("pause"));
    bench.check(spy, "out of reach").await;

    bench.runtime.signal(&bench.id("pause"), 15).await.expect("sent");
    assert_eq!(
        bench
            .runtime
            .wait(&bench.id("pause"))
            .await
            .expect("an exit")
            .code,
        0
    );
    // It was the first process of that pid namespace.
    assert_eq!(
        bench
            .runtime
            .wait(&bench.id("by-path"))
            .await
            .expect("an exit")
            .code,
        137
    );
    let mut late = bench.spec("late", &["true"]);
    late.network = Net::With(bench.id("pause"));
    assert!(matches!(
        bench.runtime.create(late).await,
        Err(Error::Invalid {
            member: "network",
            ..
        })
    ));
    bench.finish().await;
}

#[tokio::test]
async fn what_a_program_leaves_in_a_shared_pid_namespace_ends_with_it() {
    let bench = Bench::new().await;
    bench.start(bench.pause("pause")).await;
    let mut spec = bench.script("leaver", "sleep 1000 & sleep 1000 & exit 5");
    spec.pid = Share::With(bench.id("pause"));
    let (exit, _) = bench.run(spec).await;
    assert_eq!(exit.code, 5);
    let procs =
        std::fs::read_to_string(bench.cgroup("pids", "leaver").join("cgroup.procs")).expect("a group");
    assert_eq!(procs, "");
    bench.finish().await;
}

#[tokio::test]
async fn only_the_namespaces_own_kernel_parameters_can_be_set() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "sysctl",
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn",
    );
    spec.sysctls.insert("net.core.somaxconn".into(), "99".into());
    bench.check(spec, "0\n99").await;
    let mut global = bench.spec("global", &["true"]);
    global.sysctls.insert("vm.swappiness".into(), "1".into());
    assert!(matches!(
        bench.runtime.create(global).await,
        Err(Error::Invalid {
            member: "sysctls",
            ..
        })
    ));
    assert!(!bench.container_dir("global").exists());
    bench.finish().await;
}
