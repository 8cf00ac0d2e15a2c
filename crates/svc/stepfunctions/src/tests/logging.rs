//! What is logged of executions, where, and what of `loggingConfiguration` is refused.

use roadstead_protocol::ApiError;
use roadstead_testing::{refused, until};
use serde_json::{Value as Json, json};

use super::{Bench, ROLE, list_clusters, pass};

const GROUP: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/g:*";

fn to(arn: &str) -> Json {
    json!({"cloudWatchLogsLogGroup": {"logGroupArn": arn}})
}

fn logging(level: &str, data: bool) -> Json {
    json!({"level": level, "includeExecutionData": data, "destinations": [to(GROUP)]})
}

impl Bench {
    async fn logged(&self, name: &str, definition: &Json, kind: &str, logging: Json) -> String {
        let input = json!({"name": name, "definition": definition.to_string(), "roleArn": ROLE, "type": kind,
            "loggingConfiguration": logging});
        let made = self.call("CreateStateMachine", input).await.expect("made");
        made["stateMachineArn"].as_str().expect("an ARN").to_owned()
    }

    /// The lines that were taken until now, with the stream that each is in.
    fn lines(&self) -> Vec<(String, Json)> {
        let mut lines = Vec::new();
        for asked in self.logs.done() {
            if asked.operation == "PutLogEvents" {
                assert_eq!(asked.input["logGroupName"], "/g");
                let stream = asked.input["logStreamName"].as_str().expect("a stream");
                for event in asked.input["logEvents"].as_array().expect("events") {
                    let line: Json =
                        serde_json::from_str(event["message"].as_str().expect("a text")).expect("JSON");
                    assert_eq!(line["event_timestamp"], event["timestamp"].to_string());
                    lines.push((stream.to_owned(), line));
                }
            }
        }
        lines
    }

    async fn logging_of(&self, machine: Json) -> Json {
        let shown = self.call("DescribeStateMachine", json!({"stateMachineArn": machine}));
        shown.await.expect("shown")["loggingConfiguration"].clone()
    }

    /// Waits for so many lines, and gives what they are of.
    async fn types_of(&self, count: usize) -> Vec<String> {
        until("the lines", || self.lines().len() >= count).await;
        let kind = |(_, line): (String, Json)| line["type"].as_str().unwrap_or_default().to_owned();
        self.lines().into_iter().map(kind).collect()
    }
}

#[tokio::test]
async fn executions_are_logged_event_by_event() {
    let bench = Bench::started().await;
    let machine = bench
        .logged("m", &list_clusters(), "STANDARD", logging("ALL", true))
        .await;
    let execution = bench.execute(&machine, "a", json!({"b": 1})).await;
    bench.ended(&execution).await;
    let types = bench.types_of(7).await;
    assert_eq!(types, bench.types(&execution).await);
    let lines = bench.lines();
    let (stream, first) = &lines[0];
    let expected = json!({"id": "1", "type": "ExecutionStarted", "previous_event_id": "0", "redrive_count": "0",
        "event_timestamp": "1700000000000", "execution_arn": execution,
        "details": {"input": "{\"b\":1}", "inputDetails": {"truncated": false}, "roleArn": ROLE}});
    assert_eq!(*first, expected);
    let (head, tail) = stream.rsplit_once('/').expect("a path");
    assert_eq!((head, tail.len()), ("states/m/2023-11-14-22-13", 8));
    assert!(lines.iter().all(|(of, _)| of == stream));
    let scheduled = &lines[2].1;
    assert_eq!(scheduled["previous_event_id"], "2");
    assert_eq!(
        scheduled["details"],
        json!({"resourceType": "aws-sdk:ecs", "resource": "listClusters", "region": "us-east-1", "parameters": "{\"MaxResults\":5}"})
    );
    let writer = bench.logs.done();
    assert!(
        writer.iter().all(|asked| !asked.ctx.caller.is_bound()),
        "the delivery writes, not the role"
    );
}

#[tokio::test]
async fn data_are_left_out_unless_they_are_asked_for() {
    let bench = Bench::started().await;
    let machine = bench
        .logged("m", &list_clusters(), "STANDARD", logging("ALL", false))
        .await;
    let execution = bench.execute(&machine, "a", json!({"secret": 1})).await;
    bench.ended(&execution).await;
    bench.types_of(7).await;
    for (_, line) in bench.lines() {
        let text = line.to_string();
        for word in ["secret", "arn:c", "MaxResults", "input", "output", "parameters"] {
            assert!(!text.contains(word), "{text}");
        }
    }
}

#[tokio::test]
async fn a_level_takes_what_is_as_bad() {
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}});
    for (level, expected) in [
        (
            "ALL",
            &["ExecutionStarted", "FailStateEntered", "ExecutionFailed"][..],
        ),
        ("ERROR", &["FailStateEntered", "ExecutionFailed"]),
        ("FATAL", &["ExecutionFailed"]),
    ] {
        let bench = Bench::started().await;
        let machine = bench.logged("m", &fail, "STANDARD", logging(level, true)).await;
        let execution = bench.execute(&machine, "a", json!({})).await;
        bench.ended(&execution).await;
        assert_eq!(bench.types_of(expected.len()).await, expected);
        let last = bench.lines().pop().expect("a line").1;
        assert_eq!(last["details"], json!({"error": "E", "cause": "C"}));
    }
    let mut bench = Bench::started().await;
    let mut off = logging("OFF", true);
    let machine = bench.logged("m", &fail, "STANDARD", off.clone()).await;
    off["destinations"] = json!([]);
    let other = bench.logged("n", &fail, "STANDARD", off).await;
    for machine in [machine, other] {
        let execution = bench.execute(&machine, "a", json!({})).await;
        bench.ended(&execution).await;
    }
    bench.stop().await;
    assert!(
        bench.logs.asked().is_empty(),
        "nobody is asked where nothing is logged"
    );
}

#[tokio::test]
async fn express_executions_are_logged_and_redriven_ones_say_so() {
    let bench = Bench::started().await;
    let machine = bench.logged("e", &pass(), "EXPRESS", logging("ALL", true)).await;
    let answer = bench.sync(&machine, json!({"input": "[1]"})).await;
    let types = bench.types_of(4).await;
    assert_eq!(
        types,
        [
            "ExecutionStarted",
            "PassStateEntered",
            "PassStateExited",
            "ExecutionSucceeded"
        ]
    );
    let lines = bench.lines();
    assert!(
        lines
            .iter()
            .all(|(_, line)| line["execution_arn"] == answer["executionArn"])
    );
    assert_eq!(lines[3].1["details"]["output"], "[1]");
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail"}}});
    let machine = bench
        .logged("f", &fail, "STANDARD", logging("FATAL", false))
        .await;
    let execution = bench.execute(&machine, "a", json!({})).await;
    bench.ended(&execution).await;
    bench
        .call("RedriveExecution", json!({"executionArn": execution}))
        .await
        .expect("redriven");
    bench.types_of(6).await;
    let counts: Vec<Json> = bench.lines()[4..]
        .iter()
        .map(|(_, line)| line["redrive_count"].clone())
        .collect();
    assert_eq!(counts, ["0", "1"]);
}

#[tokio::test]
async fn what_cannot_be_written_now_is_written_later_and_holds_nothing_up() {
    let bench = Bench::started().await;
    let machine = bench
        .logged("m", &pass(), "STANDARD", logging("ALL", false))
        .await;
    let gone = || {
        ApiError::client(
            "ResourceNotFoundException",
            "The specified log stream does not exist.",
        )
    };
    // The stream cannot be made at first, and is there no more when it is written to.
    bench
        .logs
        .refuse(ApiError::new("ServiceUnavailable", 503, "busy"));
    bench.logs.then(Ok(json!({})));
    bench
        .logs
        .refuse(ApiError::client("ThrottlingException", "Rate exceeded"));
    let execution = bench.execute(&machine, "a", json!({})).await;
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    bench.types_of(4).await;
    let first = bench.lines()[0].0.clone();
    bench.logs.refuse(gone());
    let execution = bench.execute(&machine, "b", json!({})).await;
    bench.ended(&execution).await;
    assert_eq!(bench.types_of(8).await.len(), 8);
    assert_ne!(bench.lines()[7].0, first, "a new stream");
    // Without its group there is no log, and executions go on.
    bench.logs.refuse(gone());
    bench.logs.refuse(gone());
    let execution = bench.execute(&machine, "c", json!({})).await;
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    let asked = || {
        bench
            .logs
            .asked()
            .into_iter()
            .filter(|asked| asked.operation == "CreateLogStream")
    };
    until("the second refusal", || asked().count() >= 4).await;
}

#[tokio::test]
async fn logging_is_shown_updated_and_kept_by_versions_and_executions() {
    let bench = Bench::started().await;
    let machine = bench.logged("m", &pass(), "STANDARD", logging("ALL", true)).await;
    assert_eq!(bench.logging_of(json!(machine)).await, logging("ALL", true));
    let same = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "loggingConfiguration": logging("ALL", true)});
    bench
        .call("CreateStateMachine", same.clone())
        .await
        .expect("the same again");
    let mut other = same;
    other["loggingConfiguration"] = logging("ERROR", true);
    refused(
        bench.call("CreateStateMachine", other).await,
        "StateMachineAlreadyExists",
        "m",
    );
    let version = bench
        .call("PublishStateMachineVersion", json!({"stateMachineArn": machine}))
        .await
        .expect("published");
    let execution = bench.execute(&machine, "a", json!({})).await;
    bench.ended(&execution).await;
    let update = json!({"stateMachineArn": machine, "loggingConfiguration": logging("FATAL", false)});
    let updated = bench
        .call("UpdateStateMachine", update.clone())
        .await
        .expect("updated");
    assert!(updated["revisionId"].is_string(), "another revision");
    let again = bench.call("UpdateStateMachine", update).await.expect("updated");
    assert_eq!(
        updated["revisionId"], again["revisionId"],
        "what changes nothing is none"
    );
    assert_eq!(bench.logging_of(json!(machine)).await, logging("FATAL", false));
    assert_eq!(
        bench.logging_of(version["stateMachineVersionArn"].clone()).await,
        logging("ALL", true)
    );
    let of = bench
        .call(
            "DescribeStateMachineForExecution",
            json!({"executionArn": execution}),
        )
        .await
        .expect("shown");
    assert_eq!(of["loggingConfiguration"], logging("ALL", true));
    let bench = bench.restarted(0).await;
    assert_eq!(bench.logging_of(json!(machine)).await, logging("FATAL", false));
    bench.logs.answers(
        "DescribeLogGroups",
        json!({"logGroups": [{"logGroupName": "/h"}]}),
    );
    let mut moved = logging("ALL", true);
    moved["destinations"] = json!([to("arn:aws:logs:us-east-1:000000000000:log-group:/h:*")]);
    let update = json!({"stateMachineArn": machine, "loggingConfiguration": moved});
    bench.call("UpdateStateMachine", update).await.expect("updated");
    assert_eq!(bench.logging_of(json!(machine)).await, moved);
    let off = json!({"stateMachineArn": machine, "loggingConfiguration": {"level": "OFF"}});
    bench.call("UpdateStateMachine", off).await.expect("updated");
    let off = json!({"level": "OFF", "includeExecutionData": false});
    assert_eq!(bench.logging_of(json!(machine)).await, off);
}

#[tokio::test]
async fn logging_that_could_not_be_is_refused() {
    let bench = Bench::new().await;
    let machine = bench.create("there", &pass()).await.expect("made");
    let with = |destinations: Json| json!({"level": "ALL", "destinations": destinations});
    let group = |name: &str| {
        with(json!([to(&format!(
            "arn:aws:logs:us-east-1:000000000000:log-group:{name}"
        ))]))
    };
    let one = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
    let not_a_group = "Provided ARN is not CloudWatch Logs Log Group ARN.";
    for (logging, words) in [
        (json!({"level": "ALL"}), one),
        (with(json!([])), one),
        (with(json!([to(GROUP), to(GROUP)])), one),
        (json!({"destinations": [to(GROUP), to(GROUP)]}), one),
        (with(json!([{}])), "Must set valid CloudWatch Log Group ARN."),
        (
            with(json!([{"cloudWatchLogsLogGroup": {}}])),
            "Must set valid CloudWatch Log Group ARN.",
        ),
        (with(json!([to("arn:x")])), not_a_group),
        (
            with(json!([to("arn:aws:sqs:us-east-1:000000000000:q:*")])),
            not_a_group,
        ),
        (group("/g:log-stream:s:*"), not_a_group),
        (group(":*"), not_a_group),
        (group("/g"), "Log Group ARN must be provided with '*' qualifier."),
        (
            with(json!([to("arn:aws:logs:eu-west-1:000000000000:log-group:/g:*")])),
            "not of this account and region",
        ),
        (
            with(json!([to("arn:aws:logs:us-east-1:111111111111:log-group:/g:*")])),
            "not of this account and region",
        ),
        (group("/h:*"), "The log group '/h' does not exist."),
    ] {
        let make = json!({"name": "m", "definition": pass().to_string(), "roleArn": ROLE, "loggingConfiguration": logging});
        refused(
            bench.call("CreateStateMachine", make).await,
            "InvalidLoggingConfiguration",
            words,
        );
        let update = json!({"stateMachineArn": machine, "loggingConfiguration": logging});
        refused(
            bench.call("UpdateStateMachine", update).await,
            "InvalidLoggingConfiguration",
            words,
        );
    }
    bench
        .logs
        .refuse(ApiError::new("ServiceUnavailable", 503, "busy"));
    let update = json!({"stateMachineArn": machine, "loggingConfiguration": logging("ALL", true)});
    refused(
        bench.call("UpdateStateMachine", update).await,
        "ServiceUnavailable",
        "try again",
    );
    let shown = bench
        .call("DescribeStateMachine", json!({"stateMachineArn": machine}))
        .await
        .expect("shown");
    assert_eq!(
        shown["loggingConfiguration"]["level"], "OFF",
        "nothing of it was taken"
    );
}
