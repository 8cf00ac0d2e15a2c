//! Containers, their order, their ends and their files, without a network.

use std::time::Duration;

use roadstead_agent::real::PullBehaviour;
use serde_json::json;

use crate::bench::{Bench, plain, script};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_runs_prints_and_is_stopped_in_time() {
    let mut bench = Bench::new().await;
    let mut web = script(
        "web",
        "trap 'echo bye; exit 5' TERM; echo hello $NAME $ORIGIN $AWS_REGION; cat /etc/hostname; while :; do sleep 0.1; done",
    );
    web["environment"] = json!({ "NAME": "harbour" });
    let task = plain("t1", json!([web]));
    bench.run(json!([task])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.log_with("t1", "web", "hello harbour image us-east-1").await;
    let told = bench.stop(&task).await;
    assert_eq!(told["containers"][0]["exitCode"], 5);
    assert!(
        bench.log("t1", "web").await.ends_with("bye\n"),
        "the log outlives the task"
    );
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_wait_for_each_other_and_share_volumes() {
    let mut bench = Bench::new().await;
    let mut init = script("init", "echo prepared > /data/state; sleep 0.3");
    init["essential"] = json!(false);
    init["mountPoints"] = json!([{ "sourceVolume": "data", "containerPath": "/data", "readOnly": false }]);
    let mut app = script(
        "app",
        "cat /data/state; echo no > /data/state || echo read-only; exit 0",
    );
    app["dependsOn"] = json!([{ "containerName": "init", "condition": "SUCCESS" }]);
    app["volumesFrom"] = json!([{ "sourceContainer": "init", "readOnly": true }]);
    let mut task = plain("t1", json!([init, app]));
    task["volumes"] = json!([{ "name": "data", "type": "host", "host": {} }]);
    bench.run(json!([task])).await;
    let told = bench.plane.until_status("t1", "STOPPED").await;
    assert!(
        told["containers"].to_string().contains("\"exitCode\":0"),
        "{told}"
    );
    let log = bench.log("t1", "app").await;
    assert!(log.contains("prepared") && log.contains("read-only"), "{log}");
    assert_eq!(bench.traces(), [] as [&str; 0], "the volume went with the task");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_is_told_in_words() {
    let mut bench = Bench::new().await;
    let mut nope = script("nope", "");
    nope["command"] = json!(["/nope"]);
    let mut absent = script("absent", "");
    absent["image"] = json!("127.0.0.1:9/none:1");
    let mut hungry = script("hungry", "x=x; while :; do x=$x$x; done");
    hungry["memory"] = json!(16);
    let mut odd = script("odd", "sleep 60");
    odd["dockerConfig"]["config"] = json!(r#"{"User":"nobody-knows"}"#);
    let mut privileged = script("privileged", "sleep 60");
    privileged["dockerConfig"]["hostConfig"] = json!(r#"{"Privileged":true}"#);
    let mut unconfined = script("unconfined", "sleep 60");
    unconfined["dockerConfig"]["hostConfig"] = json!(r#"{"SecurityOpt":["seccomp:unconfined"]}"#);
    let tasks = json!([
        plain("t1", json!([nope])),
        plain("t2", json!([absent])),
        plain("t3", json!([hungry])),
        plain("t4", json!([odd])),
        plain("t5", json!([privileged])),
        plain("t6", json!([unconfined])),
    ]);
    bench.run(tasks).await;
    for (task, wanted) in [
        ("t1", "CannotStartContainerError: "),
        ("t2", "CannotPullContainerError: "),
        ("t3", "OutOfMemoryError: Container killed due to memory usage"),
        ("t4", "nobody-knows"),
        ("t5", "privileged is not allowed on this node"),
        ("t6", "seccomp:unconfined is not allowed on this node"),
    ] {
        let told = bench.plane.until_status(task, "STOPPED").await;
        let reason = told["containers"][0]["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        println!("{task}: {reason}");
        assert!(reason.contains(wanted), "{told}");
    }
    let oom = bench.plane.until_status("t3", "STOPPED").await;
    assert_eq!(oom["containers"][0]["exitCode"], 137);
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

/// The first process of a task's only container.
async fn pid(bench: &Bench, task: &str) -> Option<i32> {
    let all = bench.agent().runtime().list().await.expect("lists");
    all.iter()
        .find(|container| container.id.as_str().starts_with(&format!("{task}-")))
        .map(|container| container.pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_takes_nothing_along() {
    let mut bench = Bench::new().await;
    let ticking = plain(
        "t1",
        json!([script(
            "web",
            "trap 'exit 0' TERM; echo $$; while :; do sleep 0.1; done"
        )]),
    );
    let ending = plain("t2", json!([script("short", "sleep 1; exit 7")]));
    bench.run(json!([ticking, ending])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.plane.until_status("t2", "RUNNING").await;
    bench.settled("t1").await;
    let before = pid(&bench, "t1").await;
    bench.kill().await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    bench.start().await;
    let told = bench.plane.until_status("t2", "STOPPED").await;
    assert_eq!(
        told["containers"][0]["exitCode"], 7,
        "it ended while nobody looked"
    );
    assert_eq!(pid(&bench, "t1").await, before, "the same process");
    assert_eq!(bench.plane.told("t1").len(), 1, "RUNNING was not told again");
    let told = bench.stop(&ticking).await;
    assert_eq!(told["containers"][0]["exitCode"], 0);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_cleared_away_without_its_agent() {
    let mut bench = Bench::new().await;
    let task = plain(
        "t1",
        json!([script(
            "web",
            "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
        )]),
    );
    bench.run(json!([task])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.log_with("t1", "web", "up").await;
    bench.kill().await;
    roadstead_agent::Agent::remove_all(bench.options.clone())
        .await
        .expect("removes");
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.start().await;
    let told = bench.plane.until_status("t1", "STOPPED").await;
    assert_eq!(
        told["containers"][0]["exitCode"], 0,
        "the next agent tells how it ended"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_namespaces_are_the_tasks() {
    let mut bench = Bench::new().await;
    let mut web = script(
        "web",
        "cat /sys/fs/cgroup/memory/memory.limit_in_bytes; ls /proc | grep -c '^[0-9]'; sleep 60",
    );
    web["memory"] = json!(32);
    let mut task = plain("t1", json!([web, script("side", "sleep 60")]));
    task["cpu"] = json!(0.5);
    task["memory"] = json!(64);
    task["pidMode"] = json!("task");
    bench.run(json!([task])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    let log = bench.log_with("t1", "web", "33554432").await;
    println!("{log}");
    let group = format!(
        "/sys/fs/cgroup/memory/rs-{}/g-t1/memory.limit_in_bytes",
        bench.options.instance
    );
    assert_eq!(
        std::fs::read_to_string(group).expect("a limit").trim(),
        "67108864"
    );
    let quota = format!(
        "/sys/fs/cgroup/cpu/rs-{}/g-t1/cpu.cfs_quota_us",
        bench.options.instance
    );
    assert_eq!(std::fs::read_to_string(quota).expect("a quota").trim(), "50000");
    let told = bench.stop(&task).await;
    assert_eq!(told["status"], "STOPPED");
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_image_needs_no_registry() {
    let registry = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = registry.local_addr().expect("an address");
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = asked.clone();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = registry.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            open.push(stream);
        }
    });
    let mirror = format!("docker.io=http://{address}");
    let mut bench = Bench::with(|options| {
        options.images.mirrors = vec![roadstead_image::Mirror::parse(&mirror).expect("a mirror")];
        options.images.limits.inactivity_timeout = Duration::from_millis(300);
        options.images.limits.retries = 0;
    })
    .await;
    let mut absent = script("absent", "true");
    absent["image"] = json!("absent:1");
    let here = plain("t1", json!([script("web", "true")]));
    bench.run(json!([here])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    assert_eq!(
        asked.load(std::sync::atomic::Ordering::SeqCst),
        0,
        "the registry was not asked"
    );
    bench.run(json!([plain("t2", json!([absent]))])).await;
    let told = bench.plane.until_status("t2", "STOPPED").await;
    let reason = told["containers"][0]["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("CannotPullContainerError: pull has been retried"),
        "{told}"
    );
    assert!(asked.load(std::sync::atomic::Ordering::SeqCst) > 0);
    bench.end().await;
    silent.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn always_means_always_and_once_the_first_time() {
    for behaviour in [PullBehaviour::Always, PullBehaviour::Once] {
        let mut bench = Bench::with(|options| {
            options.images.mirrors =
                vec![roadstead_image::Mirror::parse("docker.io=http://127.0.0.1:9").expect("a mirror")];
            options.images.limits.retries = 0;
            options.pull_behaviour = behaviour;
        })
        .await;
        bench
            .run(json!([plain("t1", json!([script("web", "true")]))]))
            .await;
        let told = bench.plane.until_status("t1", "STOPPED").await;
        let reason = told["containers"][0]["reason"].as_str().unwrap_or_default();
        assert!(reason.starts_with("CannotPullContainerError: "), "{told}");
        bench.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulled_image_serves_when_its_registry_is_gone() {
    for behaviour in [PullBehaviour::Default, PullBehaviour::Once] {
        let mut bench = Bench::with(|options| {
            options.images.mirrors =
                vec![roadstead_image::Mirror::parse("docker.io=http://127.0.0.1:9").expect("a mirror")];
            options.images.limits.retries = 0;
            options.pull_behaviour = behaviour;
        })
        .await;
        let image = bench
            .agent()
            .images()
            .get(crate::bench::IMAGE)
            .expect("looks")
            .expect("is there");
        bench.kill().await;
        let record = json!({ "format": 1, "record": [format!("{} {}", image.reference, image.digest)] });
        let dir = bench.options.data.join("agent/images");
        std::fs::create_dir_all(&dir).expect("makes");
        std::fs::write(dir.join("pulled.json"), record.to_string()).expect("writes");
        bench.start().await;
        bench
            .run(json!([plain("t1", json!([script("web", "true")]))]))
            .await;
        bench.plane.until_status("t1", "RUNNING").await;
        bench.end().await;
    }
}

/// What a daemon that was killed had made, and its records do not have: the task is stopped before it is found.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_launch_had_made_beyond_its_record_goes_with_the_task() {
    let bench = Bench::new().await;
    let driver = bench.agent().engine().driver().clone();
    let payload = plain(
        "t1",
        json!([script("made", "sleep 60"), script("runs", "sleep 60")]),
    );
    let payload = serde_json::from_value(payload).expect("a payload");
    let task = roadstead_agent::engine::decode::decode(&payload).expect("a task");
    let (early, _) = tokio::sync::oneshot::channel();
    let namespace = driver
        .network_up(&task, early, Default::default())
        .await
        .expect("its group is there");
    for container in &task.containers {
        driver.pull(&task, container).await.expect("pulls");
        let none = Default::default();
        driver
            .create(&task, container, &namespace, &none)
            .await
            .expect("makes");
    }
    driver.start(&task.containers[1]).await.expect("starts");
    assert!(!bench.traces().is_empty());
    for _ in 0..2 {
        // Nothing was told to delete its containers.
        driver.network_down(&task).await.expect("tears down");
        driver.finish(&task).await.expect("finishes");
        assert_eq!(bench.traces(), [] as [&str; 0]);
        assert!(bench.agent().runtime().list().await.expect("lists").is_empty());
    }
    bench.end().await;
}
