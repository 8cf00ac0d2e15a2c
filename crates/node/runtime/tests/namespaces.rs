//! Namespaces that are the host's, or whose users are others, and what of the kernel belongs to them.

mod support;

use std::path::PathBuf;

use roadstead_runtime::{Command, Error, Mount, MountKind, Net, Process, Share, Stream, UserNamespace};
use support::Bench;

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
