//! The control plane's half: records of services and tasks, and what is decided over them by the pure cores. What it
//! knows of a node is what its agent told it.

mod account;
mod decide;

use std::collections::{BTreeMap, BTreeSet};

use roadstead_acs as acs;
use roadstead_agent::engine::state::Status;
use roadstead_deployment::{Bounds, Rollout};

use crate::Millis;
use crate::world::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(pub(crate) usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Replica(usize),
    Daemon,
}

/// A service as its owner wants it.
#[derive(Clone, Debug)]
pub struct Service {
    pub kind: Kind,
    pub bounds: Bounds,
    /// CPU units and MiB of a task.
    pub cpu: i64,
    pub memory: i64,
    /// A port of the node that each task takes.
    pub port: Option<u16>,
    /// Give a deployment up that fails, and go back to the one before.
    pub breaker: bool,
}

pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) revision: u32,
    pub(crate) rollout: Rollout,
    pub(crate) failures: u32,
    pub(crate) setbacks: u32,
    pub(crate) last_setback: Millis,
}

pub(crate) struct ServiceState {
    pub(crate) spec: Service,
    /// The newest first.
    pub(crate) deployments: Vec<Deployment>,
    /// The revision of the last deployment that was completed.
    pub(crate) completed: Option<u32>,
    pub(crate) cramped: bool,
    pub(crate) steady: bool,
    /// Ended tasks that were counted.
    counted: BTreeSet<String>,
    /// When it is to be looked at again.
    pub(crate) look_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Last {
    Pending,
    Running,
    Stopped,
}

#[derive(Clone, Debug)]
pub(crate) struct TaskRecord {
    pub(crate) service: ServiceId,
    pub(crate) deployment: String,
    pub(crate) revision: u32,
    pub(crate) node: NodeId,
    /// It is to run.
    pub(crate) wanted: bool,
    pub(crate) last: Last,
    pub(crate) created: Millis,
    pub(crate) started: Option<Millis>,
    pub(crate) stopped: Option<Millis>,
}

/// What the control plane knows of a node.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) zone: String,
    pub(crate) cpu: i64,
    pub(crate) memory: i64,
    pub(crate) connected: bool,
    pub(crate) draining: bool,
    pub(crate) deregistered: bool,
}

#[derive(Default)]
pub(crate) struct Plane {
    pub(crate) services: Vec<ServiceState>,
    pub(crate) tasks: BTreeMap<String, TaskRecord>,
    pub(crate) instances: Vec<Instance>,
    next_task: u64,
    next_deployment: u64,
    seed: u64,
}

/// What follows from a decision.
#[derive(Debug, Default)]
pub(crate) struct Consequences {
    /// Tasks that their nodes are to be told of.
    pub(crate) told: Vec<String>,
    /// What must never be, and is.
    pub(crate) wrong: Option<String>,
}

impl Plane {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    pub(crate) fn create(&mut self, spec: Service, now: Millis) -> ServiceId {
        self.services.push(ServiceState {
            spec,
            deployments: Vec::new(),
            completed: None,
            cramped: false,
            steady: false,
            counted: BTreeSet::new(),
            look_at: Some(now),
        });
        let id = ServiceId(self.services.len() - 1);
        self.deploy(id, 1, now);
        id
    }

    /// A new deployment of this revision.
    pub(crate) fn deploy(&mut self, service: ServiceId, revision: u32, now: Millis) {
        self.next_deployment += 1;
        let deployment = Deployment {
            id: format!("ecs-svc/{}", self.next_deployment),
            revision,
            rollout: Rollout::InProgress,
            failures: 0,
            setbacks: 0,
            last_setback: 0,
        };
        let state = &mut self.services[service.0];
        state.deployments.insert(0, deployment);
        state.steady = false;
        state.look_at = Some(now);
    }

    pub(crate) fn of_service(&self, service: ServiceId) -> impl Iterator<Item = (&String, &TaskRecord)> {
        // Ids begin with their service.
        let own = id_prefix(service)..id_prefix(ServiceId(service.0 + 1));
        self.tasks.range(own)
    }

    /// Takes in what an agent says of a task. Old news change nothing.
    pub(crate) fn hear(&mut self, id: &str, status: Status, now: Millis) {
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        match status {
            Status::Running if task.last == Last::Pending => {
                task.last = Last::Running;
                task.started = Some(now);
            }
            Status::Stopped if task.last != Last::Stopped => {
                task.last = Last::Stopped;
                task.stopped = Some(now);
            }
            _ => return,
        }
        self.services[task.service.0].look_at = Some(now);
    }

    /// The node will not come back: its tasks are over.
    pub(crate) fn deregister(&mut self, node: NodeId, now: Millis) {
        self.instances[node.0].deregistered = true;
        let lost: Vec<String> = self
            .tasks
            .iter()
            .filter(|(_, task)| task.node == node && task.last != Last::Stopped)
            .map(|(id, _)| id.clone())
            .collect();
        for id in lost {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.wanted = false;
                task.last = Last::Stopped;
                task.stopped = Some(now);
            }
        }
        self.look_at_all(now);
    }

    pub(crate) fn look_at_all(&mut self, now: Millis) {
        for service in &mut self.services {
            service.look_at = Some(now);
        }
    }

    /// The task as its agent gets it.
    pub(crate) fn payload(&self, id: &str) -> Option<acs::Task> {
        let task = self.tasks.get(id)?;
        let spec = &self.services[task.service.0].spec;
        Some(acs::Task {
            arn: format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}"),
            family: format!("service-{}", task.service.0),
            version: task.revision.to_string(),
            network_mode: "host".to_owned(),
            cpu: spec.cpu as f64 / 1024.0,
            memory: spec.memory,
            containers: vec![acs::Container {
                name: "app".to_owned(),
                image: image(task.service, task.revision),
                essential: true,
                port_mappings: spec
                    .port
                    .iter()
                    .map(|port| acs::PortMapping {
                        container_port: *port,
                        host_port: *port,
                        protocol: "tcp".to_owned(),
                        ..acs::PortMapping::default()
                    })
                    .collect(),
                ..acs::Container::default()
            }],
            ..acs::Task::default()
        })
    }
}

fn id_prefix(service: ServiceId) -> String {
    format!("s{:04}", service.0)
}

/// Each service has an image of each of its revisions.
pub(crate) fn image(service: ServiceId, revision: u32) -> String {
    format!("service-{}:{revision}", service.0)
}
