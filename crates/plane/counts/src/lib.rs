//! Metrics that services tell of what they did, minute by minute: counted in memory, each value as it was, and handed to the
//! metrics service once a minute is over, and at an orderly stop. Nobody waits for it. A crash loses what was not handed
//! over yet: metrics are best effort.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use roadstead_base::{Partition, SharedClock, Timestamp};
use roadstead_dispatch::Dispatcher;
use serde_json::{Value as Json, json};
use tokio::sync::watch;

const MINUTE: i64 = 60_000;
/// Between looks whether a minute is over.
const NAP: Duration = Duration::from_secs(1);
/// Of one call of PutMetricData: metrics, and values of a metric. Source: "CloudWatch service quotas".
const AT_ONCE: usize = 500;
const VALUES: usize = 150;
/// Values that wait, as while the metrics service takes none; what comes beyond that is not counted.
pub const MOST: usize = 1_000_000;

/// A metric of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    pub name: &'static str,
    /// As PutMetricData has it: `Count`, `Milliseconds`.
    pub unit: &'static str,
}

/// Names and values, in the order in which the namespace's documentation has them.
pub type Dimensions = Vec<(&'static str, String)>;

/// A metric of somebody in a minute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counter {
    minute: i64,
    partition: Partition,
    metric: Metric,
    dimensions: Dimensions,
}

/// Thousandths, and how often each came.
type Values = BTreeMap<i64, u64>;

/// What one datum tells: a counter, and not more values of it than one may have.
type Datum = (Counter, Vec<(i64, u64)>);

#[derive(Default)]
struct Waiting {
    counters: BTreeMap<Counter, Values>,
    /// How many values wait.
    values: usize,
}

/// What was counted and is not handed over yet.
pub struct Counts {
    namespace: &'static str,
    principal: &'static str,
    waiting: Mutex<Waiting>,
}

impl Counts {
    /// Nothing yet, of a namespace such as `AWS/Lambda`, to be told by the service with that principal.
    pub fn new(namespace: &'static str, principal: &'static str) -> Self {
        Self {
            namespace,
            principal,
            waiting: Mutex::default(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a value, to thousandths, as often as it came, in the minute of `at`.
    pub fn add(
        &self,
        partition: &Partition,
        dimensions: Dimensions,
        metric: Metric,
        (value, times): (f64, u64),
        at: Timestamp,
    ) {
        let counter = Counter {
            minute: at.0.div_euclid(MINUTE) * MINUTE,
            partition: partition.clone(),
            metric,
            dimensions,
        };
        self.again(counter, (value * 1000.0).round() as i64, times);
    }

    fn again(&self, counter: Counter, thousandths: i64, times: u64) {
        let Waiting { counters, values } = &mut *self.waiting();
        let known = counters.get_mut(&counter);
        if let Some(known) = known.and_then(|counted| counted.get_mut(&thousandths)) {
            *known += times;
        } else if times > 0 && *values < MOST {
            *values += 1;
            counters.entry(counter).or_default().insert(thousandths, times);
        }
    }

    /// Whether a metric of this name was counted for anybody and is not handed over yet: what tests wait for.
    pub fn has(&self, name: &str) -> bool {
        let waiting = self.waiting();
        waiting.counters.keys().any(|counter| counter.metric.name == name)
    }

    /// What was counted in minutes that are over; with `all`, in this one too.
    fn take(&self, now: Timestamp, all: bool) -> BTreeMap<Counter, Values> {
        let minute = now.0.div_euclid(MINUTE) * MINUTE;
        let Waiting { counters, values } = &mut *self.waiting();
        let mut taken = BTreeMap::new();
        // They are in the order of their minutes.
        while let Some(first) = counters.first_entry() {
            if !all && first.key().minute >= minute {
                break;
            }
            let (counter, counted) = first.remove_entry();
            *values -= counted.len();
            taken.insert(counter, counted);
        }
        taken
    }

    /// Hands over what was counted until told to stop, and then all of it.
    pub async fn keep(&self, dispatcher: &Dispatcher, clock: &SharedClock, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow_and_update() {
            self.hand_over(dispatcher, clock.now(), false).await;
            tokio::select! {
                () = tokio::time::sleep(NAP) => {}
                _ = stop.changed() => {}
            }
        }
        self.hand_over(dispatcher, clock.now(), true).await;
    }

    /// Hands over the minutes that are over; with `all`, this one too. What cannot be handed over now is handed over the
    /// next time; what the metrics service refuses for good is lost, and said to be.
    pub async fn hand_over(&self, dispatcher: &Dispatcher, now: Timestamp, all: bool) {
        let mut places: BTreeMap<Partition, Vec<Datum>> = BTreeMap::new();
        for (counter, values) in self.take(now, all) {
            let values: Vec<(i64, u64)> = values.into_iter().collect();
            let place = places.entry(counter.partition.clone()).or_default();
            place.extend(values.chunks(VALUES).map(|part| (counter.clone(), part.to_vec())));
        }
        for (Partition { account, region }, counted) in places {
            let ctx = dispatcher.internal_ctx(self.principal, account, region);
            for group in counted.chunks(AT_ONCE) {
                let data: Vec<Json> = group.iter().map(datum).collect();
                let input = json!({"Namespace": self.namespace, "MetricData": data});
                let put = dispatcher.call_json("cloudwatch", "PutMetricData", &ctx, input);
                let Err(error) = put.await else {
                    continue;
                };
                tracing::warn!(namespace = self.namespace, %error, "metrics could not be written");
                if error.is_transient() {
                    for (counter, values) in group {
                        for (thousandths, times) in values {
                            self.again(counter.clone(), *thousandths, *times);
                        }
                    }
                }
            }
        }
    }
}

fn datum((counter, values): &Datum) -> Json {
    let dimensions: Vec<Json> = counter
        .dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let (numbers, times): (Vec<f64>, Vec<u64>) = values
        .iter()
        .map(|(thousandths, times)| (*thousandths as f64 / 1000.0, *times))
        .unzip();
    json!({
        "MetricName": counter.metric.name,
        "Dimensions": dimensions,
        "Timestamp": counter.minute / 1000,
        "Unit": counter.metric.unit,
        "Values": numbers,
        "Counts": times,
    })
}
