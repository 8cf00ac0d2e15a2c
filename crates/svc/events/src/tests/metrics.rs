//! What rules did, as the metrics service is told it.

use std::sync::{Arc, Mutex};

use roadstead_base::Ctx;
use roadstead_protocol::{ApiError, BoxFuture, Handler, Operation, ServiceModel, Value, json as codec};
use serde_json::{Value as Json, json};

use crate::counts;
use crate::harness::START;
use crate::tests::deliveries::{publish, target, until, with_cluster};

const ROLE: &str = "arn:aws:iam::000000000000:role/runner";

/// Remembers what was put.
#[derive(Default)]
struct Metrics {
    refusing: Mutex<bool>,
    put: Mutex<Vec<(String, Json)>>,
}

impl Handler for Metrics {
    fn model(&self) -> &'static ServiceModel {
        &roadstead_api_cloudwatch::MODEL
    }

    fn call<'a>(
        &'a self,
        operation: &'static Operation,
        ctx: &'a Ctx,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, ApiError>> {
        let shape = operation.input.expect("an input");
        let refused = *self.refusing.lock().expect("no panic");
        if !refused {
            let input = codec::to_json(self.model(), shape, input);
            let data = input["MetricData"].as_array().expect("data").clone();
            assert_eq!(input["Namespace"], "AWS/Events");
            let mut put = self.put.lock().expect("no panic");
            put.extend(data.into_iter().map(|datum| (ctx.caller.to_string(), datum)));
        }
        Box::pin(async move {
            match refused {
                true => Err(ApiError::new("InternalServiceError", 500, "not now")),
                false => Ok(Value::empty()),
            }
        })
    }
}

impl Metrics {
    /// `metric dimensions sum` of each, in order; all by the service itself.
    fn told(&self) -> Vec<String> {
        let put = self.put.lock().expect("no panic");
        let mut told: Vec<String> = put
            .iter()
            .map(|(caller, datum)| {
                assert_eq!(caller, "events.amazonaws.com");
                assert_eq!(datum["Unit"], "Count");
                let dimensions = datum["Dimensions"].as_array().into_iter().flatten();
                let dimensions: Vec<String> = dimensions
                    .map(|dimension| format!("{}={}", dimension["Name"], dimension["Value"]).replace('"', ""))
                    .collect();
                let name = datum["MetricName"].as_str().expect("a name");
                let sum = datum["StatisticValues"]["Sum"].as_f64().expect("a sum");
                format!("{name} {} {sum}", dimensions.join(","))
            })
            .collect();
        told.sort();
        told
    }
}

#[tokio::test]
async fn what_rules_did_is_told_by_the_minute_and_at_an_orderly_stop() {
    let denied = ApiError::client("AccessDeniedException", "no");
    let (bench, _cluster) = with_cluster(vec![Err(denied)]).await;
    let metrics = Arc::new(Metrics::default());
    bench.dispatcher.register(metrics.clone());
    let targets = json!({"Rule": "r", "Targets": [target(ROLE, json!({}))]});
    bench.call("PutTargets", targets).await.expect("taken");
    publish(&bench).await;
    publish(&bench).await;
    counts::hand_over(&bench.events, false).await;
    assert!(metrics.told().is_empty(), "the minute is not over");
    *metrics.refusing.lock().expect("no panic") = true;
    bench.clock.advance(60_000);
    counts::hand_over(&bench.events, false).await;
    *metrics.refusing.lock().expect("no panic") = false;
    counts::hand_over(&bench.events, false).await;
    let first = ["MatchedEvents RuleName=r 2", "TriggeredRules RuleName=r 2"];
    assert_eq!(metrics.told(), first, "what was refused once is told later");
    let stamp = metrics.put.lock().expect("no panic")[0].1["Timestamp"].clone();
    assert_eq!(stamp.as_f64(), Some((START.0 / 60_000 * 60) as f64));
    let running = bench.events.start();
    until("the deliveries", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let all = [
        "FailedInvocations RuleName=r 1",
        "Invocations  2",
        "Invocations RuleName=r 2",
        "MatchedEvents RuleName=r 2",
        "TriggeredRules RuleName=r 2",
    ];
    assert_eq!(metrics.told(), all, "a denial is not tried again");
}

#[tokio::test]
async fn an_event_runs_no_rule_twice_and_the_circle_is_counted() {
    let (bench, _cluster) = with_cluster(Vec::new()).await;
    let metrics = Arc::new(Metrics::default());
    bench.dispatcher.register(metrics.clone());
    bench
        .call("CreateEventBus", json!({"Name": "there"}))
        .await
        .expect("a bus");
    let bus = |name: &str| format!("arn:aws:events:us-east-1:000000000000:event-bus/{name}");
    let onwards = json!({"Rule": "r", "Targets": [{"Id": "b", "Arn": bus("there")}]});
    bench.call("PutTargets", onwards).await.expect("taken");
    let rule = json!({"Name": "back", "EventBusName": "there", "EventPattern": r#"{"source": ["shop"]}"#});
    bench.call("PutRule", rule).await.expect("a rule");
    let back =
        json!({"Rule": "back", "EventBusName": "there", "Targets": [{"Id": "b", "Arn": bus("default")}]});
    bench.call("PutTargets", back).await.expect("taken");
    let running = bench.events.start();
    publish(&bench).await;
    until("the end of the circle", || {
        bench.events.counts.has(counts::Metric::DeadLetterInvocations)
    })
    .await;
    until("the end", || bench.events.owed.snapshot().is_empty()).await;
    running.stop().await;
    let told = metrics.told();
    assert!(
        told.contains(&"DeadLetterInvocations RuleName=r 1".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"Invocations EventBusName=there,RuleName=back 1".to_owned()),
        "{told:?}"
    );
    assert!(
        told.contains(&"TriggeredRules RuleName=r 1".to_owned()),
        "{told:?}"
    );
}
