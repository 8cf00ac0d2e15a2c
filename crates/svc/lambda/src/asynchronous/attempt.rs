//! One attempt at an event, and what is owed after it.

use std::sync::Arc;

use roadstead_base::Partition;
use roadstead_functions::Ending;

use super::later;
use super::record::{self, Condition, Invoked, Response};
use crate::Lambda;
use crate::counts::{Metric, Of};
use crate::error::Error;
use crate::names::{self, Named};
use crate::records::{
    AsynchronousRecord, EventRecord, FunctionRecord, LATEST, OwedKind, OwedRecord, VersionRecord,
};
use crate::run::Job;

/// Characters of what went wrong. What a function says may be larger than any record.
const MAX_MESSAGE: usize = 1024;
const DEFAULT_RETRIES: u32 = 2;
const DEFAULT_AGE_SECONDS: u32 = 6 * 3600;
/// After the first failure, and after each later one.
const RETRY_MILLIS: [i64; 2] = [60_000, 120_000];

/// An event, and what it is for.
struct Attempt<'a> {
    lambda: &'a Arc<Lambda>,
    partition: &'a Partition,
    event: &'a EventRecord,
    function: FunctionRecord,
    version: VersionRecord,
    settings: AsynchronousRecord,
}

/// Runs it once. What is owed afterwards, each by itself.
pub(super) async fn attempt(
    lambda: &Arc<Lambda>,
    partition: &Partition,
    event: &EventRecord,
) -> Vec<EventRecord> {
    let named = Named {
        name: event.function.clone(),
        qualifier: event.qualifier.clone(),
    };
    let Ok((function, version)) = lambda.to_run(partition, &named) else {
        tracing::info!(
            function = event.function,
            "an event of a function that is gone is dropped"
        );
        let of = Of::event(partition, &event.function, event.qualifier.as_deref());
        lambda.count(&of, Metric::AsyncEventsDropped, 1.0);
        return Vec::new();
    };
    let of = event.qualifier.as_deref().unwrap_or(LATEST);
    let settings = function.asynchronous.get(of).cloned().unwrap_or_default();
    let attempt = Attempt {
        lambda,
        partition,
        event,
        function,
        version,
        settings,
    };
    attempt.run().await
}

impl Attempt<'_> {
    async fn run(&self) -> Vec<EventRecord> {
        let Self { lambda, event, .. } = self;
        let age = lambda.clock.now().0 - event.accepted_at.0;
        let oldest = self.settings.max_age_seconds.unwrap_or(DEFAULT_AGE_SECONDS);
        if age > i64::from(oldest) * 1000 {
            let why = "The event is older than it may be.".to_owned();
            return self.given_up(Condition::EventAgeExceeded, 429, why, None);
        }
        let job = Job {
            partition: self.partition.clone(),
            function: self.function.clone(),
            version: self.version.clone(),
            qualifier: event.qualifier.clone(),
            request_id: event.id.clone(),
            payload: event.payload.clone().into(),
            client_context: None,
            tail: false,
        };
        let outcome = match lambda.run(job).await {
            Ok(outcome) => outcome,
            // Nothing will ever run.
            Err(error @ Error::Throttled(_)) if self.function.reserved == Some(0) => {
                return self.given_up(Condition::ZeroReservedConcurrency, 429, error.to_string(), None);
            }
            Err(error) => {
                tracing::debug!(function = event.function, %error, "an event has to wait");
                return vec![later(lambda, event)];
            }
        };
        lambda.count(&self.of(), Metric::AsyncEventAge, age as f64);
        let runs = event.failures + 1;
        match outcome.ending {
            Ending::Returned(payload) => {
                let response = self.response(String::from_utf8_lossy(&payload).into_owned(), false);
                let record = self.record(Condition::Success, runs, Some(response));
                record.into_iter().collect()
            }
            Ending::Failed(failure) => {
                let body = String::from_utf8_lossy(&failure.body).into_owned();
                if runs > self.settings.retries.unwrap_or(DEFAULT_RETRIES) {
                    let response = self.response(body.clone(), true);
                    return self.given_up(Condition::RetriesExhausted, 200, body, Some(response));
                }
                let wait = RETRY_MILLIS[usize::try_from(runs - 1).unwrap_or(1).min(1)];
                vec![EventRecord {
                    failures: runs,
                    setbacks: 0,
                    due_at: lambda.clock.now().plus_millis(wait),
                    ..(*event).clone()
                }]
            }
        }
    }

    fn of(&self) -> Of {
        Of::event(
            self.partition,
            &self.event.function,
            self.event.qualifier.as_deref(),
        )
    }

    fn response(&self, payload: String, failed: bool) -> Response {
        Response {
            version: self.version.version(),
            payload,
            failed,
        }
    }

    /// The dead letter and the record of an event that no attempt follows.
    fn given_up(
        &self,
        condition: Condition,
        code: u16,
        message: String,
        response: Option<Response>,
    ) -> Vec<EventRecord> {
        self.lambda.count(&self.of(), Metric::AsyncEventsDropped, 1.0);
        let runs = self.event.failures + u32::from(response.is_some());
        let target = self.version.settings.dead_letters.as_ref();
        let letter = target.map(|target| EventRecord {
            setbacks: 0,
            owed: Some(OwedRecord {
                target: target.clone(),
                role: self.version.role.clone(),
                kind: OwedKind::Letter {
                    code,
                    message: message.chars().take(MAX_MESSAGE).collect(),
                },
            }),
            ..self.event.clone()
        });
        let record = self.record(condition, runs, response);
        letter.into_iter().chain(record).collect()
    }

    /// The record for the destination of this end, if there is one.
    fn record(&self, condition: Condition, runs: u32, response: Option<Response>) -> Option<EventRecord> {
        let success = condition == Condition::Success;
        let target = match success {
            true => self.settings.on_success.clone()?,
            false => self.settings.on_failure.clone()?,
        };
        let qualifier = self.event.qualifier.as_deref().unwrap_or(LATEST);
        let invoked = Invoked {
            at: self.lambda.clock.now(),
            request_id: &self.event.id,
            function_arn: names::arn(self.partition, &self.event.function, Some(qualifier)),
            condition,
            runs,
            payload: &self.event.payload,
            response: response.as_ref(),
        };
        let Some(text) = record::text(&invoked, &target) else {
            tracing::warn!(
                function = self.event.function,
                target,
                "a record of an invocation is larger than any destination takes"
            );
            self.lambda
                .count(&self.of(), Metric::DestinationDeliveryFailures, 1.0);
            return None;
        };
        Some(EventRecord {
            payload: text,
            setbacks: 0,
            owed: Some(OwedRecord {
                target,
                role: self.version.role.clone(),
                kind: OwedKind::Result { success },
            }),
            ..self.event.clone()
        })
    }
}
