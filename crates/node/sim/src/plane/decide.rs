//! One look at a service: what the pure cores say is applied, step by step, as the service scheduler does it.

use std::collections::{BTreeMap, BTreeSet};

use roadstead_deployment as deployment;
use roadstead_deployment::{
    Breaker, DeploymentId, Health, InstanceId, Rollout, Scheduling, Snapshot, Start, State, Verdict,
};
use roadstead_placement as placement;
use roadstead_placement::{Candidate, CandidateId, Capacity, Demand, Ports, Spread, Strategy};

use super::{Consequences, Deployment, Kind, Last, Plane, ServiceId, TaskRecord};
use crate::Millis;
use crate::world::NodeId;

/// Steps of one look.
const MAX_STEPS: usize = 32;
const AGAIN: Millis = 200;
/// A service that found no place is looked at again after this, unless something happens before.
const TRY_AGAIN: Millis = 10_000;
const ZONE: &str = "ecs.availability-zone";

impl Plane {
    pub(crate) fn look(&mut self, id: ServiceId, now: Millis) -> Consequences {
        let mut done = Consequences::default();
        for _ in 0..MAX_STEPS {
            self.account(id, now);
            let snapshot = self.snapshot(id, now);
            let plan = deployment::plan(&snapshot);
            if let Some(verdict) = &plan.verdict {
                self.settle(id, verdict, now);
                continue;
            }
            if !plan.stop.is_empty() {
                self.stop(id, &snapshot, &plan, &mut done);
                continue;
            }
            match plan.start {
                Some(Start::Anywhere(count)) => {
                    if self.start(id, count, None, now, &mut done) < count {
                        // What must go first is told by the next look.
                        if !snapshot.cramped {
                            continue;
                        }
                        self.services[id.0].look_at = Some(now + TRY_AGAIN);
                        return done;
                    }
                    continue;
                }
                Some(Start::In(zone)) if self.start(id, 1, Some(&zone), now, &mut done) == 1 => continue,
                Some(Start::On(instances)) => {
                    let mut started = 0;
                    for instance in &instances {
                        started += self.start_on(id, instance, now, &mut done);
                    }
                    if started > 0 {
                        continue;
                    }
                    self.services[id.0].look_at = Some(now + TRY_AGAIN);
                    return done;
                }
                Some(Start::In(_)) | None => {}
            }
            let service = &mut self.services[id.0];
            service.steady = plan.steady;
            service.look_at = plan.again.map(|wait| now + wait.max(1));
            return done;
        }
        self.services[id.0].look_at = Some(now + AGAIN);
        done
    }

    fn snapshot(&self, id: ServiceId, now: Millis) -> Snapshot {
        let service = &self.services[id.0];
        let primary = &service.deployments[0];
        let live = self
            .of_service(id)
            .filter(|(_, task)| task.wanted && task.last != Last::Stopped);
        let tasks = live.map(|(task, record)| self.show(task, record)).collect();
        let completed = service.completed.filter(|revision| *revision != primary.revision);
        Snapshot {
            now,
            scheduling: match service.spec.kind {
                Kind::Replica(desired) => Scheduling::Replica { desired },
                Kind::Daemon => Scheduling::Daemon {
                    instances: self.daemon_instances(id),
                },
            },
            bounds: service.spec.bounds,
            primary: deployment::Deployment {
                id: DeploymentId(primary.id.clone()),
                rollout: primary.rollout,
                failures: primary.failures,
                setbacks: primary.setbacks,
                last_setback: primary.last_setback,
            },
            asked_back: false,
            breaker: service.spec.breaker.then_some(Breaker { rollback: true }),
            alarms: None,
            bake: None,
            fallback: completed.map(|revision| DeploymentId(revision.to_string())),
            tasks,
            zones: Vec::new(),
            due: BTreeMap::new(),
            cramped: service.cramped,
            settle: 0,
            grace: 0,
        }
    }

    fn show(&self, id: &str, task: &TaskRecord) -> deployment::Task {
        let instance = &self.instances[task.node.0];
        deployment::Task {
            id: deployment::TaskId(id.to_owned()),
            deployment: DeploymentId(task.deployment.clone()),
            state: match (task.last, task.started) {
                (Last::Running, Some(since)) => State::Running { since },
                _ => State::Pending,
            },
            health: Health::Unchecked,
            created: task.created,
            zone: Some(instance.zone.clone()),
            provider: None,
            instance: InstanceId(task.node.to_string()),
            protected_until: None,
            leaving: instance.draining,
        }
    }

    fn daemon_instances(&self, id: ServiceId) -> Vec<deployment::Instance> {
        let others = self
            .tasks
            .values()
            .filter(|task| task.service != id && task.wanted && task.last != Last::Stopped);
        let busy: BTreeSet<NodeId> = others.map(|task| task.node).collect();
        let nodes = (0..self.instances.len()).map(NodeId);
        let known = nodes.filter(|node| !self.instances[node.0].deregistered);
        known
            .map(|node| {
                let instance = &self.instances[node.0];
                deployment::Instance {
                    id: InstanceId(node.to_string()),
                    eligible: !instance.draining,
                    busy: busy.contains(&node),
                }
            })
            .collect()
    }

    fn settle(&mut self, id: ServiceId, verdict: &Verdict, now: Millis) {
        let service = &mut self.services[id.0];
        let primary = &mut service.deployments[0];
        match verdict {
            Verdict::Completed => {
                primary.rollout = Rollout::Completed;
                service.completed = Some(primary.revision);
            }
            Verdict::Bake => {}
            Verdict::Failed(_) | Verdict::NoWayBack(_) => primary.rollout = Rollout::Failed,
            Verdict::RollBack(_, _) => {
                primary.rollout = Rollout::Failed;
                if let Some(revision) = service.completed {
                    self.deploy(id, revision, now);
                }
            }
        }
    }

    fn stop(&mut self, id: ServiceId, snapshot: &Snapshot, plan: &deployment::Plan, done: &mut Consequences) {
        let healthy = |plane: &Self| {
            let own = plane.of_service(id);
            own.filter(|(_, task)| task.wanted && task.last == Last::Running)
                .count()
        };
        let before = healthy(self);
        for stop in &plan.stop {
            if let Some(task) = self.tasks.get_mut(&stop.task.0) {
                task.wanted = false;
                done.told.push(stop.task.0.clone());
            }
        }
        let after = healthy(self);
        let leaving = plan.stop.iter().any(|stop| stop.why == deployment::Why::Leaving);
        let least = match snapshot.scheduling {
            Scheduling::Replica { .. } => snapshot.bounds.least(snapshot.desired()),
            // Those on instances that are not eligible any more count for nothing.
            Scheduling::Daemon { .. } if leaving => 0,
            Scheduling::Daemon { .. } => snapshot.bounds.least(snapshot.desired()),
        };
        if after < before && after < least {
            done.wrong = Some(format!(
                "service {} was left with {after} healthy tasks of at least {least}: {:?}",
                id.0, plan.stop
            ));
        }
    }

    /// How many found a place.
    fn start(
        &mut self,
        id: ServiceId,
        count: usize,
        zone: Option<&str>,
        now: Millis,
        done: &mut Consequences,
    ) -> usize {
        let mut demand = self.demand(id);
        if let Some(zone) = zone {
            demand.attributes.push(placement::RequiredAttribute {
                name: ZONE.to_owned(),
                value: Some(zone.to_owned()),
            });
        }
        let plan = placement::place(&self.machines(|_| true), &demand, count, self.seed);
        for place in &plan.placements {
            self.write(id, place, now, done);
        }
        let placed = plan.placements.len();
        self.services[id.0].cramped = placed < count;
        self.never_too_many(id, done);
        placed
    }

    fn start_on(
        &mut self,
        id: ServiceId,
        instance: &InstanceId,
        now: Millis,
        done: &mut Consequences,
    ) -> usize {
        let demand = self.demand(id);
        let only = self.machines(|node| node.to_string() == instance.0);
        let plan = placement::place(&only, &demand, 1, self.seed);
        for place in &plan.placements {
            self.write(id, place, now, done);
        }
        plan.placements.len()
    }

    fn write(&mut self, id: ServiceId, place: &CandidateId, now: Millis, done: &mut Consequences) {
        let Some(node) = NodeId::parse(&place.0) else {
            return;
        };
        self.next_task += 1;
        let task = format!("{}t{:08}", super::id_prefix(id), self.next_task);
        let Deployment {
            id: deployment,
            revision,
            ..
        } = &self.services[id.0].deployments[0];
        let record = TaskRecord {
            service: id,
            deployment: deployment.clone(),
            revision: *revision,
            node,
            wanted: true,
            last: Last::Pending,
            created: now,
            started: None,
            stopped: None,
        };
        self.tasks.insert(task.clone(), record);
        done.told.push(task);
        if let Some(what) = self.sold_twice(node) {
            done.wrong = Some(what);
        }
    }

    /// What is promised of a node beyond what it has.
    fn sold_twice(&self, node: NodeId) -> Option<String> {
        let (mut ports, mut cpu, mut memory) = (BTreeSet::new(), 0, 0);
        let here = self
            .tasks
            .values()
            .filter(|task| task.node == node && task.last != Last::Stopped);
        for task in here {
            let spec = &self.services[task.service.0].spec;
            cpu += spec.cpu;
            memory += spec.memory;
            if let Some(port) = spec.port
                && !ports.insert(port)
            {
                return Some(format!("port {port} of node {node} is promised twice"));
            }
        }
        let instance = &self.instances[node.0];
        let beyond = cpu > instance.cpu || memory > instance.memory;
        beyond.then(|| format!("{cpu} CPU units and {memory} MiB of node {node} are promised"))
    }

    fn never_too_many(&self, id: ServiceId, done: &mut Consequences) {
        let service = &self.services[id.0];
        let Kind::Replica(desired) = service.spec.kind else {
            return;
        };
        let live = self
            .of_service(id)
            .filter(|(_, task)| task.wanted && task.last != Last::Stopped)
            .count();
        let most = service.spec.bounds.most(desired).max(desired);
        if live > most {
            done.wrong = Some(format!("service {} has {live} tasks of at most {most}", id.0));
        }
    }

    fn demand(&self, id: ServiceId) -> Demand {
        let spec = &self.services[id.0].spec;
        Demand {
            group: format!("service:{}", id.0),
            cpu: spec.cpu,
            memory: spec.memory,
            ports: Ports {
                tcp: spec.port.into_iter().collect(),
                ..Ports::default()
            },
            strategies: vec![
                Strategy::Spread(Spread::Attribute(ZONE.to_owned())),
                Strategy::Spread(Spread::Instance),
            ],
            ..Demand::default()
        }
    }

    /// The nodes as placement sees them, with what the records say is free.
    fn machines(&self, suits: impl Fn(NodeId) -> bool) -> placement::Snapshot {
        let mut snapshot = placement::Snapshot::default();
        let mut on: BTreeMap<NodeId, Vec<&TaskRecord>> = BTreeMap::new();
        for task in self.tasks.values().filter(|task| task.last != Last::Stopped) {
            on.entry(task.node).or_default().push(task);
        }
        for (index, instance) in self.instances.iter().enumerate() {
            let node = NodeId(index);
            if instance.deregistered || !suits(node) {
                continue;
            }
            let mut free = Capacity {
                cpu: instance.cpu,
                memory: instance.memory,
                ..Capacity::default()
            };
            let mut groups = BTreeMap::new();
            let here = on.remove(&node).unwrap_or_default();
            for task in &here {
                let spec = &self.services[task.service.0].spec;
                free.cpu -= spec.cpu;
                free.memory -= spec.memory;
                free.used_ports.tcp.extend(spec.port);
                *groups.entry(format!("service:{}", task.service.0)).or_insert(0) += 1;
            }
            snapshot.candidates.push(Candidate {
                id: CandidateId(node.to_string()),
                node: placement::NodeId(node.to_string()),
                status: if instance.draining {
                    placement::Status::Draining
                } else {
                    placement::Status::Active
                },
                agent_connected: instance.connected,
                attributes: [(ZONE.to_owned(), Some(instance.zone.clone()))].into(),
                tasks: here.len(),
                groups,
                ..Candidate::default()
            });
            snapshot.nodes.insert(placement::NodeId(node.to_string()), free);
        }
        snapshot
    }
}
