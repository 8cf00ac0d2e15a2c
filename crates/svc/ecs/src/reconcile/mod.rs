//! What brings tasks about. One reconciler looks at one record at a time, decides from what it says now, and
//! does the one thing that is missing; killed anywhere, it does the same again, since every id it makes derives
//! from the task's.

mod deliver;
mod images;
mod interface;
mod keep;
mod task;

use std::sync::Arc;
use std::time::Duration;

use roadstead_reconcile::{Driver, Error as ReconcileError, Handle, Options};
use roadstead_store::{Key, Mirror};
use tokio::sync::OnceCell;

use crate::Ecs;
use crate::acs::Acs;
use crate::definitions::FamilyRecord;
use crate::definitions::delete::going;
use crate::error::Result;
use crate::instances::ledger::NodeRecord;
use crate::instances::{ContainerInstanceRecord, InstanceRef};
use crate::services::ServiceRecord;
use crate::services::scheduler::{Services, service_of};
use crate::tasks::{TaskRecord, TokenRecord};
use crate::tcs::{Minutes, Tcs};
use crate::usage::Meter;

/// For telling the agents that the control plane stops.
const GOODBYE: Duration = Duration::from_secs(2);

/// Live copies of what decisions are made from.
pub(crate) struct Mirrors {
    pub(crate) tasks: Mirror<TaskRecord>,
    pub(crate) instances: Mirror<ContainerInstanceRecord>,
    pub(crate) nodes: Mirror<NodeRecord>,
    pub(crate) tokens: Mirror<TokenRecord>,
    pub(crate) services: Mirror<ServiceRecord>,
    pub(crate) families: Mirror<FamilyRecord>,
}

/// Started at the first question.
#[derive(Default)]
pub(crate) struct Present(OnceCell<Mirrors>);

impl Present {
    /// The mirrors, once they are started.
    pub(crate) fn get(&self) -> Option<&Mirrors> {
        self.0.get()
    }
}

impl Ecs {
    /// The mirrors, which show at least everything that was acknowledged before this call.
    pub(crate) async fn present(&self) -> Result<&Mirrors> {
        let mirrors = self.mirrors().await?;
        let now = self.store.revision().await?;
        mirrors.tasks.wait_for(now).await?;
        mirrors.instances.wait_for(now).await?;
        mirrors.nodes.wait_for(now).await?;
        mirrors.tokens.wait_for(now).await?;
        mirrors.services.wait_for(now).await?;
        mirrors.families.wait_for(now).await?;
        Ok(mirrors)
    }

    async fn mirrors(&self) -> Result<&Mirrors> {
        let start = || async {
            Ok::<_, crate::Error>(Mirrors {
                tasks: Mirror::of(&self.tasks()).await?,
                instances: Mirror::of(&self.instances()).await?,
                nodes: Mirror::of(&self.nodes()).await?,
                tokens: Mirror::of(&self.tokens()).await?,
                services: Mirror::of(&self.services()).await?,
                families: Mirror::of(&self.families()).await?,
            })
        };
        self.present.0.get_or_try_init(start).await
    }

    /// The agents' channel, to be mounted at [`crate::ACS_PATH`] for callers of `ecs`.
    pub fn acs(self: &Arc<Self>) -> Arc<dyn roadstead_dispatch::Raw> {
        Arc::new(Acs(self.clone()))
    }

    /// The agents' telemetry, to be mounted at [`crate::TCS_PATH`] for callers of `ecs`.
    pub fn tcs(self: &Arc<Self>) -> Arc<dyn roadstead_dispatch::Raw> {
        Arc::new(Tcs(self.clone()))
    }

    /// What FARGATE tasks used, to be mounted at [`crate::USAGE_PATH`] for callers of `ecs`.
    pub fn meter(self: &Arc<Self>) -> Arc<dyn roadstead_dispatch::Raw> {
        Arc::new(Meter(self.clone()))
    }

    /// Starts what works in the background. Without it, tasks are recorded and nothing comes of them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn start(self: &Arc<Self>) -> Result<Running> {
        let mirrors = self.mirrors().await?;
        let worker = Arc::new(Worker(self.clone()));
        let options = Options {
            workers: 16,
            max_keys: 100_000,
            ..Options::default()
        };
        let mut tasks = Driver::new("ecs-task", options.clone(), Arc::new(task::Tasks(worker.clone())));
        tasks.follow(mirrors.tasks.changes(), |changed| [changed.key.clone()]);
        let ecs = Arc::downgrade(self);
        tasks.follow(mirrors.instances.changes(), move |changed| {
            let instance = changed
                .after
                .as_ref()
                .or(changed.before.as_ref())
                .map(|entry| entry.value.name.clone());
            match (ecs.upgrade(), instance) {
                (Some(ecs), Some(instance)) => ecs.tasks_of(&instance),
                _ => Vec::new(),
            }
        });
        let ecs = Arc::downgrade(self);
        tasks.follow(mirrors.services.changes(), move |changed| {
            match (ecs.upgrade(), &changed.before, &changed.after) {
                (Some(ecs), Some(before), Some(after)) => images::let_go(&ecs, &before.value, &after.value),
                _ => Vec::new(),
            }
        });
        let services = self.keep_services(mirrors, options.clone());
        let mut kept = Driver::new(
            "ecs-keep",
            Options {
                workers: 1,
                ..options
            },
            Arc::new(keep::Kept(worker)),
        );
        kept.follow(mirrors.instances.changes(), |changed| [changed.key.clone()]);
        kept.follow(mirrors.tokens.changes(), |changed| [changed.key.clone()]);
        kept.follow(mirrors.families.changes(), |changed| {
            changed.after.as_deref().map(going).unwrap_or_default()
        });
        self.wake.set(Some(tasks.handle()));
        self.scheduler.set(Some(services.handle()));
        Ok(Running {
            ecs: self.clone(),
            tasks,
            kept,
            minutes: Minutes::start(self.clone()),
            services,
        })
    }

    fn keep_services(self: &Arc<Self>, mirrors: &Mirrors, options: Options) -> Driver<Key> {
        let mut services = Driver::new("ecs-service", options, Arc::new(Services(self.clone())));
        services.follow(mirrors.services.changes(), |changed| [changed.key.clone()]);
        services.follow(mirrors.tasks.changes(), |changed| {
            let task = changed.after.as_ref().or(changed.before.as_ref());
            task.and_then(|entry| service_of(&entry.value))
        });
        let ecs = Arc::downgrade(self);
        services.follow(mirrors.instances.changes(), move |changed| {
            let instance = changed.after.as_ref().or(changed.before.as_ref());
            match (ecs.upgrade(), instance) {
                (Some(ecs), Some(instance)) => ecs.services_on(&instance.value),
                _ => Vec::new(),
            }
        });
        let ecs = Arc::downgrade(self);
        services.follow(mirrors.nodes.changes(), move |_| {
            ecs.upgrade()
                .map(|ecs| ecs.services_without_place())
                .unwrap_or_default()
        });
        services
    }

    /// The keys of an instance's tasks, as the mirror shows them now.
    fn tasks_of(&self, instance: &InstanceRef) -> Vec<Key> {
        let Some(mirrors) = self.present.0.get() else {
            return Vec::new();
        };
        let snapshot = mirrors.tasks.snapshot();
        snapshot
            .iter()
            .filter(|entry| entry.value.host == *instance)
            .map(|entry| entry.key.clone())
            .collect()
    }

    /// An agent came back: everything of its instance is to be looked at.
    pub(crate) async fn wake_tasks_of(&self, instance: &InstanceRef) {
        if let Err(error) = self.present().await {
            tracing::error!(%error, "the tasks of an instance could not be read");
        }
        if let Some(handle) = self.wake.get() {
            self.tasks_of(instance)
                .into_iter()
                .for_each(|key| handle.tell(key));
        }
        if let Some(handle) = self.scheduler.get()
            && let Some(mirrors) = self.present.get()
            && let Some(entry) = mirrors.instances.snapshot().get(&instance.key())
        {
            self.services_on(&entry.value)
                .into_iter()
                .for_each(|key| handle.tell(key));
        }
    }

    /// Looks at every service here and now, beside the reconciler.
    #[cfg(test)]
    pub(crate) async fn look_at_services(self: &Arc<Self>) {
        use roadstead_reconcile::Reconciler as _;
        let services = Services(Arc::clone(self));
        for key in services.keys() {
            let _next = services.reconcile(&key).await.expect("looks");
        }
    }

    /// Every service is to be looked at: a clock that a test moves wakes nobody.
    #[cfg(test)]
    pub(crate) fn wake_services(&self) {
        if let (Some(handle), Some(mirrors)) = (self.scheduler.get(), self.present.get()) {
            let services = mirrors.services.snapshot();
            services.iter().for_each(|entry| handle.tell(entry.key.clone()));
        }
    }
}

/// Where the running reconciler is told of what no record shows: that an agent connected.
#[derive(Default)]
pub(crate) struct Wake(std::sync::Mutex<Option<Handle<Key>>>);

impl Wake {
    fn set(&self, handle: Option<Handle<Key>>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = handle;
    }

    fn get(&self) -> Option<Handle<Key>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }
}

/// What [`Ecs::start`] started. Dropping it stops it at once.
pub struct Running {
    ecs: Arc<Ecs>,
    tasks: Driver<Key>,
    kept: Driver<Key>,
    minutes: Minutes,
    services: Driver<Key>,
}

impl Running {
    /// Lets what is being worked on end, and sends the agents away so that they come back to whoever serves next.
    pub async fn stop(self) {
        self.ecs.wake.set(None);
        self.ecs.scheduler.set(None);
        self.services.stop().await;
        self.tasks.stop().await;
        self.kept.stop().await;
        drop(self.minutes);
        self.ecs.telemetry.close_all("the control plane is stopping");
        self.ecs.agents.close_all("the control plane is stopping");
        let said = async {
            while !self.ecs.agents.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(GOODBYE, said).await.is_err() {
            tracing::warn!("some agents were not told that the control plane stops");
        }
    }
}

/// What the reconcilers work with.
struct Worker(Arc<Ecs>);

impl std::ops::Deref for Worker {
    type Target = Ecs;

    fn deref(&self) -> &Ecs {
        &self.0
    }
}

fn failed(error: crate::Error) -> ReconcileError {
    Box::new(error)
}
