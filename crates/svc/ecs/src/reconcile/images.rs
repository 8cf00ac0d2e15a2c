//! All tasks of a deployment run the same images, also when a tag has moved in the meantime: the first of them is told
//! of by tags, and the others once its agent has said what the tags led to, by digests. Source: the developer guide,
//! "Container image resolution"; the API reference, `versionConsistency` of ContainerDefinition.

use std::collections::BTreeMap;

use roadstead_acs as acs;
use roadstead_api_ecs::VersionConsistency;
use roadstead_store::Key;
use tokio::sync::MutexGuard;

use crate::Ecs;
use crate::definitions::Definition;
use crate::error::Result;
use crate::reconcile::Worker;
use crate::services::ServiceRecord;
use crate::services::scheduler::{live_tasks, service_of};
use crate::tasks::{Desired, LastStatus, TaskRecord};

/// After so many tasks in a row that did not come to say it, the deployment goes on by tags.
const ATTEMPTS: u32 = 3;

/// What is known of a task's images.
#[derive(Default)]
pub(super) struct Known<'w> {
    /// Digests by the names of containers.
    digests: BTreeMap<String, String>,
    /// Of the first task: kept until it was sent, so that there is no other first one.
    _first: Option<MutexGuard<'w, ()>>,
}

impl Known<'_> {
    /// Puts the digests into the references, behind the tags, as the vendor does.
    pub(super) fn pin(&self, task: &mut acs::Task) {
        for container in &mut task.containers {
            if let Some(digest) = self.digests.get(&container.name) {
                let pinned = format!("{}@{digest}", container.image);
                container.defined_image = std::mem::replace(&mut container.image, pinned);
            }
        }
    }
}

/// What a task that is about to be told of is to run; or it waits, as so many do, for the first one of its deployment.
pub(super) async fn known<'w>(
    worker: &'w Worker,
    task: &TaskRecord,
    definition: &Definition,
) -> Result<Result<Known<'w>, usize>> {
    let tagged = tagged(definition);
    let known = |digests, first| {
        Ok(Known {
            digests,
            _first: first,
        })
    };
    Ok(match look(worker, task, &tagged).await? {
        Turn::Any(digests) => known(digests, None),
        Turn::Behind(waiting) => Err(waiting),
        Turn::First(_) => {
            let first = worker.first.lock().await;
            match look(worker, task, &tagged).await? {
                Turn::Any(digests) => known(digests, None),
                Turn::Behind(waiting) => Err(waiting),
                Turn::First(digests) => known(digests, Some(first)),
            }
        }
    })
}

/// Whether it is a task's turn, with the digests known so far.
enum Turn {
    /// Whatever becomes of the others.
    Any(BTreeMap<String, String>),
    First(BTreeMap<String, String>),
    /// One of so many.
    Behind(usize),
}

async fn look(worker: &Worker, task: &TaskRecord, tagged: &[&str]) -> Result<Turn> {
    let Some(service) = service_of(task).filter(|_| !tagged.is_empty()) else {
        return Ok(Turn::Any(BTreeMap::new()));
    };
    let services = worker.present().await?.services.snapshot();
    let service = services.get(&service).map(|entry| &entry.value);
    let Some((service, maker)) = service.and_then(|it| Some((it, it.maker(task.started_by.as_deref()?)?)))
    else {
        return Ok(Turn::Any(BTreeMap::new()));
    };
    let mut digests = maker.digests.clone();
    digests.retain(|name, _| tagged.contains(&name.as_str()));
    let missing = |name: &str| tagged.contains(&name) && !digests.contains_key(name);
    if !tagged.iter().any(|name| missing(name)) || maker.failures >= ATTEMPTS {
        return Ok(Turn::Any(digests));
    }
    let tasks = live_tasks(worker, service);
    let tasks = tasks.iter().map(|entry| &entry.value);
    let mut others: Vec<&TaskRecord> = tasks
        .filter(|other| other.started_by == task.started_by && other.id != task.id && is_live(other))
        .collect();
    let waiting = others.len();
    let has_said = |other: &&TaskRecord| {
        let mut containers = other.containers.iter();
        containers.any(|it| missing(&it.name) && it.image_digest.is_some())
    };
    if others.iter().any(has_said) {
        // The service's record is about to say so too.
        return Ok(Turn::Behind(waiting));
    }
    // Its agent does not say it, or does not come to, as when what it pulls is endless.
    let silent = |other: &TaskRecord| {
        let told_for = worker.told_for(other);
        other.times.started.is_some() || told_for >= Some(worker.options.first_patience)
    };
    if others.iter().any(|other| silent(other)) {
        return Ok(Turn::Any(digests));
    }
    others.retain(|other| worker.agents.is_connected(&other.host.arn()));
    let before = |other: &TaskRecord| (other.times.created, &other.id) < (task.times.created, &task.id);
    let behind = others
        .iter()
        .any(|other| worker.told(other) || (other.last == LastStatus::Pending && before(other)));
    Ok(if behind {
        Turn::Behind(waiting)
    } else {
        Turn::First(digests)
    })
}

/// The containers whose images are named by tags that digests are to take the place of.
fn tagged(definition: &Definition) -> Vec<&str> {
    let containers = definition.container_definitions.iter().flatten();
    containers
        .filter(|it| it.version_consistency != Some(VersionConsistency::Disabled))
        .filter(|it| !it.image.as_deref().unwrap_or_default().contains('@'))
        .filter_map(|it| it.name.as_deref())
        .collect()
}

fn is_live(task: &TaskRecord) -> bool {
    task.desired == Desired::Running && task.last <= LastStatus::Running
}

/// The tasks that a change of their service may let go on.
pub(super) fn let_go(ecs: &Ecs, before: &ServiceRecord, after: &ServiceRecord) -> Vec<Key> {
    let changed = |id: &str| {
        let of = |service: &ServiceRecord| {
            let maker = service.maker(id);
            maker.map(|it| (it.digests.clone(), it.failures >= ATTEMPTS))
        };
        of(before) != of(after)
    };
    let changed: Vec<&String> = after
        .makers()
        .map(|it| &it.id)
        .filter(|id| changed(id.as_str()))
        .collect();
    if changed.is_empty() {
        return Vec::new();
    }
    let tasks = live_tasks(ecs, after);
    let waits = |task: &TaskRecord| {
        let started_by = task.started_by.as_ref();
        task.last == LastStatus::Pending && started_by.is_some_and(|id| changed.contains(&id))
    };
    let waiting = tasks.iter().filter(|entry| waits(&entry.value));
    waiting.map(|entry| entry.key.clone()).collect()
}
