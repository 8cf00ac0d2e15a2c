//! Connections: who may have one, what each begins with, and how it ends.

use std::time::Duration;

use roadstead_acs as acs;
use roadstead_acs::{FromAgent, ToAgent};
use roadstead_base::Caller;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{Agent, Cloud, MACHINE, SUBNET_A, awsvpc, cloud, definition, text};

async fn connected() -> (Cloud, String, Agent) {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    (cloud, instance, agent)
}

#[tokio::test]
async fn strangers_are_refused_with_the_protocols_words() {
    let cloud = cloud().await;
    let unknown =
        "arn:aws:ecs:us-east-1:000000000000:container-instance/default/00000000000000000000000000000000";
    for (instance, words) in [(unknown, "no such"), ("web", "not the ARN"), ("", "not the ARN")] {
        let (status, body) = Agent::connect(&cloud, instance).await.expect_err("is refused");
        assert!(
            status == 400 && body.contains("InvalidInstanceException") && body.contains(words),
            "{body}"
        );
    }
    // No websocket, and a path that is none of ours.
    let authorization = "AWS4-HMAC-SHA256 Credential=000000000000/20231114/us-east-1/ecs/aws4_request, \
                         SignedHeaders=host;x-amz-date, Signature=00";
    for (path, wanted) in [("/_roadstead/acs/ws", "400"), ("/_roadstead/acs/other", "404")] {
        let mut stream = tokio::net::TcpStream::connect(cloud.address)
            .await
            .expect("connects");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {}\r\nx-amz-date: 20231114T221320Z\r\nauthorization: {authorization}\r\n\
             connection: close\r\n\r\n",
            cloud.address
        );
        stream.write_all(request.as_bytes()).await.expect("is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("is read");
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{answer}");
        assert!(answer.contains("BadRequestException"), "{answer}");
    }
}

#[tokio::test]
async fn a_new_connection_takes_over() {
    let (cloud, instance, mut old) = connected().await;
    let mut new = Agent::connect(&cloud, &instance).await.expect("connects");
    new.manifest().await;
    assert!(matches!(old.hear().await, Some(ToAgent::Close(close)) if close.message.contains("took over")));
    assert!(old.hear().await.is_none());
    assert!(
        cloud.ecs.agents.is_connected(&instance),
        "the old one's end is not the new one's"
    );
    drop(new);
    cloud
        .until(
            || !cloud.ecs.agents.is_connected(&instance),
            "the agent to be away",
        )
        .await;
    let answer = cloud
        .call(
            "DescribeContainerInstances",
            json!({"containerInstances": [instance]}),
        )
        .await;
    assert_eq!(
        answer.expect("answers")["containerInstances"][0]["agentConnected"],
        false
    );
}

#[tokio::test]
async fn an_agent_that_answers_no_heartbeat_is_sent_away() {
    let (cloud, instance, mut agent) = connected().await;
    // For longer than silence would be suffered.
    let hearing = tokio::time::timeout(Duration::from_millis(1200), agent.hear()).await;
    assert!(
        hearing.is_err() && cloud.ecs.agents.is_connected(&instance),
        "heartbeats were answered"
    );
    agent.alive = false;
    assert!(
        matches!(agent.hear().await, Some(ToAgent::Close(close)) if close.message.contains("heartbeats"))
    );
    cloud
        .until(
            || !cloud.ecs.agents.is_connected(&instance),
            "the agent to be away",
        )
        .await;
}

#[tokio::test]
async fn odd_frames_are_dropped_and_the_connection_kept() {
    let (cloud, instance, mut agent) = connected().await;
    for odd in [
        "{",
        "[]",
        r#"{"type":"Nonsense"}"#,
        r#"{"type":"AckRequest","message":{"messageId":7}}"#,
        "",
    ] {
        agent.say_text(odd).await;
    }
    agent.say(&FromAgent::CredentialsAck(Box::default())).await;
    let hearing = tokio::time::timeout(Duration::from_millis(400), agent.hear()).await;
    assert!(hearing.is_err() && cloud.ecs.agents.is_connected(&instance));
}

#[tokio::test]
async fn a_payload_is_sent_again_until_it_is_acknowledged() {
    let (cloud, _, mut agent) = connected().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let arn = text(&cloud.run(json!({"taskDefinition": "host"})).await["taskArn"]);
    let (_, first) = agent.payload_unacknowledged().await;
    let (_, second) = agent.payload().await;
    assert_eq!(
        (&first.tasks, first.tasks[0].arn.as_str()),
        (&second.tasks, arn.as_str())
    );
    assert_ne!(first.message_id, second.message_id);
    // One more may have been on its way while it was acknowledged; then there is silence.
    let mut more = 0;
    while let Ok(heard) = tokio::time::timeout(Duration::from_millis(1000), agent.hear()).await {
        more += 1;
        assert!(more < 3, "{heard:?}");
    }
}

#[tokio::test]
async fn stops_are_verified_against_what_is_recorded_now() {
    let (cloud, _, mut agent) = connected().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let kept = text(&cloud.run(json!({"taskDefinition": "host"})).await["taskArn"]);
    agent.payload().await;
    let ended = text(&cloud.run(json!({"taskDefinition": "host"})).await["taskArn"]);
    agent.payload().await;
    cloud
        .call("StopTask", json!({"task": ended}))
        .await
        .expect("stops");
    agent.payload().await;
    let unknown = "arn:aws:ecs:us-east-1:000000000000:task/default/00000000000000000000000000000000";
    let candidate = |arn: &str| acs::StopTask {
        task_arn: arn.to_owned(),
        task_cluster_arn: "c".into(),
        desired_status: "STOPPED".into(),
    };
    let asked = acs::TaskStopVerification {
        message_id: "the manifest's".into(),
        stop_candidates: vec![
            candidate(&kept),
            candidate(&ended),
            candidate(unknown),
            candidate("odd"),
            candidate("odd"),
        ],
    };
    agent.say(&FromAgent::TaskStopVerification(Box::new(asked))).await;
    let Some(ToAgent::TaskStopVerificationAck(answer)) = agent.hear().await else {
        panic!("no answer")
    };
    let stopped: Vec<&str> = answer
        .stop_tasks
        .iter()
        .map(|task| task.task_arn.as_str())
        .collect();
    assert_eq!(
        (answer.message_id.as_str(), stopped),
        ("the manifest's", vec![&*ended, unknown, "odd"])
    );
}

#[tokio::test]
async fn maps_follow_changes_and_are_sent_again_when_refused() {
    let (cloud, _, mut agent) = connected().await;
    cloud.network.bump(MACHINE);
    let Some(ToAgent::NetworkMap(first)) = agent.hear().await else {
        panic!("no map")
    };
    cloud.network.bump(MACHINE);
    let Some(ToAgent::NetworkMap(second)) = agent.hear().await else {
        panic!("no map")
    };
    assert!(second.generation > first.generation);
    let nack = acs::Nack {
        message_id: second.message_id.clone(),
        reason: "no".into(),
        ..acs::Nack::default()
    };
    agent.say(&FromAgent::Nack(Box::new(nack))).await;
    let Some(ToAgent::NetworkMap(third)) = agent.hear().await else {
        panic!("no map")
    };
    assert_eq!(third.generation, second.generation);
    assert_ne!(third.message_id, second.message_id);
}

#[tokio::test]
async fn agents_without_maps_get_interface_and_task_without_waiting() {
    let cloud = cloud().await;
    let mut input = crate::harness::registration("default", MACHINE, 2, "us-east-1a");
    let attributes = input["attributes"].as_array_mut().expect("a list");
    attributes.retain(|attribute| attribute["name"] != acs::CAPABILITY_NETWORK_MAP);
    let answer = cloud
        .call("RegisterContainerInstance", input)
        .await
        .expect("registers");
    let instance = text(&answer["containerInstance"]["containerInstanceArn"]);
    let mut agent = cloud.agent(&instance).await;
    assert!(
        matches!(agent.hear().await, Some(ToAgent::TaskManifest(_))),
        "no map comes first"
    );
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    cloud
        .run(json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[SUBNET_A], &[])}))
        .await;
    let (before, payload) = agent.payload().await;
    assert_eq!(
        before.iter().map(ToAgent::kind).collect::<Vec<_>>(),
        ["AttachTaskNetworkInterfacesMessage"]
    );
    assert_eq!(payload.tasks[0].elastic_network_interfaces.len(), 1);
}

#[tokio::test]
async fn discover_poll_endpoint_answers_where_it_was_asked() {
    let (cloud, instance, _agent) = connected().await;
    // The vendor's agent names its zone, or an empty one.
    let input = json!({"cluster": "default", "containerInstance": instance, "zoneId": ""});
    let answer = cloud.call("DiscoverPollEndpoint", input).await.expect("answers");
    assert_eq!(
        answer["endpoint"],
        format!("http://{}/_roadstead/acs/", cloud.address)
    );
    assert_eq!(
        answer["telemetryEndpoint"],
        format!("http://{}/_roadstead/tcs/", cloud.address)
    );
    for input in [
        json!({"cluster": "nowhere"}),
        json!({"containerInstance": "short"}),
        json!({"zoneId": "z".repeat(65)}),
    ] {
        assert!(
            cloud.call("DiscoverPollEndpoint", input.clone()).await.is_err(),
            "{input}"
        );
    }
    let mut inside = cloud.ctx(Caller::Root);
    inside.endpoint.clear();
    let error = cloud
        .call_as(&inside, "DiscoverPollEndpoint", json!({}))
        .await
        .expect_err("nowhere to point at");
    assert_eq!(error.code, "ClientException");
}
