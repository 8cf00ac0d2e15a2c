//! Calls that outlive a member. Any member serves any call, so a failed one is tried elsewhere until its time is
//! up; except that a write which may have been served is never sent twice: its caller is told that nobody knows.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::error::{Error, Result};
use crate::etcd::endpoint::Endpoints;
use crate::etcd::grpc::{Connection, Fault, Method, Status};
use crate::etcd::tls::Connector;

/// One try of a call that may be repeated; etcd answers in milliseconds, or has lost its leader for a while.
const TRY: Duration = Duration::from_secs(3);
/// Between tries, doubling up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(400));

/// Whether a call may be sent again when a member may have served it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It reads, or twice is as good as once.
    Harmless,
    /// Only if it was certainly not served.
    Never,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// Said by a member that has a leader. `doubt`: an earlier try may have been served, which this answers.
    Refused { status: Status, doubt: bool },
    /// Nobody served it in time.
    Unavailable(String),
    /// It was sent, and nobody knows what became of it.
    Unknown(String),
}

impl Failed {
    /// For calls of which no status has a meaning of its own.
    pub(super) fn into_error(self, doing: &'static str) -> Error {
        match self {
            Failed::Refused { status, .. } => Error::Etcd {
                doing,
                detail: status.to_string(),
            },
            Failed::Unavailable(detail) => Error::Unavailable { doing, detail },
            Failed::Unknown(detail) => Error::OutcomeUnknown { doing, detail },
        }
    }
}

pub(super) struct Client {
    endpoints: Endpoints,
    tls: Option<Connector>,
    /// The bound on every call, with all its tries.
    limit: Duration,
    current: tokio::sync::Mutex<Option<Connection>>,
    /// Which member is asked next for a connection.
    next: Mutex<usize>,
}

impl Client {
    pub(super) fn new(endpoints: Endpoints, tls: Option<Connector>, limit: Duration) -> Self {
        Self {
            endpoints,
            tls,
            limit,
            current: tokio::sync::Mutex::new(None),
            next: Mutex::new(0),
        }
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The connection that calls share, made anew if there is none.
    pub(super) async fn connection(&self) -> Result<Connection, Fault> {
        let mut current = self.current.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.is_over()) {
            return Ok(connection.clone());
        }
        *current = None;
        let connection = self.open().await?;
        *current = Some(connection.clone());
        Ok(connection)
    }

    /// A connection of one's own, to the first member that takes it.
    pub(super) async fn open(&self) -> Result<Connection, Fault> {
        let members = &self.endpoints.members;
        let mut fault = Fault::NotSent("no members".into());
        for _ in members {
            let at = {
                let mut next = self
                    .next
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let at = *next % members.len();
                *next = at + 1;
                at
            };
            match Connection::open(&members[at], self.tls.as_ref()).await {
                Ok(connection) => {
                    let mut next = self
                        .next
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    *next = at; // a member that answers is kept until it fails
                    return Ok(connection);
                }
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }

    /// Takes a connection out of use; the next one is to another member. Calls that are on it already go on: the
    /// trouble of one is not the trouble of all.
    pub(super) async fn discard(&self, connection: &Connection) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|current| current.is(connection)) {
            *current = None;
            let mut next = self
                .next
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            *next += 1;
        }
    }

    /// The bound on every call.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    pub(super) async fn call(&self, method: Method, message: Bytes, again: Again) -> Result<Bytes, Failed> {
        let end = Instant::now() + self.limit;
        self.call_until(method, message, again, end).await
    }

    /// A call that has until then.
    pub(super) async fn call_until(
        &self,
        method: Method,
        message: Bytes,
        again: Again,
        end: Instant,
    ) -> Result<Bytes, Failed> {
        let (mut doubt, mut pause) = (false, PAUSE.0);
        // What went wrong before says more than that time is up.
        let mut problem = String::from("no member accepts a connection");
        loop {
            problem = match timeout_at(end, self.connection()).await {
                Err(_) => return Err(Failed::Unavailable(problem)),
                Ok(Err(fault)) => fault.to_string(),
                Ok(Ok(connection)) => {
                    let until = match again {
                        Again::Harmless => end.min(Instant::now() + TRY),
                        Again::Never => end,
                    };
                    let served = timeout_at(until, connection.call(method, &message)).await;
                    let served = served.unwrap_or_else(|_| Err(Fault::Lost("it took too long".into())));
                    match served {
                        Ok(message) => return Ok(message),
                        Err(fault) => {
                            let verdict = judge(fault);
                            if verdict.elsewhere {
                                self.discard(&connection).await;
                            }
                            match verdict.kind {
                                Kind::Final(status) => return Err(Failed::Refused { status, doubt }),
                                Kind::Unserved(problem) => problem,
                                Kind::Doubtful(problem) if again == Again::Never => {
                                    return Err(Failed::Unknown(problem));
                                }
                                Kind::Doubtful(problem) => {
                                    doubt = true;
                                    problem
                                }
                            }
                        }
                    }
                }
            };
            if timeout(end.saturating_duration_since(Instant::now()), sleep(pause))
                .await
                .is_err()
            {
                return Err(Failed::Unavailable(problem));
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

struct Verdict {
    kind: Kind,
    /// The member is not to be asked again for now.
    elsewhere: bool,
}

enum Kind {
    /// Trying again gives the same.
    Final(Status),
    /// Certainly not served, and may be elsewhere or later.
    Unserved(String),
    /// Perhaps served.
    Doubtful(String),
}

/// Refusals that etcd makes before anything is proposed to the cluster.
const BEFORE_PROPOSING: [&str; 6] = [
    "etcdserver: no leader",
    "etcdserver: not leader",
    "etcdserver: too many requests",
    "etcdserver: rpc not supported for learner",
    "etcdserver: unhealthy cluster",
    "raft proposal dropped",
];

fn judge(fault: Fault) -> Verdict {
    let verdict = |kind, elsewhere| Verdict { kind, elsewhere };
    match fault {
        Fault::NotSent(problem) => verdict(Kind::Unserved(problem), true),
        Fault::Lost(problem) => verdict(Kind::Doubtful(problem), true),
        Fault::Refused(status) => {
            if BEFORE_PROPOSING.iter().any(|text| status.message.contains(text)) {
                return verdict(Kind::Unserved(status.to_string()), true);
            }
            match status.code {
                // Canceled, unknown, deadline exceeded, aborted, internal, unavailable, data loss.
                1 | 2 | 4 | 10 | 13 | 14 | 15 => verdict(Kind::Doubtful(status.to_string()), true),
                _ => verdict(Kind::Final(status), false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_certainly_not_served_is_sent_again() {
        let check = |fault: Fault, expected: &str| {
            let shown = match judge(fault).kind {
                Kind::Final(_) => "final",
                Kind::Unserved(_) => "unserved",
                Kind::Doubtful(_) => "doubtful",
            };
            assert_eq!(shown, expected);
        };
        let refused = |code, message: &str| {
            Fault::Refused(Status {
                code,
                message: message.into(),
            })
        };
        check(Fault::NotSent("refused".into()), "unserved");
        check(Fault::Lost("reset".into()), "doubtful");
        check(refused(14, "etcdserver: no leader"), "unserved");
        check(refused(8, "etcdserver: too many requests"), "unserved");
        check(refused(14, "etcdserver: request timed out"), "doubtful");
        check(
            refused(
                14,
                "etcdserver: request timed out, possibly due to previous leader failure",
            ),
            "doubtful",
        );
        check(refused(14, "etcdserver: leader changed"), "doubtful");
        check(refused(5, "etcdserver: requested lease not found"), "final");
        check(refused(8, "etcdserver: mvcc: database space exceeded"), "final");
        check(refused(7, "etcdserver: permission denied"), "final");
    }
}
