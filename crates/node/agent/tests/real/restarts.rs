//! Containers that run again in their task.

use serde_json::{Value, json};

use crate::bench::{Bench, plain, script};
use crate::plane::agent::task;

/// A container that is restarted when it has run for a second, unless it ends with 7. `runs` is the end of a shell's
/// `case` over the number of the run.
fn restarted(runs: &str) -> Value {
    let count = "echo x >> /runs; n=$(grep -c x /runs); echo run $n";
    let mut web = script("web", &format!("{count}; case $n in {runs} esac"));
    web["restartPolicy"] = json!({"enabled": true, "ignoredExitCodes": [7], "restartAttemptPeriod": 1});
    web
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_runs_again_with_what_it_wrote_until_it_fails_at_once() {
    let mut bench = Bench::new().await;
    let t1 = plain("t1", json!([restarted("1|2) sleep 1.1; exit 3;; *) exit 5;;")]));
    let t2 = plain("t2", json!([restarted("*) sleep 1.1; exit 7;;")]));
    bench.run(json!([t1, t2])).await;
    let told = bench.plane.until_status("t1", "STOPPED").await;
    assert_eq!(told["containers"][0]["exitCode"], 5);
    assert_eq!(bench.log("t1", "web").await, "run 1\nrun 2\nrun 3\n");
    let told = bench.plane.until_status("t2", "STOPPED").await;
    assert_eq!(told["containers"][0]["exitCode"], 7);
    assert_eq!(bench.log("t2", "web").await, "run 1\n");
    assert_eq!(
        bench.plane.told("t1").len(),
        2,
        "RUNNING and STOPPED, nothing between"
    );
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_was_killed_makes_up_for_ends_that_nobody_saw() {
    let mut bench = Bench::new().await;
    let runs = "1|2) while [ ! -e /go/$n ]; do sleep 0.1; done; exit 3;; *) trap 'exit 0' TERM; while :; do sleep 0.1; done;;";
    let mut web = restarted(runs);
    let go = bench.options.data.join("go");
    web["mountPoints"] = json!([{ "sourceVolume": "go", "containerPath": "/go", "readOnly": true }]);
    let mut t1 = plain("t1", json!([web]));
    t1["volumes"] = json!([{ "name": "go", "type": "host", "host": { "sourcePath": go } }]);
    bench.run(json!([t1])).await;
    bench.plane.until_status("t1", "RUNNING").await;
    bench.settled("t1").await;
    let past = async |seconds| {
        // A run's time is what counts here.
        tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
    };
    past(1).await;
    std::fs::write(go.join("1"), "").expect("writes");
    bench.log_with("t1", "web", "run 2").await;
    bench.kill().await;
    past(1).await;
    std::fs::write(go.join("2"), "").expect("writes");
    past(1).await;
    assert_eq!(bench.log("t1", "web").await, "run 1\nrun 2\n");
    bench.start().await;
    assert_eq!(
        bench.log_with("t1", "web", "run 3").await,
        "run 1\nrun 2\nrun 3\n"
    );
    bench.kill().await;
    bench.start().await;
    let told = bench.stop(&t1).await;
    assert_eq!(told["containers"][0]["exitCode"], 0);
    assert_eq!(bench.log("t1", "web").await, "run 1\nrun 2\nrun 3\n");
    assert_eq!(bench.plane.told("t1").len(), 2);
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_place_on_the_bridge_stays() {
    let mut bench = Bench::new().await;
    bench.in_host(&["ip", "link", "set", "lo", "up"]);
    let serve = "trap 'exit 0' TERM; wget -qO- $ECS_CONTAINER_METADATA_URI_V4; cat /etc/hosts; \
                 while :; do echo -e \"HTTP/1.0 200 OK\\r\\n\\r\\nrun $n\" | nc -l -p 80 & wait $!; [ $n = 2 ] || exit 3; done;;";
    let mut web = restarted(&format!("*) {serve}"));
    web["restartPolicy"]["restartAttemptPeriod"] = json!(0);
    web["portMappings"] = json!([{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }]);
    let t1 = task("t1", json!([web]));
    bench.run(json!([t1])).await;
    let told = bench.plane.until_status("t1", "RUNNING").await;
    let port = told["containers"][0]["networkBindings"][0]["hostPort"]
        .as_u64()
        .expect("a port");
    let url = format!("http://127.0.0.1:{port}/");
    let curl = [
        "curl",
        "-sS",
        "--retry",
        "9",
        "--retry-all-errors",
        "--retry-delay",
        "1",
        "--max-time",
        "5",
        &url,
    ];
    for run in ["run 1", "run 2"] {
        let answer = tokio::task::block_in_place(|| bench.in_host(&curl));
        assert!(answer.contains(run), "{answer}");
    }
    let log = bench.log_with("t1", "web", "\"RestartCount\":1").await;
    assert!(log.contains("\"RestartCount\":0"), "{log}");
    let own: Vec<_> = log.lines().filter(|line| line.starts_with("172.")).collect();
    assert!(own.len() == 2 && own[0] == own[1], "{log}");
    bench.stop(&t1).await;
    assert_eq!(bench.plane.told("t1").len(), 2);
    assert_eq!(bench.traces(), [] as [&str; 0]);
    bench.end().await;
}
