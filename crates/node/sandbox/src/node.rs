//! Which environment takes an invocation, how many there may be, and when they end.

mod pool;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roadstead_base::SharedClock;
use roadstead_functions::{
    BoxFuture, Error, ImageError, Invocation, Outcome, ResolvedImage, Runtime as Runs, Sandboxes, Spec,
};
use roadstead_runtime::Runtime;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot};

use self::pool::Pool;
use crate::environment::{Environment, InitFailure, NotInitialized};
use crate::images::Supply;
use crate::layers;
use crate::program::Program;
use crate::runtimes::{Choice, Runtimes};
use crate::tmp::Disks;

/// An environment that is not asked again so soon stands still.
const FREEZE_AFTER: Duration = Duration::from_millis(100);
/// An environment whose keys run out sooner takes no further invocation, besides the time that one may take.
const KEYS_MARGIN_MILLIS: i64 = 60_000;
/// Invocations that run when the daemon stops get so long.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// An environment whose answer is there is waited for so long rather than another is made.
const CLOSES_WITHIN: Duration = Duration::from_millis(100);

/// Serves the platform's API on a socket of an environment's until it is dropped.
pub type ServeApi = Arc<dyn Fn(TcpListener) -> BoxFuture<'static, ()> + Send + Sync>;

/// How environments are run.
#[derive(Clone)]
pub struct Options {
    /// Which Roadstead of this machine: as for its containers.
    pub instance: String,
    /// Where environments lie while they live.
    pub folder: PathBuf,
    /// What `roadstead runtime install` prepared.
    pub runtimes: PathBuf,
    /// Of functions that are images.
    pub supply: Supply,
    /// A binary whose `main` begins with `shim_main_if_asked`.
    pub shim: PathBuf,
    /// An environment ends after it idled so long.
    pub idle: Duration,
    /// Memory, in MB, that functions may have together.
    pub memory_mb: u64,
    pub api: Option<ServeApi>,
    pub clock: SharedClock,
}

pub(crate) struct Inner {
    pub(crate) runtime: Runtime,
    pub(crate) disks: Arc<Disks>,
    pub(crate) layers: PathBuf,
    pub(crate) supply: Supply,
    pub(crate) api: Option<ServeApi>,
    pub(crate) clock: SharedClock,
    runtimes: Runtimes,
    idle_for: Duration,
    memory_mb: u64,
    pool: Mutex<Pool>,
    /// An environment has closed.
    closed: Notify,
}

/// Execution environments on this machine. Cheap to clone.
#[derive(Clone)]
pub struct Node(Arc<Inner>);

impl Node {
    /// Nothing of an earlier one is left then: what its environments did was lost with it.
    ///
    /// # Errors
    /// The machine refuses what containers need.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let Options {
            instance,
            folder,
            runtimes,
            supply,
            shim,
            idle,
            memory_mb,
            api,
            clock,
        } = options;
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        let instance = format!("{instance}f").parse().map_err(|error| failed(&error))?;
        let mut options = roadstead_runtime::Options::new(instance, folder.join("containers"));
        options.shim_exe = shim;
        let runtime = Runtime::open(options).await.map_err(|error| failed(&error))?;
        let inner = Arc::new(Inner {
            runtime,
            disks: Arc::new(Disks::new(folder.join("tmp"))),
            layers: folder.join("layers"),
            supply,
            api,
            clock,
            runtimes: Runtimes::at(runtimes),
            idle_for: idle,
            memory_mb,
            pool: Mutex::default(),
            closed: Notify::new(),
        });
        inner.sweep().await?;
        Ok(Self(inner))
    }

    /// Takes no more invocations, lets those that run end for a moment, and takes all away that environments have on the
    /// machine. Twice is fine.
    ///
    /// # Errors
    /// Something could not be removed.
    pub async fn stop(&self) -> Result<(), Error> {
        let Some(idle) = self.0.pool().stop() else {
            return Ok(());
        };
        for environment in idle {
            self.0.discard(environment).await;
        }
        let deadline = Instant::now() + STOP_WITHIN;
        while self.0.pool().is_busy() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let disks = Arc::clone(&self.0.disks);
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        let closed = tokio::task::spawn_blocking(move || disks.close()).await;
        closed
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        self.0.sweep().await?;
        self.0
            .runtime
            .destroy()
            .await
            .map_err(|error| Error::Failed(error.to_string()))
    }
}

impl Inner {
    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sweep(&self) -> Result<(), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Failed(error.to_string());
        for container in self.runtime.list().await.map_err(|error| failed(&error))? {
            self.runtime
                .delete(&container.id)
                .await
                .map_err(|error| failed(&error))?;
        }
        self.runtime.reap_strays().await.map_err(|error| failed(&error))?;
        self.supply.sweep().await.map_err(|error| failed(&error))?;
        let (disks, layers) = (Arc::clone(&self.disks), self.layers.clone());
        let swept = tokio::task::spawn_blocking(move || {
            layers::sweep(&layers)?;
            disks.sweep()
        })
        .await;
        swept
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))
    }

    /// Ends an environment whose memory is still counted.
    async fn discard(&self, environment: Arc<Environment>) {
        self.pool().free(&environment.spec);
        self.end(environment).await;
    }

    async fn end(&self, environment: Arc<Environment>) {
        // Whoever freezes it lets go soon.
        drop(environment.frozen.lock().await);
        let mut environment = environment;
        for _ in 0..1000 {
            match Arc::try_unwrap(environment) {
                Ok(environment) => return environment.end(self).await,
                Err(shared) => environment = shared,
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tracing::warn!(container = %environment.id, "an execution environment is still held");
    }

    /// An environment for an invocation: an idle one, one that is about to be, or a new one.
    async fn environment(
        self: &Arc<Self>,
        spec: &Arc<Spec>,
        request_id: &str,
    ) -> Result<Arc<Environment>, Start> {
        let now = tokio::time::Instant::now();
        let (deadline, patience) = (now + CLOSES_WITHIN, now + spec.timeout);
        let mut late = false;
        let (program, gone) = loop {
            let closed = self.closed.notified();
            tokio::pin!(closed);
            // From here on none is missed.
            closed.as_mut().enable();
            if let Some(environment) = self.idle(spec).await {
                return Ok(environment);
            }
            let mut until = deadline;
            if late || !self.pool().is_closing(&spec.revision) {
                let program = Program::of(spec, &self.runtimes, &self.supply).await;
                let program = program.map_err(Start::Error)?;
                let room = self.pool().room(spec, self.memory_mb);
                match room {
                    Ok(gone) => break (program, gone),
                    // What closes has a place to give, whenever that is.
                    Err(_) if tokio::time::Instant::now() < patience && self.pool().is_any_closing() => {
                        until = patience;
                    }
                    Err(error) => return Err(Start::Error(error)),
                }
            }
            late |= tokio::time::timeout_at(until, closed).await.is_err();
        };
        for gone in gone {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.end(gone).await });
        }
        let made = self.begin(spec, &program, request_id).await;
        if made.is_err() {
            self.pool().free(spec);
        }
        made.map(Arc::new)
    }

    /// One that idles and can take another invocation.
    async fn idle(&self, spec: &Arc<Spec>) -> Option<Arc<Environment>> {
        loop {
            let environment = self.pool().take(&spec.revision)?;
            let lasts = i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX);
            let needed = self
                .clock
                .now()
                .plus_millis(KEYS_MARGIN_MILLIS.saturating_add(lasts));
            if environment.expires > needed && environment.thaw(self).await {
                return Some(environment);
            }
            self.discard(environment).await;
        }
    }

    /// Makes and initializes one; one that is late gets the time of an invocation, once.
    async fn begin(
        self: &Arc<Self>,
        spec: &Arc<Spec>,
        program: &Program,
        request_id: &str,
    ) -> Result<Environment, Start> {
        let mut within = None;
        loop {
            let made = Environment::make(self, spec, program)
                .await
                .map_err(Start::Error)?;
            let refused = match made.initialize(self, within).await {
                Ok(environment) => {
                    let (disks, mib) = (Arc::clone(&self.disks), spec.tmp_mb);
                    tokio::task::spawn_blocking(move || disks.lay_ready(mib));
                    return Ok(environment);
                }
                Err(refused) => *refused,
            };
            let NotInitialized {
                why,
                took,
                environment,
            } = refused;
            if matches!(why, InitFailure::Late) && within.is_none() {
                within = Some(spec.timeout);
                environment.end(self).await;
                continue;
            }
            let outcome = environment.refused(self, request_id, why, took).await;
            environment.end(self).await;
            return Err(Start::Failed(Box::new(outcome)));
        }
    }

    /// Tells the outcome as soon as it is there, and goes on until the environment can take another invocation.
    async fn run(self: Arc<Self>, spec: Arc<Spec>, invocation: Invocation, tell: Tell) {
        let revision = &spec.revision;
        self.pool().begin(revision);
        // Who does not wait any more hears nothing.
        match self.environment(&spec, &invocation.request_id).await {
            Ok(environment) => {
                let wants_tail = invocation.tail;
                let over = environment.invoke(&self, invocation).await;
                let (outcome, usable) = (environment.outcome(&over), over.usable);
                self.pool().close(revision);
                if wants_tail {
                    let log_tail = Some(environment.close(&self, over).await);
                    self.give_back(environment, usable);
                    let _ = tell.send(Ok(Outcome { log_tail, ..outcome }));
                } else {
                    let _ = tell.send(Ok(outcome));
                    environment.close(&self, over).await;
                    self.give_back(environment, usable);
                }
            }
            Err(Start::Failed(outcome)) => {
                let _ = tell.send(Ok(*outcome));
            }
            Err(Start::Error(error)) => {
                let _ = tell.send(Err(error));
            }
        }
        self.pool().end(revision);
    }

    fn give_back(self: &Arc<Self>, environment: Arc<Environment>, usable: bool) {
        let idles = usable && {
            let mut pool = self.pool();
            pool.closed(&environment.spec.revision);
            pool.give_back(&environment)
        };
        if idles {
            self.watch(&environment);
        } else {
            let inner = Arc::clone(self);
            let revision = environment.spec.revision.clone();
            tokio::spawn(async move {
                inner.discard(environment).await;
                // Until then its place is taken.
                if !usable {
                    inner.pool().closed(&revision);
                }
                inner.closed.notify_waiters();
            });
        }
        self.closed.notify_waiters();
    }

    /// Freezes an environment that stays idle, and ends it after a while. One at a time looks after each, however often
    /// it is used.
    fn watch(self: &Arc<Self>, environment: &Arc<Environment>) {
        if environment.watched.swap(true, Ordering::SeqCst) {
            return;
        }
        let (inner, environment) = (Arc::downgrade(self), Arc::downgrade(environment));
        tokio::spawn(async move {
            loop {
                let (Some(node), Some(held)) = (inner.upgrade(), environment.upgrade()) else {
                    return;
                };
                let Some(since) = node.pool().idle_since(&held) else {
                    // In use: whoever gives it back has it looked after again, also if that was just now.
                    held.watched.store(false, Ordering::SeqCst);
                    if node.pool().idle_since(&held).is_some() && !held.watched.swap(true, Ordering::SeqCst) {
                        continue;
                    }
                    return;
                };
                let idle = since.elapsed();
                if idle >= node.idle_for {
                    if node.pool().remove_idle(&held, since) {
                        node.discard(held).await;
                        return;
                    }
                    continue;
                }
                let mut next = node.idle_for - idle;
                if idle < FREEZE_AFTER {
                    next = next.min(FREEZE_AFTER - idle);
                } else {
                    held.freeze(&node, || node.pool().idle_since(&held) == Some(since))
                        .await;
                }
                let thawed = Arc::clone(&held.thawed);
                drop((node, held));
                // One that stood still is used again long before it would have ended.
                tokio::select! { () = tokio::time::sleep(next) => {} () = thawed.notified() => {} }
            }
        });
    }
}

/// Hears what an invocation came to.
type Tell = oneshot::Sender<Result<Outcome, Error>>;

/// Why there is no environment to hand an invocation to.
enum Start {
    /// It did not begin, which is what the invocation came to.
    Failed(Box<Outcome>),
    Error(Error),
}

impl Sandboxes for Node {
    fn runtime(&self, identifier: &str) -> Result<Runs, String> {
        match self.0.runtimes.choose(identifier) {
            Choice::Installed(installed) => Ok(Runs { runs: installed.name }),
            // It can be prepared later; until then an invocation says what to do.
            Choice::Absent(_) => Ok(Runs {
                runs: identifier.to_owned(),
            }),
            Choice::Never(why) => Err(why),
        }
    }

    fn image<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<ResolvedImage, ImageError>> {
        Box::pin(self.0.supply.resolve(uri))
    }

    fn keep_images<'a>(&'a self, names: BTreeSet<String>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Err(error) = self.0.supply.keep(names).await {
                tracing::warn!(%error, "which images functions need is not said to the image store this time");
            }
        })
    }

    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<Spec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Outcome, Error>> {
        // Of its own, so that it goes on when nobody waits any more.
        let (tell, told) = oneshot::channel();
        tokio::spawn(Arc::clone(&self.0).run(Arc::clone(spec), invocation, tell));
        Box::pin(async move {
            let interrupted = |_| Err(Error::Failed("the invocation was interrupted".to_owned()));
            told.await.unwrap_or_else(interrupted)
        })
    }

    fn retire<'a>(&'a self, revision: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let idle = self.0.pool().retire(revision);
            for environment in idle {
                self.0.discard(environment).await;
            }
        })
    }
}
