//! What a task definition can loosen and tighten: each member has its effect, and no other.

mod support;

use std::path::{Path, PathBuf};

use roadstead_runtime::{
    Capabilities, Command, Device, Error, GroupName, Mount, MountKind, Net, Process, Resources, Seccomp,
    Share, State, Stream, UserNamespace,
};
use support::Bench;

const MIB: u64 = 1024 * 1024;

fn device(host: &str, container: &str, access: &str) -> Device {
    Device {
        host: host.into(),
        container: container.into(),
        read: access.contains('r'),
        write: access.contains('w'),
        mknod: access.contains('m'),
    }
}

/// Whether this process may do what capability number `number` allows.
fn has_capability(number: u32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let bits = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:\t"))
        .expect("capabilities");
    u64::from_str_radix(bits, 16).expect("a number") & (1 << number) != 0
}

/// A device that containers do not have by themselves and that can be opened either way.
fn spare_device() -> (&'static str, u64) {
    use std::os::unix::fs::MetadataExt;
    let opens = |path: &&str| {
        std::fs::File::open(path).is_ok() && std::fs::OpenOptions::new().write(true).open(path).is_ok()
    };
    let path = ["/dev/loop-control", "/dev/fuse", "/dev/net/tun", "/dev/kmsg"]
        .into_iter()
        .find(opens);
    let path = path.expect("a device besides the standard ones");
    (path, std::fs::metadata(path).expect("a device").rdev())
}

#[tokio::test]
async fn an_init_process_reaps_and_passes_signals_and_codes_on() {
    let bench = Bench::new().await;
    // An orphan that ends has to be reaped by process 1.
    let orphan = "cat /proc/1/comm; (sh -c 'exit 0' & sh -c 'exec sleep 1000' &) ; \
         while ps -o stat,comm | grep -q '^Z'; do sleep 0.05; done; echo none; exit 6";
    let mut spec = bench.script("init", orphan);
    spec.init = true;
    let (exit, out) = bench.run(spec).await;
    assert_eq!((exit.code, out.as_str()), (6, "init\nnone\n"));

    // Without a handler a signal ends an ordinary process, but not process 1.
    let mut spec = bench.spec("deaf", &["sleep", "1000"]);
    spec.init = true;
    bench.start(spec).await;
    bench.runtime.signal(&bench.id("deaf"), 15).await.expect("sent");
    assert_eq!(
        bench.runtime.wait(&bench.id("deaf")).await.expect("an exit").code,
        143
    );

    let mut spec = bench.script(
        "trap",
        "trap 'exit 4' USR1; echo up; while :; do sleep 0.05; done",
    );
    spec.init = true;
    bench.start(spec).await;
    support::until("the trap is set", async || {
        bench
            .output(&bench.id("trap"), Stream::Stdout)
            .await
            .contains("up")
    })
    .await;
    bench
        .runtime
        .signal(&bench.id("trap"), libc::SIGUSR1)
        .await
        .expect("sent");
    assert_eq!(
        bench.runtime.wait(&bench.id("trap")).await.expect("an exit").code,
        4
    );

    // The daemon's binary is out of reach, and a program that cannot run is told as ever.
    let mut spec = bench.script(
        "spy",
        "cat /proc/1/exe > /dev/null 2>&1 || echo out of reach; cat /proc/1/cmdline | tr -d '\\0'",
    );
    spec.init = true;
    bench.check(spec, "out of reach\ninit").await;
    let mut spec = bench.spec("none", &["/nope"]);
    spec.init = true;
    bench.runtime.create(spec).await.expect("created");
    assert!(matches!(
        bench.runtime.start(&bench.id("none")).await,
        Err(Error::Start { .. })
    ));
    assert_eq!(
        bench.runtime.wait(&bench.id("none")).await.expect("an exit").code,
        127
    );
    bench.finish().await;
}

#[tokio::test]
async fn init_keeps_the_user_and_its_capabilities() {
    let bench = Bench::new().await;
    let mut spec = bench.script("init", "for f in /proc/1/status /proc/self/status; do grep -E '^(Uid|CapEff|CapBnd|Seccomp):' $f | cut -f2; done");
    spec.init = true;
    if let Process::Command(Command { user, .. }) = &mut spec.process {
        *user = Some("web".into());
    }
    let one = "101\n0000000000000000\n00000000a80425fb\n2";
    bench.check(spec, &format!("{one}\n{one}")).await;
    bench.finish().await;
}

#[tokio::test]
async fn no_new_privileges_is_set_only_when_asked_for() {
    let bench = Bench::new().await;
    let script = "grep NoNewPrivs /proc/self/status | cut -f2; grep CapEff /proc/self/status | cut -f2";
    bench
        .check(bench.script("may", script), "0\n00000000a80425fb")
        .await;
    let mut spec = bench.script("may-not", script);
    spec.no_new_privileges = true;
    bench.check(spec, "1\n00000000a80425fb").await;
    bench.finish().await;
}

#[tokio::test]
async fn a_privileged_container_is_the_machines_root_in_namespaces_of_its_own() {
    let bench = Bench::new().await;
    let (device, _) = spare_device();
    let script = format!(
        "grep -E 'Seccomp:' /proc/self/status | cut -f2; grep CapEff /proc/self/status | cut -f2; \
         ls {device}; (: < {device}) && echo opened; mount -t tmpfs x /tmp && echo mounted; \
         [ -w /proc/sys/kernel/hostname ] && echo writable; \
         hostname inside && hostname; \
         mkdir /sys/fs/cgroup/pids/own && rmdir /sys/fs/cgroup/pids/own && echo groups; ps | wc -l | xargs test 9 -ge && echo few"
    );
    let mut spec = bench.script("root", &script);
    spec.privileged = true;
    let all = std::fs::read_to_string("/proc/self/status").expect("a status");
    let all = all
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:\t"))
        .expect("capabilities")
        .to_owned();
    bench
        .check(
            spec,
            &format!("0\n{all}\n{device}\nopened\nmounted\nwritable\ninside\ngroups\nfew"),
        )
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn devices_are_given_with_the_permissions_asked_for() {
    let bench = Bench::new().await;
    let (spare, number) = spare_device();
    let (major, minor) = (libc::major(number), libc::minor(number));
    let script = format!(
        "ls -l /dev/given | cut -c1; (: < /dev/given) 2>/dev/null && echo read; \
         (: > /dev/given) 2>/dev/null && echo write; (: < /dev/other) 2>/dev/null && echo other; \
         mknod /tmp/k c {major} {minor} && (: < /tmp/k) 2>/dev/null && echo by number; true"
    );
    let mut spec = bench.script("read", &script);
    spec.devices = vec![device(spare, "/dev/given", "r")];
    bench.check(spec, "c\nread\nby number").await;
    let mut spec = bench.script("write", &script);
    spec.devices = vec![device(spare, "/dev/given", "wm")];
    bench.check(spec, "c\nwrite").await;
    // Of two words about one device, both hold.
    let mut spec = bench.script("both", &script);
    spec.devices = vec![device(spare, "/dev/given", "r"), device(spare, "/dev/other", "w")];
    bench.check(spec, "c\nread\nwrite\nother\nby number").await;
    for (host, container) in [
        ("/dev/none-such", "/dev/x"),
        ("/etc/passwd", "/dev/x"),
        ("/dev/null", "/tmp/x"),
    ] {
        let mut spec = bench.spec("refused", &["true"]);
        spec.devices = vec![device(host, container, "rwm")];
        let refused = bench.runtime.create(spec).await;
        assert!(
            matches!(
                refused,
                Err(Error::Invalid {
                    member: "devices",
                    ..
                })
            ),
            "{refused:?}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn memory_file_systems_have_their_sizes_and_options() {
    let bench = Bench::new().await;
    let mut spec = bench.script("shm", "df -k /dev/shm /t | tail -n +2 | tr -s ' ' | cut -d' ' -f2; grep -E ' /(t|dev/shm) ' /proc/mounts | cut -d' ' -f4 | sed 's/,size.*//'; \
        cp /bin/busybox /t/b; /t/b true 2>/dev/null || echo noexec; stat -c '%a %u' /t");
    spec.shm_size = Some(8 * MIB);
    spec.mounts = vec![Mount {
        kind: MountKind::Tmpfs {
            size: Some(4 * MIB),
            options: ["noexec", "mode=1750", "uid=101"].map(String::from).to_vec(),
        },
        target: "/t".into(),
        read_only: false,
    }];
    bench
        .check(
            spec,
            "8192\n4096\nrw,nosuid,nodev,noexec,relatime\nrw,nosuid,nodev,noexec,relatime\nnoexec\n1750 101",
        )
        .await;
    let mut spec = bench.script(
        "default",
        "df -k /dev/shm | tail -n +2 | tr -s ' ' | cut -d' ' -f2",
    );
    spec.seccomp = Seccomp::Unconfined;
    bench.check(spec, "65536").await;
    bench.finish().await;
}

#[tokio::test]
async fn an_oom_score_is_the_containers_and_not_the_daemons() {
    let bench = Bench::new().await;
    let mut spec = bench.script("score", "cat /proc/self/oom_score_adj");
    spec.oom_score_adj = 345;
    bench.check(spec, "345").await;
    bench
        .check(bench.script("none", "cat /proc/self/oom_score_adj"), "0")
        .await;
    let mut spec = bench.script("low", "cat /proc/self/oom_score_adj");
    spec.oom_score_adj = -500;
    if has_capability(24) {
        bench.check(spec, "-500").await;
    } else {
        // Not granted, and not passed over in silence.
        let refused = bench
            .runtime
            .create(spec)
            .await
            .expect_err("CAP_SYS_RESOURCE is missing");
        assert!(refused.to_string().contains("OOM score"), "{refused}");
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_terminal_and_an_open_stdin_are_what_they_are_called() {
    let bench = Bench::new().await;
    let mut spec = bench.script("tty", "tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal; echo $TERM; [ -c /dev/console ] && echo console; echo err >&2; exit 3");
    spec.tty = true;
    let (exit, out) = bench.run(spec).await;
    assert_eq!(
        (exit.code, out.as_str()),
        (3, "/dev/pts/0\r\nterminal\r\nxterm\r\nconsole\r\nerr\r\n")
    );
    // With an init process the terminal's signals are the program's.
    let mut spec = bench.script(
        "both",
        "ps -o pid,tty,comm | grep -c pts || true; [ -t 0 ] && echo terminal",
    );
    spec.tty = true;
    spec.init = true;
    let (exit, out) = bench.run(spec).await;
    assert!(exit.code == 0 && out.contains("terminal"), "{exit:?} {out}");

    let ends = "timeout 1 cat; echo $?";
    bench.check(bench.script("closed", ends), "0").await;
    let mut spec = bench.script("open", ends);
    spec.interactive = true;
    bench.check(spec, "143").await;
    bench.finish().await;
}

#[tokio::test]
async fn the_hosts_namespaces_are_shared_when_asked_for() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("host", &["sleep", "1000"]);
    spec.network = Net::Host;
    (spec.pid, spec.ipc, spec.uts) = (Share::Host, Share::Host, Share::Host);
    let pid = bench.start(spec).await;
    let of =
        |pid: &str, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace");
    for (kind, same) in [
        ("net", true),
        ("pid", true),
        ("ipc", true),
        ("uts", true),
        ("mnt", false),
    ] {
        assert_eq!(of(&pid.to_string(), kind) == of("self", kind), same, "{kind}");
    }
    bench.runtime.kill(&bench.id("host")).await.expect("killed");
    assert_eq!(
        bench.runtime.wait(&bench.id("host")).await.expect("an exit").code,
        137
    );
    // What it leaves behind ends with it, also without a pid namespace of its own.
    let mut spec = bench.script("leaver", "sleep 1000 & sleep 1000 & exit 5");
    spec.pid = Share::Host;
    assert_eq!(bench.run(spec).await.0.code, 5);
    let mut spec = bench.spec("name", &["true"]);
    spec.uts = Share::Host;
    spec.hostname = Some("x".into());
    assert!(matches!(
        bench.runtime.create(spec).await,
        Err(Error::Invalid {
            member: "hostname",
            ..
        })
    ));
    bench.finish().await;
}

#[tokio::test]
async fn kernel_parameters_of_its_own_namespaces_can_be_set_and_no_others() {
    let bench = Bench::new().await;
    let mut spec = bench.script("own", "cat /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max /proc/sys/net/ipv4/ip_local_port_range | tr '\\t' ' '");
    for (name, value) in [
        ("kernel.shmmni", "99"),
        ("fs.mqueue.msg_max", "12"),
        ("net.ipv4.ip_local_port_range", "2000 3000"),
    ] {
        spec.sysctls.insert(name.into(), value.into());
    }
    bench.check(spec, "99\n12\n2000 3000").await;
    for (name, network, ipc) in [
        ("kernel.panic", Net::New, Share::New),
        ("vm.overcommit_memory", Net::New, Share::New),
        ("net.core.somaxconn", Net::Host, Share::New),
        ("kernel.msgmax", Net::New, Share::Host),
        ("net..core", Net::New, Share::New),
        ("../../etc/passwd", Net::New, Share::New),
    ] {
        let mut spec = bench.spec("refused", &["true"]);
        (spec.network, spec.ipc) = (network, ipc);
        spec.sysctls.insert(name.into(), "1".into());
        let refused = bench.runtime.create(spec).await;
        assert!(
            matches!(
                refused,
                Err(Error::Invalid {
                    member: "sysctls",
                    ..
                })
            ),
            "{name}: {refused:?}"
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_container_stands_still_and_goes_on() {
    let bench = Bench::new().await;
    let id = bench.id("clock");
    bench
        .start(bench.script("clock", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"))
        .await;
    let lines = async || bench.output(&id, Stream::Stdout).await.lines().count();
    support::until("it counts", async || lines().await > 2).await;
    bench.runtime.freeze(&id).await.expect("frozen");
    bench.runtime.freeze(&id).await.expect("frozen twice");
    let status = bench.runtime.status(&id).await.expect("a status").expect("there");
    assert!(status.frozen && status.state == State::Running);
    let before = lines().await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    // One line may have been on its way.
    assert!(lines().await <= before + 1);
    bench.runtime.thaw(&id).await.expect("thawed");
    support::until("it counts again", async || lines().await > before + 3).await;
    assert!(
        !bench
            .runtime
            .status(&id)
            .await
            .expect("a status")
            .expect("there")
            .frozen
    );
    bench.runtime.freeze(&id).await.expect("frozen");
    bench.runtime.kill(&id).await.expect("killed");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    assert!(matches!(
        bench.runtime.freeze(&id).await,
        Err(Error::NotRunning(_))
    ));
    bench.finish().await;
}

#[tokio::test]
async fn what_containers_and_groups_use_is_told() {
    let bench = Bench::new().await;
    let group: GroupName = "task".parse().expect("a name");
    let limits = Resources {
        memory_limit: Some(256 * MIB),
        pids_limit: Some(50),
        ..Resources::default()
    };
    bench
        .runtime
        .ensure_group(&group, &limits)
        .await
        .expect("a group");
    let mut spec = bench.script("busy", "head -c 30m /dev/zero > /dev/shm/f; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; exec sleep 1000");
    spec.group = Some(group.clone());
    spec.resources.memory_limit = Some(64 * MIB);
    bench.start(spec).await;
    support::until("it has worked", async || {
        bench
            .output(&bench.id("busy"), Stream::Stdout)
            .await
            .contains("done")
    })
    .await;
    let stats = bench.runtime.stats(&bench.id("busy")).await.expect("stats");
    assert!(
        stats.cpu.total_nanos > Some(1_000_000) && stats.cpu.user_nanos.is_some(),
        "{stats:?}"
    );
    assert_eq!(
        (stats.pids.current, stats.memory.limit),
        (Some(1), Some(64 * MIB))
    );
    assert!(
        stats.memory.usage >= Some(30 * MIB) && stats.memory.cache >= Some(30 * MIB),
        "{stats:?}"
    );
    let together = bench.runtime.group_stats(&group).await.expect("stats");
    assert_eq!(
        (together.pids.limit, together.memory.limit),
        (Some(50), Some(256 * MIB))
    );
    assert!(together.cpu.total_nanos >= stats.cpu.total_nanos && together.memory.usage >= Some(30 * MIB));
    assert!(
        bench
            .runtime
            .group_stats(&"none".parse().expect("a name"))
            .await
            .is_err()
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_tasks_limits_hold_for_all_its_containers_together() {
    let bench = Bench::new().await;
    let group: GroupName = "task".parse().expect("a name");
    let limits = Resources {
        pids_limit: Some(16),
        ..Resources::default()
    };
    bench
        .runtime
        .ensure_group(&group, &limits)
        .await
        .expect("a group");
    let member = |id: &str, script: &str| {
        let mut spec = bench.script(id, script);
        spec.group = Some(group.clone());
        spec
    };
    bench
        .start(member(
            "one",
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo up; wait",
        ))
        .await;
    support::until("the first has its share", async || {
        bench
            .output(&bench.id("one"), Stream::Stdout)
            .await
            .contains("up")
    })
    .await;
    let (exit, out) = bench
        .run(member(
            "two",
            "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; echo unreachable",
        ))
        .await;
    assert!(exit.code != 0 && !out.contains("unreachable"), "{exit:?} {out}");
    bench.finish().await;
}

#[tokio::test]
async fn a_container_can_have_users_of_its_own() {
    let bench = Bench::new().await;
    let users = UserNamespace {
        first: 300_000,
        size: 65_536,
    };
    let host = bench.dir.path().join("host");
    std::fs::create_dir(&host).expect("a directory");
    std::fs::write(host.join("note"), "hello\n").expect("a file");
    let volume = bench.dir.path().join("volume");
    std::fs::create_dir(&volume).expect("a directory");
    let mut spec = bench.script(
        "mapped",
        "id -u; cat /proc/self/uid_map | tr -s ' '; stat -c %u / /bin/busybox /v /v/note /data /data/seed; \
         echo made > /v/made; echo x > /etc/x; mkdir /root/d; pwd; stat -c %u . ; touch /dev/shm/x && echo shm; \
         [ -c /dev/null ] && echo > /dev/null && echo null; (echo x > /proc/sys/kernel/hostname) 2>/dev/null; grep Seccomp: /proc/self/status | cut -f2; \
         mknod /tmp/z c 1 5 2>/dev/null || echo no nodes; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; echo a > /dev/stdout",
    );
    spec.user_namespace = Some(users);
    spec.init = true;
    if let Process::Command(Command { cwd, .. }) = &mut spec.process {
        *cwd = Some("/made/for/it".into());
    }
    let mount = |kind, target: &str| Mount {
        kind,
        target: target.into(),
        read_only: false,
    };
    spec.mounts = vec![
        mount(MountKind::Bind { source: host.clone() }, "/v"),
        mount(
            MountKind::Volume {
                source: volume.clone(),
            },
            "/data",
        ),
    ];
    bench
        .check(
            spec,
            "0\n 0 300000 65536\n0\n0\n0\n0\n0\n0\n/made/for/it\n0\nshm\nnull\n2\nno nodes\n0\na",
        )
        .await;
    use std::os::unix::fs::MetadataExt;
    let owner = |path: PathBuf| std::fs::symlink_metadata(path).expect("a file").uid();
    // On the host, volumes keep the numbers that the container sees; the container's own layer has its users.
    assert_eq!(owner(host.join("made")), 0);
    assert_eq!(owner(volume.join("seed")), 0);
    assert_eq!(owner(bench.container_dir("mapped").join("upper/etc/x")), 300_000);
    assert_eq!(owner(bench.rootfs.join("bin/busybox")), 0);

    // Also in another container's network, as another user, with a terminal, and for programs run later.
    bench.start(bench.pause("pause")).await;
    let mut spec = bench.script("joined", "id -u; ls /sys/class/net > /dev/null && echo sys; [ -t 0 ] && echo terminal; ls /sys/fs/cgroup/ | wc -l; exec sleep 1000");
    spec.user_namespace = Some(users);
    spec.network = Net::With(bench.id("pause"));
    spec.tty = true;
    if let Process::Command(Command { user, .. }) = &mut spec.process {
        *user = Some("web".into());
    }
    let pid = bench.start(spec).await;
    support::until("it is up", async || {
        bench
            .output(&bench.id("joined"), Stream::Stdout)
            .await
            .contains("terminal")
    })
    .await;
    assert!(
        bench
            .output(&bench.id("joined"), Stream::Stdout)
            .await
            .starts_with("101\r\nsys\r\nterminal\r\n")
    );
    assert_eq!(owner(PathBuf::from(format!("/proc/{pid}"))), 300_101);
    let exec = roadstead_runtime::ExecSpec {
        args: ["sh", "-c", "id -u; echo hi > /dev/stdout"]
            .map(String::from)
            .to_vec(),
        user: Some("0".into()),
        ..Default::default()
    };
    let execution = bench
        .runtime
        .exec(&bench.id("joined"), &exec)
        .await
        .expect("runs");
    let output = execution
        .collect(1000, std::time::Duration::from_secs(20))
        .await
        .expect("collected");
    assert_eq!(
        (output.code, output.output.as_slice()),
        (Some(0), &b"0\nhi\n"[..])
    );
    for change in [
        |spec: &mut roadstead_runtime::ContainerSpec| spec.privileged = true,
        |spec: &mut roadstead_runtime::ContainerSpec| spec.pid = Share::Host,
        |spec: &mut roadstead_runtime::ContainerSpec| spec.network = Net::Host,
    ] {
        let mut spec = bench.spec("refused", &["true"]);
        spec.user_namespace = Some(users);
        change(&mut spec);
        assert!(matches!(
            bench.runtime.create(spec).await,
            Err(Error::Invalid {
                member: "user_namespace",
                ..
            })
        ));
    }
    bench.finish().await;
}

#[tokio::test]
async fn swap_and_swappiness_are_written_where_there_is_cgroup_v1() {
    if !Path::new("/sys/fs/cgroup/memory/memory.swappiness").exists() {
        // cgroup v2: the guest's test says what becomes of them there.
        return;
    }
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "swap",
        "cd /sys/fs/cgroup/memory; cat memory.limit_in_bytes memory.memsw.limit_in_bytes memory.swappiness",
    );
    spec.resources.memory_limit = Some(64 * MIB);
    spec.resources.swap = Some(16 * MIB);
    spec.swappiness = Some(7);
    bench.check(spec, "67108864\n83886080\n7").await;
    let group: GroupName = "task".parse().expect("a name");
    let limits = |memory| Resources {
        memory_limit: Some(memory),
        memory_reservation: Some(8 * MIB),
        swap: Some(8 * MIB),
        pids_limit: Some(9),
        cpu_shares: Some(512),
        ..Resources::default()
    };
    // Up and down again: the kernel wants the two limits changed in another order each time.
    for memory in [32 * MIB, 64 * MIB, 32 * MIB] {
        bench
            .runtime
            .ensure_group(&group, &limits(memory))
            .await
            .expect("a group");
        let read = |controller: &str, file: &str| {
            let dir = Path::new("/sys/fs/cgroup")
                .join(controller)
                .join(&bench.options.cgroup_parent);
            std::fs::read_to_string(dir.join("g-task").join(file))
                .expect("a limit")
                .trim()
                .to_owned()
        };
        assert_eq!(read("memory", "memory.limit_in_bytes"), memory.to_string());
        assert_eq!(
            read("memory", "memory.memsw.limit_in_bytes"),
            (memory + 8 * MIB).to_string()
        );
        assert_eq!(
            read("memory", "memory.soft_limit_in_bytes"),
            (8 * MIB).to_string()
        );
        assert_eq!(
            (read("pids", "pids.max"), read("cpu", "cpu.shares")),
            ("9".into(), "512".into())
        );
    }
    bench.finish().await;
}

#[tokio::test]
async fn all_capabilities_can_be_added_and_all_dropped() {
    let bench = Bench::new().await;
    let script = "grep CapBnd /proc/self/status | cut -f2";
    let mut spec = bench.script("none", script);
    spec.capabilities = Capabilities {
        add: Vec::new(),
        drop: vec!["ALL".into()],
    };
    bench.check(spec, "0000000000000000").await;
    let all = std::fs::read_to_string("/proc/self/status").expect("a status");
    let all = all
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:\t"))
        .expect("capabilities")
        .to_owned();
    let mut spec = bench.script("all", script);
    spec.capabilities = Capabilities {
        add: vec!["ALL".into()],
        drop: Vec::new(),
    };
    bench.check(spec, &all).await;
    bench.finish().await;
}
