//! Lines of containers on their way to CloudWatch Logs. The shim writes them to the node's disk, whoever is alive; from
//! there they are sent, and how far is written down. So an end of the agent, also by `kill -9`, loses none; sent
//! twice are at most those whose answer it did not live to hear.

use std::sync::Arc;
use std::time::Duration;

use roadstead_acs::RoleCredentials;
use roadstead_awslogs::{Assembler, Event as LogEvent, Line, Options, Queue};
use roadstead_runtime::{LogPlace, LogRead, Stream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::Inner;
use crate::api::CallError;
use crate::driver::LogSource;
use crate::engine::machine::RESOURCE_INITIALIZATION;
use crate::engine::spec::{Container, LaunchType, Sending, Task};
use crate::upstream::LogCall;

/// How long lines wait for company.
const GATHER: Duration = Duration::from_secs(5);
/// How often a log that is quiet is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(200);

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
    options: Options,
    stream: String,
}

/// What became of a request.
enum Outcome {
    Sent,
    /// It would be refused for ever, or nobody waits any more.
    GivenUp,
}

impl Destination {
    /// None for a container whose output does not go there.
    pub(super) fn of(inner: &Arc<Inner>, task: &Arc<Task>, container: &Container) -> Option<Self> {
        let Some(Sending::Awslogs(options)) = container.sending.clone() else {
            return None;
        };
        let stream = options.stream(&container.name, &task.id, &container.runtime_id);
        Some(Self {
            inner: Arc::clone(inner),
            task: Arc::clone(task),
            container: container.clone(),
            options,
            stream,
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

    async fn call(&self, call: &LogCall) -> Result<(), CallError> {
        let keys = self.keys()?;
        self.inner
            .upstream
            .logs(keys.as_ref(), &self.options.group, call)
            .await
    }

    /// Makes the stream be there, and the group where that is asked for; before the container starts.
    ///
    /// # Errors
    /// The container's reason, complete.
    pub(super) async fn open(&self) -> Result<(), String> {
        let region = self.inner.upstream.region();
        if self.options.region != region {
            let why = format!(
                "awslogs-region {:?} is not supported by Roadstead yet; this node's is {region:?}",
                self.options.region
            );
            return Err(self.reason(0, &why));
        }
        let deadline = Instant::now() + self.inner.limits.log_open;
        for tried in 1.. {
            let (what, error) = match self.make().await {
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

    async fn make(&self) -> Result<(), (&'static str, CallError)> {
        let stream = LogCall::CreateStream(self.stream.clone());
        match there(self.call(&stream).await) {
            Err(error) if is(&error, "ResourceNotFoundException") && self.options.create_group => {
                there(self.call(&LogCall::CreateGroup).await).map_err(|error| ("group", error))?;
                there(self.call(&stream).await).map_err(|error| ("stream", error))
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
        let mut assembler = Assembler::new(self.options.start.clone(), log.place());
        let mut queue = Queue::default();
        let mut noted = log.place();
        let mut due = None;
        loop {
            let ended = self.read(log.as_mut(), &mut assembler, &mut queue).await;
            if queue.is_empty() {
                due = None;
                note(&self.container, log.as_mut(), &mut noted, assembler.safe()).await;
                if ended {
                    return;
                }
                tokio::time::sleep(LOOK).await;
                continue;
            }
            let due_at = *due.get_or_insert_with(|| Instant::now() + GATHER);
            if !queue.is_full() && !ended && Instant::now() < due_at {
                let wait = LOOK.min(due_at.saturating_duration_since(Instant::now()));
                tokio::select! { () = tokio::time::sleep(wait) => {} () = ending.cancelled() => { due = Some(Instant::now()); } }
                continue;
            }
            if let Some((batch, safe)) = queue.take() {
                due = None;
                match self.put(batch, &ending).await {
                    Outcome::Sent => note(&self.container, log.as_mut(), &mut noted, safe).await,
                    Outcome::GivenUp if ending.is_cancelled() => return,
                    Outcome::GivenUp => note(&self.container, log.as_mut(), &mut noted, safe).await,
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

    /// Sends one request until it arrives. What is refused for itself is dropped; what is refused because of who asks
    /// or where it goes may be put right, so it is tried again as long as the container lives.
    async fn put(&self, batch: Vec<LogEvent<LogPlace>>, ending: &CancellationToken) -> Outcome {
        let count = batch.len();
        let events = batch.into_iter().map(|event| (event.time, event.message));
        let call = LogCall::Put(self.stream.clone(), events.collect());
        for failed in 1.. {
            let error = match self.call(&call).await {
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
                let made = self.make().await;
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
}

/// Writes down how far a log has been sent.
pub(super) async fn note(
    container: &Container,
    log: &mut dyn LogSource,
    noted: &mut LogPlace,
    place: LogPlace,
) {
    if place <= *noted {
        return;
    }
    match log.sent(place).await {
        Ok(()) => *noted = place,
        Err(error) => {
            tracing::warn!(container = container.runtime_id, %error, "how far it was sent is not written down");
        }
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
