//! What a task definition can loosen and tighten: each member has its effect, and no other.

mod support;

use roadstead_runtime::{Capabilities, Command, Device, Error, Process, Stream};
use support::Bench;

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
