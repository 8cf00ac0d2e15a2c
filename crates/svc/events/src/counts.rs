//! What rules did, as metrics of `AWS/Events`.
//! Source: "Monitoring Amazon EventBridge" in the EventBridge user guide.

use std::sync::Arc;

use roadstead_base::{Partition, Timestamp};
use roadstead_counts::{Dimensions, Metric as Told};
use tokio::sync::watch;

use crate::names::DEFAULT_BUS;
use crate::{Events, PRINCIPAL};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    fn told(self) -> Told {
        Told {
            name: self.name(),
            unit: "Count",
        }
    }

    /// Whether it is also told for all rules together.
    fn in_all(self) -> bool {
        matches!(self, Self::Invocations)
    }
}

pub(crate) struct Counts(roadstead_counts::Counts);

impl Default for Counts {
    fn default() -> Self {
        Self(roadstead_counts::Counts::new("AWS/Events", PRINCIPAL))
    }
}

impl Counts {
    /// `count` times 1.
    pub(crate) fn add(
        &self,
        partition: &Partition,
        bus: &str,
        rule: &str,
        metric: Metric,
        count: u64,
        now: Timestamp,
    ) {
        let mut dimensions = Dimensions::new();
        // The default bus goes without saying.
        if bus != DEFAULT_BUS {
            dimensions.push(("EventBusName", bus.to_owned()));
        }
        dimensions.push(("RuleName", rule.to_owned()));
        let value = (1.0, count);
        self.0.add(partition, dimensions, metric.told(), value, now);
        if metric.in_all() {
            self.0.add(partition, Vec::new(), metric.told(), value, now);
        }
    }

    /// Whether any rule was counted so and it is not handed over yet.
    #[cfg(test)]
    pub(crate) fn has(&self, metric: Metric) -> bool {
        self.0.has(metric.name())
    }
}

/// Hands over what was counted until told to stop.
pub(crate) async fn keep(events: Arc<Events>, stop: watch::Receiver<bool>) {
    let counts = &events.counts.0;
    counts.keep(&events.dispatcher, &events.clock, stop).await;
}

pub(crate) async fn hand_over(events: &Events, all: bool) {
    let counts = &events.counts.0;
    counts
        .hand_over(&events.dispatcher, events.clock.now(), all)
        .await;
}
