//! A daemon that dies at any point goes on where it was; what nobody needs any more goes away.

use serde_json::json;

use crate::harness::{MACHINE, SUBNET_A, awsvpc, cloud, definition, text};

#[tokio::test]
async fn a_restart_goes_on_with_every_task() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 4).await;
    let mut agent = cloud.agent(&instance).await;
    let first_timeline = agent.manifest().await.timeline;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    let input = json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    let running = text(&cloud.run(input.clone()).await["taskArn"]);
    agent.payload().await;
    let report = json!({"task": running, "status": "RUNNING"});
    cloud
        .call("SubmitTaskStateChange", report)
        .await
        .expect("is acknowledged");
    // One that was sent and never acknowledged, one that the old daemon was told to stop.
    let pending = text(&cloud.run(input.clone()).await["taskArn"]);
    agent.payload_unacknowledged().await;

    let cloud = cloud.restart().await;
    let told = agent.hear().await;
    assert!(matches!(told, Some(roadstead_acs::ToAgent::Close(_))), "{told:?}");
    assert_eq!(cloud.task(&running).await["connectivity"], "DISCONNECTED");
    cloud
        .call("StopTask", json!({"task": running}))
        .await
        .expect("stops");
    let mut agent = cloud.agent(&instance).await;
    let manifest = agent.manifest().await;
    assert!(
        manifest.timeline > first_timeline,
        "the clock stood still, and yet it grows"
    );
    let mut listed: Vec<_> = manifest
        .tasks
        .iter()
        .map(|task| (task.task_arn.clone(), task.desired_status.clone()))
        .collect();
    listed.sort();
    let mut wanted = vec![
        (running.clone(), "STOPPED".to_owned()),
        (pending.clone(), "RUNNING".to_owned()),
    ];
    wanted.sort();
    assert_eq!(listed, wanted);
    let mut payloads = Vec::new();
    for _ in 0..2 {
        let (_, payload) = agent.payload().await;
        assert_eq!(payload.seq_num, manifest.timeline);
        payloads.push((
            payload.tasks[0].arn.clone(),
            payload.tasks[0].desired_status.clone(),
        ));
    }
    payloads.sort();
    assert_eq!(payloads, wanted);
    assert_eq!(
        cloud.network.calls("CreateNetworkInterface"),
        2,
        "no interface is made twice"
    );
}

#[tokio::test]
async fn an_interface_is_made_for_a_task_that_a_dead_daemon_left() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 4).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    for operation in ["CreateNetworkInterface", "AttachNetworkInterface"] {
        cloud.network.fail_next(
            operation,
            roadstead_protocol::ApiError::new("Unavailable", 503, "later"),
        );
    }
    let input = json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    let arn = text(&cloud.run(input).await["taskArn"]);
    let cloud = cloud.restart().await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let (_, payload) = agent.payload().await;
    assert_eq!(payload.tasks[0].arn, arn);
    assert_eq!(cloud.network.interfaces().len(), 1);
}

#[tokio::test]
async fn stopped_tasks_and_deregistered_instances_are_forgotten_after_an_hour() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let arn = text(&cloud.run(json!({"taskDefinition": "host"})).await["taskArn"]);
    cloud
        .call("SubmitTaskStateChange", json!({"task": arn, "status": "STOPPED"}))
        .await
        .expect("is acknowledged");
    assert_eq!(cloud.task(&arn).await["lastStatus"], "STOPPED");
    cloud
        .call(
            "DeregisterContainerInstance",
            json!({"containerInstance": instance}),
        )
        .await
        .expect("goes");
    cloud.clock.advance(3_599_000);
    let cloud = cloud.restart().await;
    assert_eq!(cloud.task(&arn).await["lastStatus"], "STOPPED");
    cloud.clock.advance(2_000);
    // The wait is by the machine's time; a restart looks at the clock again.
    let cloud = cloud.restart().await;
    for _ in 0..12_000 {
        if cloud.task(&arn).await.is_null() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let answer = cloud
        .call("DescribeTasks", json!({"tasks": [arn]}))
        .await
        .expect("answers");
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    let answer = cloud
        .call(
            "DescribeContainerInstances",
            json!({"containerInstances": [instance]}),
        )
        .await;
    assert_eq!(answer.expect("answers")["failures"][0]["reason"], "MISSING");
}
