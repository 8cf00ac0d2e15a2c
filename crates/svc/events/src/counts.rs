//! What rules did, minute by minute, as metrics of `AWS/Events`. Counted in memory and handed to the metrics service
//! once a minute is over, and at an orderly stop; a crash loses what was not handed over yet, as metrics are best effort.
//! Source: "Monitoring Amazon EventBridge" in the EventBridge user guide.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use roadstead_base::{Partition, Timestamp};
use serde_json::{Value as Json, json};
use tokio::sync::watch;

use crate::names::DEFAULT_BUS;
use crate::{Events, PRINCIPAL};

const MINUTE: i64 = 60_000;
/// Between looks whether a minute is over.
const NAP: Duration = Duration::from_secs(1);
/// Metrics in one call of PutMetricData.
const AT_ONCE: usize = 500;
/// Counters that wait, as while the metrics service takes none; beyond that what comes is not counted.
const MOST: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metric {
    MatchedEvents,
    TriggeredRules,
    /// A target was invoked, or finally was not.
    Invocations,
    FailedInvocations,
    /// Not invoked, since the same rule would have run again by it.
    DeadLetterInvocations,
    InvocationsSentToDlq,
    InvocationsFailedToBeSentToDlq,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Self::MatchedEvents => "MatchedEvents",
            Self::TriggeredRules => "TriggeredRules",
            Self::Invocations => "Invocations",
            Self::FailedInvocations => "FailedInvocations",
            Self::DeadLetterInvocations => "DeadLetterInvocations",
            Self::InvocationsSentToDlq => "InvocationsSentToDlq",
            Self::InvocationsFailedToBeSentToDlq => "InvocationsFailedToBeSentToDlq",
        }
    }

    /// Whether it is also told for all rules together.
    fn in_all(self) -> bool {
        matches!(self, Self::Invocations)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counter {
    minute: i64,
    account: String,
    region: String,
    /// Bus and rule; none for all of them together.
    rule: Option<(String, String)>,
    metric: Metric,
}

#[derive(Default)]
pub(crate) struct Counts(Mutex<BTreeMap<Counter, u64>>);

impl Counts {
    pub(crate) fn add(
        &self,
        partition: &Partition,
        bus: &str,
        rule: &str,
        metric: Metric,
        count: u64,
        now: Timestamp,
    ) {
        if count == 0 {
            return;
        }
        let of = |rule| Counter {
            minute: now.0.div_euclid(MINUTE) * MINUTE,
            account: partition.account.to_string(),
            region: partition.region.to_string(),
            rule,
            metric,
        };
        self.put(of(Some((bus.to_owned(), rule.to_owned()))), count);
        if metric.in_all() {
            self.put(of(None), count);
        }
    }

    fn put(&self, counter: Counter, count: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST || all.contains_key(&counter) {
            *all.entry(counter).or_default() += count;
        }
    }

    /// Whether any rule was counted so and it is not handed over yet.
    #[cfg(test)]
    pub(crate) fn has(&self, metric: Metric) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.keys().any(|counter| counter.metric == metric)
    }

    /// What was counted in minutes that are over; with `all`, in this one too.
    fn take(&self, now: Timestamp, all: bool) -> Vec<(Counter, u64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now.0.div_euclid(MINUTE) * MINUTE;
        let mut taken = Vec::new();
        counts.retain(|counter, count| {
            let over = all || counter.minute < minute;
            if over {
                taken.push((counter.clone(), *count));
            }
            !over
        });
        taken
    }
}

/// Hands over what was counted until told to stop, and then all of it.
pub(crate) async fn keep(events: Arc<Events>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow_and_update() {
        hand_over(&events, false).await;
        tokio::select! {
            () = tokio::time::sleep(NAP) => {}
            _ = stop.changed() => {}
        }
    }
}

/// What cannot be handed over now is handed over later.
pub(crate) async fn hand_over(events: &Events, all: bool) {
    let mut taken = events.counts.take(events.clock.now(), all);
    while !taken.is_empty() {
        let first = &taken[0].0;
        let (account, region) = (first.account.clone(), first.region.clone());
        // A partition at a time.
        let mut group = Vec::new();
        taken.retain(|(counter, count)| {
            let here = group.len() < AT_ONCE && counter.account == account && counter.region == region;
            if here {
                group.push((counter.clone(), *count));
            }
            !here
        });
        let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
            continue;
        };
        let ctx = events.dispatcher.internal_ctx(PRINCIPAL, account, region);
        let data: Vec<Json> = group.iter().map(datum).collect();
        let input = json!({"Namespace": "AWS/Events", "MetricData": data});
        let put = events
            .dispatcher
            .call_json("cloudwatch", "PutMetricData", &ctx, input)
            .await;
        if let Err(error) = put {
            tracing::warn!(%error, "the metrics of rules could not be written");
            for (counter, count) in group {
                events.counts.put(counter, count);
            }
            if error.code == "ServiceUnavailable" {
                return;
            }
        }
    }
}

fn datum((counter, count): &(Counter, u64)) -> Json {
    let mut dimensions = Vec::new();
    if let Some((bus, rule)) = &counter.rule {
        // The default bus goes without saying.
        if bus != DEFAULT_BUS {
            dimensions.push(json!({"Name": "EventBusName", "Value": bus}));
        }
        dimensions.push(json!({"Name": "RuleName", "Value": rule}));
    }
    json!({
        "MetricName": counter.metric.name(),
        "Dimensions": dimensions,
        "Timestamp": counter.minute / 1000,
        "Unit": "Count",
        "StatisticValues": {"SampleCount": count, "Sum": count, "Minimum": 1, "Maximum": 1},
    })
}
