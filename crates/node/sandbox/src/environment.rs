//! One execution environment, from its making to its end.

mod invoke;
mod saying;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use roadstead_base::{Timestamp, random_hex};
use roadstead_functions::{Error, INIT_WITHIN, LogLine, Package, Spec, lines};
use roadstead_net::netns::Netns;
use roadstead_runtime::{ContainerId, Exit, MemoryGauge};
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

use self::invoke::exited;
use self::saying::{Said, begins, logger};
use crate::exchange::Exchange;
use crate::node::Inner;
use crate::output::Output;
use crate::program::Program;
use crate::{api, container, layers, variables};

pub(crate) struct Environment {
    pub(crate) id: ContainerId,
    name: String,
    pub(crate) spec: Arc<Spec>,
    stream: String,
    /// When its keys run out.
    pub(crate) expires: Timestamp,
    exchange: Arc<Exchange>,
    output: Mutex<Output>,
    memory: MemoryGauge,
    exit: watch::Receiver<Option<Exit>>,
    /// Whether it stands still; held while that changes.
    pub(crate) frozen: Mutex<bool>,
    /// Whether somebody looks whether it idles.
    pub(crate) watched: AtomicBool,
    /// Told when it goes on after it stood still.
    pub(crate) thawed: Arc<Notify>,
    log: mpsc::Sender<Vec<LogLine>>,
    logger: JoinHandle<()>,
    servers: Vec<AbortHandle>,
    /// What the first invocation waited for.
    init: std::sync::Mutex<Option<Duration>>,
}

/// An environment could not be initialized: what its first invocation came to.
pub(crate) struct NotInitialized {
    pub(crate) why: InitFailure,
    pub(crate) took: Duration,
    pub(crate) environment: Environment,
}

pub(crate) enum InitFailure {
    /// The runtime's own words.
    Reported(Bytes),
    Exited(Exit),
    /// The program could not be run; why.
    NotStarted(String),
    Late,
}

impl Environment {
    /// Makes the sandbox and lets the runtime begin in it.
    pub(crate) async fn make(inner: &Arc<Inner>, spec: &Arc<Spec>, program: &Program) -> Result<Self, Error> {
        let keys = spec.host.credentials(spec).await?;
        let name = random_hex(32);
        let id: ContainerId = format!("fn-{name}")
            .parse()
            .map_err(|error| Error::Failed(format!("{error}")))?;
        let made = Self::build(inner, spec, program, &keys, &name, &id).await;
        if made.is_err() {
            sweep(inner, spec, &id, &name).await;
        }
        made
    }

    async fn build(
        inner: &Arc<Inner>,
        spec: &Arc<Spec>,
        program: &Program,
        keys: &roadstead_functions::Credentials,
        name: &str,
        id: &ContainerId,
    ) -> Result<Self, Error> {
        let failed = |what: &str, error: &dyn std::fmt::Display| Error::Failed(format!("{what}: {error}"));
        let stream = lines::stream(inner.clock.now(), &spec.version, name);
        let (disks, disk, size) = (Arc::clone(inner), name.to_owned(), spec.tmp_mb);
        let folder = inner.layers.clone();
        let all = match program {
            Program::Zip(zip, _) => zip.layers.clone(),
            Program::Image(_, image) => {
                let occupied = inner.supply.occupy(image, id).await;
                occupied.map_err(|error| failed("holding its image", &error))?;
                Vec::new()
            }
        };
        let prepared = tokio::task::spawn_blocking(move || {
            Ok::<_, std::io::Error>((disks.disks.take(&disk, size)?, layers::merged(&folder, &all)?))
        });
        let prepared = prepared
            .await
            .map_err(|error| failed("making its disk", &error))?;
        let (tmp, opt) = prepared.map_err(|error| failed("making its disk", &error))?;
        let parts = container::Parts {
            id: id.clone(),
            spec,
            program,
            variables: variables::of(spec, program, keys, &stream),
            tmp,
            opt,
        };
        let created = inner
            .runtime
            .create(container::of(parts))
            .await
            .map_err(|error| failed("making its sandbox", &error))?;
        let exchange = Arc::new(Exchange::default());
        let servers = serve(inner, created.pid, &exchange)
            .await
            .map_err(|error| failed("listening in it", &error))?;
        let output = Output::of(&inner.runtime, id)
            .await
            .map_err(|error| failed("reading what it prints", &error))?;
        let memory = inner
            .runtime
            .memory_gauge(id)
            .map_err(|error| failed("reading what it uses", &error))?;
        let (ended, exit) = watch::channel(None);
        let (runtime_, waited) = (inner.runtime.clone(), id.clone());
        tokio::spawn(async move {
            if let Ok(exit) = runtime_.wait(&waited).await {
                ended.send_replace(Some(exit));
            }
        });
        let (log, logger) = logger(Arc::clone(spec), stream.clone());
        let environment = Self {
            id: id.clone(),
            name: name.to_owned(),
            spec: Arc::clone(spec),
            stream,
            expires: keys.expires,
            exchange,
            output: Mutex::new(output),
            memory,
            exit,
            frozen: Mutex::new(false),
            watched: AtomicBool::new(false),
            thawed: Arc::default(),
            log,
            logger,
            servers,
            init: std::sync::Mutex::new(None),
        };
        let begins = begins(program).map(|words| environment.line(inner.clock.now(), words));
        environment.say(begins.into_iter().collect()).await;
        Ok(environment)
    }

    /// Runs the runtime until it asks for its first invocation.
    pub(crate) async fn initialize(
        self,
        inner: &Inner,
        within: Option<Duration>,
    ) -> Result<Self, Box<NotInitialized>> {
        let began = Instant::now();
        let started = inner.runtime.start(&self.id).await;
        let mut exit = self.exit.clone();
        let within = within.unwrap_or(INIT_WITHIN);
        let why = match started {
            Err(error) => Some(InitFailure::NotStarted(error.to_string())),
            Ok(_) => tokio::select! {
                biased;
                ready = self.exchange.ready() => ready.err().map(InitFailure::Reported),
                exit = exited(&mut exit) => Some(match self.exchange.init_error() {
                    Some(said) => InitFailure::Reported(said),
                    None => InitFailure::Exited(exit),
                }),
                () = tokio::time::sleep(within) => Some(InitFailure::Late),
            },
        };
        let took = began.elapsed();
        match why {
            None => {
                // Before the first invocation's START.
                let mut said = Said::default();
                self.level(inner, &mut said).await;
                self.say(said.lines).await;
                let quota = Some(container::quota(&self.spec));
                if let Err(error) = inner.runtime.limit_cpu(&self.id, quota).await {
                    tracing::warn!(container = %self.id, %error, "a function has more CPU than its share");
                }
                *self
                    .init
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(took);
                Ok(self)
            }
            Some(why) => Err(Box::new(NotInitialized {
                why,
                took,
                environment: self,
            })),
        }
    }

    /// Makes it stand still, unless somebody has it.
    pub(crate) async fn freeze(&self, inner: &Inner, still_idle: impl FnOnce() -> bool) {
        let mut frozen = self.frozen.lock().await;
        if *frozen || !still_idle() {
            return;
        }
        match inner.runtime.freeze(&self.id).await {
            Ok(()) => *frozen = true,
            Err(error) => tracing::debug!(container = %self.id, %error, "an idle environment goes on"),
        }
    }

    /// Lets it go on. `false`: it has ended meanwhile.
    pub(crate) async fn thaw(&self, inner: &Inner) -> bool {
        let mut frozen = self.frozen.lock().await;
        if *frozen {
            if inner.runtime.thaw(&self.id).await.is_err() {
                return false;
            }
            *frozen = false;
            self.thawed.notify_one();
        }
        self.exit.borrow().is_none()
    }

    /// Takes everything of it away, once its lines have been handed over.
    pub(crate) async fn end(self, inner: &Inner) {
        let Self {
            id,
            name,
            spec,
            stream: _,
            expires: _,
            exchange: _,
            output: _,
            memory: _,
            exit: _,
            frozen: _,
            watched: _,
            thawed: _,
            log,
            logger,
            servers,
            init: _,
        } = self;
        servers.iter().for_each(AbortHandle::abort);
        sweep(inner, &spec, &id, &name).await;
        drop(log);
        if let Err(error) = logger.await {
            tracing::warn!(%error, "lines of a function were lost");
        }
    }
}

/// Opens the runtime API, and the platform's own, on the loopback of the sandbox.
async fn serve(
    inner: &Inner,
    pid: i32,
    exchange: &Arc<Exchange>,
) -> Result<Vec<AbortHandle>, Box<dyn std::error::Error + Send + Sync>> {
    let listen = move || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let namespace = Netns::at(Path::new(&format!("/proc/{pid}/ns/net")))?;
        namespace.loopback_up()?;
        let open = |address: &str| -> std::io::Result<TcpListener> {
            let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(listener)
        };
        Ok(namespace
            .run(|| Ok::<_, std::io::Error>((open(variables::RUNTIME_API)?, open(variables::API)?)))??)
    };
    let (runtime_api, platform) = tokio::task::spawn_blocking(listen).await??;
    let runtime_api = tokio::net::TcpListener::from_std(runtime_api)?;
    let mut servers = vec![tokio::spawn(api::serve(runtime_api, Arc::clone(exchange))).abort_handle()];
    if let Some(api) = &inner.api {
        servers.push(tokio::spawn(api(tokio::net::TcpListener::from_std(platform)?)).abort_handle());
    }
    Ok(servers)
}

/// Removes the container and the disk of an environment, and lets its image go.
async fn sweep(inner: &Inner, spec: &Spec, id: &ContainerId, name: &str) {
    if let Err(error) = inner.runtime.delete(id).await {
        tracing::warn!(container = %id, %error, "an execution environment could not be removed");
    }
    if matches!(spec.package, Package::Image(_))
        && let Err(error) = inner.supply.vacate(id).await
    {
        tracing::warn!(container = %id, %error, "the image of an execution environment is still held");
    }
    let (disks, disk) = (Arc::clone(&inner.disks), name.to_owned());
    let removed = tokio::task::spawn_blocking(move || disks.remove(&disk)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(container = %id, %error, "the disk of an execution environment could not be removed");
    }
}
