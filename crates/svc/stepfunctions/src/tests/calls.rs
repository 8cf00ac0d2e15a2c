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
    assert_eq!(
        (&shown["status"], &shown["error"]),
        (&json!("FAILED"), &json!("States.Runtime"))
    );
    let cause = "An error occurred while executing the state 'T' (entered at the event id #2). \
                 The Parameters '{\"Nonsense\":1}' could not be used to start the Task: \
                 [The field \"Nonsense\" is not supported by Step Functions]";
    assert_eq!(shown["cause"], cause);
    assert!(bench.ecs.asked().is_empty());
    bench.stop().await;
}

/// The developer guide, "Passing parameters to a service API": names in Pascal case, also within.
#[tokio::test]
async fn parameters_that_no_call_can_be_made_with_fail_the_state_for_good() {
    for (resource, parameters, faults) in [
        (
            "aws-sdk:ecs:listClusters",
            json!({"maxResults": 1}),
            "The field \"maxResults\" is not supported by Step Functions",
        ),
        (
            "aws-sdk:ecs:describeServices",
            json!({}),
            "The field 'Services' is required but was missing",
        ),
        (
            "aws-sdk:ecs:createCluster",
            json!({"Tags": [{"Key": "a", "value": "b"}], "More": 1}),
            "The field \"value\" is not supported by Step Functions, The field \"More\" is not supported by Step Functions",
        ),
        (
            "ecs:runTask",
            json!({"LaunchType": "EC2"}),
            "The field 'TaskDefinition' is required but was missing",
        ),
        (
            "lambda:invoke",
            json!({"FunctionName": "F", "TaskToken": "t"}),
            "The field \"TaskToken\" is not supported by Step Functions",
        ),
    ] {
        let mut bench = Bench::started().await;
        let mut definition = task(&format!("arn:aws:states:::{resource}"), parameters);
        definition["States"]["T"]["Catch"] = json!([{"ErrorEquals": ["States.ALL"], "Next": "C"}]);
        definition["States"]["C"] = json!({"Type": "Succeed"});
        let shown = end(&bench, &definition, json!({})).await;
        assert_eq!(
            (&shown["status"], &shown["error"]),
            (&json!("FAILED"), &json!("States.Runtime")),
            "{resource}"
        );
        let cause = shown["cause"].as_str().unwrap_or_default();
        assert!(
            cause.ends_with(&format!("to start the Task: [{faults}]")),
            "{cause}"
        );
        assert!(bench.ecs.asked().is_empty() && bench.lambda.asked().is_empty());
        bench.stop().await;
    }
}

/// What integrations of their own give besides the answer. Source: the developer guide's examples of their output.
#[tokio::test]
async fn an_integration_of_its_own_says_how_the_call_went() {
    let mut bench = Bench::started().await;
    bench.ecs.then(Ok(json!({"tasks": [], "failures": []})));
    for (resource, parameters) in [
        ("ecs:runTask", json!({"TaskDefinition": "d"})),
        ("lambda:invoke", json!({"FunctionName": "F"})),
    ] {
        let machine = bench
            .create(
                resource.split(':').next().unwrap_or_default(),
                &task(&format!("arn:aws:states:::{resource}"), parameters),
            )
            .await
            .expect("made");
        let execution = bench
            .execute(
                &machine,
                resource.split(':').next_back().unwrap_or_default(),
                json!({}),
            )
            .await;
        let shown = bench.ended(&execution).await;
        let output: Json = serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
        let id = output["SdkResponseMetadata"]["RequestId"]
            .as_str()
            .expect("an id");
        assert!(!id.is_empty());
        assert_eq!(
            output["SdkHttpMetadata"],
            json!({"AllHttpHeaders": {"x-amzn-RequestId": [id]}, "HttpHeaders": {"x-amzn-RequestId": id}, "HttpStatusCode": 200})
        );
    }
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
    let mut output: Json = serde_json::from_str(shown["output"].as_str().expect("an output")).expect("JSON");
    for about_the_call in ["SdkHttpMetadata", "SdkResponseMetadata"] {
        let members = output.as_object_mut().expect("an object");
        assert!(members.remove(about_the_call).is_some(), "{about_the_call}");
    }
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
