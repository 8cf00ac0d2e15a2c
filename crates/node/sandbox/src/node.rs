//! Which environment takes an invocation, how many there may be, and when they end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use roadstead_base::SharedClock;
use roadstead_functions::{BoxFuture, Error, Invocation, Outcome, Runtime as Runs, Sandboxes, Spec};
use roadstead_runtime::Runtime;
use tokio::net::TcpListener;

use crate::environment::{Environment, InitFailure, NotInitialized};
use crate::layers;
use crate::runtimes::{Choice, Installed, Runtimes};
use crate::tmp::Disks;

/// An environment that is not asked again so soon stands still.
const FREEZE_AFTER: Duration = Duration::from_millis(100);
/// An environment whose keys run out sooner takes no further invocation, besides the time that one may take.
const KEYS_MARGIN_MILLIS: i64 = 60_000;
/// Invocations that run when the daemon stops get so long.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// What an environment holds of the machine besides the function's own memory.
const OVERHEAD_MB: u64 = 16;

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
    pub(crate) api: Option<ServeApi>,
    pub(crate) clock: SharedClock,
    runtimes: Runtimes,
    idle_for: Duration,
    memory_mb: u64,
    pool: Mutex<Pool>,
}

struct Idle {
    environment: Arc<Environment>,
    since: Instant,
}

#[derive(Default)]
struct Pool {
    /// By revision, the one used last at the end.
    idle: BTreeMap<String, Vec<Idle>>,
    /// Invocations under way by revision.
    busy: BTreeMap<String, usize>,
    /// Revisions that will not be asked for again and have invocations under way.
    retired: BTreeSet<String>,
    memory_mb: u64,
    stopped: bool,
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
            api,
            clock,
            runtimes: Runtimes::at(runtimes),
            idle_for: idle,
            memory_mb,
            pool: Mutex::default(),
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
        let all = {
            let mut pool = self.0.pool();
            if std::mem::replace(&mut pool.stopped, true) {
                return Ok(());
            }
            std::mem::take(&mut pool.idle)
        };
        for idle in all.into_values().flatten() {
            self.0.discard(idle.environment).await;
        }
        let deadline = Instant::now() + STOP_WITHIN;
        while !self.0.pool().busy.is_empty() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
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

    fn installed(&self, spec: &Spec) -> Result<Installed, Error> {
        let runtime = spec.runtime.clone();
        match self.runtimes.choose(&runtime) {
            Choice::Installed(installed) => Ok(*installed),
            Choice::Absent(reason) | Choice::Never(reason) => Err(Error::NoRuntime { runtime, reason }),
        }
    }

    /// The idle environment of the revision that was used last.
    fn take(&self, spec: &Spec) -> Option<Arc<Environment>> {
        let mut pool = self.pool();
        let idle = pool.idle.get_mut(&spec.revision)?;
        let taken = idle.pop();
        if idle.is_empty() {
            pool.idle.remove(&spec.revision);
        }
        taken.map(|idle| idle.environment)
    }

    /// Room for one more of this size, for which idle ones give way, the longest idle first.
    fn room(&self, spec: &Spec) -> Result<Vec<Arc<Environment>>, Error> {
        let wanted = u64::from(spec.memory_mb) + OVERHEAD_MB;
        let mut gone = Vec::new();
        let mut pool = self.pool();
        if pool.stopped {
            return Err(Error::NoRoom("this machine stops".to_owned()));
        }
        while pool.memory_mb + wanted > self.memory_mb {
            let oldest = pool
                .idle
                .iter()
                .filter_map(|(revision, idle)| Some((idle.first()?.since, revision.clone())))
                .min();
            let Some((_, revision)) = oldest else {
                let (used, most) = (pool.memory_mb, self.memory_mb);
                return Err(Error::NoRoom(format!(
                    "functions hold {used} MB of the {most} MB that they may have together"
                )));
            };
            let Some(idle) = pool.idle.get_mut(&revision) else {
                break;
            };
            let Idle {
                environment,
                since: _,
            } = idle.remove(0);
            if idle.is_empty() {
                pool.idle.remove(&revision);
            }
            // Counted off here, not again when it is discarded.
            pool.memory_mb = pool.memory_mb.saturating_sub(held(&environment.spec));
            gone.push(environment);
        }
        pool.memory_mb += wanted;
        Ok(gone)
    }

    /// Ends an environment whose memory is still counted.
    async fn discard(&self, environment: Arc<Environment>) {
        {
            let mut pool = self.pool();
            pool.memory_mb = pool.memory_mb.saturating_sub(held(&environment.spec));
        }
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

    /// An environment for an invocation: an idle one, or a new one.
    async fn environment(
        self: &Arc<Self>,
        spec: &Arc<Spec>,
        request_id: &str,
    ) -> Result<Arc<Environment>, Start> {
        while let Some(environment) = self.take(spec) {
            let lasts = i64::try_from(spec.timeout.as_millis()).unwrap_or(i64::MAX);
            let needed = self
                .clock
                .now()
                .plus_millis(KEYS_MARGIN_MILLIS.saturating_add(lasts));
            if environment.expires > needed && environment.thaw(self).await {
                return Ok(environment);
            }
            self.discard(environment).await;
        }
        let runtime = self.installed(spec).map_err(Start::Error)?;
        for gone in self.room(spec).map_err(Start::Error)? {
            let inner = Arc::clone(self);
            tokio::spawn(async move { inner.end(gone).await });
        }
        let made = self.begin(spec, &runtime, request_id).await;
        if made.is_err() {
            let mut pool = self.pool();
            pool.memory_mb = pool.memory_mb.saturating_sub(held(spec));
        }
        made.map(Arc::new)
    }

    /// Makes and initializes one; one that is late gets the time of an invocation, once.
    async fn begin(
        self: &Arc<Self>,
        spec: &Arc<Spec>,
        runtime: &Installed,
        request_id: &str,
    ) -> Result<Environment, Start> {
        let mut within = None;
        loop {
            let made = Environment::make(self, spec, runtime)
                .await
                .map_err(Start::Error)?;
            let refused = match made.initialize(self, within).await {
                Ok(environment) => return Ok(environment),
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

    async fn run(self: Arc<Self>, spec: Arc<Spec>, invocation: Invocation) -> Result<Outcome, Error> {
        *self.pool().busy.entry(spec.revision.clone()).or_default() += 1;
        let outcome = match self.environment(&spec, &invocation.request_id).await {
            Ok(environment) => {
                let (outcome, usable) = environment.invoke(&self, invocation).await;
                self.give_back(environment, usable);
                Ok(outcome)
            }
            Err(Start::Failed(outcome)) => Ok(*outcome),
            Err(Start::Error(error)) => Err(error),
        };
        let mut pool = self.pool();
        if let Some(busy) = pool.busy.get_mut(&spec.revision) {
            *busy -= 1;
            if *busy == 0 {
                pool.busy.remove(&spec.revision);
                pool.retired.remove(&spec.revision);
            }
        }
        outcome
    }

    fn give_back(self: &Arc<Self>, environment: Arc<Environment>, usable: bool) {
        let since = Instant::now();
        {
            let mut pool = self.pool();
            let revision = &environment.spec.revision;
            if usable && !pool.stopped && !pool.retired.contains(revision) {
                let idle = pool.idle.entry(revision.clone()).or_default();
                idle.push(Idle {
                    environment: Arc::clone(&environment),
                    since,
                });
                drop(pool);
                self.watch(&environment);
                return;
            }
        }
        let inner = Arc::clone(self);
        tokio::spawn(async move { inner.discard(environment).await });
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
                let Some(since) = node.idle_since(&held) else {
                    // In use: whoever gives it back has it looked after again, also if that was just now.
                    held.watched.store(false, Ordering::SeqCst);
                    if node.idle_since(&held).is_some() && !held.watched.swap(true, Ordering::SeqCst) {
                        continue;
                    }
                    return;
                };
                let idle = since.elapsed();
                if idle >= node.idle_for {
                    if node.remove_idle(&held, since) {
                        node.discard(held).await;
                        return;
                    }
                    continue;
                }
                let mut next = node.idle_for - idle;
                if idle < FREEZE_AFTER {
                    next = next.min(FREEZE_AFTER - idle);
                } else {
                    held.freeze(&node, || node.idle_since(&held) == Some(since)).await;
                }
                let thawed = Arc::clone(&held.thawed);
                drop((node, held));
                // One that stood still is used again long before it would have ended.
                tokio::select! { () = tokio::time::sleep(next) => {} () = thawed.notified() => {} }
            }
        });
    }

    /// Since when nobody uses it; none while somebody does.
    fn idle_since(&self, environment: &Arc<Environment>) -> Option<Instant> {
        let pool = self.pool();
        let idle = pool.idle.get(&environment.spec.revision);
        idle.into_iter()
            .flatten()
            .find(|idle| Arc::ptr_eq(&idle.environment, environment))
            .map(|idle| idle.since)
    }

    fn remove_idle(&self, environment: &Arc<Environment>, since: Instant) -> bool {
        let mut pool = self.pool();
        let revision = &environment.spec.revision;
        let Some(all) = pool.idle.get_mut(revision) else {
            return false;
        };
        let before = all.len();
        all.retain(|idle| idle.since != since || !Arc::ptr_eq(&idle.environment, environment));
        let removed = all.len() < before;
        if all.is_empty() {
            pool.idle.remove(revision);
        }
        removed
    }
}

/// Why there is no environment to hand an invocation to.
enum Start {
    /// It did not begin, which is what the invocation came to.
    Failed(Box<Outcome>),
    Error(Error),
}

fn held(spec: &Spec) -> u64 {
    u64::from(spec.memory_mb) + OVERHEAD_MB
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

    fn invoke<'a>(
        &'a self,
        spec: &'a Arc<Spec>,
        invocation: Invocation,
    ) -> BoxFuture<'a, Result<Outcome, Error>> {
        // Of its own, so that it goes on when nobody waits any more.
        let running = tokio::spawn(Arc::clone(&self.0).run(Arc::clone(spec), invocation));
        Box::pin(async move {
            match running.await {
                Ok(outcome) => outcome,
                Err(error) => Err(Error::Failed(error.to_string())),
            }
        })
    }

    fn retire<'a>(&'a self, revision: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let idle = {
                let mut pool = self.0.pool();
                if pool.busy.contains_key(revision) {
                    pool.retired.insert(revision.to_owned());
                }
                pool.idle.remove(revision).unwrap_or_default()
            };
            for Idle {
                environment,
                since: _,
            } in idle
            {
                self.0.discard(environment).await;
            }
        })
    }
}
