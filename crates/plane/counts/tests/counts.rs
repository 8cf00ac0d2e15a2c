//! What is counted is handed over once, by the minute, in pieces that the metrics service takes.

use std::sync::Arc;

use roadstead_base::{ManualClock, Partition, Timestamp};
use roadstead_counts::{Counts, MOST, Metric};
use roadstead_dispatch::Dispatcher;
use roadstead_protocol::ApiError;
use roadstead_testing::{Fake, START, ctx, dispatcher};
use serde_json::{Value as Json, json};

const TIME: Metric = Metric {
    name: "Time",
    unit: "Milliseconds",
};
const DONE: Metric = Metric {
    name: "Done",
    unit: "Count",
};

struct Bench {
    counts: Counts,
    dispatcher: Arc<Dispatcher>,
    metrics: Arc<Fake>,
}

fn bench() -> Bench {
    let dispatcher = dispatcher(Arc::new(ManualClock::at(START)));
    let metrics = Fake::new(&roadstead_api_cloudwatch::MODEL);
    dispatcher.register(metrics.clone());
    Bench {
        counts: Counts::new("AWS/Test", "test.amazonaws.com"),
        dispatcher,
        metrics,
    }
}

fn here() -> Partition {
    ctx().partition()
}

fn elsewhere() -> Partition {
    Partition {
        region: "eu-west-1".parse().expect("a region"),
        ..here()
    }
}

impl Bench {
    fn add(&self, partition: &Partition, metric: Metric, value: f64, at: Timestamp) {
        self.counts.add(partition, Vec::new(), metric, (value, 1), at);
    }

    /// What is handed over: the region, then of each datum its name, values and counts.
    async fn told(&self, now: Timestamp, all: bool) -> Vec<(String, Vec<Json>)> {
        let before = self.metrics.asked().len();
        self.counts.hand_over(&self.dispatcher, now, all).await;
        let asked = self.metrics.asked();
        let told = asked[before..].iter().map(|asked| {
            assert_eq!(asked.input["Namespace"], "AWS/Test");
            let data = asked.input["MetricData"].as_array().expect("data");
            let datum = |datum: &Json| {
                json!([
                    datum["MetricName"],
                    datum["Values"],
                    datum["Counts"],
                    datum["Unit"]
                ])
            };
            (asked.ctx.region.to_string(), data.iter().map(datum).collect())
        });
        told.collect()
    }
}

#[tokio::test]
async fn a_minute_is_told_once_it_is_over_and_all_at_a_stop() {
    let bench = bench();
    let next = Timestamp(START.0 + 60_000);
    for value in [1.5, 0.25, 1.5] {
        bench.add(&here(), TIME, value, START);
    }
    bench.add(&elsewhere(), DONE, 1.0, START);
    bench.add(&here(), DONE, 1.0, next);
    assert_eq!(bench.told(START, false).await, []);
    assert!(bench.counts.has("Time") && !bench.counts.has("Other"));
    let over = [
        ("eu-west-1".to_owned(), vec![json!(["Done", [1.0], [1], "Count"])]),
        (
            "us-east-1".to_owned(),
            vec![json!(["Time", [0.25, 1.5], [1, 2], "Milliseconds"])],
        ),
    ];
    let counts = |told: Vec<(String, Vec<Json>)>| json!(told).to_string().replace(".0", "");
    assert_eq!(counts(bench.told(next, false).await), counts(over.to_vec()));
    assert_eq!(bench.told(next, false).await, [], "once");
    let rest = vec![("us-east-1".to_owned(), vec![json!(["Done", [1.0], [1], "Count"])])];
    assert_eq!(counts(bench.told(next, true).await), counts(rest));
}

#[tokio::test]
async fn what_is_refused_in_passing_is_told_later_and_for_good_is_not() {
    let bench = bench();
    bench.add(&here(), DONE, 1.0, START);
    bench
        .metrics
        .refuse(ApiError::new("InternalServiceError", 500, "not now"));
    assert_eq!(bench.told(START, true).await.len(), 1);
    bench
        .metrics
        .refuse(ApiError::client("InvalidParameterValue", "never"));
    assert_eq!(bench.told(START, true).await.len(), 1, "again");
    assert_eq!(bench.told(START, true).await, [], "not for ever");
}

#[tokio::test]
async fn calls_are_as_large_as_they_may_be() {
    let bench = bench();
    for value in 0..301 {
        bench.add(&here(), TIME, f64::from(value), START);
    }
    for number in 0..600 {
        let dimensions = vec![("Name", number.to_string())];
        bench.counts.add(&here(), dimensions, DONE, (1.0, 3), START);
    }
    let told = bench.told(START, true).await;
    let data: Vec<&Vec<Json>> = told.iter().map(|(_, data)| data).collect();
    assert_eq!(data.iter().map(|data| data.len()).collect::<Vec<_>>(), [500, 103]);
    let values = data.iter().copied().flatten().filter(|datum| datum[0] == "Time");
    let values: Vec<usize> = values
        .map(|datum| datum[1].as_array().expect("values").len())
        .collect();
    assert_eq!(values, [150, 150, 1]);
}

#[tokio::test]
async fn what_cannot_wait_is_not_counted_and_takes_no_room() {
    let bench = bench();
    for value in 0..MOST {
        bench.add(&here(), TIME, value as f64, START);
    }
    bench.add(&here(), TIME, MOST as f64, START);
    bench.add(&here(), DONE, 1.0, START);
    assert!(!bench.counts.has("Done"), "not even its name");
    bench.add(&here(), TIME, 0.0, START);
    let told = bench.told(START, true).await;
    let first = &told[0].1[0];
    assert_eq!(
        first[2][0].as_f64(),
        Some(2.0),
        "what waits already goes on counting"
    );
    let values = told.iter().flat_map(|(_, data)| data);
    let values: usize = values
        .map(|datum| datum[1].as_array().expect("values").len())
        .sum();
    assert_eq!(values, MOST);
    bench.add(&here(), DONE, 1.0, START);
    assert!(bench.counts.has("Done"), "there is room again");
}
