//! What was called, how it ended and how long it took, counted for whoever watches this process.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper ends of the buckets of durations, in seconds.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    service: &'static str,
    operation: &'static str,
    /// `ok`, or the code of the error.
    outcome: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    service: &'static str,
    operation: &'static str,
}

/// Counted since the process began. As many series as there are operations that were called, and codes they ended with.
#[derive(Debug)]
pub struct Meters {
    calls: Family<Outcome, Counter>,
    durations: Family<Called, Histogram, fn() -> Histogram>,
}

impl Default for Meters {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Meters {
    pub(crate) fn count(
        &self,
        service: &'static str,
        operation: &'static str,
        outcome: &str,
        took: Duration,
    ) {
        let outcome = Outcome {
            service,
            operation,
            outcome: outcome.to_owned(),
        };
        self.calls.get_or_create(&outcome).inc();
        let called = Called { service, operation };
        self.durations.get_or_create(&called).observe(took.as_secs_f64());
    }

    /// Adds them to what is told.
    pub fn register(&self, registry: &mut Registry) {
        let (calls, durations) = (self.calls.clone(), self.durations.clone());
        registry.register("roadstead_calls", "Calls of operations, by how they ended", calls);
        registry.register(
            "roadstead_call_duration_seconds",
            "How long calls of operations took",
            durations,
        );
    }
}
