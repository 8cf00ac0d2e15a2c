//! The agent put together: one engine, one identity, one session per cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::SharedClock;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::api::Client;
use crate::api::register::Node;
use crate::channel::{Identity, Session, SessionStatus, Timing};
use crate::driver::{Driver, Failure};
use crate::engine::ledger::Capacity;
use crate::journal::{Journal, JournalError};
use crate::run::{Engine, EngineError, Limits, View};
use crate::telemetry::Samples;

/// Beyond the longest stop timeout of a task: for what follows it.
const STOP_MARGIN: Duration = Duration::from_secs(60);
const MOST_PATIENCE: Duration = Duration::from_secs(600);
/// How long the control plane is waited for when all has stopped.
const TELLING: Duration = Duration::from_secs(5);

/// Everything an agent consists of; the driver and the journal decide whether the node is real.
pub struct Parts {
    pub driver: Arc<dyn Driver>,
    pub journal: Arc<dyn Journal>,
    pub client: Client,
    pub clock: SharedClock,
    /// Its `instance_id` is replaced by the durable one unless it says which.
    pub node: Node,
    /// One registration each.
    pub clusters: Vec<String>,
    pub limits: Limits,
    pub timing: Timing,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the agent's records: {0}")]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A running agent. Dropping it ends the agent and lets its containers live, as `kill -9` would.
pub struct Running {
    pub engine: Engine,
    pub node: Node,
    /// What the containers used a moment ago.
    pub samples: Samples,
    sessions: BTreeMap<String, watch::Receiver<SessionStatus>>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Running {
    /// # Errors
    /// [`StartError`]; nothing has been registered then.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts {
            driver,
            journal,
            client,
            clock,
            mut node,
            clusters,
            limits,
            timing,
        } = parts;
        let wanted = (!node.instance_id.is_empty()).then_some(node.instance_id.as_str());
        let identity = Identity::open(journal.clone(), wanted).await?;
        node.instance_id = identity.instance_id().await;
        let capacity = Capacity {
            cpu: node.cpu,
            memory: node.memory,
        };
        let engine =
            Engine::start(driver, journal, Arc::new(client.clone()), clock, capacity, limits).await?;
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let mut sessions = BTreeMap::new();
        let samples = Samples::default();
        let collecting = samples.clone().collect(engine.clone(), timing.telemetry.sample);
        for cluster in clusters {
            let (status, seen) = watch::channel(SessionStatus {
                cluster: cluster.clone(),
                ..Default::default()
            });
            sessions.insert(cluster.clone(), seen);
            let session = Session {
                client: client.clone(),
                engine: engine.clone(),
                samples: samples.clone(),
                identity: identity.clone(),
                node: node.clone(),
                cluster,
                timing,
                status,
                stop: stop.clone(),
            };
            tasks.spawn(session.run());
        }
        let mut running = Self {
            engine,
            node,
            samples,
            sessions,
            tasks,
            stop,
        };
        running.attend(collecting);
        Ok(running)
    }

    /// Something that runs as long as the agent.
    pub(crate) fn attend(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! { () = stop.cancelled() => {} () = work => {} }
        });
    }

    /// Where each registration stands, by cluster.
    pub fn sessions(&self) -> BTreeMap<String, SessionStatus> {
        self.sessions
            .iter()
            .map(|(cluster, status)| (cluster.clone(), status.borrow().clone()))
            .collect()
    }

    /// Waits until every registration is connected; the first that failed for good ends the wait.
    ///
    /// # Errors
    /// What failed, or which registrations are not connected after `patience`.
    pub async fn connected(&self, patience: Duration) -> Result<(), Failure> {
        let all = async {
            for status in self.sessions.values() {
                let mut status = status.clone();
                let settled = status
                    .wait_for(|status| status.connected || status.failed.is_some())
                    .await;
                if let Ok(SessionStatus {
                    cluster,
                    failed: Some(why),
                    ..
                }) = settled.as_deref()
                {
                    return Err(Failure(format!(
                        "registering with cluster {cluster} failed: {why}"
                    )));
                }
            }
            Ok(())
        };
        tokio::time::timeout(patience, all).await.unwrap_or_else(|_| {
            let open = self
                .sessions()
                .into_values()
                .filter(|status| !status.connected)
                .map(|status| status.cluster);
            Err(Failure(format!(
                "not connected after {patience:?}: {}",
                open.collect::<Vec<_>>().join(", ")
            )))
        })
    }

    pub fn tasks(&self) -> BTreeMap<String, Arc<View>> {
        self.engine.tasks()
    }

    /// Ends the agent; its containers live on and are found again by the next.
    pub async fn detach(mut self) {
        self.end().await;
    }

    /// Stops every task, tells the control plane as long as it listens, and removes every trace of this
    /// instance from the machine.
    ///
    /// # Errors
    /// What could not be removed.
    pub async fn stop_all(mut self) -> Result<(), Failure> {
        stop_and_remove(&self.engine, TELLING).await;
        self.end().await;
        self.engine.driver().remove_all().await
    }

    async fn end(&mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.engine.shut_down().await;
    }
}

/// Stops all tasks of an engine, with the patience that their stop timeouts ask for.
pub(super) async fn stop_and_remove(engine: &Engine, telling: Duration) {
    // Tasks stop beside each other, a task's containers one after another at worst.
    let longest = engine.tasks().into_values().map(|view| {
        view.machine
            .task
            .containers
            .iter()
            .map(|container| container.stop_timeout_ms)
            .sum::<i64>()
    });
    let longest = u64::try_from(longest.max().unwrap_or(0)).unwrap_or(0);
    let patience = Duration::from_millis(longest).min(MOST_PATIENCE) + STOP_MARGIN;
    if !engine
        .stop_all("the node is shutting down", patience, telling)
        .await
    {
        tracing::warn!("not every task has stopped in time; the rest is removed by force");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.engine.abandon();
    }
}
