//! Limits, standing still, and what containers and groups use.

mod support;

use std::path::Path;

use roadstead_runtime::{Error, GroupName, Mount, MountKind, Resources, Seccomp, State, Stream};
use support::Bench;

const MIB: u64 = 1024 * 1024;

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
    // What was printed before is on its way for a moment; one that runs never stays the same for so long.
    support::until("it stands still", async || {
        let before = lines().await;
        tokio::time::sleep(std::time::Duration::from_millis(1000)).await;
        lines().await == before
    })
    .await;
    let before = lines().await;
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
async fn a_running_container_gets_another_share_of_the_cpu() {
    let bench = Bench::new().await;
    let id = bench.id("busy");
    bench.start(bench.script("busy", "while :; do :; done")).await;
    let quota = roadstead_runtime::CpuQuota {
        quota_us: 5_000,
        period_us: 50_000,
    };
    bench.runtime.limit_cpu(&id, Some(quota)).await.expect("limited");
    // Periods are counted as they go by with a limit, and those in which it was met.
    support::until("it is held back", async || {
        let cpu = bench.runtime.stats(&id).await.expect("stats").cpu;
        cpu.throttled_periods > Some(3)
    })
    .await;
    bench.runtime.limit_cpu(&id, None).await.expect("lifted");
    let before = bench.runtime.stats(&id).await.expect("stats").cpu;
    support::until("it goes on", async || {
        let now = bench.runtime.stats(&id).await.expect("stats").cpu;
        now.total_nanos > before.total_nanos.map(|nanos| nanos + 200_000_000)
    })
    .await;
    let after = bench.runtime.stats(&id).await.expect("stats").cpu;
    assert!(after.throttled_periods <= before.throttled_periods.map(|count| count + 1));
    let wrong = roadstead_runtime::CpuQuota {
        quota_us: 1,
        period_us: 1,
    };
    assert!(bench.runtime.limit_cpu(&id, Some(wrong)).await.is_err());
    bench.finish().await;
}
