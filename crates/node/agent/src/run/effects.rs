//! From an effect to a call of the driver and back to an event. Every call is bounded, and every one that the
//! machine waits for is answered.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::actor::Actor;
use super::engine::lock;
use super::forward::Forwarding;
use super::secrets::with_secrets;
use super::ship::Destination;
use crate::driver::{Failure, Made, Result};
use crate::engine::event::{Effect, Event, Signal};
use crate::engine::health::Checked;
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{Container, Task};

/// Between tries to tear something down.
const TEAR_DOWN_AGAIN: Duration = Duration::from_millis(500);

impl Actor {
    pub(super) fn run_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Admit => {
                let task = &self.machine.task;
                let admitted = lock(&self.inner.ledger).ask(&task.arn, task.needs());
                self.inner.admit(admitted);
            }
            Effect::Release => {
                let admitted = lock(&self.inner.ledger).release(&self.machine.task.arn);
                self.inner.admit(admitted);
            }
            Effect::Pull { container } => self.pull(container),
            Effect::CancelPull { container } => {
                if let Some(pull) = self.pulls.remove(&container) {
                    pull.abort();
                }
            }
            Effect::NetworkUp => self.network_up(),
            Effect::CancelNetwork => self.cancel_network.cancel(),
            Effect::NetworkDown => self.tear_down("network", Event::NetworkDown, |driver, task| async move {
                driver.network_down(&task).await
            }),
            Effect::Create { container } => self.create(container),
            Effect::Start { container } => self.start(container),
            Effect::Signal { container, signal } => self.signal(container, signal),
            Effect::Check { container } => self.check(container),
            Effect::Delete { container } => self.delete(container),
            Effect::Finish => self.tear_down("task", Event::Finished, |driver, task| async move {
                driver.finish(&task).await
            }),
        }
    }

    fn container(&self, name: &str) -> Option<Container> {
        self.machine.task.container(name).cloned()
    }

    /// Runs `work` beside the actor; its event comes back through the mailbox.
    fn spawn(&mut self, work: impl Future<Output = Event> + Send + 'static) -> tokio::task::AbortHandle {
        let outlet = self.outlet.clone();
        self.jobs.spawn(async move {
            let event = work.await;
            // The mailbox is closed only when the engine stops.
            let _ = outlet.send(event).await;
        })
    }

    fn pull(&mut self, name: String) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let inner = self.inner.clone();
        let mut task = self.machine.task.as_ref().clone();
        task.execution_keys = inner.roles.execution(&task.arn);
        let handle = self.spawn({
            let name = name.clone();
            async move {
                let _permit = inner.pulls.acquire().await;
                let limit = inner.limits.pull;
                match bounded(limit, inner.driver.pull(&task, &container)).await {
                    Ok(image) => Event::Pulled {
                        container: name,
                        image,
                    },
                    Err(error) => Event::PullFailed {
                        container: name,
                        error: format!("CannotPullContainerError: {error}"),
                    },
                }
            }
        });
        self.pulls.insert(name, handle);
    }

    fn network_up(&mut self) {
        self.cancel_network = CancellationToken::new();
        let (inner, task, cancel) = (
            self.inner.clone(),
            self.machine.task.clone(),
            self.cancel_network.clone(),
        );
        let (early, ready) = oneshot::channel();
        let outlet = self.outlet.clone();
        self.jobs.spawn(async move {
            if let Ok(namespace) = ready.await {
                let _ = outlet.send(Event::NamespaceReady(namespace)).await;
            }
        });
        let outlet = self.outlet.clone();
        self.jobs.spawn(async move {
            if let Err(Failure(error)) = inner.driver.prepare(&task).await {
                let _ = outlet.send(Event::NetworkFailed { error }).await;
                return;
            }
            let mut up = inner.driver.network_up(&task, early, cancel.clone());
            let outcome = tokio::select! {
                outcome = &mut up => outcome,
                () = tokio::time::sleep(inner.limits.network_wait) => {
                    // Only what is waited for can be given up; what is being made is made, or fails, first.
                    cancel.cancel();
                    up.await
                }
            };
            match outcome {
                Ok(namespace) => {
                    let _ = outlet.send(Event::NetworkUp(namespace)).await;
                    inner.driver.pause_ended(&task).await;
                    let _ = outlet.send(Event::PauseEnded).await;
                }
                Err(Failure(error)) => {
                    let error =
                        format!("{RESOURCE_INITIALIZATION}: unable to set up the task's network: {error}");
                    let _ = outlet.send(Event::NetworkFailed { error }).await;
                }
            }
        });
    }

    pub(super) fn watch_pause(&mut self) {
        let (inner, task) = (self.inner.clone(), self.machine.task.clone());
        self.spawn(async move {
            inner.driver.pause_ended(&task).await;
            Event::PauseEnded
        });
    }

    /// One that has run is made ready to run again.
    fn renew(&mut self, name: String, container: Container) {
        let (inner, task) = (self.inner.clone(), self.machine.task.clone());
        self.spawn(async move {
            match bounded(inner.limits.create, inner.driver.renew(&task, &container)).await {
                Ok(Made { at, connection }) => Event::Created {
                    container: name,
                    at,
                    connection,
                },
                Err(error) => Event::CreateFailed {
                    container: name,
                    error: format!("CannotStartContainerError: {error}"),
                },
            }
        });
    }

    fn create(&mut self, name: String) {
        let (Some(container), Some(namespace)) = (self.container(&name), self.machine.namespace().cloned())
        else {
            return;
        };
        if self.machine.state.containers[&name].restarts > 0 {
            return self.renew(name, container);
        }
        let (inner, task) = (self.inner.clone(), self.machine.task.clone());
        let states = self.machine.state.containers.iter();
        let peers = states
            .filter_map(|(name, state)| Some((name.clone(), state.connection.clone()?)))
            .collect();
        self.spawn(async move {
            let container = match with_secrets(&inner, &task, container).await {
                Ok(container) => container,
                Err(error) => {
                    return Event::CreateFailed {
                        container: name,
                        error,
                    };
                }
            };
            match bounded(
                inner.limits.create,
                inner.driver.create(&task, &container, &namespace, &peers),
            )
            .await
            {
                Ok(Made { at, connection }) => Event::Created {
                    container: name,
                    at,
                    connection,
                },
                Err(error) => Event::CreateFailed {
                    container: name,
                    error: format!("CannotCreateContainerError: {error}"),
                },
            }
        });
    }

    /// Its files go once what it printed is sent.
    fn delete(&mut self, name: String) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let started = self.machine.state.containers[&name].started_at.is_some();
        let forwarding = self.forwards.remove(&name);
        let forwarding = forwarding.or_else(|| started.then(|| self.forwarding(&container)).flatten());
        let (patience, spec) = (self.inner.limits.log_flush, Arc::new(container.clone()));
        let flush = async move {
            if let Some(forwarding) = forwarding {
                forwarding.flush(&container.runtime_id, patience).await;
            }
        };
        let event = Event::Deleted { container: name };
        self.tear_down_after(flush, "container", event, move |driver, task| {
            let spec = Arc::clone(&spec);
            async move { driver.delete(&task, &spec).await }
        });
    }

    /// Begins to send what a container prints, if it is to be sent, or goes on when it runs again.
    pub(super) fn forward(&mut self, name: &str) {
        if let Some(forwarding) = self.forwards.get(name) {
            forwarding.again.notify_one();
        } else if let Some(container) = self.container(name)
            && let Some(forwarding) = self.forwarding(&container)
        {
            self.forwards.insert(name.to_owned(), forwarding);
        }
    }

    fn forwarding(&mut self, container: &Container) -> Option<Forwarding> {
        let destination = Destination::of(&self.inner, &self.machine, container)?;
        let (ending, finished) = (CancellationToken::new(), CancellationToken::new());
        let (last, done) = (ending.clone(), finished.clone().drop_guard());
        let again = Arc::new(Notify::new());
        let next = Arc::clone(&again);
        let work = self.jobs.spawn(async move {
            loop {
                destination.clone().forward(last.clone()).await;
                tokio::select! {
                    biased;
                    () = next.notified() => {}
                    () = last.cancelled() => break,
                }
            }
            drop(done);
        });
        Some(Forwarding {
            work,
            ending,
            finished,
            again,
        })
    }

    fn start(&mut self, name: String) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let (inner, outlet) = (self.inner.clone(), self.outlet.clone());
        let destination = Destination::of(&inner, &self.machine, &container);
        self.jobs.spawn(async move {
            let opened = match &destination {
                Some(destination) => destination.open().await,
                None => Ok(()),
            };
            let started = match opened {
                Ok(()) => bounded(inner.limits.start, inner.driver.start(&container))
                    .await
                    .map_err(|error| format!("CannotStartContainerError: {error}")),
                Err(reason) => Err(reason),
            };
            match started {
                Ok(at) => {
                    let _ = outlet
                        .send(Event::Started {
                            container: name.clone(),
                            at,
                        })
                        .await;
                    let exit = inner.driver.wait(&container).await;
                    let _ = outlet
                        .send(Event::Exited {
                            container: name,
                            exit,
                        })
                        .await;
                }
                Err(error) => {
                    let _ = outlet
                        .send(Event::StartFailed {
                            container: name,
                            error,
                        })
                        .await;
                }
            }
        });
    }

    fn check(&mut self, name: String) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let Some(check) = container.health.clone() else {
            return;
        };
        let inner = self.inner.clone();
        self.spawn(async move {
            let checked = inner.driver.check(&container, &check).await;
            Event::Checked {
                container: name,
                checked: checked.unwrap_or_else(|error| Checked {
                    at: inner.clock.now(),
                    // What Docker says of a program that cannot be run.
                    code: Some(-1),
                    output: error.to_string(),
                }),
            }
        });
    }

    pub(super) fn wait_for_exit(&mut self, name: String) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let inner = self.inner.clone();
        self.spawn(async move {
            let exit = inner.driver.wait(&container).await;
            Event::Exited {
                container: name,
                exit,
            }
        });
    }

    fn signal(&mut self, name: String, signal: Signal) {
        let Some(container) = self.container(&name) else {
            return;
        };
        let inner = self.inner.clone();
        self.jobs.spawn(async move {
            // One that has just ended cannot be signalled, and need not be; SIGKILL is repeated anyway.
            if let Err(error) = inner.driver.signal(&container, &signal).await {
                tracing::debug!(container = container.runtime_id, ?signal, %error, "not signalled");
            }
        });
    }

    /// Tear-down is tried a few times and then goes on: what is left is removed by the next start's sweep.
    fn tear_down<F, W>(&mut self, what: &'static str, event: Event, work: W)
    where
        W: Fn(Arc<dyn crate::driver::Driver>, Arc<Task>) -> F + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        self.tear_down_after(std::future::ready(()), what, event, work);
    }

    fn tear_down_after<B, F, W>(&mut self, before: B, what: &'static str, event: Event, work: W)
    where
        B: Future<Output = ()> + Send + 'static,
        W: Fn(Arc<dyn crate::driver::Driver>, Arc<Task>) -> F + Send + 'static,
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (inner, task) = (self.inner.clone(), self.machine.task.clone());
        self.spawn(async move {
            before.await;
            for attempt in 1..=inner.limits.tear_down_tries.max(1) {
                match work(inner.driver.clone(), task.clone()).await {
                    Ok(()) => return event,
                    Err(error) => tracing::warn!(task = task.arn, what, attempt, %error, "not torn down"),
                }
                tokio::time::sleep(TEAR_DOWN_AGAIN).await;
            }
            tracing::error!(task = task.arn, what, "left behind until the next start");
            event
        });
    }
}

async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Failure::new(format!("no answer within {} s", limit.as_secs()))),
    }
}
