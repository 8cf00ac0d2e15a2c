//! One task's life on this node: events come in, the machine decides, what matters is written down, and only
//! then is anything done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::engine::{Inner, lock};
use super::forward::Forwarding;
use super::record::{TASKS, TaskRecord};
use crate::engine::durable::Weight;
use crate::engine::event::Event;
use crate::engine::machine::Machine;
use crate::engine::state::{Network, Status};
use crate::journal;
use crate::upstream::{News, UpstreamError};

/// Waits between tries to write a record.
const WRITE_AGAIN: Duration = Duration::from_millis(500);

/// A task as others may look at it.
#[derive(Clone, Debug)]
pub struct View {
    pub machine: Machine,
    /// The cluster through whose channel it came.
    pub session: String,
}

pub(super) struct Actor {
    pub inner: Arc<Inner>,
    pub machine: Machine,
    record: TaskRecord,
    saved: Vec<u8>,
    inbox: mpsc::Receiver<Event>,
    pub outlet: mpsc::Sender<Event>,
    view: watch::Sender<Arc<View>>,
    forget: Arc<Notify>,
    /// What is being done at the moment; dropped with the actor.
    pub jobs: JoinSet<()>,
    pub pulls: HashMap<String, AbortHandle>,
    /// By container: lines on their way.
    pub forwards: HashMap<String, Forwarding>,
    pub cancel_network: CancellationToken,
    /// Tries of the change at the head of the outbox that failed, and when the next is due.
    failed: u32,
    retry_at: Timestamp,
}

impl Actor {
    pub(super) fn new(
        inner: Arc<Inner>,
        machine: Machine,
        record: TaskRecord,
        outlet: mpsc::Sender<Event>,
        inbox: mpsc::Receiver<Event>,
        forget: Arc<Notify>,
    ) -> (Self, watch::Receiver<Arc<View>>) {
        let first = Arc::new(View {
            machine: machine.clone(),
            session: record.session.clone(),
        });
        let (view, seen) = watch::channel(first);
        let actor = Self {
            inner,
            machine,
            saved: Vec::new(),
            record,
            inbox,
            outlet,
            view,
            forget,
            jobs: JoinSet::new(),
            pulls: HashMap::new(),
            forwards: HashMap::new(),
            cancel_network: CancellationToken::new(),
            failed: 0,
            retry_at: Timestamp::default(),
        };
        (actor, seen)
    }

    /// Runs until the task is forgotten or the engine stops.
    pub(super) async fn run(mut self, first: Event) {
        let stop = self.inner.stop.clone();
        self.watch_what_runs();
        if !self.take(first).await {
            return;
        }
        loop {
            self.send_due();
            let wait = self.wait();
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                event = self.inbox.recv() => event.unwrap_or(Event::Tick),
                () = tokio::time::sleep(wait) => Event::Tick,
                () = self.forget.notified(), if self.machine.is_over() => return self.leave().await,
            };
            while self.jobs.try_join_next().is_some() {}
            if event == Event::Tick && self.expired() {
                return self.leave().await;
            }
            if !self.take(event).await {
                return;
            }
        }
    }

    /// After a restart: what an earlier agent started is waited for again.
    fn watch_what_runs(&mut self) {
        for container in &self.machine.task.clone().containers {
            let state = &self.machine.state.containers[&container.name];
            let printed = state.started_at.is_some() && state.exists;
            if state.known == Status::Running {
                self.wait_for_exit(container.name.clone());
            }
            if printed {
                self.forward(&container.name);
            }
        }
        if matches!(self.machine.state.network, Network::Up(_)) {
            self.watch_pause();
        }
        if self.machine.is_over() {
            self.inner.retain(
                self.machine.state.finished_at.unwrap_or_default(),
                &self.machine.task.arn,
            );
        }
    }

    /// False when the engine stops meanwhile.
    async fn take(&mut self, event: Event) -> bool {
        let now = self.inner.clock.now();
        match &event {
            Event::NotSent { .. } => {
                self.failed += 1;
                let wait = self
                    .inner
                    .limits
                    .news
                    .wait(self.failed, super::jitter())
                    .unwrap_or_default();
                self.retry_at = now.plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
            }
            Event::Started { container, .. } => self.forward(container),
            Event::Settled { .. } => {
                self.failed = 0;
                self.retry_at = Timestamp::default();
            }
            _ => {}
        }
        let was_over = self.machine.is_over();
        tracing::debug!(task = self.machine.task.id, ?event, "event");
        let before = Weight::of(&self.machine);
        let effects = self.machine.step(event, now);
        if before.must_be_written(&self.machine, &effects) && !self.save().await {
            return false;
        }
        let view = View {
            machine: self.machine.clone(),
            session: self.record.session.clone(),
        };
        self.view.send_replace(Arc::new(view));
        for effect in effects {
            tracing::debug!(task = self.machine.task.id, ?effect, "effect");
            self.run_effect(effect);
        }
        if !was_over && self.machine.is_over() {
            self.inner.retain(
                self.machine.state.finished_at.unwrap_or_default(),
                &self.machine.task.arn,
            );
        }
        true
    }

    /// Writes the state down if it differs from what is on disk. What matters is not done before that has
    /// succeeded.
    async fn save(&mut self) -> bool {
        self.record.state = self.machine.state.clone();
        let text = match journal::write(&self.record) {
            Ok(text) => text,
            Err(error) => {
                tracing::error!(task = self.machine.task.arn, %error, "the state cannot be written as JSON");
                return true;
            }
        };
        if text == self.saved {
            return true;
        }
        let key = format!("{TASKS}/{}", self.machine.task.id);
        // When the machine goes down, running containers go too, and what was noted of them is untrue. How they
        // ended is told by nothing but the record.
        let durable = self.machine.state.stop.is_some();
        let journal = self.inner.journal.clone();
        loop {
            let written = if durable {
                journal.put(&key, text.clone()).await
            } else {
                journal.note(&key, text.clone()).await
            };
            match written {
                Ok(()) => {
                    self.saved = text;
                    return true;
                }
                Err(error) => {
                    tracing::error!(task = self.machine.task.arn, %error, "the task waits for the disk")
                }
            }
            tokio::select! {
                () = self.inner.stop.cancelled() => return false,
                () = tokio::time::sleep(WRITE_AGAIN) => {}
            }
        }
    }

    /// Until the next deadline of the machine, the outbox or the retention; an hour at most.
    fn wait(&self) -> Duration {
        let outbox = self.next_change().map(|(_, due)| due);
        let end = self.machine.is_over().then(|| self.expiry()).flatten();
        let deadline = [self.machine.next_deadline(), outbox, end]
            .into_iter()
            .flatten()
            .min();
        let wait = deadline.map_or(3_600_000, |deadline| deadline.0 - self.inner.clock.now().0);
        Duration::from_millis(u64::try_from(wait.clamp(0, 3_600_000)).unwrap_or(0))
    }

    fn expiry(&self) -> Option<Timestamp> {
        let retention = i64::try_from(self.inner.limits.retention.as_millis()).unwrap_or(i64::MAX);
        self.machine.state.finished_at.map(|at| at.plus_millis(retention))
    }

    fn expired(&self) -> bool {
        self.machine.is_over() && self.expiry().is_some_and(|at| at <= self.inner.clock.now())
    }

    /// The change to tell next and when it is due; none while one is on its way.
    fn next_change(&self) -> Option<(u64, Timestamp)> {
        let state = &self.machine.state;
        let head = state.outbox.front().filter(|_| state.in_flight.is_none())?;
        Some((head.number, head.not_before.max(self.retry_at)))
    }

    /// Starts telling the next change if it is due.
    fn send_due(&mut self) {
        let Some((number, due)) = self.next_change() else {
            return;
        };
        let now = self.inner.clock.now();
        if due > now {
            return;
        }
        let Some(change) = self.machine.state.outbox.front().cloned() else {
            return;
        };
        // Marks it, so that it does not grow any more; nothing of this needs to be durable.
        self.machine.step(Event::Sending { number }, now);
        let (inner, outlet, last) = (self.inner.clone(), self.outlet.clone(), self.failed + 1);
        let arn = self.machine.task.arn.clone();
        let cluster = match self.machine.task.cluster_arn.as_str() {
            "" => self.record.session.clone(),
            cluster => cluster.to_owned(),
        };
        self.jobs.spawn(async move {
            let outcome = {
                let _permit = inner.submissions.acquire().await;
                inner.upstream.submit(&cluster, &arn, &News::Task(change)).await
            };
            let event = match outcome {
                Ok(()) => Event::Settled { number },
                Err(error @ UpstreamError::Refused { .. }) => {
                    tracing::warn!(task = arn, %error, "the control plane refuses this news");
                    Event::Settled { number }
                }
                Err(error) if inner.limits.news.wait(last, 0.0).is_none() => {
                    tracing::error!(task = arn, %error, "never told");
                    Event::Settled { number }
                }
                Err(error) => {
                    tracing::debug!(task = arn, %error, "not told yet");
                    Event::NotSent { number }
                }
            };
            let _ = outlet.send(event).await;
        });
    }

    /// Forgets the task: its logs, its record, its place among the tasks.
    async fn leave(self) {
        let task = &self.machine.task;
        if let Err(error) = self.inner.driver.forget(task).await {
            tracing::warn!(task = task.arn, %error, "its last traces could not be removed; the next start tries again");
        }
        if let Err(error) = self.inner.journal.remove(&format!("{TASKS}/{}", task.id)).await {
            tracing::warn!(task = task.arn, %error, "its record could not be removed");
        }
        lock(&self.inner.retained).retain(|(_, arn)| *arn != task.arn);
        self.inner.roles.forget(&task.arn);
        lock(&self.inner.tasks).remove(&task.arn);
    }
}
