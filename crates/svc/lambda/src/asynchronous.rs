//! Asynchronous invocations: written down before the caller is answered, tried until they succeed, failed three times or
//! are too old, and then, where the function has a dead-letter queue, put there. One reconciler over what is owed.
//! Source: "Invoking a Lambda function asynchronously" and its page on errors and retries, in the developer guide.

use std::sync::Arc;
use std::time::Duration;

use roadstead_base::{Arn, Ctx, Partition};
use roadstead_dispatch::ActAs;
use roadstead_functions::Ending;
use roadstead_protocol::ApiError;
use roadstead_reconcile::{Action, Driver, Reconciler};
use roadstead_store::{Entry, Key, Outcome, Transaction};
use serde_json::json;

use crate::error::{Error, Result};
use crate::names::{self, Named};
use crate::records::{self, EventRecord, LATEST, OwedRecord, partition_of};
use crate::run::Job;
use crate::{Lambda, PRINCIPAL};

/// Attempts under way at a time.
const WORKERS: usize = 100;
/// No function runs for longer, initialization included.
const LONGEST: Duration = Duration::from_secs(1200);
/// Events that wait in all; beyond that callers are told to slow down.
pub(crate) const MAX_OWED: usize = 100_000;
const DEFAULT_RETRIES: u32 = 2;
const DEFAULT_AGE_SECONDS: u32 = 6 * 3600;
/// After the first failure, and after each later one.
const RETRY_MILLIS: [i64; 2] = [60_000, 120_000];
/// Between attempts in which the code did not come to run: doubling between these.
const SETBACK_MILLIS: [i64; 2] = [1_000, 300_000];
/// How often a dead letter is tried.
const MAX_LETTER_TRIES: u32 = 5;
/// Characters of what went wrong.
const MAX_MESSAGE: usize = 1024;

impl Lambda {
    /// Writes an event down.
    pub(crate) async fn owe(&self, ctx: &Ctx, named: &Named, payload: &[u8]) -> Result<()> {
        if self.events.snapshot().len() >= MAX_OWED {
            return Err(Error::Throttled("ConcurrentInvocationLimitExceeded"));
        }
        let now = self.clock.now();
        let record = EventRecord {
            id: ctx.request_id.clone(),
            function: named.name.clone(),
            qualifier: named.qualifier.clone(),
            payload: String::from_utf8_lossy(payload).into_owned(),
            accepted_at: now,
            due_at: now,
            failures: 0,
            setbacks: 0,
            owed: None,
        };
        let table = records::events(&self.store);
        // Its own, as a caller from within may have made several calls by one context.
        let key = table.key(&ctx.partition(), roadstead_base::random_uuid());
        table.insert(&key, &record).await?;
        Ok(())
    }
}

struct Events(Arc<Lambda>);

pub(crate) fn start(lambda: &Arc<Lambda>) -> Driver<Key> {
    let options = roadstead_reconcile::Options {
        workers: WORKERS,
        max_keys: MAX_OWED,
        resync: Duration::from_secs(60),
        timeout: LONGEST,
        ..Default::default()
    };
    let mut driver = Driver::new("lambda events", options, Arc::new(Events(Arc::clone(lambda))));
    driver.follow(lambda.events.changes(), |changed| {
        changed.after.is_some().then(|| changed.key.clone())
    });
    driver
}

impl Reconciler for Events {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Result<Action, roadstead_reconcile::Error> {
        let lambda = &self.0;
        let (Some(entry), Some(partition)) = (lambda.events.get(key), partition_of(key)) else {
            return Ok(Action::Done);
        };
        let wait = entry.value.due_at.0 - lambda.clock.now().0;
        if wait > 0 {
            return Ok(Action::Again(Duration::from_millis(
                u64::try_from(wait).unwrap_or_default(),
            )));
        }
        let later = match &entry.value.owed {
            Some(owed) => letter(lambda, &partition, &entry.value, owed).await,
            None => attempt(lambda, &partition, &entry.value).await,
        };
        settle(lambda, &entry, later).await
    }

    fn keys(&self) -> Vec<Key> {
        self.0
            .events
            .snapshot()
            .iter()
            .map(|entry| entry.key.clone())
            .collect()
    }
}

/// Writes down what is left; none: nothing is.
async fn settle(
    lambda: &Lambda,
    entry: &Entry<EventRecord>,
    later: Option<EventRecord>,
) -> Result<Action, roadstead_reconcile::Error> {
    let Some(later) = later else {
        let _gone = Transaction::new(&lambda.store)
            .delete(&entry.key)
            .commit()
            .await?;
        return Ok(Action::Done);
    };
    let written = Transaction::new(&lambda.store)
        .replace(&records::events(&lambda.store), entry, &later)
        .commit()
        .await?;
    if let Outcome::Committed(revision) = written {
        // What is looked at next is what was written.
        lambda.events.wait_for(revision).await?;
    }
    Ok(Action::Again(Duration::ZERO))
}

/// Runs it once. What is owed afterwards; none: nothing.
async fn attempt(lambda: &Arc<Lambda>, partition: &Partition, event: &EventRecord) -> Option<EventRecord> {
    let named = Named {
        name: event.function.clone(),
        qualifier: event.qualifier.clone(),
    };
    let Ok((function, version)) = lambda.to_run(partition, &named) else {
        tracing::info!(
            function = event.function,
            "an event of a function that is gone is dropped"
        );
        return None;
    };
    let of = event.qualifier.as_deref().unwrap_or(LATEST);
    let settings = function.asynchronous.get(of).cloned().unwrap_or_default();
    let oldest = i64::from(settings.max_age_seconds.unwrap_or(DEFAULT_AGE_SECONDS)) * 1000;
    let owed = |code: u16, message: String| {
        let target = version.settings.dead_letters.clone()?;
        Some(EventRecord {
            setbacks: 0,
            owed: Some(OwedRecord {
                target,
                role: version.role.clone(),
                code,
                message,
            }),
            ..event.clone()
        })
    };
    let now = lambda.clock.now();
    if now.0 - event.accepted_at.0 > oldest {
        return owed(429, "The event is older than it may be.".into());
    }
    let job = Job {
        partition: partition.clone(),
        function: function.clone(),
        version: version.clone(),
        qualifier: event.qualifier.clone(),
        request_id: event.id.clone(),
        payload: event.payload.clone().into(),
        client_context: None,
        tail: false,
    };
    match lambda.run(job).await {
        Ok(outcome) => match outcome.ending {
            Ending::Returned(_) => None,
            Ending::Failed(failure) => {
                let failures = event.failures + 1;
                if failures > settings.retries.unwrap_or(DEFAULT_RETRIES) {
                    return owed(200, String::from_utf8_lossy(&failure.body).into_owned());
                }
                let wait = RETRY_MILLIS[usize::try_from(failures - 1).unwrap_or(1).min(1)];
                Some(EventRecord {
                    failures,
                    setbacks: 0,
                    due_at: lambda.clock.now().plus_millis(wait),
                    ..event.clone()
                })
            }
        },
        // Nothing will ever run.
        Err(Error::Throttled(_)) if function.reserved == Some(0) => {
            owed(429, Error::Throttled("").to_string())
        }
        Err(error) => {
            tracing::debug!(function = event.function, %error, "an event has to wait");
            Some(EventRecord {
                setbacks: event.setbacks + 1,
                due_at: lambda.clock.now().plus_millis(setback(event.setbacks)),
                ..event.clone()
            })
        }
    }
}

fn setback(before: u32) -> i64 {
    let [first, longest] = SETBACK_MILLIS;
    first.saturating_mul(1 << before.min(20)).min(longest)
}

/// Sends the event to the dead-letter queue, as the function's role.
async fn letter(
    lambda: &Lambda,
    partition: &Partition,
    event: &EventRecord,
    owed: &OwedRecord,
) -> Option<EventRecord> {
    let sent = send(lambda, partition, event, owed).await;
    let Err(error) = sent else { return None };
    tracing::warn!(function = event.function, target = owed.target, %error, "a dead letter could not be sent");
    let for_now = error.status >= 500 || error.status == 429;
    (for_now && event.setbacks + 1 < MAX_LETTER_TRIES).then(|| EventRecord {
        setbacks: event.setbacks + 1,
        due_at: lambda.clock.now().plus_millis(setback(event.setbacks)),
        ..event.clone()
    })
}

async fn send(
    lambda: &Lambda,
    partition: &Partition,
    event: &EventRecord,
    owed: &OwedRecord,
) -> Result<(), ApiError> {
    let wrong = |error: String| ApiError::client("InvalidParameterValueException", error);
    let target: Arn = owed
        .target
        .parse()
        .map_err(|_| wrong(format!("{} is no ARN", owed.target)))?;
    let source = names::arn(partition, &event.function, None);
    let own = lambda
        .dispatcher
        .internal_ctx(PRINCIPAL, partition.account.clone(), partition.region.clone());
    let act = ActAs {
        role_arn: &owed.role,
        service: PRINCIPAL,
        session_name: &event.function,
        source_arn: Some(&source),
        seconds: 900,
    };
    let ctx = lambda
        .dispatcher
        .assume_for_service(&own, act)
        .map_err(|error| wrong(error.to_string()))?;
    let shown: String = owed.message.chars().take(MAX_MESSAGE).collect();
    let text = |kind: &str, text: &str| json!({"DataType": kind, "StringValue": text});
    let attributes = json!({
        "RequestID": text("String", &event.id),
        "ErrorCode": text("Number", &owed.code.to_string()),
        "ErrorMessage": text("String", &shown),
    });
    let (operation, input) = match target.service.as_str() {
        "sns" => (
            "Publish",
            json!({"TopicArn": owed.target, "Message": event.payload, "MessageAttributes": attributes}),
        ),
        _ => {
            let url = format!(
                "https://sqs.{}.amazonaws.com/{}/{}",
                target.region, target.account, target.resource
            );
            let input =
                json!({"QueueUrl": url, "MessageBody": event.payload, "MessageAttributes": attributes});
            ("SendMessage", input)
        }
    };
    lambda
        .dispatcher
        .call_json(&target.service, operation, &ctx, input)
        .await
        .map(|_| ())
}
