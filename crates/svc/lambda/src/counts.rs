//! What functions did, minute by minute, as metrics of `AWS/Lambda`. Counted in memory, each value as it was, and handed
//! to the metrics service once a minute is over, and at an orderly stop; a crash loses what was not handed over yet, as
//! metrics are best effort.
//! Source: "Types of metrics for Lambda functions" in the developer guide.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::records::LATEST;
use crate::run::Job;
use crate::{Lambda, PRINCIPAL};

const MINUTE: i64 = 60_000;
/// Between looks whether a minute is over.
const NAP: Duration = Duration::from_secs(1);
/// Of one call of PutMetricData: metrics, and values of a metric.
const AT_ONCE: usize = 500;
const VALUES: usize = 150;
/// Values that wait, as while the metrics service takes none; beyond that what comes is not counted.
const MOST: usize = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    fn unit(self) -> &'static str {
        match self {
            Self::Duration | Self::AsyncEventAge => "Milliseconds",
            _ => "Count",
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

type Dimensions = Vec<(&'static str, String)>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counter {
    minute: i64,
    account: String,
    region: String,
    dimensions: Dimensions,
    metric: Metric,
}

/// Thousandths, and how often each came.
type Values = BTreeMap<i64, u64>;

#[derive(Default)]
struct State {
    counters: BTreeMap<Counter, Values>,
    /// How many values wait.
    waiting: usize,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<State>);

impl Counts {
    pub(crate) fn add(&self, of: &Of, metric: Metric, value: f64, now: Timestamp) {
        for dimensions in of.sets() {
            // How many run in an account is another number than how many of a function do.
            if metric != Metric::ConcurrentExecutions || !dimensions.is_empty() {
                self.put(&of.partition, dimensions, metric, value, now);
            }
        }
    }

    /// What ran at once in an account.
    pub(crate) fn all_at_once(&self, partition: &Partition, count: u32, now: Timestamp) {
        self.put(
            partition,
            Vec::new(),
            Metric::ConcurrentExecutions,
            f64::from(count),
            now,
        );
    }

    fn put(&self, partition: &Partition, dimensions: Dimensions, metric: Metric, value: f64, now: Timestamp) {
        let counter = Counter {
            minute: now.0.div_euclid(MINUTE) * MINUTE,
            account: partition.account.to_string(),
            region: partition.region.to_string(),
            dimensions,
            metric,
        };
        self.again(counter, (value * 1000.0).round() as i64, 1);
    }

    fn again(&self, counter: Counter, thousandths: i64, times: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { counters, waiting } = &mut *state;
        let values = counters.entry(counter).or_default();
        if let Some(known) = values.get_mut(&thousandths) {
            *known += times;
        } else if *waiting < MOST {
            *waiting += 1;
            values.insert(thousandths, times);
        }
    }

    /// What was counted in minutes that are over; with `all`, in this one too.
    fn take(&self, now: Timestamp, all: bool) -> Vec<(Counter, Values)> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.0.div_euclid(MINUTE) * MINUTE;
        let State { counters, waiting } = &mut *state;
        let mut taken = Vec::new();
        counters.retain(|counter, values| {
            let over = all || counter.minute < minute;
            if over {
                *waiting -= values.len();
                taken.push((counter.clone(), std::mem::take(values)));
            }
            !over
        });
        taken
    }
}

/// Hands over what was counted until told to stop, and then all of it.
pub(crate) async fn keep(lambda: Arc<Lambda>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        hand_over(&lambda, false).await;
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.changed() => {}
        }
    }
    hand_over(&lambda, true).await;
}

/// What cannot be handed over now is handed over later.
pub(crate) async fn hand_over(lambda: &Lambda, all: bool) {
    let mut by_place: BTreeMap<(String, String), Vec<(Counter, Values)>> = BTreeMap::new();
    for (counter, values) in lambda.counts.take(lambda.clock.now(), all) {
        let values: Vec<(i64, u64)> = values.into_iter().collect();
        for part in values.chunks(VALUES) {
            let place = (counter.account.clone(), counter.region.clone());
            let part = part.iter().copied().collect();
            by_place.entry(place).or_default().push((counter.clone(), part));
        }
    }
    for ((account, region), counted) in by_place {
        let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
            continue;
        };
        let ctx = lambda.dispatcher.internal_ctx(PRINCIPAL, account, region);
        for group in counted.chunks(AT_ONCE) {
            let data: Vec<Json> = group.iter().map(datum).collect();
            let input = json!({"Namespace": "AWS/Lambda", "MetricData": data});
            let put = lambda
                .dispatcher
                .call_json("cloudwatch", "PutMetricData", &ctx, input)
                .await;
            if let Err(error) = put {
                tracing::warn!(%error, "the metrics of functions could not be written");
                for (counter, values) in group {
                    for (thousandths, times) in values {
                        lambda.counts.again(counter.clone(), *thousandths, *times);
                    }
                }
            }
        }
    }
}

fn datum((counter, values): &(Counter, Values)) -> Json {
    let dimensions: Vec<Json> = counter
        .dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let numbers: Vec<f64> = values
        .keys()
        .map(|thousandths| *thousandths as f64 / 1000.0)
        .collect();
    let times: Vec<u64> = values.values().copied().collect();
    json!({
        "MetricName": counter.metric.name(),
        "Dimensions": dimensions,
        "Timestamp": counter.minute / 1000,
        "Unit": counter.metric.unit(),
        "Values": numbers,
        "Counts": times,
    })
}
