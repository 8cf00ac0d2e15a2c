//! What executions and their calls are counted as.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Bench, FUNCTION, ROLE, list_clusters, pass, task, wait};
use crate::report;

const LIST: &str = "arn:aws:states:::aws-sdk:ecs:listClusters";

/// Whatever was counted until now: of a metric with these dimensions, its values with how often each came.
struct Counted(Vec<Json>);

impl Bench {
    /// What was counted once so many executions have ended, which is seen before it is counted.
    async fn counted(&self, ends: f64) -> Counted {
        let mut counted = Counted(Vec::new());
        for _ in 0..24_000 {
            report::hand_over(&self.states, true).await;
            for asked in self.metrics.taken() {
                assert_eq!(asked.input["Namespace"], "AWS/States");
                let data = asked.input["MetricData"].as_array().expect("data");
                counted.0.extend(data.iter().cloned());
            }
            if counted.values("ExecutionsStarted", &[]).get("0.0").copied() >= Some(ends) {
                return counted;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{ends} executions did not end");
    }
}

impl Counted {
    fn found(&self, metric: &str, dimensions: &[(&str, &str)]) -> impl Iterator<Item = &Json> {
        let dimensions: Vec<Json> = dimensions
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        self.0
            .iter()
            .filter(move |datum| datum["MetricName"] == metric && datum["Dimensions"] == json!(dimensions))
    }

    /// How often each value came.
    fn values(&self, metric: &str, dimensions: &[(&str, &str)]) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        for datum in self.found(metric, dimensions) {
            let (of, counts) = (&datum["Values"], &datum["Counts"]);
            for (value, count) in of
                .as_array()
                .into_iter()
                .flatten()
                .zip(counts.as_array().into_iter().flatten())
            {
                *values.entry(value.to_string()).or_default() += count.as_f64().unwrap_or_default();
            }
        }
        values
    }

    /// The values, how often each came, and the unit.
    fn of(&self, metric: &str, dimensions: &[(&str, &str)]) -> Json {
        let Some(first) = self.found(metric, dimensions).next() else {
            return Json::Null;
        };
        let (values, counts): (Vec<String>, Vec<f64>) = self.values(metric, dimensions).into_iter().unzip();
        let values: Vec<f64> = values
            .iter()
            .map(|value| value.parse().expect("a number"))
            .collect();
        json!([values, counts, first["Unit"]])
    }

    fn has(&self, metric: &str) -> bool {
        self.0.iter().any(|datum| datum["MetricName"] == metric)
    }
}

fn fail() -> Json {
    json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}})
}

#[tokio::test]
async fn executions_are_counted_as_they_begin_and_end() {
    let bench = Bench::started().await;
    let good = bench.create("good", &pass()).await.expect("made");
    let bad = bench.create("bad", &fail()).await.expect("made");
    let long = bench.create("long", &wait(100)).await.expect("made");
    for name in ["a", "b"] {
        let execution = bench.execute(&good, name, json!({})).await;
        bench.ended(&execution).await;
    }
    let execution = bench.execute(&bad, "a", json!({})).await;
    bench.ended(&execution).await;
    let execution = bench.execute(&long, "a", json!({})).await;
    bench.clock.advance(1_500);
    bench
        .call("StopExecution", json!({"executionArn": execution}))
        .await
        .expect("stopped");
    let late = json!({"StartAt": "W", "TimeoutSeconds": 2, "States": {"W": {"Type": "Wait", "Seconds": 9, "End": true}}});
    let late = bench.create("late", &late).await.expect("made");
    let execution = bench.execute(&late, "a", json!({})).await;
    bench.clock.advance(2_000);
    bench.ended(&execution).await;
    let counted = bench.counted(5.0).await;
    let once = || json!([[1.0], [1.0], "Count"]);
    for (machine, metric, starts) in [
        (&good, "ExecutionsSucceeded", 2.0),
        (&bad, "ExecutionsFailed", 1.0),
        (&long, "ExecutionsAborted", 1.0),
        (&late, "ExecutionsTimedOut", 1.0),
    ] {
        let of = |metric: &str| counted.of(metric, &[("StateMachineArn", machine)]);
        assert_eq!(of(metric), json!([[1.0], [starts], "Count"]), "{metric}");
        // The documented sample of 0 when an execution has ended.
        assert_eq!(
            of("ExecutionsStarted"),
            json!([[0.0, 1.0], [starts, starts], "Count"])
        );
    }
    let time = |machine: &str| counted.of("ExecutionTime", &[("StateMachineArn", machine)]);
    assert_eq!(time(&long), json!([[1500.0], [1.0], "Milliseconds"]));
    assert_eq!(time(&late), json!([[2000.0], [1.0], "Milliseconds"]));
    // Of the account.
    assert_eq!(counted.of("ExecutionsFailed", &[]), once());
    assert_eq!(
        counted.of("ExecutionsStarted", &[]),
        json!([[0.0, 1.0], [5.0, 5.0], "Count"])
    );
    for metric in [
        "ExecutionThrottled",
        "ExecutionsRedriven",
        "ExpressExecutionBilledMemory",
    ] {
        assert!(!counted.has(metric), "{metric}");
    }
}

#[tokio::test]
async fn executions_of_versions_and_aliases_are_counted_as_theirs_too() {
    let bench = Bench::started().await;
    let input = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "publish": true});
    let made = bench.call("CreateStateMachine", input).await.expect("made");
    let (machine, version) = (&made["stateMachineArn"], &made["stateMachineVersionArn"]);
    let routes = json!([{"stateMachineVersionArn": version, "weight": 100}]);
    let alias = json!({"name": "PROD", "routingConfiguration": routes});
    let alias = bench.call("CreateStateMachineAlias", alias).await.expect("made");
    for (name, arn) in [("v", version), ("a", &alias["stateMachineAliasArn"])] {
        let execution = bench
            .execute(arn.as_str().expect("an ARN"), name, json!({}))
            .await;
        bench.ended(&execution).await;
    }
    let counted = bench.counted(2.0).await;
    let machine = ("StateMachineArn", machine.as_str().expect("an ARN"));
    let of = |dimensions: &[(&str, &str)]| counted.of("ExecutionsSucceeded", dimensions);
    let times = |count: f64| json!([[1.0], [count], "Count"]);
    assert_eq!(of(&[machine]), times(2.0));
    // One that an alias began is of the version that it chose.
    assert_eq!(of(&[machine, ("Version", "1")]), times(2.0));
    assert_eq!(of(&[machine, ("Alias", "PROD")]), times(1.0));
}

#[tokio::test]
async fn redriven_executions_are_counted_besides() {
    let bench = Bench::started().await;
    let machine = bench.create("bad", &fail()).await.expect("made");
    let execution = bench.execute(&machine, "a", json!({})).await;
    bench.ended(&execution).await;
    bench
        .call("RedriveExecution", json!({"executionArn": execution}))
        .await
        .expect("redriven");
    bench.ended(&execution).await;
    let counted = bench.counted(2.0).await;
    let of = |metric: &str| counted.of(metric, &[("StateMachineArn", &machine)]);
    assert_eq!(of("ExecutionsRedriven"), json!([[1.0], [1.0], "Count"]));
    assert_eq!(of("RedrivenExecutionsFailed"), json!([[1.0], [1.0], "Count"]));
    assert_eq!(of("ExecutionsFailed"), json!([[1.0], [2.0], "Count"]));
}

#[tokio::test]
async fn calls_are_counted_by_what_they_call() {
    let bench = Bench::started().await;
    let invoke =
        json!({"StartAt": "I", "States": {"I": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let both = json!({"StartAt": "B", "States": {"B": {"Type": "Parallel", "End": true,
        "Branches": [list_clusters(), invoke]}}});
    let machine = bench.create("m", &both).await.expect("made");
    let execution = bench.execute(&machine, "a", json!({})).await;
    bench.ended(&execution).await;
    let express = bench.express("e", &both).await;
    bench.sync(&express, json!({})).await;
    let counted = bench.counted(2.0).await;
    for (metric, dimension, arn) in [
        ("LambdaFunctions", "LambdaFunctionArn", FUNCTION),
        ("ServiceIntegrations", "ServiceIntegrationResourceArn", LIST),
    ] {
        for what in ["Scheduled", "Started", "Succeeded"] {
            let name = format!("{metric}{what}");
            assert_eq!(
                counted.of(&name, &[(dimension, arn)]),
                json!([[1.0], [2.0], "Count"]),
                "{name}"
            );
            assert_eq!(counted.of(&name, &[]), Json::Null);
        }
        for what in ["ScheduleTime", "RunTime", "Time"] {
            let name = format!("{}{what}", metric.trim_end_matches('s'));
            assert_eq!(
                counted.of(&name, &[(dimension, arn)]),
                json!([[0.0], [2.0], "Milliseconds"]),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn the_end_of_a_call_that_nobody_remembers_is_counted_by_its_history() {
    let mut bench = Bench::new().await;
    let resource = format!("{LIST}.waitForTaskToken");
    let definition = task(&resource, json!({"NextToken.$": "$$.Task.Token"}));
    let machine = bench.create("m", &definition).await.expect("made");
    bench.start();
    let execution = bench.execute(&machine, "a", json!({})).await;
    roadstead_testing::until("the call", || !bench.ecs.done().is_empty()).await;
    let token = bench.ecs.done()[0].input["nextToken"].clone();
    bench.stop().await;
    report::hand_over(&bench.states, true).await;
    bench.metrics.taken();
    let mut bench = bench.restarted(7_000).await;
    bench.start();
    bench
        .call("SendTaskSuccess", json!({"taskToken": token, "output": "{}"}))
        .await
        .expect("told");
    bench.ended(&execution).await;
    let counted = bench.counted(1.0).await;
    let of = |metric: &str| counted.of(metric, &[("ServiceIntegrationResourceArn", &resource)]);
    assert_eq!(of("ServiceIntegrationsSucceeded"), json!([[1.0], [1.0], "Count"]));
    for metric in ["ServiceIntegrationTime", "ServiceIntegrationRunTime"] {
        assert_eq!(of(metric), json!([[7000.0], [1.0], "Milliseconds"]), "{metric}");
    }
    assert_eq!(of("ServiceIntegrationsScheduled"), Json::Null, "counted before");
}

#[tokio::test]
async fn express_executions_are_counted_with_what_they_are_billed_for() {
    let bench = Bench::new().await;
    let definition = pass();
    let machine = bench.express("e", &definition).await;
    bench.sync(&machine, json!({"input": "[1]"})).await;
    let counted = bench.counted(1.0).await;
    let machine = ("StateMachineArn", machine.as_str());
    for dimensions in [&[][..], &[machine]] {
        assert_eq!(
            counted.of("ExecutionsSucceeded", dimensions),
            json!([[1.0], [1.0], "Count"])
        );
        assert_eq!(
            counted.of("ExpressExecutionBilledDuration", dimensions),
            json!([[100.0], [1.0], "Milliseconds"])
        );
        assert_eq!(
            counted.of("ExpressExecutionBilledMemory", dimensions),
            json!([[64.0], [1.0], "Megabytes"])
        );
    }
    let used = 50 * 1024 * 1024 + definition.to_string().len() + "[1]".len();
    let used = f64::from(u32::try_from(used).expect("little"));
    assert_eq!(
        counted.of("ExpressExecutionMemory", &[machine]),
        json!([[used], [1.0], "Bytes"])
    );
    assert_eq!(counted.of("ExpressExecutionMemory", &[]), Json::Null);
}

#[tokio::test]
async fn what_the_metrics_service_did_not_take_is_told_later() {
    let bench = Bench::new().await;
    let machine = bench.express("e", &pass()).await;
    bench.sync(&machine, json!({})).await;
    report::hand_over(&bench.states, false).await;
    assert!(bench.metrics.asked().is_empty(), "the minute is not over");
    let busy = roadstead_protocol::ApiError::new("ServiceUnavailable", 503, "busy");
    bench.metrics.refuse(busy);
    bench.clock.advance(60_000);
    report::hand_over(&bench.states, false).await;
    assert!(bench.metrics.done().is_empty());
    bench.sync(&machine, json!({})).await;
    let counted = bench.counted(1.0).await;
    let started: Vec<&Json> = counted
        .0
        .iter()
        .filter(|datum| datum["MetricName"] == "ExecutionsSucceeded" && datum["Dimensions"] == json!([]))
        .map(|datum| &datum["Timestamp"])
        .collect();
    // Each in its minute.
    assert_eq!(started, [&json!(1_699_999_980), &json!(1_700_000_040)]);
}

#[tokio::test]
async fn memory_is_billed_by_the_data_of_an_express_execution() {
    let bench = Bench::new().await;
    let inner = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": 1, "End": true}}});
    let map = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "End": true,
        "ItemSelector": {"big.$": "$.big"}, "ItemProcessor": inner}}});
    let machine = bench.express("e", &map).await;
    let items: Vec<u8> = (0..80).collect();
    let input = json!({"items": items, "big": "x".repeat(200_000)}).to_string();
    // 80 times 200 kB beside the documented 50 MB.
    let answer = bench.sync(&machine, json!({"input": input})).await;
    assert_eq!(answer["status"], "SUCCEEDED");
    assert_eq!(answer["billingDetails"]["billedMemoryUsedInMB"], 128);
}
