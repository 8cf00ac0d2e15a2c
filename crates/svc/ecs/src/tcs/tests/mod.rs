//! Agents report over real websockets; what they say is shown and becomes metrics.

mod channel;
mod minute;
mod recorded;

use roadstead_base::Clock as _;
use roadstead_store::{Outcome, Transaction};
use serde_json::{Value as Json, json};

use crate::harness::{Cloud, MACHINE, Reporter, cloud, definition, text};

/// A cloud with a machine of 1024 CPU units and 1000 MiB, its reporter, and a task of family `fama` with 256 and 100
/// that is in `group`.
pub(super) async fn reporting(group: &str) -> (Cloud, String, Reporter, String) {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    connect(&cloud, &instance).await;
    let reporter = Reporter::connect(&cloud, "default", &instance)
        .await
        .expect("connects");
    let task = run(&cloud, group).await;
    (cloud, instance, reporter, task)
}

pub(super) async fn run(cloud: &Cloud, group: &str) -> String {
    let one = definition("fama", "host", |d| {
        d["containerDefinitions"][0]["cpu"] = json!(256);
        d["containerDefinitions"][0]["memory"] = json!(100);
    });
    cloud
        .call("RegisterTaskDefinition", one)
        .await
        .expect("registers");
    let task = text(&cloud.run(json!({"taskDefinition": "fama"})).await["taskArn"]);
    regroup(cloud, &task, group).await;
    task
}

/// The other half of the instance's agent, for as long as the connection lasts.
pub(super) async fn connect(cloud: &Cloud, instance: &str) {
    let mut agent = cloud.agent(instance).await;
    tokio::spawn(async move { while agent.hear().await.is_some() {} });
}

/// Gives a task a group that only services give.
pub(super) async fn regroup(cloud: &Cloud, task: &str, group: &str) {
    let key = crate::tasks::key_of_arn(task).expect("a task's ARN");
    for _ in 0..100 {
        let entry = cloud
            .ecs
            .tasks()
            .get(&key)
            .await
            .expect("reads")
            .expect("the task");
        let mut record = entry.value.clone();
        group.clone_into(&mut record.group);
        let write = Transaction::new(&cloud.ecs.store).replace(&cloud.ecs.tasks(), &entry, &record);
        if matches!(write.commit().await.expect("commits"), Outcome::Committed(_)) {
            return;
        }
    }
    panic!("the task changes all the time");
}

/// Twenty samples of a task's one container: percent of the instance's CPU, and MiB.
pub(super) fn of_task(task: &str, percent: f64, mib: f64) -> Json {
    let set = |value: f64| json!({"min": value, "max": value, "sum": value * 20.0, "sampleCount": 20});
    json!({
        "taskArn": task, "taskDefinitionFamily": "fama", "taskDefinitionVersion": "1",
        "containerMetrics": [{"containerName": "app", "cpuStatsSet": set(percent), "memoryStatsSet": set(mib)}],
    })
}

pub(super) fn metrics(cloud: &Cloud, instance: &str, tasks: Json) -> Json {
    let seconds = cloud.clock.now().0 as f64 / 1000.0;
    json!({"type": "PublishMetricsRequest", "message": {
        "metadata": {"cluster": "default", "containerInstance": instance, "messageId": "m", "idle": false, "fin": true},
        "taskMetrics": tasks, "timestamp": seconds,
    }})
}
