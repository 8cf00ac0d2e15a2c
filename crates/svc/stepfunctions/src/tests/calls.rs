//! What tasks call, as whom, and what they make of the answer.

use roadstead_base::Caller;
use roadstead_protocol::ApiError;
use serde_json::{Value as Json, json};

use super::{Bench, FUNCTION, ROLE, lambda, list_clusters, task};

/// The end of an execution of that definition.
async fn end(bench: &Bench, definition: &Json, input: Json) -> Json {
    let machine = bench.create("m", definition).await.expect("made");
    let execution = bench.execute(&machine, "x", input).await;
    bench.ended(&execution).await
}

#[tokio::test]
async fn an_operation_of_a_service_is_called_as_the_role() {
    let mut bench = Bench::started().await;
    let shown = end(&bench, &list_clusters(), json!({})).await;
    assert_eq!(
        (&shown["status"], &shown["output"]),
        (&json!("SUCCEEDED"), &json!("{\"ClusterArns\":[\"arn:c\"]}"))
    );
    let asked = bench.ecs.asked();
    assert_eq!(
        (asked[0].operation, &asked[0].input),
        ("ListClusters", &json!({"maxResults": 5}))
    );
    let Caller::Role(session) = &asked[0].ctx.caller else {
        panic!("{:?}", asked[0].ctx.caller)
    };
    assert_eq!((&*session.role_arn, &*session.name), (ROLE, "x"));
    bench.stop().await;
}

/// The developer guide, "Handling error conditions": a function that names no error of its own.
#[tokio::test]
async fn a_function_that_names_no_error_is_said_to_have_named_none() {
    for resource in [FUNCTION, "arn:aws:states:::lambda:invoke"] {
        let mut bench = Bench::started().await;
        let said = json!({"errorMessage": "Task timed out after 3.00 seconds"});
        bench.lambda.then(Ok(lambda::raised(&said)));
        let shown = end(&bench, &task(resource, json!({"FunctionName": "F"})), json!({})).await;
        assert_eq!(shown["error"], "Lambda.Unknown");
        let cause = "The cause could not be determined because Lambda did not return an error type. \
                     Returned payload: {\"errorMessage\":\"Task timed out after 3.00 seconds\"}";
        assert_eq!(shown["cause"], cause);
        bench.stop().await;
    }
}

#[tokio::test]
async fn times_are_texts_in_outputs() {
    let mut bench = Bench::started().await;
    let service = json!({"services": [{"serviceName": "s", "createdAt": 1_700_000_000.5}], "failures": []});
    bench.ecs.then(Ok(service));
    let definition = task(
        "arn:aws:states:::aws-sdk:ecs:describeServices",
        json!({"Services": ["s"], "Cluster": "c"}),
    );
    let shown = end(&bench, &definition, json!({})).await;
    let output: Json = serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
    assert_eq!(
        output["Services"][0],
        json!({"ServiceName": "s", "CreatedAt": "2023-11-14T22:13:20.500Z"})
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_services_name() {
    let mut bench = Bench::started().await;
    bench
        .ecs
        .refuse(ApiError::client("ClusterNotFoundException", "Cluster not found."));
    let mut definition = list_clusters();
    definition["States"]["T"]["Catch"] =
        json!([{"ErrorEquals": ["Ecs.ClusterNotFoundException"], "Next": "H"}]);
    definition["States"]["H"] = json!({"Type": "Succeed"});
    let shown = end(&bench, &definition, json!({})).await;
    assert_eq!(
        shown["output"],
        "{\"Error\":\"Ecs.ClusterNotFoundException\",\"Cause\":\"Cluster not found.\"}"
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_unknown_parameter_is_refused_by_name() {
    let mut bench = Bench::started().await;
    let shown = end(
        &bench,
        &task(
            "arn:aws:states:::aws-sdk:ecs:listClusters",
            json!({"Nonsense": 1}),
        ),
        json!({}),
    )
    .await;
    assert_eq!(shown["status"], "FAILED");
    assert!(
        shown["cause"]
            .as_str()
            .is_some_and(|cause| cause.contains("Nonsense")),
        "{shown}"
    );
    assert!(bench.ecs.asked().is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_function_gets_the_input_and_gives_its_result() {
    let mut bench = Bench::started().await;
    let definition =
        json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let shown = end(&bench, &definition, json!({"a": 1})).await;
    assert_eq!(
        (&shown["status"], &shown["output"]),
        (&json!("SUCCEEDED"), &json!("{\"ok\":true}"))
    );
    let asked = bench.lambda.asked();
    assert_eq!(
        (&asked[0].input["FunctionName"], lambda::payload(&asked[0].input)),
        (&json!(FUNCTION), json!({"a": 1}))
    );
    bench.stop().await;
}

#[tokio::test]
async fn the_integration_of_functions_gives_the_whole_answer() {
    let mut bench = Bench::started().await;
    let definition = task(
        "arn:aws:states:::lambda:invoke",
        json!({"FunctionName": "F", "Payload": {"b.$": "$.a"}}),
    );
    let shown = end(&bench, &definition, json!({"a": [1]})).await;
    let output: Json = serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
    assert_eq!(
        output,
        json!({"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": {"ok": true}})
    );
    assert_eq!(lambda::payload(&bench.lambda.asked()[0].input), json!({"b": [1]}));
    bench.stop().await;
}

#[tokio::test]
async fn what_a_function_raises_is_the_error() {
    let mut bench = Bench::started().await;
    let raised = json!({"errorMessage": "no", "errorType": "ValueError"});
    bench.lambda.then(Ok(lambda::raised(&raised)));
    let definition =
        json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    let shown = end(&bench, &definition, json!({})).await;
    assert_eq!(
        (&shown["error"], &shown["cause"]),
        (&json!("ValueError"), &json!(raised.to_string()))
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_throttled_function_is_tried_again() {
    let mut bench = Bench::new().await;
    bench
        .lambda
        .refuse(ApiError::new("TooManyRequestsException", 429, "Rate Exceeded."));
    let mut definition =
        json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": FUNCTION, "End": true}}});
    definition["States"]["T"]["Retry"] =
        json!([{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 7}]);
    let machine = bench.create("m", &definition).await.expect("made");
    let execution = bench.execute(&machine, "x", json!({})).await;
    bench.start();
    roadstead_testing::until("the failure to be taken", || {
        let executions = bench.states.executions.snapshot();
        executions
            .iter()
            .all(|entry| entry.value.execution.due() == Some(bench_due(7)))
    })
    .await;
    assert_eq!(bench.lambda.asked().len(), 1);
    let mut bench = bench.restarted(7_000).await;
    bench.start();
    assert_eq!(bench.ended(&execution).await["status"], "SUCCEEDED");
    assert_eq!(bench.lambda.asked().len(), 2);
    bench.stop().await;
}

fn bench_due(seconds: i64) -> i64 {
    roadstead_testing::START.0 + seconds * 1000
}
