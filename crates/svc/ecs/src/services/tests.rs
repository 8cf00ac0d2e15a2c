//! Services as users see them, over the whole plane: agents that do what a test tells them.

mod alarms;
mod balancing;
mod bus;
mod definitions;
mod deployments;
mod health;
mod images;
mod life;
mod places;
mod protection;
mod refusals;
mod rollouts;
mod sets;
mod stopping;
mod strategy;

use serde_json::{Value as Json, json};

use crate::harness::{Cloud, cloud, definition, text};

pub(super) const MACHINE: &str = crate::harness::MACHINE;

/// A cluster with one machine whose agent is connected and says nothing, and the definition `web`, revision 1.
pub(super) struct Plane {
    pub(super) cloud: Cloud,
    /// It acknowledges what it is told, and does nothing.
    pub(super) agent: tokio::task::JoinHandle<()>,
    pub(super) instance: String,
}

pub(super) async fn plane() -> Plane {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 8).await;
    let agent = idle(&cloud, &instance).await;
    let web = definition("web", "bridge", |_| {});
    cloud
        .call("RegisterTaskDefinition", web)
        .await
        .expect("registers");
    Plane {
        cloud,
        agent,
        instance,
    }
}

/// An agent that says nothing of what becomes of its tasks.
pub(super) async fn idle(cloud: &Cloud, instance: &str) -> tokio::task::JoinHandle<()> {
    let mut agent = cloud.agent(instance).await;
    tokio::spawn(async move {
        while let Some(heard) = agent.hear().await {
            if let roadstead_acs::ToAgent::Payload(payload) = heard {
                agent.ack(&payload.message_id).await;
            }
        }
    })
}

impl Plane {
    pub(super) async fn restart(self) -> Self {
        let Self {
            cloud,
            agent,
            instance,
        } = self;
        let cloud = cloud.restart().await;
        agent.abort();
        let agent = idle(&cloud, &instance).await;
        Self {
            cloud,
            agent,
            instance,
        }
    }

    pub(super) async fn create(&self, change: Json) -> Json {
        let mut request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 2});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        let answer = self.cloud.call("CreateService", request).await.expect("creates");
        answer["service"].clone()
    }

    pub(super) async fn update(&self, change: Json) -> Json {
        let mut request = json!({"service": "web"});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        let answer = self.cloud.call("UpdateService", request).await.expect("updates");
        answer["service"].clone()
    }

    pub(super) async fn service(&self) -> Json {
        let request = json!({"services": ["web"], "include": ["TAGS"]});
        let answer = self
            .cloud
            .call("DescribeServices", request)
            .await
            .expect("describes");
        answer["services"][0].clone()
    }

    /// The service once it is so.
    pub(super) async fn service_when(&self, what: &str, is: impl Fn(&Json) -> bool) -> Json {
        let mut last = Json::Null;
        for _ in 0..12_000 {
            last = self.service().await;
            if is(&last) {
                return last;
            }
            // A clock that a test moves wakes nobody.
            self.cloud.ecs.wake_services();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {what}: {last:#}");
    }

    /// The service once one of its events contains these words.
    pub(super) async fn service_that_says(&self, words: &str) -> Json {
        let says = |service: &Json| messages(service).iter().any(|message| message.contains(words));
        self.service_when(words, says).await
    }

    /// The tasks of the service that are meant to be so, once there are this many.
    pub(super) async fn tasks(&self, desired: &str, count: usize) -> Vec<String> {
        let mut last = Vec::new();
        for _ in 0..12_000 {
            let request = json!({"serviceName": "web", "desiredStatus": desired});
            let answer = self.cloud.call("ListTasks", request).await.expect("lists");
            last = answer["taskArns"]
                .as_array()
                .expect("a list")
                .iter()
                .map(text)
                .collect();
            if last.len() == count {
                return last;
            }
            self.cloud.ecs.wake_services();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("waited in vain for {count} tasks to be {desired}: {last:?}");
    }

    pub(super) async fn report(&self, task: &str, status: &str) {
        let report = json!({"task": task, "status": status});
        let answer = self.cloud.call("SubmitTaskStateChange", report).await;
        answer.expect("is acknowledged");
    }

    /// Says of every task that is meant to run that it does; answers which those are.
    pub(super) async fn all_run(&self, count: usize) -> Vec<String> {
        let tasks = self.tasks("RUNNING", count).await;
        for task in &tasks {
            self.report(task, "RUNNING").await;
        }
        tasks
    }

    /// Lets the first machine be DRAINING, as its record would say.
    pub(super) async fn drain(&self) {
        let name = crate::instances::InstanceRef::of_arn(&self.instance).expect("an instance");
        let (table, key) = (self.cloud.ecs.instances(), name.key());
        let drained = table.update(&key, |before| {
            let mut record = before.cloned().expect("is there");
            record.status = crate::instances::InstanceStatus::Draining;
            Ok::<_, crate::Error>(roadstead_store::Change::Put(record))
        });
        drained.await.expect("drains");
    }

    /// Registers a new revision of `web`.
    pub(super) async fn revise(&self) -> String {
        let web = definition("web", "bridge", |_| {});
        let answer = self
            .cloud
            .call("RegisterTaskDefinition", web)
            .await
            .expect("registers");
        text(&answer["taskDefinition"]["taskDefinitionArn"])
    }
}

/// From the latest to the earliest.
pub(super) fn messages(service: &Json) -> Vec<String> {
    let events = service["events"].as_array().cloned().unwrap_or_default();
    events.iter().map(|event| text(&event["message"])).collect()
}

pub(super) fn is_steady(service: &Json) -> bool {
    messages(service)
        .first()
        .is_some_and(|message| message.ends_with("has reached a steady state."))
}
