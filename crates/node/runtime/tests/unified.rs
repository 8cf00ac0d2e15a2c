//! cgroup v2 as far as a hybrid machine can show it: its v2 tree alone in a private mount namespace. It has
//! no controllers, so limits are not tried here, but groups, device rules, killing and the view are.

mod support;

use std::process::Command as Program;

use roadstead_runtime::{CpuQuota, Error, GroupName, Resources, Share};
use support::Bench;

#[test]
fn containers_run_where_there_is_only_cgroup_v2() {
    let script =
        "set -e; umount -l /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec \"$0\" \"$@\"";
    let output = Program::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "inside", "--ignored", "--nocapture"])
        .output()
        .expect("unshare(1) of util-linux");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by the test above, in a mount namespace of its own"]
async fn inside() {
    let bench = Bench::new().await;
    bench.check(bench.script("hello", "echo hello"), "hello").await;
    let script = "mknod /tmp/disk b 254 0 && head -c1 /tmp/disk 2>&1 | grep -o 'not permitted'; \
         grep ^0: /proc/self/cgroup; [ -e /sys/fs/cgroup/cgroup.procs ] && echo seen; \
         mkdir /sys/fs/cgroup/x 2>/dev/null || echo read-only";
    bench
        .check(
            bench.script("view", script),
            "not permitted\n0::/\nseen\nread-only",
        )
        .await;

    let group: GroupName = "task".parse().expect("a name");
    bench
        .runtime
        .ensure_group(&group, &Resources::default())
        .await
        .expect("a group");
    bench.start(bench.pause("pause")).await;
    let mut spec = bench.script("member", "sleep 1000 & sleep 1000");
    spec.pid = Share::With(bench.id("pause"));
    spec.group = Some(group.clone());
    bench.start(spec).await;
    let procs = std::path::Path::new("/sys/fs/cgroup")
        .join(&bench.options.cgroup_parent)
        .join("g-task/c-member/cgroup.procs");
    support::until("both sleep", async || {
        std::fs::read_to_string(&procs).is_ok_and(|text| text.lines().count() >= 2)
    })
    .await;
    bench.runtime.kill(&bench.id("member")).await.expect("killed");
    assert_eq!(
        bench
            .runtime
            .wait(&bench.id("member"))
            .await
            .expect("an exit")
            .code,
        137
    );
    assert_eq!(std::fs::read_to_string(&procs).expect("a group"), "");
    bench.runtime.delete(&bench.id("member")).await.expect("deleted");
    bench.runtime.remove_group(&group).await.expect("removed");

    // A limit that this tree has no controller for is an error, not a silence.
    let mut limited = bench.spec("limited", &["true"]);
    limited.resources.cpu_quota = Some(CpuQuota {
        quota_us: 50_000,
        period_us: 100_000,
    });
    let refused = bench.runtime.create(limited).await;
    assert!(matches!(refused, Err(Error::Create { .. })), "{refused:?}");
    bench.finish().await;
}

/// Everything above needs controllers, which a hybrid machine has given to cgroup v1. So the tests below run in a
/// guest under emulation, on Debian's kernel, with cgroup v2 alone.
#[test]
#[cfg(target_arch = "x86_64")]
fn cgroup_v2_holds_in_a_guest() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/guest.sh");
    let output = Program::new(script)
        .arg(std::env::current_exe().expect("this test"))
        .arg(env!("CARGO_BIN_EXE_rs-shim"))
        .arg("--")
        .args(["--ignored", "guest::", "--test-threads", "2"])
        .output()
        .expect("scripts/guest.sh");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let all = text
        .lines()
        .filter(|line| line.starts_with("test guest::") && line.contains(" ... ok"))
        .count();
    assert!(
        output.status.success() && all >= 10,
        "{all} tests held; the guest said:\n{text}"
    );
}

mod guest {
    use std::path::Path;

    use roadstead_runtime::{CpuQuota, Device, Error, ExecSpec, GroupName, Resources, State, Stream};

    use super::support::{self, Bench};

    const MIB: u64 = 1024 * 1024;

    fn group(name: &str) -> GroupName {
        name.parse().expect("a name")
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn limits_are_written_and_shown() {
        let bench = Bench::new().await;
        let task = Resources {
            cpu_quota: Some(CpuQuota {
                quota_us: 150_000,
                period_us: 100_000,
            }),
            memory_limit: Some(96 * MIB),
            memory_reservation: Some(32 * MIB),
            pids_limit: Some(90),
            ..Resources::default()
        };
        bench
            .runtime
            .ensure_group(&group("task"), &task)
            .await
            .expect("a group");
        bench
            .runtime
            .ensure_group(&group("task"), &task)
            .await
            .expect("twice is no error");
        let mut spec = bench.script(
            "limits",
            "cd /sys/fs/cgroup; cat cpu.weight cpu.max memory.max memory.low memory.swap.max pids.max; \
             (echo 9 > pids.max) 2>/dev/null || echo read-only; cat /proc/self/cgroup",
        );
        spec.group = Some(group("task"));
        spec.resources = Resources {
            cpu_shares: Some(1024),
            cpu_quota: Some(CpuQuota {
                quota_us: 50_000,
                period_us: 100_000,
            }),
            memory_limit: Some(64 * MIB),
            memory_reservation: Some(16 * MIB),
            swap: Some(8 * MIB),
            pids_limit: Some(40),
        };
        bench
            .check(
                spec,
                "39\n50000 100000\n67108864\n16777216\n8388608\n40\nread-only\n0::/",
            )
            .await;
        let dir = Path::new("/sys/fs/cgroup")
            .join(&bench.options.cgroup_parent)
            .join("g-task");
        for (file, expected) in [
            ("cpu.max", "150000 100000"),
            ("memory.max", "100663296"),
            ("memory.low", "33554432"),
            ("pids.max", "90"),
        ] {
            assert_eq!(
                std::fs::read_to_string(dir.join(file)).expect(file).trim(),
                expected,
                "{file}"
            );
        }
        assert!(
            bench.runtime.remove_group(&group("task")).await.is_err(),
            "not while it has a container"
        );
        bench.runtime.delete(&bench.id("limits")).await.expect("deleted");
        bench.runtime.remove_group(&group("task")).await.expect("removed");
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn want_of_memory_is_told_exactly() {
        let bench = Bench::new().await;
        let hog = "head -c 60m /dev/zero | tail > /dev/null";
        let limited = |id: &str, script: &str| {
            let mut spec = bench.script(id, script);
            spec.resources.memory_limit = Some(16 * MIB);
            spec
        };
        for (id, script, code, oom) in [
            ("own", "exec tail /dev/zero".to_owned(), 137, true),
            ("child", format!("sh -c '{hog}'; exit $?"), 137, true),
            ("over-it", format!("{hog}; exit 0"), 0, false),
        ] {
            let (exit, _) = bench.run(limited(id, &script)).await;
            assert_eq!((exit.code, exit.oom_killed), (code, oom), "{id}");
            let memory = bench.runtime.stats(&bench.id(id)).await.expect("stats").memory;
            // The kernel may choose again before the first that it killed has given its memory back.
            assert!(memory.oom_kills >= Some(1), "{id}: {memory:?}");
            assert!(memory.failures > Some(0), "{id}: {memory:?}");
        }
        bench.start(limited("killed", "exec sleep 100")).await;
        bench.runtime.kill(&bench.id("killed")).await.expect("killed");
        let exit = bench.runtime.wait(&bench.id("killed")).await.expect("an exit");
        assert_eq!((exit.code, exit.oom_killed), (137, false));
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn a_tasks_memory_and_processes_are_for_all_its_containers() {
        let bench = Bench::new().await;
        let limit = Resources {
            memory_limit: Some(24 * MIB),
            pids_limit: Some(16),
            ..Resources::default()
        };
        bench
            .runtime
            .ensure_group(&group("small"), &limit)
            .await
            .expect("a group");
        let member = |id: &str, script: &str| {
            let mut spec = bench.script(id, script);
            spec.group = Some(group("small"));
            spec
        };
        let (exit, _) = bench.run(member("hog", "exec tail /dev/zero")).await;
        assert_eq!((exit.code, exit.oom_killed), (137, true));
        let many = "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo up; wait";
        bench.start(member("one", many)).await;
        support::until("the first has its share", async || {
            bench
                .output(&bench.id("one"), Stream::Stdout)
                .await
                .contains("up")
        })
        .await;
        let (exit, out) = bench.run(member("two", many)).await;
        assert!(exit.code != 0 && !out.contains("up"), "{exit:?} {out}");
        let together = bench.runtime.group_stats(&group("small")).await.expect("stats");
        assert_eq!(
            (together.pids.limit, together.memory.limit),
            (Some(16), Some(24 * MIB))
        );
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn swap_is_what_was_given_beyond_memory() {
        let bench = Bench::new().await;
        let hog = "head -c 24m /dev/zero | tail > /dev/null; exit $?";
        let with = |id: &str, swap| {
            let mut spec = bench.script(id, hog);
            spec.resources.memory_limit = Some(16 * MIB);
            spec.resources.swap = swap;
            spec
        };
        let (exit, _) = bench.run(with("none", None)).await;
        assert_eq!((exit.code, exit.oom_killed), (137, true));
        let (exit, _) = bench.run(with("zero", Some(0))).await;
        assert_eq!((exit.code, exit.oom_killed), (137, true));
        let (exit, _) = bench.run(with("some", Some(32 * MIB))).await;
        assert_eq!((exit.code, exit.oom_killed), (0, false));
        let mut spec = bench.spec("swappy", &["true"]);
        spec.swappiness = Some(10);
        assert!(matches!(
            bench.runtime.create(spec).await,
            Err(Error::Invalid {
                member: "swappiness",
                ..
            })
        ));
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn a_cpu_quota_is_used_up_and_counted() {
        let bench = Bench::new().await;
        let mut spec = bench.script("busy", "i=0; while :; do i=$((i+1)); done");
        spec.resources.cpu_quota = Some(CpuQuota {
            quota_us: 10_000,
            period_us: 100_000,
        });
        bench.start(spec).await;
        support::until("it was held back", async || {
            let cpu = bench.runtime.stats(&bench.id("busy")).await.expect("stats").cpu;
            cpu.throttled_periods > Some(1) && cpu.throttled_nanos > Some(0) && cpu.total_nanos > Some(0)
        })
        .await;
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn devices_are_refused_by_a_program_of_ours() {
        let bench = Bench::new().await;
        // 1:0 is the guest's memory disk.
        let script = "echo > /dev/null && head -c1 /dev/zero | wc -c; mknod /tmp/ram b 1 0 && echo made; \
             head -c1 /tmp/ram >/dev/null 2>&1 && echo read; (: > /tmp/ram) 2>/dev/null && echo written; true";
        bench.check(bench.script("none", script), "1\nmade").await;
        let given = |read, write| Device {
            host: "/dev/ram0".into(),
            container: "/dev/disk".into(),
            read,
            write,
            mknod: true,
        };
        for (id, device, expected) in [
            ("read", given(true, false), "1\nmade\nread"),
            ("write", given(false, true), "1\nmade\nwritten"),
            ("both", given(true, true), "1\nmade\nread\nwritten"),
        ] {
            let mut spec = bench.script(id, script);
            spec.devices = vec![device];
            bench.check(spec, expected).await;
        }
        // Without a program at all, which a privileged container has.
        let mut spec = bench.script("all", script);
        spec.privileged = true;
        bench.check(spec, "1\nmade\nread\nwritten").await;
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn a_container_stands_still_and_goes_on() {
        let bench = Bench::new().await;
        let id = bench.id("clock");
        bench
            .start(bench.script("clock", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"))
            .await;
        let lines = async || bench.output(&id, Stream::Stdout).await.lines().count();
        support::until("it counts", async || lines().await > 1).await;
        bench.runtime.freeze(&id).await.expect("frozen");
        let status = bench.runtime.status(&id).await.expect("a status").expect("there");
        assert!(status.frozen && status.state == State::Running);
        // What was printed before is on its way for a moment; one that runs never stays the same for so long.
        support::until("it stands still", async || {
            let before = lines().await;
            tokio::time::sleep(std::time::Duration::from_millis(2000)).await;
            lines().await == before
        })
        .await;
        let before = lines().await;
        let refused = bench
            .runtime
            .exec(
                &id,
                &ExecSpec {
                    args: vec!["true".into()],
                    ..ExecSpec::default()
                },
            )
            .await;
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
        bench.runtime.thaw(&id).await.expect("thawed");
        support::until("it counts again", async || lines().await > before + 2).await;
        bench.runtime.freeze(&id).await.expect("frozen");
        bench.runtime.kill(&id).await.expect("killed");
        assert_eq!(bench.runtime.wait(&id).await.expect("an exit").code, 137);
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn a_fork_bomb_is_bounded_and_ended_at_once() {
        let bench = Bench::new().await;
        let mut spec = bench.script("bomb", "f() { f | f & }; f; sleep 1000");
        spec.resources.pids_limit = Some(48);
        spec.resources.memory_limit = Some(128 * MIB);
        let id = bench.id("bomb");
        bench.start(spec).await;
        support::until("the limit is met", async || {
            let pids = bench.runtime.stats(&id).await.expect("stats").pids;
            assert!(pids.current <= Some(48), "{pids:?}");
            pids.current >= Some(44)
        })
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
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn programs_run_in_the_containers_group() {
        let bench = Bench::new().await;
        let mut spec = bench.spec("web", &["sleep", "1000"]);
        spec.init = true;
        spec.resources.pids_limit = Some(12);
        bench.start(spec).await;
        let run = |script: &str| ExecSpec {
            args: ["sh", "-c", script].map(String::from).to_vec(),
            ..ExecSpec::default()
        };
        let patience = std::time::Duration::from_secs(60);
        let execution = bench
            .runtime
            .exec(&bench.id("web"), &run("cat /proc/self/cgroup; exit 4"))
            .await
            .expect("runs");
        let output = execution.collect(1000, patience).await.expect("collected");
        assert_eq!((output.code, output.output.as_slice()), (Some(4), &b"0::/\n"[..]));
        let many = run("for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 5 & done; echo unreachable");
        let output = bench.runtime.exec(&bench.id("web"), &many).await.expect("runs");
        let output = output.collect(1000, patience).await.expect("collected");
        assert!(
            output.code != Some(0) && !String::from_utf8_lossy(&output.output).contains("unreachable"),
            "{output:?}"
        );
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn blocks_read_and_written_are_counted_by_device() {
        let bench = Bench::new().await;
        let mut spec = bench.script("disk", "dd if=/dev/disk of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null || head -c 262144 /dev/disk > /dev/null; exec sleep 1000");
        spec.devices = vec![Device {
            host: "/dev/ram1".into(),
            container: "/dev/disk".into(),
            read: true,
            write: false,
            mknod: false,
        }];
        bench.start(spec).await;
        support::until("it has read", async || {
            let block = bench.runtime.stats(&bench.id("disk")).await.expect("stats").block;
            block.iter().any(|device| {
                device.major == 1 && device.minor == 1 && device.read_bytes >= 65_536 && device.reads > 0
            })
        })
        .await;
        bench.finish().await;
    }

    #[tokio::test]
    #[ignore = "run in a guest by cgroup_v2_holds_in_a_guest"]
    async fn an_ordinary_kernel_runs_all_the_rest() {
        let bench = Bench::new().await;
        // The default filter, a terminal, an init process, and a privileged container on another kernel.
        let mut spec = bench.script("tty", "tty; cat /proc/1/comm; grep Seccomp: /proc/self/status | cut -f2; unshare -r true 2>/dev/null || echo refused");
        spec.tty = true;
        spec.init = true;
        let (exit, out) = bench.run(spec).await;
        assert_eq!(
            (exit.code, out.as_str()),
            (0, "/dev/pts/0\r\ninit\r\n2\r\nrefused\r\n")
        );
        let mut spec = bench.script("root", "mkdir /sys/fs/cgroup/own && rmdir /sys/fs/cgroup/own && echo groups; grep Seccomp: /proc/self/status | cut -f2");
        spec.privileged = true;
        bench.check(spec, "groups\n0").await;
        bench.finish().await;
    }
}
