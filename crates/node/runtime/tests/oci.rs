//! The cases of the OCI runtime validation suite that apply here, one by one and in our own words; the table is in
//! docs/oci-validation.md. Cases that other tests hold are named there and not repeated.

mod support;

use std::path::{Path, PathBuf};

use roadstead_runtime::{
    Command, Error, Mount, MountKind, Net, Process, Share, State, Ulimit, UserNamespace,
};
use support::Bench;

#[tokio::test]
async fn default_file_systems_symlinks_and_devices() {
    let bench = Bench::new().await;
    let script = "while read dev at kind options rest; do case $at in /proc|/sys|/dev|/dev/pts|/dev/shm|/dev/mqueue) \
         echo $at $kind $(echo $options | tr , '\\n' | grep -E '^(nosuid|noexec|nodev|ro)$' | sort | tr '\\n' ' ');; esac; done < /proc/mounts | sort; \
         for l in fd stdin stdout stderr ptmx; do echo $l $(readlink /dev/$l); done; \
         for d in null zero full random urandom tty; do stat -c '%n %F %t:%T %a %u' /dev/$d; done; ls /dev/pts";
    let expected = "/dev tmpfs nosuid\n\
        /dev/mqueue mqueue nodev noexec nosuid\n\
        /dev/pts devpts noexec nosuid\n\
        /dev/shm tmpfs nodev noexec nosuid\n\
        /proc proc nodev noexec nosuid\n\
        /sys sysfs nodev noexec nosuid ro\n\
        fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\nptmx pts/ptmx\n\
        /dev/null character special file 1:3 666 0\n\
        /dev/zero character special file 1:5 666 0\n\
        /dev/full character special file 1:7 666 0\n\
        /dev/random character special file 1:8 666 0\n\
        /dev/urandom character special file 1:9 666 0\n\
        /dev/tty character special file 5:0 666 0\n\
        ptmx";
    bench.check(bench.script("default", script), expected).await;
    bench.finish().await;
}

#[tokio::test]
async fn hostname_is_set_and_is_the_containers_own() {
    let bench = Bench::new().await;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    let mut spec = bench.script(
        "named",
        "hostname; uname -n; cat /proc/sys/kernel/hostname; echo $HOSTNAME",
    );
    spec.hostname = Some("hostname-specific".into());
    bench.check(spec, &["hostname-specific"; 4].join("\n")).await;
    assert_eq!(
        std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name"),
        host
    );
    bench.finish().await;
}

#[tokio::test]
async fn process_has_its_arguments_environment_directory_and_streams() {
    let bench = Bench::new().await;
    let mut spec = bench.spec(
        "process",
        &[
            "sh",
            "-c",
            "echo \"$0|$1\"; echo $testa; pwd; ls /proc/self/fd | tr '\\n' ' '; umask",
            "",
            "two words",
        ],
    );
    if let Process::Command(Command { env, cwd, .. }) = &mut spec.process {
        env.push(("testa".into(), "valuea".into()));
        *cwd = Some("/test".into());
    }
    // 3 is the directory that ls has open.
    bench.check(spec, "|two words\nvaluea\n/test\n0 1 2 3 0022").await;
    bench.finish().await;
}

#[tokio::test]
async fn process_user_has_its_groups_and_no_others() {
    let bench = Bench::new().await;
    let mut spec = bench.script("user", "id -u; id -g; id -G; umask");
    if let Process::Command(Command { user, groups, .. }) = &mut spec.process {
        *user = Some("10:10".into());
        *groups = vec!["5".into(), "7".into()];
    }
    bench.check(spec, "10\n10\n10 5 7\n0022").await;
    bench.finish().await;
}

#[tokio::test]
async fn process_rlimits_hold_and_unknown_ones_are_refused() {
    let bench = Bench::new().await;
    let limit = |name: &str, soft, hard| Ulimit {
        name: name.into(),
        soft,
        hard,
    };
    let mut spec = bench.script("limits", "for l in 'file size' 'open files' 'core file size' 'stack size' 'cpu time'; do grep -i \"Max $l\" /proc/self/limits | tr -s ' '; done");
    spec.ulimits = vec![
        limit("fsize", 1 << 20, 2 << 20),
        limit("nofile", 512, 1024),
        limit("core", 0, 0),
        limit("stack", 1 << 20, 4 << 20),
        limit("cpu", 100, 120),
    ];
    bench
        .check(
            spec,
            "Max file size 1048576 2097152 bytes \nMax open files 512 1024 files \nMax core file size 0 0 bytes \n\
             Max stack size 1048576 4194304 bytes \nMax cpu time 100 120 seconds",
        )
        .await;
    let mut spec = bench.spec("unknown", &["true"]);
    spec.ulimits = vec![limit("test", 1, 2)];
    assert!(matches!(
        bench.runtime.create(spec).await,
        Err(Error::Invalid {
            member: "ulimits",
            ..
        })
    ));
    let mut spec = bench.spec("unknown", &["true"]);
    spec.capabilities.add.push("CAP_TEST".into());
    assert!(matches!(
        bench.runtime.create(spec).await,
        Err(Error::Invalid {
            member: "capabilities",
            ..
        })
    ));
    bench.finish().await;
}

#[tokio::test]
async fn linux_masked_paths_are_empty_and_linux_readonly_paths_take_no_writes() {
    let bench = Bench::new().await;
    let script = "for p in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do \
           [ -e $p ] && ls -A $p; done; \
         for f in /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/sched_debug /proc/interrupts; do \
           [ -e $f ] && head -c 1 $f; done; \
         for d in /proc/bus /proc/fs /proc/irq /proc/sys; do [ -d $d ] && touch $d/x 2>/dev/null && echo wrote $d; \
           [ ! -d $d ] || grep -q \" $d ro,\" /proc/self/mountinfo || echo $d is writable; done; \
         [ -e /proc/sysrq-trigger ] && (echo x > /proc/sysrq-trigger) 2>/dev/null && echo wrote sysrq; \
         (echo 1 > /proc/sys/net/ipv4/ip_forward) 2>/dev/null && echo wrote sys; echo done";
    bench.check(bench.script("paths", script), "done").await;
    bench.finish().await;
}

#[tokio::test]
async fn root_readonly_holds_for_the_root_and_not_for_what_is_mounted() {
    let bench = Bench::new().await;
    let volume = bench.dir.path().join("volume");
    std::fs::create_dir(&volume).expect("a directory");
    let script = "touch /x 2>/dev/null || echo root; touch /etc/x 2>/dev/null || echo etc; touch /v/x && echo volume; \
         touch /dev/shm/x && echo shm; echo > /dev/null && echo null";
    let mut spec = bench.script("ro", script);
    spec.readonly_root = true;
    spec.mounts.push(Mount {
        kind: MountKind::Bind { source: volume },
        target: "/v".into(),
        read_only: false,
    });
    bench.check(spec, "root\netc\nvolume\nshm\nnull").await;
    bench.finish().await;
}

#[tokio::test]
async fn mounts_come_in_their_order_and_with_what_is_below_them() {
    let bench = Bench::new().await;
    let host = bench.dir.path().join("host");
    std::fs::create_dir_all(host.join("below")).expect("directories");
    std::fs::write(host.join("below/file"), "below\n").expect("a file");
    let mount = |kind, target: &str, read_only| Mount {
        kind,
        target: target.into(),
        read_only,
    };
    let tmpfs = || MountKind::Tmpfs {
        size: None,
        options: Vec::new(),
    };
    let bind = |path: &Path| MountKind::Bind {
        source: path.to_owned(),
    };
    let mut spec = bench.script(
        "mounts",
        "cat /m/inner/below/file; ls /m/hidden; grep -c ' /m' /proc/mounts; touch /m/inner/x 2>/dev/null || echo read-only; \
         touch /m/inner/below/x 2>/dev/null || echo recursively",
    );
    spec.mounts = vec![
        mount(bind(&host), "/m/hidden/lost", false),
        mount(tmpfs(), "/m", false),
        mount(bind(&host), "/m/inner", true),
        mount(tmpfs(), "/m/hidden", false),
    ];
    bench.check(spec, "below\n4\nread-only\nrecursively").await;
    bench.finish().await;
}

#[tokio::test]
async fn linux_rootfs_propagation_lets_nothing_out() {
    let bench = Bench::new().await;
    let shared = bench.dir.path().join("shared");
    std::fs::create_dir(&shared).expect("a directory");
    let mut spec = bench.script(
        "propagation",
        "mount -t tmpfs rs-inside /v && mount -t tmpfs rs-inside /tmp && grep -c rs-inside /proc/mounts; \
         grep -E ' /(v|tmp)? ' /proc/self/mountinfo | grep -c shared:; true",
    );
    spec.capabilities.add.push("SYS_ADMIN".into());
    spec.mounts.push(Mount {
        kind: MountKind::Bind { source: shared },
        target: PathBuf::from("/v"),
        read_only: false,
    });
    bench.check(spec, "2\n0").await;
    let host = std::fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!host.contains("rs-inside"));
    bench.finish().await;
}

#[tokio::test]
async fn linux_uid_and_gid_mappings_are_as_asked_for() {
    let bench = Bench::new().await;
    let mut spec = bench.script(
        "maps",
        "tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map; cat /proc/self/setgroups",
    );
    spec.user_namespace = Some(UserNamespace {
        first: 100_000,
        size: 2000,
    });
    bench.check(spec, "0 100000 2000\n 0 100000 2000\nallow").await;
    bench.finish().await;
}

#[tokio::test]
async fn linux_namespaces_are_new_joined_or_inherited() {
    let bench = Bench::new().await;
    let kinds = ["ipc", "mnt", "net", "pid", "uts"];
    let of = |pid: &str| {
        kinds.map(|kind| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).expect("a namespace"))
    };
    let new = bench
        .start(bench.spec("new", &["sleep", "100"]))
        .await
        .to_string();
    let (new, own) = (of(&new), of("self"));
    assert!(
        new.iter().zip(&own).all(|(new, own)| new != own),
        "{new:?} {own:?}"
    );
    let mut spec = bench.spec("joined", &["sleep", "100"]);
    let other = bench.id("new");
    spec.network = Net::With(other.clone());
    (spec.ipc, spec.pid, spec.uts) = (
        Share::With(other.clone()),
        Share::With(other.clone()),
        Share::With(other),
    );
    let joined = of(&bench.start(spec).await.to_string());
    for (index, kind) in kinds.iter().enumerate() {
        assert_eq!(joined[index] == new[index], *kind != "mnt", "{kind}");
    }
    let mut spec = bench.spec("wrong", &["true"]);
    spec.network = Net::Join("/proc/self/ns/none".into());
    assert!(matches!(
        bench.runtime.create(spec).await,
        Err(Error::Invalid {
            member: "network",
            ..
        })
    ));
    // A namespace of another kind than it is said to be.
    let mut spec = bench.spec("wrong", &["true"]);
    spec.network = Net::Join("/proc/self/ns/ipc".into());
    assert!(matches!(
        bench.runtime.create(spec).await,
        Err(Error::Create { .. })
    ));
    bench.finish().await;
}

#[tokio::test]
async fn create_start_kill_delete_and_state_follow_the_life_cycle() {
    let bench = Bench::new().await;
    let id = bench.id("life");
    let state = async || {
        bench
            .runtime
            .status(&id)
            .await
            .expect("a status")
            .map(|status| status.state)
    };
    assert_eq!(state().await, None);
    let marker = bench.dir.path().join("marker");
    std::fs::create_dir(&marker).expect("a directory");
    let mut spec = bench.script(
        "life",
        "trap 'exit 0' TERM; touch /m/ran; while :; do sleep 0.05; done",
    );
    spec.mounts.push(Mount {
        kind: MountKind::Bind {
            source: marker.clone(),
        },
        target: "/m".into(),
        read_only: false,
    });
    bench.runtime.create(spec.clone()).await.expect("created");
    assert_eq!(state().await, Some(State::Created));
    // What was created does not run, and a change of the spec afterwards means nothing.
    assert!(!marker.join("ran").exists());
    assert!(matches!(bench.runtime.create(spec).await, Err(Error::Exists(_))));
    bench.runtime.start(&id).await.expect("started");
    assert_eq!(state().await, Some(State::Running));
    support::until("it runs", async || marker.join("ran").exists()).await;
    bench.runtime.signal(&id, libc::SIGTERM).await.expect("sent");
    let exit = bench.runtime.wait(&id).await.expect("an exit");
    assert_eq!(state().await, Some(State::Exited(exit)));
    assert!(matches!(
        bench.runtime.start(&id).await,
        Err(Error::NotRunning(_))
    ));
    assert!(matches!(
        bench.runtime.signal(&id, libc::SIGTERM).await,
        Err(Error::NotRunning(_))
    ));
    bench.runtime.delete(&id).await.expect("deleted");
    assert_eq!(state().await, None);
    assert!(matches!(bench.runtime.start(&id).await, Err(Error::NotFound(_))));
    assert!(matches!(
        bench.runtime.signal(&id, libc::SIGTERM).await,
        Err(Error::NotFound(_))
    ));
    // Only what was made for it goes: the mounted directory stays.
    assert!(marker.join("ran").exists());
    bench.finish().await;
}
