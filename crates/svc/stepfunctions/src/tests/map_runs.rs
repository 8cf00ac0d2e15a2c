//! Map Runs, of which there are none.

use roadstead_testing::refused;
use serde_json::json;

use super::{Bench, pass};

#[tokio::test]
async fn executions_have_no_map_runs_and_none_is_found() {
    let bench = Bench::new().await;
    let machine = bench.create("m", &pass()).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    let listed = bench
        .call("ListMapRuns", json!({"executionArn": execution, "maxResults": 5}))
        .await;
    assert_eq!(listed.expect("a listing"), json!({"mapRuns": []}));
    let forged = json!({"executionArn": execution, "nextToken": "x"});
    refused(bench.call("ListMapRuns", forged).await, "InvalidToken", "x");
    let other = json!({"executionArn": format!("{execution}y")});
    refused(
        bench.call("ListMapRuns", other).await,
        "ExecutionDoesNotExist",
        "xy",
    );
    let run = "arn:aws:states:us-east-1:000000000000:mapRun:m/Map:1e2f";
    for (operation, more) in [
        ("DescribeMapRun", json!({})),
        ("UpdateMapRun", json!({"maxConcurrency": 1})),
        ("UpdateMapRun", json!({"toleratedFailureCount": 1})),
        ("UpdateMapRun", json!({"toleratedFailurePercentage": 1.5})),
    ] {
        let short = "arn:aws:states:us-east-1:000000000000:mapRun:m";
        for (arn, code, words) in [
            (run, "ResourceNotFound", run),
            (&*machine, "InvalidArn", "in this context: stateMachine"),
            (short, "InvalidArn", short),
        ] {
            let mut input = more.clone();
            input["mapRunArn"] = json!(arn);
            refused(bench.call(operation, input).await, code, words);
        }
    }
    let nothing = json!({"mapRunArn": run});
    refused(
        bench.call("UpdateMapRun", nothing).await,
        "ValidationException",
        "is required",
    );
}
