//! What functions did, as metrics of `AWS/Lambda`.
//! Source: "Types of metrics for Lambda functions" in the developer guide.

use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_counts::{Dimensions, Metric as Told};
use tokio::sync::watch;

use crate::records::LATEST;
use crate::run::Job;
use crate::{Lambda, PRINCIPAL};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    /// What ran, well or not.
    Invocations,
    Errors,
    Throttles,
    /// Milliseconds.
    Duration,
    ConcurrentExecutions,
    /// Asynchronous events that were taken.
    AsyncEventsReceived,
    /// Milliseconds from then to an attempt.
    AsyncEventAge,
    /// Events that were given up.
    AsyncEventsDropped,
    /// Attempts to hand something over that failed.
    DestinationDeliveryFailures,
    DeadLetterErrors,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::Errors => "Errors",
            Self::Throttles => "Throttles",
            Self::Duration => "Duration",
            Self::ConcurrentExecutions => "ConcurrentExecutions",
            Self::AsyncEventsReceived => "AsyncEventsReceived",
            Self::AsyncEventAge => "AsyncEventAge",
            Self::AsyncEventsDropped => "AsyncEventsDropped",
            Self::DestinationDeliveryFailures => "DestinationDeliveryFailures",
            Self::DeadLetterErrors => "DeadLetterErrors",
        }
    }

    fn told(self) -> Told {
        Told {
            name: self.name(),
            unit: match self {
                Self::Duration | Self::AsyncEventAge => "Milliseconds",
                _ => "Count",
            },
        }
    }
}

/// Whose metrics an invocation counts in.
#[derive(Clone, Debug)]
pub(crate) struct Of {
    partition: Partition,
    function: String,
    resource: String,
    /// Where an alias was asked for: what ran.
    executed: Option<String>,
}

impl Of {
    pub(crate) fn new(job: &Job) -> Self {
        let number = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit()) || text.starts_with('$');
        let alias = job.qualifier.as_ref().filter(|qualifier| !number(qualifier));
        Self {
            partition: job.partition.clone(),
            function: job.function.name.clone(),
            resource: resource(&job.function.name, job.qualifier.as_deref()),
            executed: alias.map(|_| job.version.version()),
        }
    }

    /// Of an event, by the version or alias that it is for.
    pub(crate) fn event(partition: &Partition, function: &str, qualifier: Option<&str>) -> Self {
        Self {
            partition: partition.clone(),
            function: function.to_owned(),
            resource: resource(function, qualifier),
            executed: None,
        }
    }

    /// The sets of dimensions, the one without any included.
    fn sets(&self) -> Vec<Dimensions> {
        let function = ("FunctionName", self.function.clone());
        let resource = ("Resource", self.resource.clone());
        let mut sets = vec![
            Vec::new(),
            vec![function.clone()],
            vec![function.clone(), resource.clone()],
        ];
        if let Some(version) = &self.executed {
            sets.push(vec![function, resource, ("ExecutedVersion", version.clone())]);
        }
        sets
    }
}

/// What the metrics call the version: `$LATEST` goes without saying.
fn resource(function: &str, qualifier: Option<&str>) -> String {
    match qualifier {
        None | Some(LATEST) => function.to_owned(),
        Some(qualifier) => format!("{function}:{qualifier}"),
    }
}

pub(crate) struct Counts(roadstead_counts::Counts);

impl Default for Counts {
    fn default() -> Self {
        Self(roadstead_counts::Counts::new("AWS/Lambda", PRINCIPAL))
    }
}

impl Counts {
    pub(crate) fn add(&self, of: &Of, metric: Metric, value: f64, now: Timestamp) {
        for dimensions in of.sets() {
            // How many run in an account is another number than how many of a function do.
            if metric != Metric::ConcurrentExecutions || !dimensions.is_empty() {
                self.0
                    .add(&of.partition, dimensions, metric.told(), (value, 1), now);
            }
        }
    }

    /// What ran at once in an account.
    pub(crate) fn all_at_once(&self, partition: &Partition, count: u32, now: Timestamp) {
        let metric = Metric::ConcurrentExecutions.told();
        self.0
            .add(partition, Vec::new(), metric, (f64::from(count), 1), now);
    }
}

/// Hands over what was counted until told to stop, and then all of it.
pub(crate) async fn keep(lambda: Arc<Lambda>, stop: watch::Receiver<bool>) {
    let counts = &lambda.counts.0;
    counts.keep(&lambda.dispatcher, &lambda.clock, stop).await;
}

#[cfg(test)]
pub(crate) async fn hand_over(lambda: &Lambda, all: bool) {
    let counts = &lambda.counts.0;
    counts
        .hand_over(&lambda.dispatcher, lambda.clock.now(), all)
        .await;
}
