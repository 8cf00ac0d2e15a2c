//! What is told of tasks and container instances: each change in the commit that makes it, and nothing else.

use roadstead_outbox::Event;
use roadstead_store::Entry;
use serde_json::{Value as Json, json};

use crate::harness::{Cloud, GROUP, MACHINE, SUBNET_A, awsvpc, cloud, definition, text};
use crate::tasks::{LastStatus, TaskRecord, finish, key_of_arn};
use crate::tests::ctx;

const TASK: &str = "ECS Task State Change";
const INSTANCE: &str = "ECS Container Instance State Change";

/// What waits to be told of an ARN, in order: nobody empties the outbox here.
async fn told(cloud: &Cloud, arn: &str) -> Vec<Entry<Event>> {
    let table = roadstead_outbox::table(&cloud.ecs.store);
    let (all, _) = table.all(&table.within(&ctx().partition())).await.expect("reads");
    all.into_iter()
        .filter(|entry| entry.value.subject == arn)
        .collect()
}

async fn record(cloud: &Cloud, arn: &str) -> Entry<TaskRecord> {
    let key = key_of_arn(arn).expect("a task's ARN");
    cloud
        .ecs
        .tasks()
        .get(&key)
        .await
        .expect("reads")
        .expect("is there")
}

fn states(events: &[Entry<Event>]) -> Vec<(String, String)> {
    let state = |entry: &Entry<Event>| {
        let detail = &entry.value.detail;
        (text(&detail["lastStatus"]), text(&detail["desiredStatus"]))
    };
    events.iter().map(state).collect()
}

/// Times as numbers, as the API has them, and without what events alone have.
fn as_described(detail: &Json) -> Json {
    let mut detail = detail.clone();
    for (name, value) in detail.as_object_mut().expect("an object") {
        if name.ends_with("At") {
            let time = roadstead_protocol::TimeFormat::parse(value.as_str().expect("text")).expect("a time");
            *value = if time.fract() == 0.0 {
                json!(time as i64)
            } else {
                json!(time)
            };
        }
    }
    detail.as_object_mut().expect("an object").remove("updatedAt");
    detail
}

async fn report(cloud: &Cloud, arn: &str, status: &str) {
    let input = json!({
        "cluster": "default", "task": arn, "status": status, "reason": "",
        "containers": [{"containerName": "app", "status": status, "runtimeId": "abc"}],
    });
    cloud
        .call("SubmitTaskStateChange", input)
        .await
        .expect("is acknowledged");
}

#[tokio::test]
async fn each_state_of_a_task_is_told_in_the_commit_that_makes_it() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    let request = json!({
        "taskDefinition": "web", "networkConfiguration": awsvpc(&[SUBNET_A], &[GROUP]),
        "tags": [{"key": "team", "value": "a"}],
    });
    let task = cloud.run(request).await;
    let arn = text(&task["taskArn"]);
    let first = told(&cloud, &arn).await[0].clone();
    assert_eq!(
        (first.revision, &*first.value.detail_type),
        (record(&cloud, &arn).await.created, TASK)
    );
    agent.payload().await;
    cloud.task_when(&arn, "PENDING").await;
    report(&cloud, &arn, "RUNNING").await;
    let last = told(&cloud, &arn).await.pop().expect("told");
    assert_eq!(last.revision, record(&cloud, &arn).await.revision);
    let mut running = cloud.task(&arn).await;
    running["tags"] = json!([]);
    assert_eq!(as_described(&last.value.detail), running);

    // What changes no state is not told: the same report, another container's news, tags.
    let before = told(&cloud, &arn).await.len();
    report(&cloud, &arn, "RUNNING").await;
    let digest = json!({
        "cluster": "default", "task": arn,
        "containers": [{"containerName": "app", "status": "RUNNING", "imageDigest": "sha256:2"}],
    });
    cloud
        .call("SubmitTaskStateChange", digest)
        .await
        .expect("is acknowledged");
    let tags = json!({"resourceArn": arn, "tags": [{"key": "team", "value": "b"}]});
    cloud.call("TagResource", tags).await.expect("tags");
    assert_eq!(told(&cloud, &arn).await.len(), before);

    cloud.call("StopTask", json!({"task": arn})).await.expect("stops");
    cloud.call("StopTask", json!({"task": arn})).await.expect("stops");
    cloud.task_when(&arn, "STOPPING").await;
    report(&cloud, &arn, "STOPPED").await;
    let mut stopped = cloud.task_when(&arn, "STOPPED").await;
    stopped["tags"] = json!([]);
    let events = told(&cloud, &arn).await;
    let wanted = [
        ("PROVISIONING", "RUNNING"),
        ("PENDING", "RUNNING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "STOPPED"),
        ("STOPPING", "STOPPED"),
        ("DEPROVISIONING", "STOPPED"),
        ("STOPPED", "STOPPED"),
    ];
    assert_eq!(
        states(&events),
        wanted.map(|(last, desired)| (last.to_owned(), desired.to_owned()))
    );
    let last = events.last().expect("told");
    assert_eq!(last.revision, record(&cloud, &arn).await.revision);
    assert_eq!(as_described(&last.value.detail), stopped);
    assert_eq!(last.value.detail["updatedAt"], "2023-11-14T22:13:20.000Z");
    for event in &events {
        let number = i64::try_from(event.value.number).expect("a version");
        assert_eq!(event.value.detail["version"], number);
    }
}

/// Its agent may say RUNNING before the record has the interface.
#[tokio::test]
async fn an_interface_is_told_of_also_when_it_is_written_down_late() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "awsvpc", |_| {}))
        .await
        .expect("registers");
    let later = roadstead_protocol::ApiError::new("Unavailable", 503, "later");
    cloud.network.fail_next("CreateNetworkInterface", later);
    let request = json!({"taskDefinition": "web", "networkConfiguration": awsvpc(&[SUBNET_A], &[GROUP])});
    let arn = text(&cloud.run(request).await["taskArn"]);
    report(&cloud, &arn, "RUNNING").await;
    for _ in 0..12_000 {
        if record(&cloud, &arn)
            .await
            .value
            .attachment
            .expect("one")
            .interface
            .is_some()
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let last = told(&cloud, &arn).await.pop().expect("told");
    let detail = &last.value.detail;
    assert_eq!(as_described(detail), cloud.task(&arn).await);
    let interface =
        json!({"name": "networkInterfaceId", "value": cloud.network.interfaces()[0].network_interface_id});
    let shown = detail["attachments"][0]["details"].as_array().expect("details");
    assert!(shown.contains(&interface), "{detail:#}");
}

#[tokio::test]
async fn a_change_that_lost_its_race_is_not_told() {
    let cloud = cloud().await;
    cloud.register("default", MACHINE, 2).await;
    cloud
        .call("RegisterTaskDefinition", definition("web", "bridge", |_| {}))
        .await
        .expect("registers");
    // No agent: the task stays PENDING.
    let instance = cloud.register("default", "i-0000000000000000b", 2).await;
    let agent = cloud.agent(&instance).await;
    let task = cloud.run(json!({"taskDefinition": "web"})).await;
    let arn = text(&task["taskArn"]);
    drop(agent);
    let stale = record(&cloud, &arn).await;
    report(&cloud, &arn, "RUNNING").await;
    let before = told(&cloud, &arn).await;
    let mut task = stale.value.clone();
    task.last = LastStatus::Stopped;
    task.version += 1;
    assert!(!finish(&cloud.ecs, &stale, &task).await.expect("answers"));
    assert_eq!(told(&cloud, &arn).await, before);
    assert_eq!(states(&before).len(), 2);
}

#[tokio::test]
async fn container_instances_are_told_of_but_those_behind_fargate() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let agent = cloud.agent(&instance).await;
    let connected = async |wanted: bool, count: usize| {
        for _ in 0..12_000 {
            let events = told(&cloud, &instance).await;
            if events.len() == count {
                let detail = &events[count - 1].value.detail;
                assert_eq!(detail["agentConnected"], wanted, "{detail:#}");
                return events;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!(
            "{count} events were not told: {:#?}",
            told(&cloud, &instance).await
        );
    };
    connected(true, 2).await;
    drop(agent);
    connected(false, 3).await;
    cloud
        .call(
            "DeregisterContainerInstance",
            json!({"containerInstance": instance}),
        )
        .await
        .expect("deregisters");
    let events = connected(false, 4).await;
    let statuses: Vec<String> = events
        .iter()
        .map(|event| text(&event.value.detail["status"]))
        .collect();
    assert_eq!(statuses, ["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"]);
    for (event, version) in events.iter().zip(1..) {
        assert_eq!(event.value.detail_type, INSTANCE);
        assert_eq!(event.value.detail["version"], version);
        assert_eq!(event.value.detail["containerInstanceArn"], instance);
        assert_eq!(event.value.detail["registeredAt"], "2023-11-14T22:13:20.000Z");
    }
    let node = roadstead_base::Caller::Node;
    let hidden = cloud
        .register_in(node, roadstead_acs::FARGATE_CLUSTER, MACHINE, 2, "us-east-1a")
        .await;
    assert_eq!(told(&cloud, &hidden).await, []);
}
