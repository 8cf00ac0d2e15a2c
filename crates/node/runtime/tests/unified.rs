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
