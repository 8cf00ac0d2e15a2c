//! The first moments of an agent: which tasks an earlier one left, what became of them meanwhile, and what on the
//! machine belongs to none of them.

use roadstead_acs as acs;

use super::attachments::Attachments;
use super::engine::{Engine, EngineError, lock};
use super::record::TaskRecord;
use crate::driver::Keep;
use crate::engine::decode::{decode, task_id};
use crate::engine::event::Event;
use crate::engine::machine::Machine;
use crate::engine::recover::{Found, found};
use crate::engine::spec::{NetworkMode, pause_id, runtime_id};
use crate::engine::state::Network;

impl Engine {
    pub(super) async fn restore(&self, records: Vec<TaskRecord>) -> Result<(), EngineError> {
        let inner = &self.0;
        let mut restored = Vec::new();
        let mut keep = Keep {
            interfaces: inner.attachments.interfaces(),
            ..Keep::default()
        };
        for record in records {
            match decode(&record.payload) {
                Ok(task) => {
                    let machine = Machine::restore(task, record.state.clone());
                    keep_task(&mut keep, &machine);
                    restored.push((machine, record));
                }
                // An agent that knew more wrote it. The task goes on unattended rather than being killed.
                Err(error) => {
                    tracing::error!(task = record.payload.arn, %error, "a task's record is left aside");
                    keep_unread(&mut keep, &record.payload);
                }
            }
        }
        // A stranger's leftover that cannot be removed must not keep the node's own tasks unattended.
        if let Err(error) = inner.driver.sweep(&keep).await {
            tracing::error!(%error, "not all that belongs to no task could be removed");
        }
        let present = inner.driver.list().await?;
        let now = inner.clock.now();
        for (machine, _) in &restored {
            if machine.state.admitted && machine.state.finished_at.is_none() {
                lock(&inner.ledger).hold(&machine.task.arn, machine.task.needs());
            }
        }
        for (mut machine, record) in restored {
            let find = |name: &str| {
                let id = machine
                    .task
                    .container(name)
                    .map(|container| container.runtime_id.as_str())?;
                present.get(id).cloned()
            };
            let mut events = found(&machine, &find, now);
            events.splice(0..0, self.reconnected(&machine, &find).await);
            for event in events {
                machine.absorb(event, now);
            }
            tracing::info!(
                task = machine.task.arn,
                status = machine.status().as_str(),
                "found again"
            );
            if !machine.state.admitted && machine.state.stop.is_none() {
                let _told_when_it_asks = lock(&inner.ledger).ask(&machine.task.arn, machine.task.needs());
            }
            self.spawn(machine, record, Event::Tick);
        }
        Attachments::resume(inner);
        Ok(())
    }

    /// Places on the bridge that an earlier agent had no time to write down.
    async fn reconnected(
        &self,
        machine: &Machine,
        find: &(dyn Fn(&str) -> Option<Found> + Sync),
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for container in &machine.task.containers {
            let known = machine.state.containers[&container.name].connection.is_some();
            let alive = matches!(find(&container.name), Some(Found::Created | Found::Running(_)));
            if machine.task.network != NetworkMode::Bridge || known || !alive {
                continue;
            }
            match self.0.driver.connection(&machine.task, container).await {
                Ok(Some(connection)) => events.push(Event::FoundConnected {
                    container: container.name.clone(),
                    connection,
                }),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(container = container.runtime_id, %error, "its ports are not known");
                }
            }
        }
        events
    }
}

fn keep_task(keep: &mut Keep, machine: &Machine) {
    let (task, state) = (&machine.task, &machine.state);
    for container in &task.containers {
        keep.containers.insert(container.runtime_id.clone());
        if task.network == NetworkMode::Bridge && state.finished_at.is_none() {
            keep.networks.insert(container.runtime_id.clone());
        }
    }
    if state.finished_at.is_some() {
        return;
    }
    keep.tasks.insert(task.id.clone());
    if task.network == NetworkMode::Awsvpc && !matches!(state.network, Network::Down) {
        keep.interfaces
            .extend(task.interfaces.iter().map(|interface| interface.ec2_id.clone()));
    }
    if !matches!(state.network, Network::Absent | Network::Down) {
        keep.containers.insert(task.pause_id());
        keep.networks.insert(task.pause_id());
    }
}

/// Everything that a task which cannot be read may have.
fn keep_unread(keep: &mut Keep, task: &acs::Task) {
    let Some(id) = task_id(&task.arn) else { return };
    let names = task
        .containers
        .iter()
        .map(|container| runtime_id(&task.arn, id, &container.name));
    let names: Vec<String> = names.chain([pause_id(id)]).collect();
    keep.containers.extend(names.iter().cloned());
    keep.networks.extend(names);
    keep.tasks.insert(id.to_owned());
    keep.interfaces.extend(
        task.elastic_network_interfaces
            .iter()
            .map(|interface| interface.ec2_id.clone()),
    );
}
