//! Lines of containers on their way to whoever their log driver names: from the node's disk, as those to CloudWatch Logs,
//! and with the same promises. What waits, waits on the disk and within the bounds of the definition.

mod facts;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use roadstead_base::derived_hex;
use roadstead_log_drivers::{Address, Driver, Message, Parts, Record};
use roadstead_runtime::{LogPlace, LogRead, Stream};
use tokio_util::sync::CancellationToken;

use self::wire::Wire;
use super::engine::Inner;
use super::forward::{self, LOOK, note};
use crate::driver::LogSource;
use crate::engine::machine::Machine;
use crate::engine::spec::{Container, Sending};

/// Bytes of records that are read before they are sent.
const BATCH_BYTES: usize = 256 * 1024;
const BATCH_RECORDS: usize = 512;
/// The longest wait between tries once the container has ended, since what is left has little time.
const ENDING_WAIT: Duration = Duration::from_secs(1);

/// Where a container's lines go, and how.
#[derive(Clone)]
pub(super) enum Destination {
    Awslogs(forward::Destination),
    Receiver(Shipper),
}

impl Destination {
    /// None for a container whose output stays on the node.
    pub(super) fn of(inner: &Arc<Inner>, machine: &Machine, container: &Container) -> Option<Self> {
        match container.sending.as_ref()? {
            Sending::Awslogs(_) => {
                forward::Destination::of(inner, &machine.task, container).map(Self::Awslogs)
            }
            Sending::Receiver(driver) => Some(Self::Receiver(Shipper {
                inner: Arc::clone(inner),
                container: container.clone(),
                driver: Arc::clone(driver),
                facts: facts::of(machine, container),
            })),
        }
    }

    /// Makes sure before the container starts that its lines can go there, as far as the driver asks for it.
    ///
    /// # Errors
    /// The container's reason, complete.
    pub(super) async fn open(&self) -> Result<(), String> {
        match self {
            Self::Awslogs(destination) => destination.open().await,
            Self::Receiver(shipper) => shipper.open().await,
        }
    }

    /// Sends until a run of the container has ended and nothing is left, or nobody waits any more.
    pub(super) async fn forward(self, ending: CancellationToken) {
        match self {
            Self::Awslogs(destination) => destination.forward(ending).await,
            Self::Receiver(shipper) => shipper.forward(ending).await,
        }
    }
}

/// One container's log and its receiver.
#[derive(Clone)]
pub(super) struct Shipper {
    inner: Arc<Inner>,
    container: Container,
    driver: Arc<Driver>,
    facts: roadstead_log_drivers::Facts,
}

/// A message and the place that is safe once it and all before it have been sent.
struct Waiting {
    message: Message,
    safe: LogPlace,
}

impl Shipper {
    async fn open(&self) -> Result<(), String> {
        if !self.driver.connects_first() {
            return Ok(());
        }
        let connected = Wire::connect(self.driver.address()).await;
        connected.map(drop).map_err(|why| {
            let why = match (&*self.driver, self.driver.address()) {
                (Driver::Gelf(_), Address::Tcp { host, port } | Address::Udp { host, port }) => {
                    format!("gelf: cannot connect to GELF endpoint: {host}:{port} {why}")
                }
                _ => why,
            };
            format!(
                "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: {why}"
            )
        })
    }

    async fn forward(self, ending: CancellationToken) {
        let container = &self.container;
        let mut log = match self.inner.driver.log(container).await {
            Ok(log) => log,
            Err(error) => {
                tracing::warn!(container = container.runtime_id, %error, "its lines cannot be sent");
                return;
            }
        };
        let mut reading = Reading {
            encoder: self.driver.encoder(self.facts.clone(), facts::sender()),
            parts: Parts::default(),
            seed: seed(&container.runtime_id),
        };
        let mut noted = log.place();
        let mut wire = None;
        loop {
            let (batch, ended) = self.read(log.as_mut(), &mut reading).await;
            if batch.is_empty() {
                if ended {
                    return;
                }
                tokio::select! { () = tokio::time::sleep(LOOK) => {} () = ending.cancelled() => tokio::task::yield_now().await }
                if ending.is_cancelled() {
                    // Its end is on file a moment later at most.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                continue;
            }
            let safe = self.deliver(&mut wire, batch, &ending).await;
            if let Some(safe) = safe {
                note(container, log.as_mut(), &mut noted, safe).await;
            }
        }
    }

    /// Takes what is on file, a batch at most; true when no more will come.
    async fn read(&self, log: &mut dyn LogSource, reading: &mut Reading) -> (VecDeque<Waiting>, bool) {
        let (mut batch, mut bytes) = (VecDeque::new(), 0);
        while bytes < BATCH_BYTES && batch.len() < BATCH_RECORDS {
            match log.next().await {
                Ok(LogRead::Line { line, from, to }) => {
                    let time = line.at().unwrap_or_else(|| self.inner.clock.now()).0;
                    let stderr = line.stream == Stream::Stderr;
                    let id = reading.seed.wrapping_add(from.total);
                    let length = line.bytes.len();
                    let (part, safe) = reading
                        .parts
                        .push(stderr, line.partial, length as u64, from, to, id);
                    let record = Record {
                        time,
                        stderr,
                        bytes: line.bytes,
                        id: id.to_be_bytes(),
                        part,
                    };
                    bytes += length;
                    batch.push_back(Waiting {
                        message: reading.encoder.encode(&record),
                        safe,
                    });
                }
                Ok(LogRead::Quiet) => break,
                Ok(LogRead::Ended) => return (batch, true),
                Err(error) => {
                    tracing::warn!(container = self.container.runtime_id, %error, "its log cannot be read");
                    break;
                }
            }
        }
        (batch, false)
    }

    /// Sends a batch until all of it has arrived, as far as that can be known, or was given up. Returns the place that
    /// is safe then.
    async fn deliver(
        &self,
        wire: &mut Option<Wire>,
        mut batch: VecDeque<Waiting>,
        ending: &CancellationToken,
    ) -> Option<LogPlace> {
        let container = &self.container.runtime_id;
        let retry = self.driver.retry();
        let (mut failed, mut safe) = (0_u32, None);
        while !batch.is_empty() {
            let messages: Vec<_> = batch.iter().map(|waiting| &waiting.message).collect();
            let (sent, outcome) = self.send(wire, &messages).await;
            if sent > 0 {
                failed = 0;
                safe = batch
                    .drain(..sent)
                    .next_back()
                    .map(|waiting| waiting.safe)
                    .or(safe);
            }
            let Err(why) = outcome else { continue };
            *wire = None;
            failed += 1;
            if failed == 1 {
                tracing::info!(container, why, "lines wait for their receiver");
            }
            if retry.tries.is_some_and(|tries| failed >= tries) {
                tracing::warn!(container, why, failed, "a line is dropped");
                safe = batch.pop_front().map(|waiting| waiting.safe).or(safe);
                failed = 0;
            }
            let was_ending = ending.is_cancelled();
            let wait = retry.after(failed.max(1));
            let wait = if was_ending { wait.min(ENDING_WAIT) } else { wait };
            tokio::select! { () = tokio::time::sleep(wait) => {} () = ending.cancelled(), if !was_ending => {} }
        }
        safe
    }

    /// One try, over the connection that is there or a new one: how many messages from the first on have arrived.
    async fn send(&self, wire: &mut Option<Wire>, messages: &[&Message]) -> (usize, Result<(), String>) {
        let usable = match wire {
            Some(there) => there.is_usable(self.driver.reconnect()),
            None => false,
        };
        if !usable {
            *wire = None;
            match Wire::connect(self.driver.address()).await {
                Ok(made) => *wire = Some(made),
                Err(why) => return (0, Err(why)),
            }
        }
        match wire {
            Some(wire) => wire.send(messages, self.driver.write_timeout()).await,
            None => (0, Ok(())),
        }
    }
}

/// What turns a log's records into messages.
struct Reading {
    encoder: roadstead_log_drivers::Encoder,
    parts: Parts<LogPlace>,
    seed: u64,
}

/// From where a container's records are numbered, so that no two containers' have the same number.
fn seed(runtime_id: &str) -> u64 {
    u64::from_str_radix(&derived_hex(runtime_id, "records", 16), 16).unwrap_or(0)
}
