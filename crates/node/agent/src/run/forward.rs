//! Lines of containers on their way to CloudWatch Logs, or to a receiver outside (see `receiver`). The shim writes them to the node's disk, whoever is alive; from
//! there they are sent, and how far is written down. So an end of the agent, also by `kill -9`, loses none; sent
//! twice are at most those whose answer it did not live to hear.

use std::sync::Arc;
use std::time::Duration;

use roadstead_acs::RoleCredentials;
use roadstead_awslogs::{Assembler, Event as LogEvent, Line, Options, Queue};
use roadstead_log_drivers::{About, Driver, Line as Sent};
use roadstead_runtime::{LogPlace, LogRead, Stream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::Inner;
use super::receiver::Receiver;
use crate::api::CallError;
use crate::driver::LogSource;
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{Container, LaunchType, Task};
use crate::upstream::LogCall;

/// How long lines wait for company.
const GATHER: Duration = Duration::from_secs(5);
/// How often a log that is quiet is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A container's lines being sent.
pub(super) struct Forwarding {
    pub work: AbortHandle,
    /// To be cancelled when the container has ended and is about to be deleted.
    pub ending: CancellationToken,
    /// Cancelled when all has been sent.
    pub finished: CancellationToken,
    /// To be told when the container runs again.
    pub again: Arc<Notify>,
}

impl Forwarding {
    /// Waits for the last lines, at most `patience`.
    pub(super) async fn flush(self, container: &str, patience: Duration) {
        self.ending.cancel();
        if tokio::time::timeout(patience, self.finished.cancelled())
            .await
            .is_err()
        {
            tracing::warn!(container, "its last lines could not be sent in time");
        }
        self.work.abort();
    }
}

/// One container's log and where it goes.
#[derive(Clone)]
pub(super) struct Destination {
    inner: Arc<Inner>,
    task: Arc<Task>,
    container: Container,
    sink: Sink,
}

#[derive(Clone)]
enum Sink {
    /// A stream of a log group.
    Group {
        options: Options,
        stream: String,
    },
    Receiver(Arc<Receiver>),
}

/// What became of a request.
enum Outcome {
    Sent,
    /// It would be refused for ever, or nobody waits any more.
    GivenUp,
}

impl Destination {
    /// None for a container whose output stays on the node.
    pub(super) fn of(inner: &Arc<Inner>, task: &Arc<Task>, container: &Container) -> Option<Self> {
        let sink = match (&container.awslogs, &container.receiver) {
            (Some(options), _) => Sink::Group {
                options: options.clone(),
                stream: options.stream(&container.name, &task.id, &container.runtime_id),
            },
            (None, Some(options)) => {
                Sink::Receiver(Arc::new(Receiver::new(options.clone(), about(container))))
            }
            (None, None) => return None,
        };
        Some(Self {
            inner: Arc::clone(inner),
            task: Arc::clone(task),
            container: container.clone(),
            sink,
        })
    }

    /// The keys to call with: of the task's role, of which there may be none yet, or the node's own.
    fn keys(&self) -> Result<Option<RoleCredentials>, CallError> {
        if !self.task.has_execution_role {
            return Ok(None);
        }
        let keys = self.inner.roles.execution(&self.task.arn);
        keys.map(Some).ok_or_else(|| CallError::Transport {
            operation: "PutLogEvents",
            problem: "the keys of the task's execution role have not come yet".to_owned(),
        })
    }

    async fn call(&self, group: &str, call: &LogCall) -> Result<(), CallError> {
        let keys = self.keys()?;
        self.inner.upstream.logs(keys.as_ref(), group, call).await
    }

    /// Makes the stream be there, and the group where that is asked for; before the container starts.
    ///
    /// # Errors
    /// The container's reason, complete.
    pub(super) async fn open(&self) -> Result<(), String> {
        let (options, stream) = match &self.sink {
            Sink::Group { options, stream } => (options, stream),
            Sink::Receiver(receiver) => return receiver.open().await.map_err(|why| self.reason(0, &why)),
        };
        let region = self.inner.upstream.region();
        if options.region != region {
            let why = format!(
                "awslogs-region {:?} is not supported by Roadstead yet; this node's is {region:?}",
                options.region
            );
            return Err(self.reason(0, &why));
        }
        let deadline = Instant::now() + self.inner.limits.log_open;
        for tried in 1.. {
            let (what, error) = match self.make(options, stream).await {
                Ok(()) => return Ok(()),
                Err(failed) => failed,
            };
            let wait = self.inner.limits.logs.wait(tried, super::jitter());
            let wait = wait.filter(|wait| error.is_transient() && Instant::now() + *wait < deadline);
            let Some(wait) = wait else {
                let why = match &error {
                    CallError::Api { code, message, .. } => format!("{code}: {message}"),
                    CallError::Transport { problem, .. } => problem.clone(),
                };
                return Err(self.reason(tried, &format!("failed to create Cloudwatch log {what}: {why}")));
            };
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    /// In the words of each launch type's own agent.
    fn reason(&self, tries: u32, why: &str) -> String {
        match self.task.launch_type {
            LaunchType::Fargate => format!(
                "{RESOURCE_INITIALIZATION}: failed to validate logger args: create stream has been retried {tries} \
                 times: {why} : exit status 1"
            ),
            LaunchType::Ec2 | LaunchType::External => format!(
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: {why}"
            ),
        }
    }

    async fn make(&self, options: &Options, stream: &str) -> Result<(), (&'static str, CallError)> {
        let (group, stream) = (&options.group, LogCall::CreateStream(stream.to_owned()));
        match there(self.call(group, &stream).await) {
            Err(error) if is(&error, "ResourceNotFoundException") && options.create_group => {
                there(self.call(group, &LogCall::CreateGroup).await).map_err(|error| ("group", error))?;
                there(self.call(group, &stream).await).map_err(|error| ("stream", error))
            }
            made => made.map_err(|error| ("stream", error)),
        }
    }

    /// Sends until a run of the container has ended and nothing is left, or nobody waits any more.
    pub(super) async fn forward(self, ending: CancellationToken) {
        let mut log = match self.inner.driver.log(&self.container).await {
            Ok(log) => log,
            Err(error) => {
                tracing::warn!(container = self.container.runtime_id, %error, "its lines cannot be sent");
                return;
            }
        };
        let (start, gather) = match &self.sink {
            Sink::Group { options, stream: _ } => (options.start.clone(), GATHER),
            // Nothing is gained by waiting for more.
            Sink::Receiver(_) => (None, Duration::ZERO),
        };
        let mut assembler = Assembler::new(start, log.place());
        let mut queue = Queue::default();
        let mut noted = log.place();
        let mut due = None;
        loop {
            let ended = self.read(log.as_mut(), &mut assembler, &mut queue).await;
            if queue.is_empty() {
                due = None;
                self.note(log.as_mut(), &mut noted, assembler.safe()).await;
                if ended {
                    return;
                }
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let due_at = *due.get_or_insert_with(|| Instant::now() + gather);
            if !queue.is_full() && !ended && Instant::now() < due_at {
                let wait = LOOK.min(due_at.saturating_duration_since(Instant::now()));
                tokio::select! { () = tokio::time::sleep(wait) => {} () = ending.cancelled() => { due = Some(Instant::now()); } }
                continue;
            }
            if let Some((batch, safe)) = queue.take() {
                due = None;
                match self.put(batch, &ending).await {
                    Outcome::Sent => self.note(log.as_mut(), &mut noted, safe).await,
                    Outcome::GivenUp if ending.is_cancelled() => return,
                    Outcome::GivenUp => self.note(log.as_mut(), &mut noted, safe).await,
                }
            }
        }
    }

    /// Takes what is on file until a request is full; true when no more will come.
    async fn read(
        &self,
        log: &mut dyn LogSource,
        assembler: &mut Assembler<LogPlace>,
        queue: &mut Queue<LogPlace>,
    ) -> bool {
        while !queue.is_full() {
            match log.next().await {
                Ok(LogRead::Line { line, from, to }) => {
                    let time = line.at().unwrap_or_else(|| self.inner.clock.now()).0;
                    let line = Line {
                        time,
                        stderr: line.stream == Stream::Stderr,
                        partial: line.partial,
                        bytes: line.bytes,
                    };
                    queue.extend(assembler.push(line, from, to));
                }
                Ok(LogRead::Quiet) => break,
                Ok(LogRead::Ended) => {
                    queue.extend(assembler.finish());
                    return true;
                }
                Err(error) => {
                    tracing::warn!(container = self.container.runtime_id, %error, "its log cannot be read");
                    break;
                }
            }
        }
        queue.extend(assembler.expire(self.inner.clock.now().0));
        false
    }

    async fn note(&self, log: &mut dyn LogSource, noted: &mut LogPlace, place: LogPlace) {
        if place <= *noted {
            return;
        }
        match log.sent(place).await {
            Ok(()) => *noted = place,
            Err(error) => {
                tracing::warn!(container = self.container.runtime_id, %error, "how far it was sent is not written down");
            }
        }
    }

    /// Sends one request until it arrives. What is refused for itself is dropped; what is refused because of who asks
    /// or where it goes may be put right, so it is tried again as long as the container lives.
    async fn put(&self, batch: Vec<LogEvent<LogPlace>>, ending: &CancellationToken) -> Outcome {
        let (options, stream) = match &self.sink {
            Sink::Group { options, stream } => (options, stream),
            Sink::Receiver(receiver) => return self.hand_over(receiver, batch).await,
        };
        let count = batch.len();
        let events = batch.into_iter().map(|event| (event.time, event.message));
        let call = LogCall::Put(stream.clone(), events.collect());
        for failed in 1.. {
            let error = match self.call(&options.group, &call).await {
                Ok(()) => return Outcome::Sent,
                Err(error) => error,
            };
            let container = &self.container.runtime_id;
            if is(&error, "InvalidParameterException") || !error.is_transient() && ending.is_cancelled() {
                tracing::warn!(container, count, %error, "lines are dropped");
                return Outcome::GivenUp;
            }
            if is(&error, "ResourceNotFoundException") {
                // Somebody deleted it meanwhile.
                let made = self.make(options, stream).await;
                tracing::info!(container, again = made.is_ok(), "the log stream was gone");
            }
            let Some(wait) = self.inner.limits.logs.wait(failed, super::jitter()) else {
                return Outcome::GivenUp;
            };
            tracing::debug!(container, count, %error, ?wait, "lines are not sent yet");
            let was_ending = ending.is_cancelled();
            tokio::select! { () = tokio::time::sleep(wait) => {} () = ending.cancelled(), if !was_ending => {} }
        }
        Outcome::GivenUp
    }

    /// Sends lines until the last has gone, with the patience that the driver's options ask for. When the container has
    /// ended, whoever waits for its last lines decides how long that is.
    async fn hand_over(&self, receiver: &Receiver, batch: Vec<LogEvent<LogPlace>>) -> Outcome {
        let line = |event: LogEvent<LogPlace>| Sent {
            time: event.time,
            stderr: event.stderr,
            text: event.message,
        };
        let lines: Vec<Sent> = batch.into_iter().map(line).collect();
        let (mut rest, mut failed) = (lines.as_slice(), 0u32);
        loop {
            let (sent, result) = receiver.send(rest).await;
            rest = rest.get(sent..).unwrap_or_default();
            let Err(error) = result else {
                return Outcome::Sent;
            };
            // Some arrived: it is there.
            failed = if sent > 0 { 1 } else { failed.saturating_add(1) };
            let container = &self.container.runtime_id;
            let wait = match &receiver.options.driver {
                Driver::Fluentd(fluentd) => {
                    let again = fluentd.max_retries.is_none_or(|most| failed <= most);
                    again.then_some(fluentd.retry_wait)
                }
                Driver::Gelf(gelf) => (failed <= gelf.max_reconnect).then_some(gelf.reconnect_delay),
                Driver::Syslog(_) => self.inner.limits.logs.wait(failed, super::jitter()),
            };
            let Some(wait) = wait else {
                tracing::warn!(container, count = rest.len(), %error, "lines are dropped");
                return Outcome::GivenUp;
            };
            tracing::debug!(container, count = rest.len(), %error, ?wait, "lines are not sent yet");
            tokio::time::sleep(wait).await;
        }
    }
}

fn about(container: &Container) -> About {
    let hostname = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok());
    About {
        id: container.runtime_id.clone(),
        name: container.name.clone(),
        image: container.image.clone(),
        hostname: hostname.unwrap_or_else(|| "localhost".to_owned()),
        pid: std::process::id(),
    }
}

fn is(error: &CallError, code: &str) -> bool {
    error.code() == Some(code)
}

/// What is there already need not be made.
fn there(made: Result<(), CallError>) -> Result<(), CallError> {
    match made {
        Err(error) if is(&error, "ResourceAlreadyExistsException") => Ok(()),
        made => made,
    }
}
