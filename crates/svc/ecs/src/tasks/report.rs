//! What an agent's report makes of a task: a pure function, because reports come late, twice, out of order, and
//! from agents that know less than the record does. A task and its containers only ever move forward.
//! Source: ecs-agent-protocol, section 2; the developer guide, "Stopped tasks error codes".

use roadstead_api_ecs::NetworkBinding;
use roadstead_base::Timestamp;

use crate::stored::Stored;
use crate::tasks::finish::{abandon, stopped};
use crate::tasks::{AttachmentStatus, ContainerRecord, ContainerStatus, LastStatus, StopCode, TaskRecord};

/// Characters of a reason that are kept.
const MAX_REASON: usize = 1024;
/// How the reasons begin of containers that never ran.
const NEVER_RAN: [&str; 7] = [
    "CannotPull",
    "CannotCreate",
    "CannotStart",
    "CannotInspect",
    "ResourceInitializationError",
    "TaskResourceInitializationError",
    "DockerTimeoutError",
];

/// What a report may say of the task as a whole. Agents know more steps; only these are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing new: containers or attachments alone.
    Nothing,
    Running,
    Stopped,
}

impl Said {
    pub(super) fn read(status: Option<&str>) -> Self {
        match status {
            Some("RUNNING") => Self::Running,
            Some("STOPPED") => Self::Stopped,
            _ => Self::Nothing,
        }
    }
}

/// A report, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    pub(super) said: Said,
    pub(super) reason: Option<String>,
    pub(super) containers: Vec<ContainerReport>,
    /// Ids of attachments that are there.
    pub(super) attached: Vec<String>,
    pub(super) pull_started: Option<Timestamp>,
    pub(super) pull_stopped: Option<Timestamp>,
    pub(super) execution_stopped: Option<Timestamp>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            said: Said::Nothing,
            reason: None,
            containers: Vec::new(),
            attached: Vec::new(),
            pull_started: None,
            pull_stopped: None,
            execution_stopped: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ContainerReport {
    pub(super) name: String,
    pub(super) status: Option<ContainerStatus>,
    pub(super) runtime_id: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) image_digest: Option<String>,
    pub(super) bindings: Vec<NetworkBinding>,
}

/// The task after the report; none if the report changes nothing.
pub(super) fn apply(before: &TaskRecord, report: &Report, now: Timestamp) -> Option<TaskRecord> {
    if before.last >= LastStatus::Deprovisioning {
        return None;
    }
    let mut task = before.clone();
    for said in &report.containers {
        if let Some(container) = task
            .containers
            .iter_mut()
            .find(|container| container.name == said.name)
        {
            container_said(container, said);
        }
    }
    let times = &mut task.times;
    times.pull_started = times.pull_started.or(report.pull_started);
    times.pull_stopped = times.pull_stopped.or(report.pull_stopped);
    times.execution_stopped = report.execution_stopped.or(times.execution_stopped);
    if let Some(attachment) = &mut task.attachment {
        // A task cannot run before its interface is there, whether its agent says so or not.
        let there = report.said == Said::Running || report.attached.contains(&attachment.id);
        if there && attachment.interface.is_some() {
            attachment.status = attachment.status.max(AttachmentStatus::Attached);
        }
    }
    match report.said {
        Said::Nothing => {}
        Said::Running => {
            task.times.started.get_or_insert(now);
            task.last = task.last.max(LastStatus::Running);
        }
        Said::Stopped => ended(&mut task, report, now),
    }
    if task == *before {
        return None;
    }
    task.times.connected.get_or_insert(now);
    task.version = before.version + 1;
    Some(task)
}

fn container_said(container: &mut ContainerRecord, said: &ContainerReport) {
    if let Some(status) = said.status {
        if status < container.status {
            return;
        }
        container.status = status;
    }
    let clip = |text: &String| text.chars().take(MAX_REASON).collect::<String>();
    let fill = |place: &mut Option<String>, value: &Option<String>| {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            *place = Some(clip(value));
        }
    };
    fill(&mut container.runtime_id, &said.runtime_id);
    fill(&mut container.image_digest, &said.image_digest);
    fill(&mut container.reason, &said.reason);
    container.exit_code = said.exit_code.or(container.exit_code);
    if !said.bindings.is_empty() {
        container.bindings = said.bindings.iter().cloned().map(Stored).collect();
    }
}

/// The agent has stopped it. With an interface it goes on to have that taken away.
fn ended(task: &mut TaskRecord, report: &Report, now: Timestamp) {
    let (code, reason) = why(task, report);
    abandon(task, code, reason);
    for container in &mut task.containers {
        container.status = ContainerStatus::Stopped;
    }
    task.times.stopping.get_or_insert(now);
    task.times.execution_stopped.get_or_insert(now);
    match &mut task.attachment {
        Some(attachment) => {
            attachment.status = attachment.status.max(AttachmentStatus::Detaching);
            task.last = LastStatus::Deprovisioning;
        }
        None => stopped(task, now),
    }
}

/// In the words of the service.
fn why(task: &TaskRecord, report: &Report) -> (StopCode, String) {
    if let Some(reason) = report.reason.as_ref().filter(|reason| !reason.is_empty()) {
        let code = if task.times.started.is_some() {
            StopCode::EssentialContainerExited
        } else {
            StopCode::TaskFailedToStart
        };
        return (code, reason.chars().take(MAX_REASON).collect());
    }
    if task.times.started.is_some() {
        return (
            StopCode::EssentialContainerExited,
            "Essential container in task exited".to_owned(),
        );
    }
    let reasons = task
        .containers
        .iter()
        .filter_map(|container| container.reason.as_deref());
    if let Some(reason) = reasons
        .clone()
        .find(|reason| NEVER_RAN.iter().any(|begin| reason.starts_with(begin)))
    {
        return (StopCode::TaskFailedToStart, reason.to_owned());
    }
    let exited = task
        .containers
        .iter()
        .any(|container| container.essential && container.exit_code.is_some());
    if exited {
        // It was over before it could be said to run.
        (
            StopCode::EssentialContainerExited,
            "Essential container in task exited".to_owned(),
        )
    } else {
        (StopCode::TaskFailedToStart, "Task failed to start".to_owned())
    }
}
