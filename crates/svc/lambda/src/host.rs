//! What execution environments get from the service: keys of the function's role, and a way for lines into its log group,
//! as the role. What the role may not write is lost, as documented; what the logs cannot take now waits a while, and the
//! environment with it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roadstead_base::Ctx;
use roadstead_dispatch::{ActAs, Dispatcher};
use roadstead_functions::{BoxFuture, Credentials, Host, HostError, LogLine, Spec};
use roadstead_protocol::ApiError;
use serde_json::json;
use tokio::time::Instant;

use crate::error::Error;
use crate::{PRINCIPAL, names};

/// Seconds of a session: of keys that an environment gets, and for a request to the logs.
const KEYS_SECONDS: u32 = 12 * 3600;
const LOGS_SECONDS: u32 = 900;
/// Lines, and bytes of lines with what each costs, of one PutLogEvents.
const MAX_LINES: usize = 10_000;
const MAX_BYTES: usize = 1_000_000;
const LINE_COST: usize = 26;
/// Streams that are remembered as made; beyond that they are asked for again.
const MAX_STREAMS: usize = 10_000;
/// Before another try where the logs cannot take lines now; twice as long before each next one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Lines that came together wait so long, all of them; after that each request is made once.
const PATIENCE: Duration = Duration::from_secs(10);

/// The part of the service that environments keep hold of.
pub(crate) struct Service {
    dispatcher: Arc<Dispatcher>,
    /// Streams that are there, by group.
    streams: Mutex<HashSet<(String, String)>>,
    /// Streams whose lines are lost, and by which error: said once.
    lost: Mutex<HashSet<(String, String)>>,
}

/// The role of a function's environments: each has one that knows it.
pub(crate) struct Role {
    pub service: Arc<Service>,
    pub role: String,
}

impl Service {
    pub(crate) fn new(dispatcher: Arc<Dispatcher>) -> Self {
        Self {
            dispatcher,
            streams: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    fn act<'a>(&self, spec: &'a Spec, role: &'a str, arn: &'a str, seconds: u32) -> (Ctx, ActAs<'a>) {
        let ctx = self
            .dispatcher
            .internal_ctx(PRINCIPAL, spec.account.clone(), spec.region.clone());
        let act = ActAs {
            role_arn: role,
            service: PRINCIPAL,
            session_name: &spec.function,
            source_arn: Some(arn),
            seconds,
        };
        (ctx, act)
    }

    fn arn(spec: &Spec) -> String {
        let partition = roadstead_base::Partition {
            account: spec.account.clone(),
            region: spec.region.clone(),
        };
        names::arn(&partition, &spec.function, None)
    }

    /// Until it was taken, refused, or too late.
    async fn hand_over(
        &self,
        ctx: &Ctx,
        spec: &Spec,
        stream: &str,
        lines: &[LogLine],
        until: Instant,
    ) -> Result<(), ApiError> {
        let mut wait = FIRST_WAIT;
        let mut made_again = false;
        loop {
            let Err(error) = self.put(ctx, spec, stream, lines).await else {
                return Ok(());
            };
            if is_gone(&error) && !made_again {
                made_again = true;
            } else if is_for_now(&error) && Instant::now() + wait < until {
                tokio::time::sleep(wait).await;
                wait *= 2;
            } else {
                return Err(error);
            }
        }
    }

    fn lose(&self, spec: &Spec, stream: &str, code: &str, why: &dyn std::fmt::Display) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() >= MAX_STREAMS {
            lost.clear();
        }
        if lost.insert((stream.to_owned(), code.to_owned())) {
            tracing::warn!(function = spec.function, stream, error = %why, "lines of a function are lost");
        } else {
            tracing::debug!(function = spec.function, stream, error = %why, "lines of a function are lost");
        }
    }

    async fn put(&self, ctx: &Ctx, spec: &Spec, stream: &str, lines: &[LogLine]) -> Result<(), ApiError> {
        let key = (spec.log_group.clone(), stream.to_owned());
        let known = |key: &(String, String)| {
            let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.contains(key)
        };
        if !known(&key) {
            self.make(ctx, &spec.log_group, stream).await?;
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            if streams.len() >= MAX_STREAMS {
                streams.clear();
            }
            streams.insert(key.clone());
        }
        let events: Vec<_> = lines
            .iter()
            .map(|line| json!({"timestamp": line.at.0, "message": line.message}))
            .collect();
        let input = json!({"logGroupName": spec.log_group, "logStreamName": stream, "logEvents": events});
        let put = self
            .dispatcher
            .call_json("logs", "PutLogEvents", ctx, input)
            .await;
        if put.as_ref().is_err_and(is_gone) {
            // Whoever comes next makes it again.
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.remove(&key);
        }
        put.map(|_| ())
    }

    /// The stream, and on first use the group.
    async fn make(&self, ctx: &Ctx, group: &str, stream: &str) -> Result<(), ApiError> {
        let name = json!({"logGroupName": group, "logStreamName": stream});
        let made = |result: Result<serde_json::Value, ApiError>| match result {
            Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
            _ => Ok(()),
        };
        let first = self
            .dispatcher
            .call_json("logs", "CreateLogStream", ctx, name.clone())
            .await;
        match first {
            Err(error) if error.code == "ResourceNotFoundException" => {
                let group = json!({"logGroupName": group});
                made(
                    self.dispatcher
                        .call_json("logs", "CreateLogGroup", ctx, group)
                        .await,
                )?;
                made(
                    self.dispatcher
                        .call_json("logs", "CreateLogStream", ctx, name)
                        .await,
                )
            }
            other => made(other),
        }
    }
}

impl Host for Role {
    fn credentials<'a>(&'a self, spec: &'a Spec) -> BoxFuture<'a, Result<Credentials, HostError>> {
        Box::pin(async move {
            let arn = Service::arn(spec);
            let (ctx, act) = self.service.act(spec, &self.role, &arn, KEYS_SECONDS);
            let keys = self
                .service
                .dispatcher
                .keys_for_service(&ctx, act)
                .map_err(|error| {
                    tracing::info!(function = spec.function, %error, "a function's role cannot be assumed");
                    HostError(Error::Role.to_string())
                })?;
            Ok(Credentials {
                access_key: keys.access_key,
                secret: keys.secret,
                token: keys.token,
                expires: keys.expires,
            })
        })
    }

    fn log<'a>(&'a self, spec: &'a Spec, stream: &'a str, lines: Vec<LogLine>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let arn = Service::arn(spec);
            let (ctx, act) = self.service.act(spec, &self.role, &arn, LOGS_SECONDS);
            let ctx = match self.service.dispatcher.assume_for_service(&ctx, act) {
                Ok(ctx) => ctx,
                Err(error) => return self.service.lose(spec, stream, "role", &error),
            };
            let until = Instant::now() + PATIENCE;
            for chunk in chunks(&lines) {
                let taken = self.service.hand_over(&ctx, spec, stream, chunk, until).await;
                if let Err(error) = taken {
                    self.service.lose(spec, stream, &error.code, &error);
                }
            }
        })
    }
}

/// The group or the stream was deleted.
fn is_gone(error: &ApiError) -> bool {
    error.code == "ResourceNotFoundException"
}

fn is_for_now(error: &ApiError) -> bool {
    // Two make the same group at the same time.
    error.is_transient() || error.code == "OperationAbortedException"
}

/// As many lines at a time as one request takes.
fn chunks(mut lines: &[LogLine]) -> Vec<&[LogLine]> {
    let mut all = Vec::new();
    while !lines.is_empty() {
        let mut bytes = 0;
        let fits = lines.iter().take(MAX_LINES).take_while(|line| {
            bytes += line.message.len() + LINE_COST;
            bytes <= MAX_BYTES
        });
        // A line that is too large by itself is refused alone.
        let (chunk, rest) = lines.split_at(fits.count().max(1));
        all.push(chunk);
        lines = rest;
    }
    all
}

#[cfg(test)]
mod tests {
    use roadstead_base::Timestamp;

    use super::*;

    #[test]
    fn lines_are_sent_as_many_as_fit() {
        let line = |size: usize| LogLine {
            at: Timestamp(0),
            message: "x".repeat(size),
        };
        let sizes =
            |lines: &[LogLine]| -> Vec<usize> { chunks(lines).iter().map(|chunk| chunk.len()).collect() };
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&vec![line(1); MAX_LINES + 1]), [MAX_LINES, 1]);
        assert_eq!(sizes(&[line(600_000), line(600_000)]), [1, 1]);
        assert_eq!(sizes(&[line(2_000_000), line(1)]), [1, 1]);
    }
}
