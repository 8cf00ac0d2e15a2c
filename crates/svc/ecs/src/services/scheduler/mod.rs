//! What keeps services as they are meant to be. One service at a time is looked at, one step is decided from what is
//! seen, and the step and what it makes of the service's record are one commit, on condition that the record has not
//! changed since. Killed anywhere, run twice or late, it decides anew.

mod account;
mod alarms;
pub(super) mod look;
mod places;
mod sets;
mod start;
mod stop;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use roadstead_deployment::plan;
use roadstead_reconcile::{Action, Error as ReconcileError, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Snapshot, Transaction};

use crate::Ecs;
use crate::error::Result;
use crate::instances::ContainerInstanceRecord;
use crate::services::deployments::expire;
use crate::services::news::News;
use crate::services::record::Controller;
use crate::services::{ServiceRecord, ServiceStatus, write};
use crate::tables::{events_of, revisions_of, service_deployments_of, service_key, services_of, tasks_of};
use crate::tasks::{Launch, TaskRecord};

/// How soon a service is looked at again that others keep changing.
const AGAIN: Duration = Duration::from_millis(200);
/// Steps of one look. What is left is for the next, so that a big service does not keep the others waiting.
const MAX_STEPS: usize = 32;
/// Tasks started or stopped in one commit.
const BATCH: usize = 10;
/// Milliseconds for which a deleted service can be described.
const KEEP_INACTIVE: i64 = 24 * 3_600_000;

pub(crate) struct Services(pub(crate) Arc<Ecs>);

impl Reconciler for Services {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, ReconcileError> {
        self.0
            .keep_service(key)
            .await
            .map_err(|error| Box::new(error) as ReconcileError)
    }

    fn keys(&self) -> Vec<Key> {
        let Some(mirrors) = self.0.present.get() else {
            return Vec::new();
        };
        mirrors
            .services
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

/// The key of the service that a task is of.
pub(crate) fn service_of(task: &TaskRecord) -> Option<Key> {
    let name = task.group.strip_prefix("service:")?;
    let name = crate::names::ServiceName::new(name).ok()?;
    Some(service_key(&task.partition, &task.cluster, &name))
}

/// The tasks of a service, in order of their ids: all that was acknowledged before this call.
pub(crate) async fn tasks_of_service(
    ecs: &Ecs,
    service: &ServiceRecord,
) -> Result<Vec<Arc<Entry<TaskRecord>>>> {
    Ok(of_service(&ecs.present().await?.tasks.snapshot(), service))
}

/// As [`tasks_of_service`], as the mirror shows them now.
pub(crate) fn live_tasks(ecs: &Ecs, service: &ServiceRecord) -> Vec<Arc<Entry<TaskRecord>>> {
    let Some(mirrors) = ecs.present.get() else {
        return Vec::new();
    };
    of_service(&mirrors.tasks.snapshot(), service)
}

fn of_service(tasks: &Snapshot<TaskRecord>, service: &ServiceRecord) -> Vec<Arc<Entry<TaskRecord>>> {
    let group = format!("service:{}", service.name);
    let below = tasks_of(&service.partition, &service.cluster);
    let own = tasks.below(&below).filter(|entry| entry.value.group == group);
    own.cloned().collect()
}

impl Ecs {
    /// The services that a container instance may matter to.
    pub(crate) fn services_on(&self, instance: &ContainerInstanceRecord) -> Vec<Key> {
        let Some(mirrors) = self.present.get() else {
            return Vec::new();
        };
        let snapshot = mirrors.services.snapshot();
        let key_of = |entry: &Arc<Entry<ServiceRecord>>| entry.key.clone();
        if instance.name.is_fargate() {
            let fargate = |entry: &&Arc<Entry<ServiceRecord>>| {
                let mut makers = entry.value.makers();
                makers.any(|maker| maker.spec.launch == Launch::Fargate)
            };
            return snapshot.iter().filter(fargate).map(key_of).collect();
        }
        let below = services_of(&instance.name.partition, &instance.name.cluster);
        snapshot.below(&below).map(key_of).collect()
    }

    /// The services that wait for a place.
    pub(crate) fn services_without_place(&self) -> Vec<Key> {
        let Some(mirrors) = self.present.get() else {
            return Vec::new();
        };
        let snapshot = mirrors.services.snapshot();
        snapshot
            .iter()
            .filter(|entry| entry.value.waits_for_a_place())
            .map(|entry| entry.key.clone())
            .collect()
    }

    async fn keep_service(&self, key: &Key) -> Result<Action> {
        for _ in 0..MAX_STEPS {
            let Some(entry) = self.services().get(key).await? else {
                return Ok(Action::Done);
            };
            let done = match entry.value.status {
                ServiceStatus::Inactive { since } => Some(self.remember(&entry, since).await?),
                ServiceStatus::Active | ServiceStatus::Draining => self.step(&entry).await?,
            };
            if let Some(action) = done {
                return Ok(action);
            }
        }
        Ok(Action::Again(AGAIN))
    }

    /// Does one thing. None: there may be another.
    async fn step(&self, entry: &Entry<ServiceRecord>) -> Result<Option<Action>> {
        let now = self.clock.now();
        let tasks = tasks_of_service(self, &entry.value).await?;
        let mut next = entry.value.clone();
        let mut news = News::default();
        account::account(&mut next, &tasks, now, self.options.settle_millis, &mut news);
        if next.status == ServiceStatus::Draining && tasks.iter().all(|task| stop::is_ending(&task.value)) {
            next.status = ServiceStatus::Inactive { since: now };
            next.deployments.truncate(1);
            next.sets.clear();
            self.forget_history(entry, next, &news).await?;
            return Ok(None);
        }
        if next.controller == Controller::External {
            return sets::keep(self, entry, next, news, &tasks).await;
        }
        verdict::begin(&mut next, now);
        let watching = alarms::watch(self, &mut next, &mut news).await?;
        let Some(subject) = look::Subject::service(&next) else {
            return Ok(Some(Action::Done));
        };
        let maker = subject.maker.id.clone();
        let snapshot = look::look(self, entry, &next, subject, &tasks, now).await?;
        let plan = plan(&snapshot);
        if let Some(verdict) = &plan.verdict {
            verdict::apply(&mut next, verdict, now, &mut news);
            self.write_down(entry, next, &news).await?;
            expire(self, &entry.value).await?;
            return Ok(None);
        }
        if !plan.stop.is_empty() {
            stop::stop(self, entry, next, news, &tasks, &plan.stop).await?;
            return Ok(None);
        }
        let mut held_back = None;
        if let Some(start) = plan.start {
            let Some(left) = start::held_back(self, &next, &maker, &start).await? else {
                let balance = places::balance(&snapshot);
                start::start(self, entry, next, news, &maker, (start, balance)).await?;
                return Ok(None);
            };
            held_back = Some(left);
        }
        if plan.steady && !next.steady {
            next.steady = true;
            news.line("has reached a steady state.");
            news.action("INFO", "SERVICE_STEADY_STATE", None);
        }
        self.write_down(entry, next, &news).await?;
        let again = plan
            .again
            .map(i64::unsigned_abs)
            .into_iter()
            .chain(held_back)
            .map(Duration::from_millis);
        let again = again.chain(watching.then_some(alarms::EVERY)).min();
        Ok(Some(again.map_or(Action::Done, Action::Again)))
    }

    /// Writes what became of the service, if anything did. A lost race is decided again by whoever won.
    async fn write_down(&self, entry: &Entry<ServiceRecord>, next: ServiceRecord, news: &News) -> Result<()> {
        if next == entry.value && news.is_empty() {
            return Ok(());
        }
        let (transaction, _) = write::replace(self, Transaction::new(&self.store), entry, next, news);
        let _ = transaction.commit().await?;
        Ok(())
    }

    /// Writes down that the service is gone, and with it what was deployed of it.
    async fn forget_history(
        &self,
        entry: &Entry<ServiceRecord>,
        mut next: ServiceRecord,
        news: &News,
    ) -> Result<()> {
        (next.current, next.settled) = (None, None);
        let transaction = Transaction::new(&self.store)
            .delete_below(&service_deployments_of(
                &next.partition,
                &next.cluster,
                &next.name,
            ))
            .delete_below(&revisions_of(&next.partition, &next.cluster, &next.name));
        let (transaction, _) = write::replace(self, transaction, entry, next, news);
        let _ = transaction.commit().await?;
        Ok(())
    }

    async fn remember(&self, entry: &Entry<ServiceRecord>, since: Timestamp) -> Result<Action> {
        let left = since.0 + KEEP_INACTIVE - self.clock.now().0;
        if left > 0 {
            return Ok(Action::Again(Duration::from_millis(left.unsigned_abs())));
        }
        let service = &entry.value;
        let transaction = Transaction::new(&self.store)
            .compare_unmodified(entry)
            .delete(&entry.key)
            .delete_below(&events_of(&service.partition, &service.cluster, &service.name));
        Ok(match transaction.commit().await? {
            Outcome::Committed(_) => Action::Done,
            Outcome::Conflict => Action::Again(AGAIN),
        })
    }
}
