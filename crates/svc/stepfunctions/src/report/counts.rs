//! Metrics of `AWS/States`, minute by minute. Counted in memory, each value as it was, and handed to the metrics service once
//! a minute is over, and at an orderly stop.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::run::lock;
use crate::{PRINCIPAL, States};

const MINUTE: i64 = 60_000;
/// Between looks whether a minute is over.
const NAP: Duration = Duration::from_secs(1);
/// Of one call of PutMetricData: metrics, and values of a metric.
const AT_ONCE: usize = 500;
const VALUES: usize = 150;
/// Values that wait, as while the metrics service takes none; beyond that what comes is not counted.
const MOST: usize = 1_000_000;

pub(super) type Dimension = (&'static str, String);
pub(super) type Dimensions = Vec<Dimension>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counter {
    minute: i64,
    account: String,
    region: String,
    metric: &'static str,
    dimensions: Dimensions,
}

/// Values, and how often each came.
type Values = BTreeMap<i64, u64>;

#[derive(Default)]
struct Waiting {
    counters: BTreeMap<Counter, Values>,
    /// How many values wait.
    values: usize,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<Waiting>);

impl Counts {
    pub(super) fn add(
        &self,
        partition: &Partition,
        dimensions: Dimensions,
        metric: &'static str,
        value: i64,
        at: Timestamp,
    ) {
        let counter = Counter {
            minute: at.0.div_euclid(MINUTE) * MINUTE,
            account: partition.account.to_string(),
            region: partition.region.to_string(),
            metric,
            dimensions,
        };
        self.again(counter, value, 1);
    }

    fn again(&self, counter: Counter, value: i64, times: u64) {
        let Waiting { counters, values } = &mut *lock(&self.0);
        if let Some(known) = counters
            .get_mut(&counter)
            .and_then(|counted| counted.get_mut(&value))
        {
            *known += times;
        } else if *values < MOST {
            *values += 1;
            counters.entry(counter).or_default().insert(value, times);
        }
    }

    /// What was counted in minutes that are over; with `all`, in this one too.
    fn take(&self, now: Timestamp, all: bool) -> Vec<(Counter, Values)> {
        let minute = now.0.div_euclid(MINUTE) * MINUTE;
        let Waiting { counters, values } = &mut *lock(&self.0);
        let mut taken = Vec::new();
        counters.retain(|counter, counted| {
            let over = all || counter.minute < minute;
            if over {
                *values -= counted.len();
                taken.push((counter.clone(), std::mem::take(counted)));
            }
            !over
        });
        taken
    }
}

pub(super) async fn keep(states: &States, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        hand_over(states, false).await;
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.changed() => {}
        }
    }
    hand_over(states, true).await;
}

/// What cannot be handed over now is handed over later.
pub(crate) async fn hand_over(states: &States, all: bool) {
    let counts = &states.reports.counts;
    let mut by_place: BTreeMap<(String, String), Vec<(Counter, Values)>> = BTreeMap::new();
    for (counter, values) in counts.take(states.clock.now(), all) {
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
        let ctx = states.dispatcher.internal_ctx(PRINCIPAL, account, region);
        for group in counted.chunks(AT_ONCE) {
            let data: Vec<Json> = group.iter().map(datum).collect();
            let input = json!({"Namespace": "AWS/States", "MetricData": data});
            let put = states
                .dispatcher
                .call_json("cloudwatch", "PutMetricData", &ctx, input);
            if let Err(error) = put.await {
                tracing::warn!(%error, "the metrics of executions could not be written");
                for (counter, values) in group {
                    for (value, times) in values {
                        counts.again(counter.clone(), *value, *times);
                    }
                }
            }
        }
    }
}

fn unit(metric: &str) -> &'static str {
    match metric {
        "ExpressExecutionMemory" => "Bytes",
        "ExpressExecutionBilledMemory" => "Megabytes",
        metric if metric.ends_with("Time") || metric.ends_with("Duration") => "Milliseconds",
        _ => "Count",
    }
}

fn datum((counter, values): &(Counter, Values)) -> Json {
    let dimensions: Vec<Json> = counter
        .dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let (values, times): (Vec<i64>, Vec<u64>) = values.iter().map(|(value, times)| (*value, *times)).unzip();
    json!({
        "MetricName": counter.metric,
        "Dimensions": dimensions,
        "Timestamp": counter.minute / 1000,
        "Unit": unit(counter.metric),
        "Values": values,
        "Counts": times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_wait_is_not_counted_and_takes_no_room() {
        let counts = Counts::default();
        let partition = roadstead_testing::ctx().partition();
        let add = |metric, value: usize| {
            let value = i64::try_from(value).expect("few");
            counts.add(&partition, Vec::new(), metric, value, Timestamp(0));
        };
        for value in 0..MOST {
            add("ExecutionTime", value);
        }
        add("ExecutionTime", MOST);
        add("ExecutionsStarted", 1);
        add("ExecutionTime", 0);
        let taken = counts.take(Timestamp(0), true);
        let [(_, values)] = taken.as_slice() else {
            panic!("{} counters", taken.len());
        };
        assert_eq!((values.len(), values[&0], values[&1]), (MOST, 2, 1));
        add("ExecutionsStarted", 1);
        assert_eq!(counts.take(Timestamp(MINUTE), false).len(), 1);
    }
}
