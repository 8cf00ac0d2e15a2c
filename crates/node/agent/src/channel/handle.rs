//! What a message from the control plane makes the agent do and answer. Messages are taken one after another,
//! and nothing is acknowledged before it is durable.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs::{
    Ack, AttachTaskNetworkInterfaces, CredentialsAck, FrameError, FromAgent, HeartbeatAck,
    IamRoleCredentials, Nack, NetworkMap, Payload, RoleCredentials, StopTask, Task, TaskManifest,
    TaskStopVerification, TaskStopVerificationAck, ToAgent,
};
use serde::Deserialize;

use super::identity::Identity;
use crate::run::{AcceptError, Engine};

/// Manifests whose candidates wait for verification; older ones are forgotten.
const MANIFESTS: usize = 16;

/// One registration's side of the channel.
pub(super) struct Handler {
    pub engine: Engine,
    pub identity: Identity,
    /// The cluster as configured: its name or ARN.
    pub cluster: String,
    pub container_instance_arn: String,
    /// Highest sequence number or timeline.
    pub timeline: i64,
    /// Stop candidates by the manifest's message id, in order of arrival.
    pub candidates: BTreeMap<u64, (String, BTreeSet<String>)>,
}

impl Handler {
    /// Takes one frame; answers what to send back, in order.
    pub(super) async fn take(&mut self, text: &str) -> Vec<FromAgent> {
        match ToAgent::from_text(text) {
            Ok(message) => self.message(message).await,
            Err(FrameError::Message {
                kind,
                message,
                source,
            }) if kind == "PayloadMessage" => {
                tracing::warn!(error = %source, "a payload cannot be read whole; its tasks are read one by one");
                self.salvage(&message).await;
                Vec::new()
            }
            Err(error) => {
                tracing::warn!(%error, "a frame is dropped");
                Vec::new()
            }
        }
    }

    async fn message(&mut self, message: ToAgent) -> Vec<FromAgent> {
        match message {
            ToAgent::Heartbeat(beat) => {
                vec![FromAgent::HeartbeatAck(Box::new(HeartbeatAck {
                    message_id: beat.message_id,
                }))]
            }
            ToAgent::Payload(payload) => self.payload(*payload).await,
            ToAgent::AttachTaskNetworkInterfaces(message) => self.attach(*message).await,
            ToAgent::TaskManifest(manifest) => self.manifest(*manifest).await,
            ToAgent::TaskStopVerificationAck(ack) => {
                self.verified(*ack).await;
                Vec::new()
            }
            ToAgent::Credentials(message) => self.keys(&message),
            ToAgent::NetworkMap(map) => vec![self.map(*map).await],
            ToAgent::Close(close) => {
                tracing::info!(
                    message = close.message,
                    "the control plane is about to close the channel"
                );
                Vec::new()
            }
            ToAgent::Error(error) => {
                tracing::warn!(message = error.message, "the control plane reports an error");
                Vec::new()
            }
            ToAgent::Unknown(kind) => {
                tracing::info!(kind, "a message of an unknown kind is dropped");
                Vec::new()
            }
        }
    }

    fn ack(cluster: String, container_instance: String, message_id: String) -> FromAgent {
        FromAgent::Ack(Box::new(Ack {
            cluster,
            container_instance,
            message_id,
        }))
    }

    fn keys_ack(message_id: &str, keys: &RoleCredentials) -> FromAgent {
        FromAgent::CredentialsAck(Box::new(CredentialsAck {
            message_id: message_id.to_owned(),
            expiration: keys.expiration.clone(),
            credentials_id: keys.credentials_id.clone(),
        }))
    }

    /// New keys of a task's role. Those of no task here are none of ours to acknowledge.
    fn keys(&self, message: &IamRoleCredentials) -> Vec<FromAgent> {
        if self.engine.renew_keys(message) {
            return vec![Self::keys_ack(&message.message_id, &message.role_credentials)];
        }
        tracing::info!(
            task = message.task_arn,
            role = message.role_type,
            "keys for no task of this node are dropped"
        );
        Vec::new()
    }

    async fn payload(&mut self, payload: Payload) -> Vec<FromAgent> {
        let Payload {
            message_id,
            cluster_arn,
            container_instance_arn,
            generated_at: _,
            seq_num,
            tasks,
        } = payload;
        if message_id.is_empty() || cluster_arn.is_empty() || container_instance_arn.is_empty() {
            tracing::warn!("a payload without messageId, clusterArn or containerInstanceArn is dropped");
            return Vec::new();
        }
        if container_instance_arn != self.container_instance_arn {
            tracing::warn!(
                container_instance_arn,
                "a payload for another instance is dropped"
            );
            return Vec::new();
        }
        self.timeline = self.timeline.max(seq_num);
        let keys = tasks
            .iter()
            .flat_map(|task| [&task.role_credentials, &task.execution_role_credentials])
            .flatten();
        let mut answers: Vec<FromAgent> = keys.map(|keys| Self::keys_ack(&message_id, keys)).collect();
        if self.accept(tasks).await {
            answers.insert(0, Self::ack(cluster_arn, container_instance_arn, message_id));
            answers
        } else {
            Vec::new()
        }
    }

    /// Stops first, then starts. True when all were taken in.
    async fn accept(&self, tasks: Vec<Task>) -> bool {
        let (stops, starts): (Vec<_>, Vec<_>) = tasks
            .into_iter()
            .partition(|task| task.desired_status == "STOPPED");
        let mut all = true;
        for task in stops.iter().chain(&starts) {
            match self.engine.accept(&self.cluster, task).await {
                Ok(()) => {}
                Err(AcceptError::Decode(error)) => {
                    all = false;
                    tracing::warn!(task = task.arn, %error, "a task cannot be understood");
                    self.engine
                        .refuse(self.cluster_of(task), &task.arn, error.to_string());
                }
                // Not acknowledged, so it comes again.
                Err(error) => {
                    all = false;
                    tracing::error!(task = task.arn, %error, "a task is not taken in");
                }
            }
        }
        all
    }

    fn cluster_of<'a>(&'a self, task: &'a Task) -> &'a str {
        if task.task_cluster_arn.is_empty() {
            &self.cluster
        } else {
            &task.task_cluster_arn
        }
    }

    /// A payload that cannot be read whole is never acknowledged; tasks that can be read are taken in, the
    /// others are answered for.
    async fn salvage(&self, message: &serde_json::Value) {
        let tasks = message
            .get("tasks")
            .and_then(|tasks| tasks.as_array())
            .cloned()
            .unwrap_or_default();
        for task in tasks {
            match Task::deserialize(&task) {
                Ok(task) => {
                    self.accept(vec![task]).await;
                }
                Err(error) => {
                    let text = |name: &str| task.get(name).and_then(|text| text.as_str()).unwrap_or_default();
                    if !text("arn").is_empty() {
                        let cluster = text("taskClusterArn");
                        let cluster = if cluster.is_empty() {
                            &self.cluster
                        } else {
                            cluster
                        };
                        self.engine
                            .refuse(cluster, text("arn"), format!("Error loading task - {error}"));
                    }
                }
            }
        }
    }

    async fn attach(&self, message: AttachTaskNetworkInterfaces) -> Vec<FromAgent> {
        match self.engine.announce(&message).await {
            Ok(()) => {
                vec![Self::ack(
                    message.cluster_arn,
                    message.container_instance_arn,
                    message.message_id,
                )]
            }
            Err(error) => {
                tracing::error!(task = message.task_arn, %error, "an interface is not taken in");
                Vec::new()
            }
        }
    }

    async fn manifest(&mut self, manifest: TaskManifest) -> Vec<FromAgent> {
        let TaskManifest {
            message_id,
            cluster_arn,
            container_instance_arn,
            generated_at: _,
            timeline,
            tasks,
        } = manifest;
        if timeline <= self.timeline {
            tracing::info!(timeline, highest = self.timeline, "an old manifest is dropped");
            return Vec::new();
        }
        if let Err(error) = self.identity.set_timeline(&self.cluster, timeline).await {
            tracing::error!(%error, "a manifest is dropped because its timeline could not be written down");
            return Vec::new();
        }
        self.timeline = timeline;
        let wanted: BTreeSet<&str> = tasks
            .iter()
            .filter(|task| task.desired_status != "STOPPED")
            .map(|task| task.task_arn.as_str())
            .collect();
        let mut stop_candidates = Vec::new();
        for (arn, view) in self.engine.tasks() {
            let here = view.session == self.cluster && view.machine.state.stop.is_none();
            if here && !wanted.contains(arn.as_str()) {
                stop_candidates.push(StopTask {
                    task_cluster_arn: view.machine.task.cluster_arn.clone(),
                    task_arn: arn,
                    desired_status: "STOPPED".to_owned(),
                });
            }
        }
        let ack = Self::ack(cluster_arn, container_instance_arn, message_id.clone());
        if stop_candidates.is_empty() {
            return vec![ack];
        }
        let arns = stop_candidates.iter().map(|task| task.task_arn.clone()).collect();
        let next = self
            .candidates
            .last_key_value()
            .map_or(0, |(number, _)| number + 1);
        self.candidates.insert(next, (message_id.clone(), arns));
        while self.candidates.len() > MANIFESTS {
            self.candidates.pop_first();
        }
        let question = TaskStopVerification {
            message_id,
            stop_candidates,
        };
        vec![FromAgent::TaskStopVerification(Box::new(question)), ack]
    }

    /// Only what was asked about is stopped.
    async fn verified(&mut self, ack: TaskStopVerificationAck) {
        let asked = self
            .candidates
            .iter()
            .find(|(_, (id, _))| *id == ack.message_id)
            .map(|(number, _)| *number);
        let Some((_, candidates)) = asked.and_then(|number| self.candidates.remove(&number)) else {
            tracing::warn!(message_id = ack.message_id, "an answer to no question is dropped");
            return;
        };
        for StopTask { task_arn, .. } in ack.stop_tasks {
            if candidates.contains(&task_arn) {
                self.engine.stop_task(&task_arn, None).await;
            } else {
                tracing::warn!(task = task_arn, "was not a candidate and is not stopped");
            }
        }
    }

    async fn map(&self, map: NetworkMap) -> FromAgent {
        let message_id = map.message_id.clone();
        let (cluster, container_instance) = (self.cluster.clone(), self.container_instance_arn.clone());
        match self.engine.apply(&map).await {
            Ok(()) => Self::ack(cluster, container_instance, message_id),
            Err(error) => {
                tracing::warn!(generation = map.generation, %error, "a network map is not applied");
                FromAgent::Nack(Box::new(Nack {
                    cluster,
                    container_instance,
                    message_id,
                    reason: error.to_string(),
                }))
            }
        }
    }
}
