//! All tasks of the node: it takes them in, finds them again after a restart, and answers who they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roadstead_acs as acs;
use roadstead_base::{SharedClock, Timestamp};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::actor::{Actor, View};
use super::attachments::Attachments;
use super::limits::Limits;
use super::record::{TASKS, TaskRecord};
use super::roles::Roles;
use crate::driver::{Driver, Failure};
use crate::engine::decode::{DecodeError, decode};
use crate::engine::event::Event;
use crate::engine::ledger::{Capacity, Ledger};
use crate::engine::machine::Machine;
use crate::engine::state::Status;
use crate::journal::{self, Journal, JournalError};
use crate::upstream::{News, Upstream, UpstreamError};

/// Events that may wait for a task; its own effects are few, the rest are requests from outside.
const MAILBOX: usize = 64;
/// Tasks the control plane is told about at the same time.
const SUBMISSIONS: usize = 10;
/// Images pulled at the same time.
const PULLS: usize = 4;

/// A payload's task was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("the task was not taken in because it could not be written down: {0}")]
    Journal(#[from] JournalError),
    #[error("the node has {0} tasks already, as many as it takes")]
    Full(usize),
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("looking for what an earlier agent left failed: {0}")]
    Driver(#[from] Failure),
}

/// A map that is not applied.
#[derive(Debug, thiserror::Error)]
pub enum NetworkMapError {
    #[error("generation {offered} is older than {present}, which is in force")]
    Stale { offered: u64, present: u64 },
    #[error("the map could not be applied: {0}")]
    Failed(#[from] Failure),
}

/// The node's tasks. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub driver: Arc<dyn Driver>,
    pub journal: Arc<dyn Journal>,
    pub upstream: Arc<dyn Upstream>,
    pub clock: SharedClock,
    pub limits: Limits,
    pub ledger: Mutex<Ledger>,
    pub tasks: Mutex<BTreeMap<String, Entry>>,
    pub retained: Mutex<BTreeSet<(Timestamp, String)>>,
    pub submissions: Arc<Semaphore>,
    pub pulls: Arc<Semaphore>,
    pub stop: CancellationToken,
    pub attachments: Attachments,
    pub roles: Roles,
    arrivals: AtomicU64,
    actors: Mutex<JoinSet<()>>,
    /// The highest generation of a network map; held while one is applied, so that they apply in order.
    map_generation: tokio::sync::Mutex<u64>,
    /// Payloads are taken in one after another: two deliveries of one task must not both find it new.
    accepting: tokio::sync::Mutex<()>,
}

pub(super) struct Entry {
    pub mailbox: mpsc::Sender<Event>,
    pub view: watch::Receiver<Arc<View>>,
    /// Told to forget the task before its time.
    pub forget: Arc<Notify>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may be written down of a payload.
fn without_keys(payload: &acs::Task) -> acs::Task {
    let mut payload = payload.clone();
    for keys in [
        &mut payload.role_credentials,
        &mut payload.execution_role_credentials,
    ]
    .into_iter()
    .flatten()
    {
        *keys = keys.without_keys();
    }
    payload
}

impl Engine {
    /// Finds the tasks of an earlier agent, removes what belongs to none, and goes on with the rest.
    ///
    /// # Errors
    /// A record of a newer format, an unreadable disk, a driver that cannot look.
    pub async fn start(
        driver: Arc<dyn Driver>,
        journal: Arc<dyn Journal>,
        upstream: Arc<dyn Upstream>,
        clock: SharedClock,
        capacity: Capacity,
        limits: Limits,
    ) -> Result<Self, EngineError> {
        let mut records = Vec::new();
        for (name, text) in journal.all(TASKS).await? {
            records.push(journal::read::<TaskRecord>(&format!("{TASKS}/{name}"), &text)?);
        }
        records.sort_by_key(|record| record.arrival);
        let attachments = Attachments::load(journal.as_ref()).await?;
        let inner = Arc::new(Inner {
            driver,
            journal,
            upstream,
            clock,
            limits,
            ledger: Mutex::new(Ledger::new(capacity)),
            tasks: Mutex::default(),
            retained: Mutex::default(),
            submissions: Arc::new(Semaphore::new(SUBMISSIONS)),
            pulls: Arc::new(Semaphore::new(PULLS)),
            stop: CancellationToken::new(),
            attachments,
            roles: Roles::default(),
            arrivals: AtomicU64::new(records.last().map_or(0, |record| record.arrival + 1)),
            actors: Mutex::default(),
            map_generation: tokio::sync::Mutex::new(0),
            accepting: tokio::sync::Mutex::default(),
        });
        let engine = Self(inner);
        engine.restore(records).await?;
        Ok(engine)
    }

    pub(super) fn spawn(&self, machine: Machine, record: TaskRecord, first: Event) {
        let (mailbox, inbox) = mpsc::channel(MAILBOX);
        let forget = Arc::new(Notify::new());
        let arn = machine.task.arn.clone();
        let (actor, view) = Actor::new(
            Arc::clone(&self.0),
            machine,
            record,
            mailbox.clone(),
            inbox,
            forget.clone(),
        );
        lock(&self.0.tasks).insert(
            arn,
            Entry {
                mailbox,
                view,
                forget,
            },
        );
        let mut actors = lock(&self.0.actors);
        while actors.try_join_next().is_some() {}
        actors.spawn(actor.run(first));
    }

    /// Takes in a task of a payload, durably before this returns. One that is known already is not started
    /// again; desired status STOPPED stops it.
    ///
    /// # Errors
    /// [`AcceptError`]; the payload is not to be acknowledged then.
    pub async fn accept(&self, session: &str, payload: &acs::Task) -> Result<(), AcceptError> {
        let inner = &self.0;
        let stopping = payload.desired_status == "STOPPED";
        let _one_by_one = inner.accepting.lock().await;
        if !stopping {
            self.keep_keys(payload);
        }
        if let Some(mailbox) = self.mailbox(&payload.arn) {
            if stopping {
                // The actor is gone only when the engine stops.
                let _ = mailbox.send(Event::StopWanted { reason: None }).await;
            }
            return Ok(());
        }
        if !matches!(payload.desired_status.as_str(), "RUNNING" | "STOPPED") {
            tracing::warn!(
                task = payload.arn,
                desired = payload.desired_status,
                "taken as RUNNING"
            );
        }
        let task = decode(payload)?;
        let count = lock(&inner.tasks).len();
        if count >= inner.limits.tasks {
            return Err(AcceptError::Full(count));
        }
        let machine = Machine::new(task);
        let record = TaskRecord {
            session: session.to_owned(),
            arrival: inner.arrivals.fetch_add(1, Ordering::SeqCst),
            payload: without_keys(payload),
            state: machine.state.clone(),
        };
        let text = journal::write(&record).map_err(|source| JournalError::Corrupt {
            path: machine.task.id.clone().into(),
            source,
        })?;
        inner
            .journal
            .put(&format!("{TASKS}/{}", machine.task.id), text)
            .await?;
        let first = if stopping {
            Event::StopWanted { reason: None }
        } else {
            Event::Tick
        };
        if !stopping {
            // Here rather than when the actor gets to it: the queue is in the order of arrival.
            let _told_when_it_asks = lock(&inner.ledger).ask(&machine.task.arn, machine.task.needs());
        }
        self.spawn(machine, record, first);
        Ok(())
    }

    fn keep_keys(&self, payload: &acs::Task) {
        let both = [
            (acs::ROLE_OF_APPLICATION, &payload.role_credentials),
            (acs::ROLE_OF_EXECUTION, &payload.execution_role_credentials),
        ];
        for (role_type, keys) in both {
            if let Some(keys) = keys {
                self.0.roles.put(&payload.arn, role_type, keys);
            }
        }
    }

    /// New keys for a task's role. False: there is no such task, or no such kind of role.
    pub fn renew_keys(&self, message: &acs::IamRoleCredentials) -> bool {
        let known = lock(&self.0.tasks).contains_key(&message.task_arn);
        known
            && self
                .0
                .roles
                .put(&message.task_arn, &message.role_type, &message.role_credentials)
    }

    /// The keys of the task's own role, if it has one and they have come.
    pub fn keys_of_task(&self, arn: &str) -> Option<acs::RoleCredentials> {
        self.0.roles.application(arn)
    }

    /// The keys that the task is prepared with, if it has such a role and they have come.
    pub fn keys_of_execution(&self, arn: &str) -> Option<acs::RoleCredentials> {
        self.0.roles.execution(arn)
    }

    /// Asks a task to stop; one that is not here is none.
    pub async fn stop_task(&self, arn: &str, reason: Option<String>) {
        if let Some(mailbox) = self.mailbox(arn) {
            let _ = mailbox.send(Event::StopWanted { reason }).await;
        }
    }

    fn mailbox(&self, arn: &str) -> Option<mpsc::Sender<Event>> {
        lock(&self.0.tasks).get(arn).map(|entry| entry.mailbox.clone())
    }

    /// Every task that the node remembers, by ARN.
    pub fn tasks(&self) -> BTreeMap<String, Arc<View>> {
        lock(&self.0.tasks)
            .iter()
            .map(|(arn, entry)| (arn.clone(), entry.view.borrow().clone()))
            .collect()
    }

    /// Follows one task.
    pub fn watch(&self, arn: &str) -> Option<watch::Receiver<Arc<View>>> {
        lock(&self.0.tasks).get(arn).map(|entry| entry.view.clone())
    }

    /// An interface was announced for a task: attach it, and tell when it is there. Durable when this returns.
    ///
    /// # Errors
    /// It could not be written down; the message is not to be acknowledged then.
    pub async fn announce(&self, message: &acs::AttachTaskNetworkInterfaces) -> Result<(), JournalError> {
        Attachments::announce(&self.0, message).await
    }

    /// Applies a node's maps, unless newer ones are in force, and detaches what they no longer have.
    ///
    /// # Errors
    /// [`NetworkMapError`]: the maps are stale or the kernel refused them.
    pub async fn apply(&self, map: &acs::NetworkMap) -> Result<(), NetworkMapError> {
        let inner = &self.0;
        let mut generation = inner.map_generation.lock().await;
        if map.generation < *generation {
            return Err(NetworkMapError::Stale {
                offered: map.generation,
                present: *generation,
            });
        }
        inner.driver.apply(&map.vpcs).await?;
        *generation = map.generation;
        let mut wanted: BTreeSet<String> = map
            .vpcs
            .iter()
            .flat_map(|vpc| &vpc.interfaces)
            .map(|interface| interface.interface_id.clone())
            .collect();
        for view in self.tasks().values() {
            if view.machine.state.finished_at.is_none() {
                wanted.extend(
                    view.machine
                        .task
                        .interfaces
                        .iter()
                        .map(|interface| interface.ec2_id.clone()),
                );
            }
        }
        for orphan in inner.driver.attached().await?.difference(&wanted) {
            tracing::info!(interface = orphan, "is in no map and no task any more: detached");
            inner.driver.detach(orphan).await?;
        }
        Attachments::retain(inner, &wanted).await;
        Ok(())
    }

    /// The control plane has forgotten this node, so its generations may begin anew.
    pub async fn forget_maps(&self) {
        *self.0.map_generation.lock().await = 0;
    }

    /// Tells the control plane, again and again, that a payload's task cannot be understood. Not durable:
    /// the payload is not acknowledged, so it comes again.
    pub fn refuse(&self, cluster: &str, task_arn: &str, reason: String) {
        let (inner, cluster, arn) = (Arc::clone(&self.0), cluster.to_owned(), task_arn.to_owned());
        let mut actors = lock(&self.0.actors);
        actors.spawn(async move {
            let stop = inner.stop.clone();
            let news = News::Unrecognised(reason);
            tokio::select! { () = tell(&inner, &cluster, &arn, &news) => {} () = stop.cancelled() => {} }
        });
    }

    /// Stops every task and waits until nothing of any is left on the node, at most `patience`; then for the
    /// control plane to know, at most `telling`. True when nothing is left.
    pub async fn stop_all(&self, reason: &str, patience: Duration, telling: Duration) -> bool {
        // Whoever waits for room is told first: what others give back would start it otherwise.
        let waiting = lock(&self.0.ledger).backwards();
        let tasks = self.tasks();
        let others = tasks.keys().filter(|arn| !waiting.contains(arn));
        for arn in waiting.iter().chain(others) {
            if tasks
                .get(arn)
                .is_some_and(|view| view.machine.state.finished_at.is_none())
            {
                self.stop_task(arn, Some(reason.to_owned())).await;
            }
        }
        let views = || -> Vec<_> {
            lock(&self.0.tasks)
                .values()
                .map(|entry| entry.view.clone())
                .collect()
        };
        // An error means that the actor forgot the task, which is over then.
        let gone = async {
            for mut view in views() {
                let _ = view
                    .wait_for(|view| view.machine.state.finished_at.is_some())
                    .await;
            }
        };
        let gone = tokio::time::timeout(patience, gone).await.is_ok();
        let told = async {
            for mut view in views() {
                let _ = view.wait_for(|view| view.machine.is_over()).await;
            }
        };
        if tokio::time::timeout(telling, told).await.is_err() {
            tracing::info!("the control plane does not know of every end yet; the next start tells it");
        }
        gone
    }

    /// Ends all actors; containers live on.
    pub async fn shut_down(&self) {
        self.0.stop.cancel();
        let mut actors = std::mem::take(&mut *lock(&self.0.actors));
        while actors.join_next().await.is_some() {}
        Attachments::shut_down(&self.0).await;
    }

    /// Drops all actors where they are, as the end of the process would.
    pub fn abandon(&self) {
        self.0.stop.cancel();
        lock(&self.0.actors).abort_all();
        self.0.attachments.abandon();
    }

    pub fn driver(&self) -> &Arc<dyn Driver> {
        &self.0.driver
    }

    pub fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    pub fn upstream(&self) -> &Arc<dyn Upstream> {
        &self.0.upstream
    }
}

/// Sends one message until it arrives, is refused, or patience ends.
pub(super) async fn tell(inner: &Inner, cluster: &str, arn: &str, news: &News) {
    for failed in 1.. {
        let outcome = {
            let _permit = inner.submissions.acquire().await;
            inner.upstream.submit(cluster, arn, news).await
        };
        match outcome {
            Ok(()) => return,
            Err(error @ UpstreamError::Refused { .. }) => {
                tracing::warn!(task = arn, %error, "the control plane refuses this news");
                return;
            }
            Err(error) => match inner.limits.news.wait(failed, super::jitter()) {
                Some(wait) => {
                    tracing::debug!(task = arn, %error, "not told yet");
                    tokio::time::sleep(wait).await;
                }
                None => {
                    tracing::error!(task = arn, %error, "never told");
                    return;
                }
            },
        }
    }
}

impl Inner {
    /// Tells tasks that there is room for them now.
    pub(super) fn admit(&self, admitted: Vec<String>) {
        for arn in admitted {
            let Some(mailbox) = lock(&self.tasks).get(&arn).map(|entry| entry.mailbox.clone()) else {
                continue;
            };
            lock(&self.actors).spawn(async move {
                let _ = mailbox.send(Event::Admitted).await;
            });
        }
    }

    /// Remembers a task that is over; those over longest beyond the bound are forgotten, in whatever order one hears of them.
    pub(super) fn retain(&self, finished_at: Timestamp, arn: &str) {
        let mut retained = lock(&self.retained);
        retained.insert((finished_at, arn.to_owned()));
        while retained.len() > self.limits.retained {
            if let Some((_, oldest)) = retained.pop_first()
                && let Some(entry) = lock(&self.tasks).get(&oldest)
            {
                entry.forget.notify_one();
            }
        }
    }
}

impl View {
    /// As the control plane would be told.
    pub fn status(&self) -> Status {
        self.machine.status()
    }
}
