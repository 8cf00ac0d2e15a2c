//! Who may report, and what of it is taken.

use roadstead_acs::ToTelemetry;
use roadstead_base::Caller;
use serde_json::json;

use super::{metrics, of_task, reporting, run};
use crate::harness::{MACHINE, Reporter, cloud, text};

#[tokio::test]
async fn strangers_instances_are_refused_with_the_protocols_words() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let unknown =
        "arn:aws:ecs:us-east-1:000000000000:container-instance/default/00000000000000000000000000000000";
    for (cluster, instance, kind, words) in [
        ("default", unknown, "InvalidInstanceException", "no such"),
        ("default", "web", "InvalidInstanceException", "not the ARN"),
        ("other", &instance, "BadRequestException", "another cluster"),
    ] {
        let (status, body) = Reporter::connect(&cloud, cluster, instance)
            .await
            .expect_err("is refused");
        assert!(
            status == 400 && body.contains(kind) && body.contains(words),
            "{body}"
        );
    }
    let input = json!({"containerInstance": instance, "force": true});
    cloud
        .call("DeregisterContainerInstance", input)
        .await
        .expect("deregisters");
    let (_, body) = Reporter::connect(&cloud, "default", &instance)
        .await
        .expect_err("is refused");
    assert!(body.contains("InactiveInstanceException"), "{body}");
}

#[tokio::test]
async fn reports_are_acknowledged_and_kept_by_task() {
    let (cloud, instance, mut reporter, task) = reporting("g").await;
    let frame = metrics(&cloud, &instance, json!([of_task(&task, 50.0, 20.0)]));
    reporter.say(&cloud, &frame).await;
    assert_eq!(reporter.acknowledged().await, "m");
    let kept = cloud.ecs.telemetry.reports_of(&task);
    assert_eq!(
        (kept.len(), kept[0].used.cpu, kept[0].used.memory),
        (1, 512.0, 20.0)
    );
    // Again: once is enough. An idle instance says so.
    reporter.say(&cloud, &frame).await;
    reporter.acknowledged().await;
    assert_eq!(cloud.ecs.telemetry.reports_of(&task).len(), 1);
    let mut idle = metrics(&cloud, &instance, json!([]));
    idle["message"]["metadata"]["idle"] = json!(true);
    reporter.say(&cloud, &idle).await;
    assert_eq!(reporter.acknowledged().await, "m");
}

#[tokio::test]
async fn what_is_stale_too_much_or_unreadable_is_told_and_not_kept() {
    let (cloud, instance, mut reporter, task) = reporting("g").await;
    let good = || metrics(&cloud, &instance, json!([of_task(&task, 50.0, 20.0)]));
    let mut stale = good();
    stale["message"]["timestamp"] = json!(cloud.ecs.clock.now().0 as f64 / 1000.0 - 3600.0);
    let mut future = good();
    future["message"]["timestamp"] = json!(cloud.ecs.clock.now().0 as f64 / 1000.0 + 3600.0);
    let many: Vec<_> = (0..11).map(|_| of_task(&task, 1.0, 1.0)).collect();
    let many = metrics(&cloud, &instance, json!(many));
    let mut containers = good();
    let one = containers["message"]["taskMetrics"][0]["containerMetrics"][0].clone();
    containers["message"]["taskMetrics"][0]["containerMetrics"] = json!(vec![one; 65]);
    let mut odd = good();
    odd["message"]["taskMetrics"] = json!(7);
    for (frame, words) in [
        (stale, "stale"),
        (future, "stale"),
        (many, "at most 10 tasks"),
        (containers, "at most 64 containers"),
        (odd, "cannot be read"),
        (json!({"type": "Nonsense", "message": {}}), "no Nonsense"),
    ] {
        reporter.say(&cloud, &frame).await;
        let message = reporter.refused().await;
        assert!(message.contains(words), "{message}");
    }
    assert!(cloud.ecs.telemetry.reports_of(&task).is_empty());
    // Numbers that no samples amount to are no samples.
    let mut nonsense = good();
    nonsense["message"]["taskMetrics"][0]["containerMetrics"][0]["cpuStatsSet"]["min"] = json!(-5.0);
    nonsense["message"]["taskMetrics"][0]["containerMetrics"][0]["memoryStatsSet"]["sampleCount"] = json!(0);
    reporter.say(&cloud, &nonsense).await;
    reporter.acknowledged().await;
    assert!(cloud.ecs.telemetry.reports_of(&task).is_empty());
    // The connection goes on.
    reporter.say(&cloud, &good()).await;
    reporter.acknowledged().await;
    assert_eq!(cloud.ecs.telemetry.reports_of(&task).len(), 1);
}

#[tokio::test]
async fn forged_and_foreign_frames_end_the_connection() {
    let (cloud, instance, _, task) = reporting("g").await;
    let good = metrics(&cloud, &instance, json!([of_task(&task, 50.0, 20.0)]));
    let mut foreign = good.clone();
    foreign["message"]["metadata"]["containerInstance"] =
        json!("arn:aws:ecs:us-east-1:1:container-instance/a/b");
    let mut elsewhere = good.clone();
    elsewhere["message"]["metadata"]["cluster"] = json!("other");
    let connect = || async {
        Reporter::connect(&cloud, "default", &instance)
            .await
            .expect("connects")
    };
    let check = async |mut reporter: Reporter, words: &str| {
        let message = reporter.refused().await;
        assert!(message.contains(words), "{message}");
        assert!(reporter.hear().await.is_none(), "the connection ends");
        assert!(cloud.ecs.telemetry.reports_of(&task).is_empty());
    };
    let mut reporter = connect().await;
    reporter
        .say_signed(&cloud, &good.to_string(), "another secret")
        .await;
    check(reporter, "signature").await;
    let mut reporter = connect().await;
    reporter.say_text(&good.to_string()).await;
    check(reporter, "not signed").await;
    let mut reporter = connect().await;
    reporter.say_text(&format!("Host: x\r\n\r\n{good}")).await;
    check(reporter, "").await;
    let mut reporter = connect().await;
    reporter.say(&cloud, &foreign).await;
    check(reporter, "another container instance").await;
    let mut reporter = connect().await;
    reporter.say(&cloud, &elsewhere).await;
    check(reporter, "another container instance").await;
    // With a key of somebody else's.
    let mut reporter = connect().await;
    let stranger = "AWS4-HMAC-SHA256 Credential=000000000000/20231114/us-east-1/ecs/aws4_request, \
                    SignedHeaders=host;x-amz-date, Signature=00";
    let head = format!("Authorization: {stranger}\r\nHost: x\r\nX-Amz-Date: 20231114T221320Z");
    reporter.say_text(&format!("{head}\r\n\r\n{good}")).await;
    check(reporter, "another key").await;
}

#[tokio::test]
async fn an_instance_reports_its_own_tasks_alone() {
    let (cloud, _, _, task) = reporting("g").await;
    let other = cloud.register("default", "i-0000000000000000b", 2).await;
    let mut reporter = Reporter::connect(&cloud, "default", &other)
        .await
        .expect("connects");
    let gone = "arn:aws:ecs:us-east-1:000000000000:task/default/00000000000000000000000000000000";
    let tasks = json!([
        of_task(&task, 50.0, 20.0),
        of_task(gone, 1.0, 1.0),
        of_task("x", 1.0, 1.0)
    ]);
    let frame = metrics(&cloud, &other, tasks);
    reporter.say(&cloud, &frame).await;
    reporter.acknowledged().await;
    for task in [task.as_str(), gone, "x"] {
        assert!(cloud.ecs.telemetry.reports_of(task).is_empty(), "{task}");
    }
}

#[tokio::test]
async fn a_deregistered_instance_reports_no_more() {
    let (cloud, instance, mut reporter, task) = reporting("g").await;
    let input = json!({"containerInstance": instance, "force": true});
    cloud
        .call("DeregisterContainerInstance", input)
        .await
        .expect("deregisters");
    let frame = metrics(&cloud, &instance, json!([of_task(&task, 50.0, 20.0)]));
    reporter.say(&cloud, &frame).await;
    let message = reporter.refused().await;
    assert!(message.contains("deregistered"), "{message}");
    assert!(reporter.hear().await.is_none());
}

#[tokio::test]
async fn a_new_connection_takes_over_and_a_restart_ends_both() {
    let (cloud, instance, mut old, _) = reporting("g").await;
    let mut new = Reporter::connect(&cloud, "default", &instance)
        .await
        .expect("connects");
    assert!(old.hear().await.is_none(), "the old one ends");
    let cloud = cloud.restart().await;
    assert!(new.hear().await.is_none(), "told that the control plane stops");
    Reporter::connect(&cloud, "default", &instance)
        .await
        .expect("comes back");
}

#[tokio::test]
async fn an_instance_shows_how_it_does() {
    let (cloud, instance, mut reporter, _) = reporting("g").await;
    let shown = async || {
        let input = json!({"containerInstances": [instance], "include": ["CONTAINER_INSTANCE_HEALTH"]});
        let answer = cloud
            .call("DescribeContainerInstances", input)
            .await
            .expect("answers");
        answer["containerInstances"][0]["healthStatus"].clone()
    };
    assert!(shown().await.is_null(), "nothing was said");
    let seconds = cloud.ecs.clock.now().0 as f64 / 1000.0;
    let frame = |status: &str| {
        json!({"type": "PublishInstanceStatusRequest", "message": {
            "metadata": {"cluster": "default", "containerInstance": instance, "requestId": "r"},
            "statuses": [{"type": "ContainerRuntime", "status": status, "lastUpdated": seconds, "lastStatusChange": seconds - 5.0}],
            "timestamp": seconds,
        }})
    };
    reporter.say(&cloud, &frame("IMPAIRED")).await;
    assert_eq!(reporter.acknowledged().await, "r");
    let found = shown().await;
    assert_eq!(found["overallStatus"], "IMPAIRED");
    let detail = &found["details"][0];
    assert_eq!(
        (&detail["type"], &detail["status"]),
        (&json!("CONTAINER_RUNTIME"), &json!("IMPAIRED"))
    );
    reporter.say(&cloud, &frame("OK")).await;
    reporter.acknowledged().await;
    assert_eq!(shown().await["overallStatus"], "OK");
    reporter.say(&cloud, &frame("SPLENDID")).await;
    assert!(reporter.refused().await.contains("SPLENDID"));
    // Without being asked for, it is not shown.
    let answer = cloud
        .call(
            "DescribeContainerInstances",
            json!({"containerInstances": [instance]}),
        )
        .await
        .expect("answers");
    assert!(answer["containerInstances"][0]["healthStatus"].is_null());
}

#[tokio::test]
async fn a_task_is_as_healthy_as_its_essential_containers() {
    let (cloud, instance, mut reporter, task) = reporting("g").await;
    assert_eq!(cloud.task(&task).await["healthStatus"], "UNKNOWN");
    let seconds = cloud.ecs.clock.now().0 as f64 / 1000.0;
    let frame = |container: &str, status: &str, later: f64| {
        json!({"type": "PublishHealthRequest", "message": {
            "metadata": {"cluster": "default", "containerInstance": instance, "messageId": "h", "fin": true},
            "tasks": [{"taskArn": task, "taskDefinitionFamily": "fama", "taskDefinitionVersion": "1",
                "containers": [{"containerName": container, "healthStatus": status, "statusSince": seconds}]}],
            "timestamp": seconds + later,
        }})
    };
    for (later, container, status, wanted) in [
        (0.0, "app", "HEALTHY", "HEALTHY"),
        (1.0, "app", "UNHEALTHY", "UNHEALTHY"),
        // Older than what is known.
        (0.0, "app", "HEALTHY", "UNHEALTHY"),
        (2.0, "nobody", "HEALTHY", "UNKNOWN"),
    ] {
        reporter.say(&cloud, &frame(container, status, later)).await;
        assert_eq!(reporter.acknowledged().await, "h");
        let found = cloud.task(&task).await;
        assert_eq!(found["healthStatus"], wanted);
        assert_eq!(found["containers"][0]["healthStatus"], wanted);
    }
    reporter.say(&cloud, &frame("app", "FINE", 3.0)).await;
    assert!(reporter.refused().await.contains("FINE"));
}

#[tokio::test]
async fn heartbeats_are_sent() {
    use futures_util::StreamExt;
    let (_cloud, _, mut reporter, _) = reporting("g").await;
    let frame = reporter.socket.next().await.expect("a frame").expect("readable");
    let frame = ToTelemetry::from_text(frame.to_text().expect("text")).expect("a message");
    assert!(matches!(frame, ToTelemetry::Heartbeat(beat) if beat.healthy && !beat.message_id.is_empty()));
}

#[tokio::test]
async fn agents_find_the_channel() {
    let (cloud, _, _, _) = reporting("g").await;
    run(&cloud, "g").await;
    let context = cloud.ctx(Caller::Root);
    let answer = cloud
        .call_as(&context, "DiscoverPollEndpoint", json!({}))
        .await
        .expect("answers");
    assert_eq!(
        text(&answer["telemetryEndpoint"]),
        format!("http://{}{}/", cloud.address, crate::TCS_PATH)
    );
}
