//! A container that means harm: what it tries, and that it is told so when it ends for it.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command as Program;

use roadstead_runtime::{Capabilities, LogConfig, MIN_LOG_SIZE, Mount, MountKind, Seccomp, Share, Stream};
use support::Bench;

const MIB: u64 = 1024 * 1024;
const EPERM: i64 = 1;
const ENOSYS: i64 = 38;

/// A static program that makes one system call.
fn probe(bench: &Bench) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/probe.c");
    let made = Program::new("cc")
        .args(["-static", "-O1", "-o"])
        .arg(bench.rootfs.join("bin/probe"))
        .arg(source)
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "a C compiler and libc6-dev are needed"
    );
}

/// A script that makes each call and prints its number with what came of it.
fn calls(list: &[(&str, i64, &str)]) -> String {
    let line =
        |(kind, number, args): &(&str, i64, &str)| format!("echo {number} $(probe {kind} {number} {args}); ");
    list.iter().map(line).collect()
}

#[tokio::test]
async fn system_calls_that_containers_do_not_need_are_refused() {
    let bench = Bench::new().await;
    probe(&bench);
    let refused = [
        ("64", libc::SYS_keyctl, "0 0"),
        ("64", libc::SYS_add_key, ""),
        ("64", libc::SYS_request_key, ""),
        ("64", libc::SYS_bpf, ""),
        ("64", libc::SYS_kexec_load, ""),
        ("64", libc::SYS_init_module, ""),
        ("64", libc::SYS_perf_event_open, ""),
        ("64", libc::SYS_userfaultfd, "0"),
        ("64", libc::SYS_io_uring_setup, "1 0"),
        ("64", libc::SYS_mount, ""),
        ("64", libc::SYS_open_by_handle_at, ""),
        ("64", libc::SYS_setns, "0 0"),
        // A user namespace would open the kernel's less tried doors.
        ("64", libc::SYS_unshare, "0x10000000"),
        ("64", libc::SYS_swapon, ""),
        ("64", libc::SYS_reboot, ""),
        // AF_VSOCK reaches the host of a virtual machine.
        ("64", libc::SYS_socket, "40 1 0"),
    ];
    let expected: String = refused
        .iter()
        .map(|(_, number, _)| format!("{number} {EPERM}\n"))
        .collect();
    bench
        .check(bench.script("refused", &calls(&refused)), &expected)
        .await;
    let known = [("64", libc::SYS_clone3, "0 0"), ("64", 100_000, "")];
    let expected: String = known
        .iter()
        .map(|(_, number, _)| format!("{number} {ENOSYS}\n"))
        .collect();
    bench
        .check(bench.script("unknown", &calls(&known)), &expected)
        .await;
    // An ordinary one, and what the container is told about its filter.
    let fine = [("64", libc::SYS_getpid, ""), ("64", libc::SYS_socket, "2 1 0")];
    let script = calls(&fine) + "grep Seccomp: /proc/self/status | cut -f2";
    let expected = format!("{} 0\n{} 0\n2", libc::SYS_getpid, libc::SYS_socket);
    bench.check(bench.script("fine", &script), &expected).await;
    bench.finish().await;
}

#[tokio::test]
#[cfg(target_arch = "x86_64")]
async fn a_32_bit_program_is_held_to_the_same() {
    let bench = Bench::new().await;
    probe(&bench);
    // i386: getpid, keyctl, bpf, unshare, clone3, mount
    let list = [
        ("32", 20, ""),
        ("32", 288, "0"),
        ("32", 357, ""),
        ("32", 310, "0x10000000"),
        ("32", 435, ""),
        ("32", 21, ""),
    ];
    let (_, out) = bench.run(bench.script("compat", &calls(&list))).await;
    if out.starts_with("20 38") {
        // The kernel runs no 32-bit programs at all.
        assert!(
            !Path::new("/proc/sys/abi/ldt16").exists() || out.contains("288 38"),
            "{out}"
        );
    } else {
        assert_eq!(out, "20 0\n288 1\n357 1\n310 1\n435 38\n21 1\n");
    }
    bench.finish().await;
}

#[tokio::test]
async fn capabilities_open_their_calls_and_unconfined_opens_all() {
    let bench = Bench::new().await;
    probe(&bench);
    let bpf = calls(&[("64", libc::SYS_bpf, "-1 0 0"), ("64", libc::SYS_keyctl, "0 0")]);
    let mut admin = bench.script("admin", &bpf);
    admin.capabilities = Capabilities {
        add: vec!["SYS_ADMIN".into()],
        drop: Vec::new(),
    };
    let (_, out) = bench.run(admin).await;
    // The kernel itself answers: the arguments are nonsense.
    assert_eq!(
        out,
        format!("{} 22\n{} {EPERM}\n", libc::SYS_bpf, libc::SYS_keyctl)
    );
    let keyctl = calls(&[("64", libc::SYS_keyctl, "0 -3 1")]);
    let mut open = bench.script("open", &(keyctl + "grep Seccomp: /proc/self/status | cut -f2"));
    open.seccomp = Seccomp::Unconfined;
    bench.check(open, &format!("{} 0\n0", libc::SYS_keyctl)).await;
    bench.finish().await;
}

#[tokio::test]
async fn the_machines_settings_and_mounts_are_out_of_reach() {
    let bench = Bench::new().await;
    // Each line prints only when it succeeds, which none must.
    let script = "exec 2>/dev/null; \
        echo '|/bin/x' > /proc/sys/kernel/core_pattern && echo core_pattern; \
        echo 1 > /proc/sys/kernel/panic && echo panic; \
        echo 0 > /proc/sys/vm/overcommit_memory && echo overcommit; \
        echo b > /proc/sysrq-trigger && echo sysrq; \
        echo x > /sys/kernel/uevent_helper && echo uevent; \
        echo /bin/x > /sys/fs/cgroup/memory/release_agent && echo release_agent; \
        echo 1 > /sys/fs/cgroup/pids/notify_on_release && echo notify; \
        mount -o remount,rw /sys/fs/cgroup && echo remount; \
        mount -o remount,rw /proc/sys && echo remount proc; \
        mount --bind / /tmp && echo bind; \
        umount /proc/kcore && echo umount; \
        mkdir /tmp/p && mount -t proc proc /tmp/p && echo proc; \
        unshare -r true && echo user namespace; unshare -m true && echo mount namespace; \
        nsenter -t 1 -m true && echo nsenter; \
        mknod /tmp/d b 254 0 && head -c1 /tmp/d > /dev/null && echo disk; \
        mknod /tmp/k c 1 2 && head -c1 /tmp/k > /dev/null && echo kmem; \
        insmod /etc/passwd && echo module; \
        hostname other && echo hostname; \
        echo -1000 > /proc/self/oom_score_adj && echo oom; \
        cat /proc/keys | grep -c . ; ls /proc/1/root/etc/shadow /proc/1/cwd/etc/shadow; true";
    bench.check(bench.script("reach", script), "0").await;
    // Out by way of chroot: above the root there is the root.
    let out = "mkdir /tmp/c && chroot /tmp/c /nothing; cd /; cd ../../../..; ls -d etc/passwd; ls ../../.. | grep -c vmlinuz; \
        readlink -f /proc/self/cwd; readlink -f ../../../../bin/sh";
    bench
        .check(
            bench.script("above", &format!("{out} 2>/dev/null")),
            "etc/passwd\n0\n/\n/bin/busybox",
        )
        .await;
    bench.finish().await;
}

#[tokio::test]
async fn what_is_mounted_read_only_stays_so_and_links_in_a_volume_lead_nowhere() {
    let bench = Bench::new().await;
    let host = bench.dir.path().join("host");
    let secret = bench.dir.path().join("secret");
    std::fs::create_dir(&host).expect("a directory");
    std::fs::write(&secret, "secret\n").expect("a file");
    std::os::unix::fs::symlink(&secret, host.join("link")).expect("a link");
    let mut spec = bench.script(
        "ro",
        "exec 2>/dev/null; cat /v/link && echo read; echo x > /v/new && echo wrote; \
         mount -o remount,rw /v && echo remounted; umount /v && echo unmounted; ls /v",
    );
    spec.mounts.push(Mount {
        kind: MountKind::Bind { source: host.clone() },
        target: PathBuf::from("/v"),
        read_only: true,
    });
    // Even with the capability that mounting takes, the mount is not the container's to change... it may unmount
    // what it was given, and sees what the image has there: nothing.
    bench.check(spec, "link").await;
    bench.finish().await;
}

#[tokio::test]
async fn a_fork_bomb_stays_in_its_container_and_can_be_ended() {
    let bench = Bench::new().await;
    let mut spec = bench.script("bomb", "echo up; f() { f | f & }; f; sleep 1000");
    spec.resources.pids_limit = Some(64);
    spec.resources.memory_limit = Some(128 * MIB);
    let id = bench.id("bomb");
    bench.start(spec).await;
    support::until("the limit is met", async || {
        let pids = bench.runtime.stats(&id).await.expect("stats").pids;
        assert!(pids.current <= Some(64) && pids.limit == Some(64), "{pids:?}");
        pids.current >= Some(60)
    })
    .await;
    // Others go on.
    bench
        .check(bench.script("other", "sh -c 'echo fine'"), "fine")
        .await;
    bench.runtime.kill(&id).await.expect("killed");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    assert_eq!(
        bench.runtime.stats(&id).await.expect("stats").pids.current,
        Some(0)
    );
    bench.finish().await;
}

#[tokio::test]
async fn a_fork_bomb_under_a_small_cpu_quota_dies_as_quickly_as_any() {
    let bench = Bench::new().await;
    let mut spec = bench.script("bomb", "echo up; f() { f | f & }; f; sleep 1000");
    spec.resources.pids_limit = Some(1024);
    spec.resources.memory_limit = Some(512 * MIB);
    spec.resources.cpu_quota = Some(roadstead_runtime::CpuQuota {
        quota_us: 5_000,
        period_us: 100_000,
    });
    let id = bench.id("bomb");
    bench.start(spec).await;
    support::until("there are many", async || {
        bench.runtime.stats(&id).await.expect("stats").pids.current >= Some(200)
    })
    .await;
    // Each of them has to be scheduled once more to die.
    bench.runtime.kill(&id).await.expect("killed");
    assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    bench.runtime.delete(&id).await.expect("deleted");
    bench.finish().await;
}

#[tokio::test]
async fn a_memory_bomb_is_counted_to_its_container_alone() {
    let bench = Bench::new().await;
    let mut spec = bench.script("bomb", "exec tail /dev/zero");
    spec.resources.memory_limit = Some(24 * MIB);
    let mut calm = bench.script("calm", "echo up; exec sleep 1000");
    calm.resources.memory_limit = Some(24 * MIB);
    bench.start(calm).await;
    let (exit, _) = bench.run(spec).await;
    assert_eq!((exit.code, exit.oom_killed), (137, true));
    let memory = bench
        .runtime
        .stats(&bench.id("bomb"))
        .await
        .expect("stats")
        .memory;
    assert_eq!(memory.oom_kills, Some(1));
    assert!(
        memory.max_usage <= Some(24 * MIB) && memory.max_usage > Some(16 * MIB),
        "{memory:?}"
    );
    let calm = bench
        .runtime
        .stats(&bench.id("calm"))
        .await
        .expect("stats")
        .memory;
    assert_eq!(calm.oom_kills, Some(0));
    bench.finish().await;
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_ended_by_sigkill() {
    let bench = Bench::new().await;
    for init in [false, true] {
        let name = if init { "with-init" } else { "alone" };
        let mut spec = bench.script(name, "trap '' TERM INT HUP; echo up; while :; do sleep 0.1; done");
        spec.init = init;
        let id = spec.id.clone();
        bench.start(spec).await;
        support::until("it is up", async || {
            bench.output(&id, Stream::Stdout).await.contains("up")
        })
        .await;
        bench.runtime.signal(&id, libc::SIGTERM).await.expect("sent");
        let patience = std::time::Duration::from_millis(300);
        assert!(
            tokio::time::timeout(patience, bench.runtime.wait(&id))
                .await
                .is_err(),
            "it goes on"
        );
        bench.runtime.kill(&id).await.expect("killed");
        assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
    }
    bench.finish().await;
}

#[tokio::test]
async fn a_flood_of_output_takes_no_more_disk_than_allowed() {
    let bench = Bench::new().await;
    let mut spec = bench.script("flood", "yes 0123456789 | head -c 50000000; echo; echo the end");
    spec.log = LogConfig {
        max_size: 4 * MIN_LOG_SIZE,
        max_files: 2,
        backlog: None,
    };
    let (exit, out) = bench.run(spec).await;
    assert_eq!(exit.code, 0);
    assert!(out.ends_with("the end\n"), "the newest is kept");
    let kept: u64 = std::fs::read_dir(bench.container_dir("flood"))
        .expect("a directory")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("log"))
        .map(|entry| entry.metadata().expect("a file").len())
        .sum();
    assert!(kept <= 8 * MIN_LOG_SIZE, "{kept}");
    bench.finish().await;
}

#[tokio::test]
async fn the_hosts_processes_are_seen_but_not_touched_with_its_pid_namespace() {
    let bench = Bench::new().await;
    let outside = std::process::id();
    let mut spec = bench.script(
        "neighbour",
        &format!(
            "exec 2>/dev/null; [ -d /proc/{outside} ] && echo seen; readlink /proc/{outside}/exe && echo exe; \
             ls /proc/{outside}/root/ && echo root; cat /proc/{outside}/environ && echo environ; true"
        ),
    );
    spec.pid = Share::Host;
    bench.check(spec, "seen").await;
    bench.finish().await;
}
