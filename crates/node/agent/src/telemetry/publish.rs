//! A registration's reports: made every twenty seconds, and told as soon as there is a connection.

use std::time::Instant;

use roadstead_acs::FromTelemetry;
use roadstead_acs::telemetry::{
    CONTAINER_RUNTIME, InstanceStatus, InstanceStatusMetadata, PublishInstanceStatus, TaskMetric,
};
use roadstead_api_ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use roadstead_base::random_uuid;

use super::buffer::Buffer;
use super::connection::{Line, tell, url};
use super::health;
use super::report::{Reporting, container, frames, seconds};
use super::samples::Samples;
use super::timing::Timing;
use crate::api::Client;
use crate::channel::{End, Next, next};
use crate::engine::state::Status;
use crate::run::{Engine, jitter};

/// Tells what the tasks of one registration use.
pub(crate) struct Publisher<'a> {
    pub client: &'a Client,
    pub engine: &'a Engine,
    pub samples: &'a Samples,
    pub timing: Timing,
    pub cluster: &'a str,
    pub container_instance: &'a str,
    /// CPU units that the node registered.
    pub cpu: u64,
}

impl Publisher<'_> {
    /// For ever; dropping it ends it.
    pub(crate) async fn run(&self) {
        let buffer = Buffer::default();
        tokio::join!(self.collect(&buffer), self.deliver(&buffer));
    }

    async fn collect(&self, buffer: &Buffer) {
        let mut status: Option<InstanceStatus> = None;
        loop {
            let now = self.status(status.as_ref()).await;
            buffer.set_status(now.clone());
            status = Some(now);
            tokio::time::sleep(self.timing.report).await;
            buffer.push(self.report());
        }
    }

    fn report(&self) -> Vec<FromTelemetry> {
        let cpus = self.cpu.max(1) as f64 / 1024.0;
        let of = Reporting {
            cluster: self.cluster,
            container_instance: self.container_instance,
        };
        let (mut idle, mut tasks, mut health) = (true, Vec::new(), Vec::new());
        for view in self
            .engine
            .tasks()
            .into_values()
            .filter(|view| view.session == self.cluster)
        {
            health.extend(health::of(&view.machine));
            let task = &view.machine.task;
            let states = &view.machine.state.containers;
            let running = task
                .containers
                .iter()
                .filter(|one| states[&one.name].known == Status::Running);
            let metrics: Vec<_> = running
                .inspect(|_| idle = false)
                .filter_map(|one| container(&one.name, &self.samples.take(&one.runtime_id), cpus))
                .collect();
            if !metrics.is_empty() {
                tasks.push(TaskMetric {
                    task_arn: task.arn.clone(),
                    task_definition_family: task.family.clone(),
                    task_definition_version: task.revision.clone(),
                    container_metrics: metrics,
                });
            }
        }
        let now = self.engine.clock().now();
        let mut report = frames(of, tasks, idle, now);
        report.extend(health::frames(of, health, now));
        report
    }

    /// Whether containers can be looked after here.
    async fn status(&self, before: Option<&InstanceStatus>) -> InstanceStatus {
        let status = match self.engine.driver().list().await {
            Ok(_) => "OK",
            Err(error) => {
                tracing::warn!(%error, "the node's containers cannot be looked at");
                "IMPAIRED"
            }
        };
        let now = seconds(self.engine.clock().now());
        let since = before
            .filter(|known| known.status == status)
            .map(|known| known.last_status_change);
        InstanceStatus {
            kind: CONTAINER_RUNTIME.to_owned(),
            status: status.to_owned(),
            last_updated: now,
            last_status_change: since.unwrap_or(now),
        }
    }

    fn telling(&self, status: &InstanceStatus) -> FromTelemetry {
        FromTelemetry::InstanceStatus(Box::new(PublishInstanceStatus {
            metadata: InstanceStatusMetadata {
                cluster: self.cluster.to_owned(),
                container_instance: self.container_instance.to_owned(),
                request_id: random_uuid(),
            },
            statuses: vec![status.clone()],
            timestamp: seconds(self.engine.clock().now()),
        }))
    }

    async fn deliver(&self, buffer: &Buffer) {
        let mut known: Option<(String, Instant)> = None;
        let mut failed = 0;
        loop {
            let begun = Instant::now();
            let end = match self.endpoint(&mut known).await {
                None => End::Unreachable,
                Some(endpoint) => match url(&endpoint, self.cluster, self.container_instance) {
                    Ok(url) => {
                        let status = |status: &InstanceStatus| self.telling(status);
                        let line = Line {
                            client: self.client,
                            url: &url,
                            timing: &self.timing,
                            status: &status,
                        };
                        tell(&line, buffer).await
                    }
                    Err(why) => {
                        tracing::warn!(why, "the telemetry channel cannot be opened");
                        End::Unreachable
                    }
                },
            };
            let lasted = begun.elapsed();
            tracing::info!(
                cluster = self.cluster,
                ?end,
                ?lasted,
                "the telemetry channel ended"
            );
            if end == End::Unreachable {
                // It may have moved.
                known = None;
            }
            failed = if lasted >= self.timing.inactivity {
                1
            } else {
                failed + 1
            };
            let wait = match next(&end, lasted, 0) {
                // To register anew is the agent channel's to decide, which ends these reports then.
                Next::Rest => self.timing.rest,
                Next::AtOnce | Next::Backoff | Next::Register => self
                    .timing
                    .reconnect
                    .wait(failed, jitter())
                    .unwrap_or(self.timing.rest),
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn endpoint(&self, known: &mut Option<(String, Instant)>) -> Option<String> {
        if let Some((endpoint, at)) = known
            && at.elapsed() < self.timing.discovered
        {
            return Some(endpoint.clone());
        }
        let request = DiscoverPollEndpointRequest {
            cluster: Some(self.cluster.to_owned()),
            container_instance: Some(self.container_instance.to_owned()),
            zone_id: None,
        };
        let answer: Result<DiscoverPollEndpointResponse, _> =
            self.client.call("DiscoverPollEndpoint", request).await;
        match answer {
            Ok(DiscoverPollEndpointResponse {
                telemetry_endpoint: Some(endpoint),
                ..
            }) => {
                *known = Some((endpoint.clone(), Instant::now()));
                Some(endpoint)
            }
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(cluster = self.cluster, %error, "the telemetry channel's address could not be asked for");
                known.as_ref().map(|(endpoint, _)| endpoint.clone())
            }
        }
    }
}
