//! One execution environment, from its making to its end.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use roadstead_base::{Timestamp, random_hex};
use roadstead_functions::{Ending, Error, Failure, Invocation, LogLine, Outcome, Report, Spec, Why, lines};
use roadstead_net::netns::Netns;
use roadstead_runtime::{ContainerId, Exit};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

use crate::exchange::{Answer, Event, Exchange};
use crate::node::Inner;
use crate::output::{Output, Tail};
use crate::runtimes::Installed;
use crate::{api, container, layers, variables};

/// How long a runtime may take to begin; after that it has the time of an invocation, once, as documented.
const INIT_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at what a busy environment prints.
const LOOK: Duration = Duration::from_millis(100);
/// Batches of lines on their way to the log.
const LOG_BATCHES: usize = 16;
const MIB: u64 = 1 << 20;

pub(crate) struct Environment {
    pub(crate) id: ContainerId,
    name: String,
    pub(crate) spec: Arc<Spec>,
    stream: String,
    /// When its keys run out.
    pub(crate) expires: Timestamp,
    exchange: Arc<Exchange>,
    output: Mutex<Output>,
    exit: watch::Receiver<Option<Exit>>,
    /// Whether it stands still; held while that changes.
    pub(crate) frozen: Mutex<bool>,
    log: mpsc::Sender<Vec<LogLine>>,
    logger: JoinHandle<()>,
    servers: Vec<AbortHandle>,
    /// What the first invocation waited for.
    init: std::sync::Mutex<Option<Duration>>,
}

/// How an invocation ended, before anybody knows what it used.
enum End {
    Answered(Answer),
    Exited(Exit),
    TimedOut,
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
    Late,
}

impl Environment {
    /// Makes the sandbox and lets the runtime begin in it.
    pub(crate) async fn make(
        inner: &Arc<Inner>,
        spec: &Arc<Spec>,
        runtime: &Installed,
    ) -> Result<Self, Error> {
        let keys = spec.host.credentials(spec).await?;
        let name = random_hex(32);
        let id: ContainerId = format!("fn-{name}")
            .parse()
            .map_err(|error| Error::Failed(format!("{error}")))?;
        let made = Self::build(inner, spec, runtime, &keys, &name, &id).await;
        if made.is_err() {
            sweep(inner, &id, &name).await;
        }
        made
    }

    async fn build(
        inner: &Arc<Inner>,
        spec: &Arc<Spec>,
        runtime: &Installed,
        keys: &roadstead_functions::Credentials,
        name: &str,
        id: &ContainerId,
    ) -> Result<Self, Error> {
        let failed = |what: &str, error: &dyn std::fmt::Display| Error::Failed(format!("{what}: {error}"));
        let stream = lines::stream(inner.clock.now(), &spec.version, name);
        let (disks, disk, size) = (Arc::clone(inner), name.to_owned(), spec.tmp_mb);
        let (folder, all) = (inner.layers.clone(), spec.layers.clone());
        let prepared = tokio::task::spawn_blocking(move || {
            Ok::<_, std::io::Error>((disks.disks.make(&disk, size)?, layers::merged(&folder, &all)?))
        });
        let prepared = prepared
            .await
            .map_err(|error| failed("making its disk", &error))?;
        let (tmp, opt) = prepared.map_err(|error| failed("making its disk", &error))?;
        let parts = container::Parts {
            id: id.clone(),
            spec,
            runtime,
            variables: variables::of(spec, runtime, keys, &stream),
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
            exit,
            frozen: Mutex::new(false),
            log,
            logger,
            servers,
            init: std::sync::Mutex::new(None),
        };
        environment
            .say(vec![environment.line(inner.clock.now(), begins(spec, runtime))])
            .await;
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
            Err(error) => Some(InitFailure::Exited(Exit {
                code: 127,
                oom_killed: false,
                finished_at: inner.clock.now(),
                reason: Some(error.to_string()),
            })),
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

    /// One invocation. `true`: the environment can take another.
    pub(crate) async fn invoke(&self, inner: &Inner, invocation: Invocation) -> (Outcome, bool) {
        let id = invocation.request_id.clone();
        let now = inner.clock.now();
        let mut said = Said::default();
        said.add(self.line(now, lines::start(&id, &self.spec.version)));
        let timeout = self.spec.timeout;
        let deadline = now.plus_millis(i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX));
        let mut exit = self.exit.clone();
        let over = tokio::sync::Notify::new();
        let began = Instant::now();
        self.exchange.offer(Event { invocation, deadline });
        let ending = async {
            let end = tokio::select! {
                biased;
                answer = self.exchange.answered() => End::Answered(answer),
                exit = exited(&mut exit) => End::Exited(exit),
                () = tokio::time::sleep(timeout) => End::TimedOut,
            };
            let duration = began.elapsed();
            over.notify_one();
            (end, duration)
        };
        let ((end, duration), ()) = tokio::join!(ending, self.carry(inner, &over, &mut said));
        if matches!(end, End::TimedOut)
            && let Err(error) = inner.runtime.kill(&self.id).await
        {
            tracing::warn!(container = %self.id, %error, "an invocation that timed out could not be killed");
        }
        let duration = duration.min(timeout);
        let init = self
            .init
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        let (ending, usable) = self.judge(inner, &id, end);
        self.level(inner, &mut said).await;
        let report = Report {
            duration,
            init,
            max_memory_mb: self.memory(inner).await,
        };
        (self.close(inner, &id, ending, report, said).await, usable)
    }

    /// What the first invocation came to, of an environment that did not begin.
    pub(crate) async fn refused(
        &self,
        inner: &Inner,
        request_id: &str,
        why: InitFailure,
        took: Duration,
    ) -> Outcome {
        let mut said = Said::default();
        said.add(self.line(inner.clock.now(), lines::start(request_id, &self.spec.version)));
        let failure = match why {
            InitFailure::Reported(body) => Failure::init(body),
            InitFailure::Exited(Exit { oom_killed: true, .. }) => Failure::out_of_memory(request_id),
            InitFailure::Exited(exit) => {
                let Failure { why: _, body } = Failure::exited(request_id, how(&exit).as_deref());
                Failure::init(body)
            }
            InitFailure::Late => Failure::timed_out(inner.clock.now(), request_id, self.spec.timeout),
        };
        if let Err(error) = inner.runtime.kill(&self.id).await {
            tracing::warn!(container = %self.id, %error, "an environment that did not begin could not be killed");
        }
        self.level(inner, &mut said).await;
        let report = Report {
            duration: took,
            init: None,
            max_memory_mb: self.memory(inner).await,
        };
        self.close(inner, request_id, Ending::Failed(failure), report, said)
            .await
    }

    fn judge(&self, inner: &Inner, request_id: &str, end: End) -> (Ending, bool) {
        let failure = match end {
            End::Answered(Answer::Response(payload)) => return (Ending::Returned(payload), true),
            End::Answered(Answer::Error(body)) => return (Ending::Failed(Failure::handler(body)), true),
            End::Answered(Answer::TooLarge(bytes)) => {
                return (Ending::Failed(Failure::too_large(bytes, api::MOST_BYTES)), true);
            }
            End::TimedOut => Failure::timed_out(inner.clock.now(), request_id, self.spec.timeout),
            End::Exited(exit) if exit.oom_killed => Failure::out_of_memory(request_id),
            End::Exited(exit) => Failure::exited(request_id, how(&exit).as_deref()),
        };
        (Ending::Failed(failure), false)
    }

    /// END and REPORT, and what came before them, go to the log.
    async fn close(
        &self,
        inner: &Inner,
        request_id: &str,
        ending: Ending,
        report: Report,
        mut said: Said,
    ) -> Outcome {
        let failure = match &ending {
            Ending::Returned(_) => None,
            Ending::Failed(failure) => Some(failure),
        };
        let now = inner.clock.now();
        if let Some(Failure {
            why: Why::TimedOut | Why::OutOfMemory | Why::Exited,
            body,
        }) = failure
        {
            // The platform's own word, where the runtime had none.
            let message: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
            let message = message["errorMessage"].as_str().unwrap_or_default().to_owned();
            said.add(self.line(now, message));
        }
        said.add(self.line(now, lines::end(request_id)));
        said.add(self.line(now, lines::report(request_id, &self.spec, &report, failure)));
        let Said { lines: rest, tail } = said;
        self.say(rest).await;
        Outcome {
            ending,
            report,
            log_stream: self.stream.clone(),
            log_tail: tail.end(),
        }
    }

    fn line(&self, at: Timestamp, message: String) -> LogLine {
        LogLine { at, message }
    }

    async fn say(&self, lines: Vec<LogLine>) {
        if lines.is_empty() {
            return;
        }
        // The logger ends after the environment.
        let _ = self.log.send(lines).await;
    }

    /// Hands over what is printed until it is over.
    async fn carry(&self, inner: &Inner, over: &tokio::sync::Notify, said: &mut Said) {
        let over = over.notified();
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let taken = self.output.lock().await.take(inner.clock.now()).await;
            self.took(taken, said);
            // In pieces, so that one that prints on and on is heard while it does.
            let lines = std::mem::take(&mut said.lines);
            if !lines.is_empty() {
                self.say(lines).await;
            }
        }
    }

    /// Takes all that was printed up to now.
    async fn level(&self, inner: &Inner, said: &mut Said) {
        let mut output = self.output.lock().await;
        loop {
            let all = match inner.runtime.flush_log(&self.id).await {
                Ok(all) => all,
                Err(error) => {
                    tracing::warn!(container = %self.id, %error, "what a function printed could not be flushed");
                    true
                }
            };
            let mut some = false;
            loop {
                let taken = output.take(inner.clock.now()).await;
                let more = matches!(&taken, Ok(lines) if !lines.is_empty());
                self.took(taken, said);
                if !more {
                    break;
                }
                some = true;
                let lines = std::mem::take(&mut said.lines);
                self.say(lines).await;
            }
            if all || !some {
                break;
            }
        }
        for line in output.rest(inner.clock.now()) {
            said.add(line);
        }
    }

    fn took(&self, taken: roadstead_runtime::Result<Vec<LogLine>>, said: &mut Said) {
        match taken {
            Ok(lines) => lines.into_iter().for_each(|line| said.add(line)),
            Err(error) => {
                tracing::warn!(container = %self.id, %error, "what a function printed cannot be read")
            }
        }
    }

    /// The most that it held so far, in MB.
    async fn memory(&self, inner: &Inner) -> u32 {
        let stats = inner.runtime.stats(&self.id).await.unwrap_or_default().memory;
        let bytes = stats.max_usage.or(stats.usage).unwrap_or_default();
        u32::try_from(bytes.div_ceil(MIB))
            .unwrap_or(u32::MAX)
            .min(self.spec.memory_mb)
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
        }
        self.exit.borrow().is_none()
    }

    /// Takes everything of it away, once its lines have been handed over.
    pub(crate) async fn end(self, inner: &Inner) {
        let Self {
            id,
            name,
            spec: _,
            stream: _,
            expires: _,
            exchange: _,
            output: _,
            exit: _,
            frozen: _,
            log,
            logger,
            servers,
            init: _,
        } = self;
        servers.iter().for_each(AbortHandle::abort);
        sweep(inner, &id, &name).await;
        drop(log);
        if let Err(error) = logger.await {
            tracing::warn!(%error, "lines of a function were lost");
        }
    }
}

/// What an invocation logs: lines not handed over yet, and the end of all.
#[derive(Default)]
struct Said {
    lines: Vec<LogLine>,
    tail: Tail,
}

impl Said {
    fn add(&mut self, line: LogLine) {
        self.tail.add(&line.message);
        self.lines.push(line);
    }
}

fn begins(spec: &Spec, runtime: &Installed) -> String {
    let version = format!(
        "INIT_START Runtime Version: {} ({})",
        runtime.name, runtime.version
    );
    let other = runtime.name != spec.runtime && !runtime.name.starts_with("provided");
    match other {
        true => format!(
            "{version}\t{} is not on this machine: the function runs on the nearest newer one",
            spec.runtime
        ),
        false => version,
    }
}

async fn exited(exit: &mut watch::Receiver<Option<Exit>>) -> Exit {
    if let Ok(exit) = exit.wait_for(Option::is_some).await
        && let Some(exit) = exit.as_ref()
    {
        return exit.clone();
    }
    // Nobody watches any more: the timeout ends it.
    std::future::pending().await
}

/// `exit status 1`, `signal: killed`; none of one that ended well.
fn how(exit: &Exit) -> Option<String> {
    match (&exit.reason, exit.code) {
        (Some(reason), _) => Some(reason.clone()),
        (None, 0) => None,
        (None, code @ 129..=192) => {
            let name = match code - 128 {
                6 => "aborted".to_owned(),
                9 => "killed".to_owned(),
                11 => "segmentation fault".to_owned(),
                15 => "terminated".to_owned(),
                other => other.to_string(),
            };
            Some(format!("signal: {name}"))
        }
        (None, code) => Some(format!("exit status {code}")),
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

/// Hands lines over one batch after the other, in order, until the environment is gone.
fn logger(spec: Arc<Spec>, stream: String) -> (mpsc::Sender<Vec<LogLine>>, JoinHandle<()>) {
    let (log, mut batches) = mpsc::channel::<Vec<LogLine>>(LOG_BATCHES);
    let logger = tokio::spawn(async move {
        // Times do not go back, whatever the clock does: the log takes no such lines.
        let mut last = Timestamp(i64::MIN);
        while let Some(mut lines) = batches.recv().await {
            for line in &mut lines {
                last = last.max(line.at);
                line.at = last;
            }
            spec.host.log(&spec, &stream, lines).await;
        }
    });
    (log, logger)
}

/// Removes the container and the disk of an environment.
async fn sweep(inner: &Inner, id: &ContainerId, name: &str) {
    if let Err(error) = inner.runtime.delete(id).await {
        tracing::warn!(container = %id, %error, "an execution environment could not be removed");
    }
    let (disks, disk) = (Arc::clone(&inner.disks), name.to_owned());
    let removed = tokio::task::spawn_blocking(move || disks.remove(&disk)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(container = %id, %error, "the disk of an execution environment could not be removed");
    }
}
