//! What the control plane is told of a task, and when. A task's own steps go out at once, with all containers
//! that changed; a container's change alone waits a little for company, as with the vendor's agent.

use roadstead_base::Timestamp;

use super::spec::{Container, NetworkMode, Task};
use super::state::{Binding, Change, ContainerChange, ContainerState, Status, TaskState};

/// A container's change waits this long while the task runs, and this long before it does, in milliseconds.
const WAIT_RUNNING_MS: i64 = 250;
const WAIT_PENDING_MS: i64 = 10_000;
/// Longest reason that the API takes, in characters.
pub const MAX_REASON: usize = 1024;

/// Puts into the outbox what has changed since it was last told. Telling the same twice is impossible: what
/// was told is part of the state that is written together with the outbox.
pub(super) fn collect(task: &Task, state: &mut TaskState, now: Timestamp) {
    let status = present(task, state);
    let mut resolved = false;
    let news: Vec<ContainerChange> = task
        .containers
        .iter()
        .filter_map(|container| {
            let known = state.containers.get_mut(&container.name)?;
            let shown = known.shown();
            if matches!(shown, Status::Running | Status::Stopped) && known.told < shown {
                known.told = shown;
                return Some(container_change(task, container, known));
            }
            // As soon as it is known: the other tasks of the service wait for it.
            let image = task.resolves_for_others(container) && shown < Status::Running && !known.told_image;
            (image && known.image.as_ref()?.digest.is_some()).then(|| {
                known.told_image = true;
                resolved = true;
                container_change(task, container, known)
            })
        })
        .collect();
    let step = status > state.told && matches!(status, Status::Running | Status::Stopped);
    if step {
        state.told = status;
    }
    if news.is_empty() && !step {
        return;
    }
    let wait = match status {
        _ if step || resolved => 0,
        Status::Running => WAIT_RUNNING_MS,
        _ => WAIT_PENDING_MS,
    };
    let change = Change {
        number: state.next_change,
        status,
        reason: (status == Status::Stopped)
            .then(|| state.stop.as_ref().and_then(|stop| stop.reason.clone()))
            .flatten()
            .map(|reason| clip(&reason)),
        containers: news,
        pull_started_at: state.pull_started_at,
        pull_stopped_at: state.pull_stopped_at,
        execution_stopped_at: state.execution_stopped_at,
        not_before: now.plus_millis(wait),
    };
    state.next_change += 1;
    merge(state, change, now);
}

/// Joins a change that still waits, unless it is on its way; a task's step is never joined by a later one, so
/// that RUNNING is told before STOPPED.
fn merge(state: &mut TaskState, change: Change, now: Timestamp) {
    match state.outbox.back_mut() {
        Some(last)
            if state.in_flight != Some(last.number)
                && (last.status < Status::Running || last.not_before > now) =>
        {
            join(last, change);
        }
        _ => state.outbox.push_back(change),
    }
}

fn join(last: &mut Change, change: Change) {
    for news in change.containers {
        last.containers.retain(|old| old.name != news.name);
        last.containers.push(news);
    }
    last.status = change.status;
    last.reason = change.reason;
    last.pull_started_at = change.pull_started_at;
    last.pull_stopped_at = change.pull_stopped_at;
    last.execution_stopped_at = change.execution_stopped_at;
    last.not_before = last.not_before.min(change.not_before);
}

fn present(task: &Task, state: &TaskState) -> Status {
    let least = task
        .containers
        .iter()
        .map(|container| state.containers[&container.name].shown())
        .min();
    let least = least.unwrap_or_default();
    match least {
        // A task has stopped when nothing of it is left: its interface can be given to another then, its host
        // port, its memory.
        Status::Stopped if state.finished_at.is_some() => Status::Stopped,
        Status::Stopped => state.told.min(Status::Running),
        // Once stopping, it is not told to run any more.
        Status::Running if state.stop.is_some() => state.told,
        least => least,
    }
}

/// Ports of the node that lead to the container; an awsvpc task has its own instead.
pub fn bindings(task: &Task, container: &Container, state: &ContainerState) -> Vec<Binding> {
    match task.network {
        NetworkMode::Host => container
            .ports
            .iter()
            .map(|port| Binding {
                container_port: port.first,
                host_port: port.host,
                protocol: port.protocol().to_owned(),
                count: port.last - port.first + 1,
            })
            .collect(),
        NetworkMode::Bridge => state
            .connection
            .as_ref()
            .map(|connection| connection.bindings.clone())
            .unwrap_or_default(),
        NetworkMode::Awsvpc | NetworkMode::None => Vec::new(),
    }
}

fn container_change(task: &Task, container: &Container, state: &ContainerState) -> ContainerChange {
    let ended = state.shown() == Status::Stopped;
    ContainerChange {
        name: container.name.clone(),
        runtime_id: state
            .created_at
            .or(state.started_at)
            .map(|_| container.runtime_id.clone()),
        status: state.shown(),
        exit_code: state.exit_code.filter(|_| ended),
        reason: state.reason.as_deref().filter(|_| ended).map(clip),
        bindings: if state.started_at.is_some() {
            bindings(task, container, state)
        } else {
            Vec::new()
        },
        image_digest: state.image.as_ref().and_then(|image| image.digest.clone()),
    }
}

/// The longest beginning that the API takes.
pub fn clip(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}
