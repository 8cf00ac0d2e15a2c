//! What must never be, whatever goes wrong.

use std::collections::BTreeSet;

use super::World;
use crate::plane::{Kind, Last, ServiceId};

impl World {
    /// The first thing that is wrong on a node.
    pub(super) fn wrong_on(&self, node: usize) -> Option<String> {
        let machine = &self.nodes[node].machine;
        let (mut ports, mut cpu, mut memory) = (BTreeSet::new(), 0, 0);
        for task in machine.running_tasks() {
            // A record that is gone was of a task that was told to have stopped.
            let Some(record) = self.plane.tasks.get(task) else {
                return Some(format!("node {node} runs {task}, which is over"));
            };
            if record.last == Last::Stopped {
                return Some(format!("node {node} runs {task}, which was told to have stopped"));
            }
            let spec = &self.plane.services[record.service.0].spec;
            cpu += spec.cpu;
            memory += spec.memory;
            if let Some(port) = spec.port
                && !ports.insert(port)
            {
                return Some(format!("two tasks have port {port} of node {node}"));
            }
        }
        if cpu > self.options.cpu || memory > self.options.memory {
            return Some(format!("node {node} runs {cpu} CPU units and {memory} MiB"));
        }
        None
    }

    /// Whether the nodes run just what services are to have: for a world that had time to settle.
    ///
    /// # Errors
    /// What is missing, or left over.
    pub fn settled(&self) -> Result<(), super::Violation> {
        match self.unsettled() {
            None => Ok(()),
            Some(what) => Err(self.violation(what)),
        }
    }

    fn unsettled(&self) -> Option<String> {
        for (index, service) in self.plane.services.iter().enumerate() {
            if !service.steady {
                return Some(self.unrest(index));
            }
            let there = |instance: &&crate::plane::Instance| !instance.deregistered && !instance.draining;
            let desired = match service.spec.kind {
                Kind::Replica(desired) => desired,
                Kind::Daemon => self.plane.instances.iter().filter(there).count(),
            };
            let revision = service.deployments[0].revision;
            let own = |task: &str| {
                let record = self.plane.tasks.get(task);
                record.is_some_and(|record| record.service == ServiceId(index) && record.revision == revision)
            };
            let tasks = self.nodes.iter().flat_map(|node| node.machine.running_tasks());
            let running = tasks.filter(|task| own(task)).count();
            if running != desired {
                return Some(format!(
                    "service {index} runs {running} tasks of revision {revision}, not {desired}"
                ));
            }
        }
        self.nodes.iter().enumerate().find_map(|(number, node)| {
            let stray = node
                .machine
                .tasks()
                .into_iter()
                .find(|task| !self.plane.tasks.contains_key(*task));
            stray.map(|task| format!("node {number} has something left of {task}"))
        })
    }

    /// What a service that should have come to rest looks like.
    fn unrest(&self, index: usize) -> String {
        let service = &self.plane.services[index];
        let primary = &service.deployments[0];
        let mut tasks = std::collections::BTreeMap::<String, usize>::new();
        for (id, task) in self.plane.of_service(ServiceId(index)) {
            let node = &self.nodes[task.node.0];
            let known = node.agent.knows(id);
            let of = if task.deployment == primary.id {
                "new"
            } else {
                "old"
            };
            let leaving = self.plane.instances[task.node.0].draining;
            let what = format!(
                "{of} {:?} wanted {} known {known} leaving {leaving}",
                task.last, task.wanted
            );
            *tasks.entry(what).or_default() += 1;
        }
        format!(
            "service {index} ({:?}, {:?}) is not steady: {:?} of revision {}, {} failures, {} setbacks, without place: {}, looked \
             at {:?}: {tasks:?}",
            service.spec.kind,
            service.spec.bounds,
            primary.rollout,
            primary.revision,
            primary.failures,
            primary.setbacks,
            service.cramped,
            service.look_at,
        )
    }
}
