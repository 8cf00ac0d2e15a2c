//! Testing a state by itself.

use roadstead_protocol::ApiError;
use roadstead_testing::{Fake, refused, until};
use serde_json::{Value as Json, json};

use super::workers::ARN;
use super::{Bench, FUNCTION, ROLE, lambda, list_clusters};

impl Bench {
    /// A test of the state with what more is asked for.
    async fn test(&self, state: &Json, more: Json) -> Result<Json, ApiError> {
        let mut input = json!({"definition": state.to_string(), "roleArn": ROLE});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("TestState", input).await
    }

    /// The same without a role, which no mock needs.
    pub(super) async fn mocked(&self, state: &Json, mock: Json, more: Json) -> Result<Json, ApiError> {
        let mut input = json!({"definition": state.to_string(), "mock": mock, "inspectionLevel": "DEBUG"});
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("TestState", input).await
    }
}

fn clusters() -> Json {
    json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ecs:listClusters", "Parameters": {"MaxResults.$": "$.n"},
        "ResultSelector": {"first.$": "$.ClusterArns[0]"}, "ResultPath": "$.found", "Next": "N"})
}

#[tokio::test]
async fn a_state_is_tested_with_a_call_as_the_role() {
    let bench = Bench::new().await;
    let more = json!({"input": "{\"n\": 5}"});
    let answer = bench.test(&clusters(), more).await.expect("an answer");
    assert_eq!(
        answer,
        json!({"status": "SUCCEEDED", "output": "{\"n\":5,\"found\":{\"first\":\"arn:c\"}}", "nextState": "N"})
    );
    assert_eq!(bench.ecs.asked()[0].input["maxResults"], 5);
    for level in ["DEBUG", "TRACE"] {
        let more = json!({"input": "{\"n\": 5}", "inspectionLevel": level, "variables": "{\"v\": 1}"});
        let answer = bench.test(&clusters(), more).await.expect("an answer");
        assert_eq!(
            answer["inspectionData"],
            json!({
                "input": "{\"n\": 5}",
                "afterInputPath": "{\"n\":5}",
                "afterParameters": "{\"MaxResults\":5}",
                "result": "{\"ClusterArns\":[\"arn:c\"]}",
                "afterResultSelector": "{\"first\":\"arn:c\"}",
                "afterResultPath": "{\"n\":5,\"found\":{\"first\":\"arn:c\"}}",
                "variables": "{\"v\":1}",
            }),
            "{level}"
        );
    }
    let answer = bench.test(&json!({"Type": "Succeed"}), json!({})).await;
    assert_eq!(
        answer.expect("an answer"),
        json!({"status": "SUCCEEDED", "output": "{}"})
    );
    assert_eq!(bench.states.express.under_way(), 0);
}

#[tokio::test]
async fn what_a_call_fails_with_is_retriable_caught_or_the_end() {
    let bench = Bench::new().await;
    let state = |more: Json| {
        let mut state = json!({"Type": "Task", "Resource": FUNCTION, "End": true});
        for (name, value) in more.as_object().into_iter().flatten() {
            state[name] = value.clone();
        }
        state
    };
    for (more, status) in [
        (json!({}), "FAILED"),
        (json!({"Retry": [{"ErrorEquals": ["States.ALL"]}]}), "RETRIABLE"),
        (
            json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}),
            "CAUGHT_ERROR",
        ),
    ] {
        let mut failing = lambda::answer(&json!({"errorType": "Odd"}));
        failing["FunctionError"] = json!("Unhandled");
        bench.lambda.then(Ok(failing));
        let answer = bench.test(&state(more), json!({})).await.expect("an answer");
        assert_eq!(
            (&answer["status"], &answer["error"], &answer["cause"]),
            (&json!(status), &json!("Odd"), &json!("{\"errorType\":\"Odd\"}"))
        );
        assert_eq!(answer["nextState"] == "C", status == "CAUGHT_ERROR", "{answer}");
        assert_eq!(answer["output"].is_string(), status == "CAUGHT_ERROR", "{answer}");
    }
}

#[tokio::test]
async fn a_wait_is_waited_for_and_five_minutes_are_the_most() {
    let bench = Bench::new().await;
    for (seconds, status) in [(60, "SUCCEEDED"), (301, "FAILED")] {
        let state = json!({"Type": "Wait", "Seconds": seconds, "Next": "N"});
        let (answer, ()) = tokio::join!(bench.test(&state, json!({})), async {
            until("the test", || bench.states.express.under_way() == 1).await;
            bench.clock.advance(seconds * 1_000);
        });
        let answer = answer.expect("an answer");
        assert_eq!(answer["status"], status, "{answer}");
        assert_eq!(
            answer["error"] == "States.Timeout",
            status == "FAILED",
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_state_of_a_machine_is_tested_by_its_name() {
    let bench = Bench::new().await;
    let mut machine = list_clusters();
    machine["States"]["T"]["End"] = json!(false);
    machine["States"]["T"]["Next"] = json!("Each");
    machine["States"]["Each"] = json!({"Type": "Map", "End": true, "ItemProcessor": {"StartAt": "Inner", "States": {
        "Inner": {"Type": "Pass", "Result": "$$", "End": true}}}});
    let named = |name: &str| json!({ "stateName": name });
    let answer = bench.test(&machine, named("T")).await.expect("an answer");
    assert_eq!(
        (&answer["status"], &answer["nextState"]),
        (&json!("SUCCEEDED"), &json!("Each"))
    );
    let answer = bench.test(&machine, named("Inner")).await.expect("an answer");
    assert_eq!(answer["output"], "\"$$\"");
    // What is within a Map sees its input as the first item, however deep it stands.
    let inner = json!({"Type": "Pass", "Parameters": {"at.$": "$$.Map.Item.Index", "of.$": "$$.Map.Item.Value"}, "End": true});
    let flow = json!({"StartAt": "Deep", "States": {"Deep": inner}});
    machine["States"]["Each"]["ItemProcessor"] =
        json!({"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "Branches": [flow], "End": true}}});
    machine["States"]["T"]["Parameters"] = json!({"MaxResults.$": "$$.Map.Item.Index"});
    let mut more = named("Deep");
    more["input"] = json!("{\"n\": 5}");
    let answer = bench.test(&machine, more).await.expect("an answer");
    assert_eq!(answer["output"], "{\"at\":0,\"of\":{\"n\":5}}");
    let answer = bench.test(&machine, named("T")).await.expect("an answer");
    assert_eq!(
        answer["error"], "States.Runtime",
        "outside of a Map there is no item"
    );
    refused(
        bench.test(&machine, named("X")).await,
        "ValidationException",
        "no state 'X'",
    );
    refused(
        bench.test(&machine, json!({})).await,
        "InvalidDefinition",
        "[Type]",
    );
    refused(
        bench.test(&json!({"Type": "Succeed"}), named("T")).await,
        "InvalidDefinition",
        "[StartAt, States]",
    );
}

#[tokio::test]
async fn a_mock_takes_the_place_of_the_work() {
    let bench = Bench::new().await;
    let result = |json: Json| json!({"result": json.to_string()});
    let branch = json!({"StartAt": "B", "States": {"B": {"Type": "Succeed"}}});
    for (state, given) in [
        (
            json!({"Type": "Task", "Resource": ARN, "End": true}),
            json!({"any": 1}),
        ),
        (
            json!({"Type": "Task", "Resource": FUNCTION, "End": true}),
            json!(2),
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Parameters": {}, "End": true}),
            json!("any"),
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": {}, "End": true}),
            json!({"LastStatus": "STOPPED", "Containers": [{"ExitCode": 0}]}),
        ),
        (
            json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "F"}, "End": true}),
            json!({"StatusCode": 200, "Payload": {"a": 1}}),
        ),
        (
            json!({"Type": "Parallel", "Branches": [branch, {"StartAt": "C", "States": {"C": {"Type": "Succeed"}}}], "End": true}),
            json!([1, 2]),
        ),
    ] {
        let answer = bench
            .mocked(&state, result(given.clone()), json!({}))
            .await
            .expect("an answer");
        assert_eq!(answer["status"], "SUCCEEDED", "{state}");
        assert_eq!(answer["output"], given.to_string(), "{state}");
    }
    let map = json!({"Type": "Map", "ItemProcessor": branch, "MaxConcurrency": 3, "End": true});
    let answer = bench
        .mocked(&map, result(json!(["x"])), json!({"input": "[1, 2]"}))
        .await
        .expect("an answer");
    assert_eq!(answer["output"], "[\"x\"]");
    let seen = &answer["inspectionData"];
    assert_eq!(
        (
            &seen["afterItemsPath"],
            &seen["afterItemSelector"],
            &seen["maxConcurrency"]
        ),
        (&json!("[1,2]"), &json!("[1,2]"), &json!(3))
    );
    assert!(bench.ecs.asked().is_empty() && bench.lambda.asked().is_empty());
}

#[tokio::test]
async fn a_mocked_error_is_what_retriers_and_catchers_look_at() {
    let bench = Bench::new().await;
    let state = json!({"Type": "Task", "Resource": FUNCTION, "End": true,
        "Retry": [{"ErrorEquals": ["Odd"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 2}],
        "Catch": [{"ErrorEquals": ["Odd"], "Next": "C"}]});
    let mock = json!({"errorOutput": {"error": "Odd", "cause": "why"}});
    for (tried, status, details) in [
        (
            0,
            "RETRIABLE",
            json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 2}),
        ),
        (
            1,
            "RETRIABLE",
            json!({"retryIndex": 0, "retryBackoffIntervalSeconds": 6}),
        ),
        (2, "CAUGHT_ERROR", json!({"catchIndex": 0})),
    ] {
        let more = json!({"stateConfiguration": {"retrierRetryCount": tried}});
        let answer = bench.mocked(&state, mock.clone(), more).await.expect("an answer");
        assert_eq!(
            (&answer["status"], &answer["inspectionData"]["errorDetails"]),
            (&json!(status), &details)
        );
        assert_eq!(
            (&answer["error"], &answer["cause"]),
            (&json!("Odd"), &json!("why"))
        );
    }
}

#[tokio::test]
async fn a_given_context_and_variables_are_what_the_state_sees() {
    let bench = Bench::new().await;
    let state = json!({"Type": "Task", "Resource": FUNCTION, "QueryLanguage": "JSONata", "End": true,
        "Arguments": {"n": "{% $states.context.State.RetryCount + $v %}"}, "Assign": {"w": "{% $v * 2 %}"}});
    let more = json!({"context": "{\"State\": {\"RetryCount\": 4}}", "variables": "{\"v\": 3}"});
    let answer = bench
        .mocked(&state, json!({"result": "1"}), more)
        .await
        .expect("an answer");
    let seen = &answer["inspectionData"];
    assert_eq!(
        (&seen["afterArguments"], &seen["variables"]),
        (&json!("{\"n\":7}"), &json!("{\"v\":3,\"w\":6}"))
    );
    assert!(seen["afterInputPath"].is_null());
}

#[tokio::test]
async fn mocked_results_are_held_to_the_model_as_strictly_as_asked() {
    let bench = Bench::new().await;
    let own = Fake::new(&roadstead_api_stepfunctions::MODEL);
    bench.states.dispatcher.register(own);
    let state = |resource: &str| json!({"Type": "Task", "Resource": resource, "Parameters": {}, "End": true});
    let (run, look, describe) = (
        "arn:aws:states:::ecs:runTask.sync",
        "arn:aws:states:::aws-sdk:ecs:listClusters",
        "arn:aws:states:::aws-sdk:sfn:listStateMachines",
    );
    for (resource, result, strict, present) in [
        (look, json!({"ClusterArns": ["a"]}), None, None),
        (
            look,
            json!({"ClusterArns": "a"}),
            Some("/ClusterArns must be an array"),
            Some("/ClusterArns must be an array"),
        ),
        (
            look,
            json!({"ClusterArns": [1]}),
            Some("/ClusterArns/0 must be a string"),
            Some("must be a string"),
        ),
        (
            look,
            json!([]),
            Some("it must be an object"),
            Some("it must be an object"),
        ),
        (describe, json!({}), Some("/StateMachines is missing"), None),
        (
            describe,
            json!({"StateMachines": [{"Type": "ODD"}]}),
            Some("/StateMachines/0/CreationDate is missing"),
            Some("/StateMachines/0/Type must be one of STANDARD, EXPRESS"),
        ),
        (
            run,
            json!({"Containers": [{"ExitCode": "0"}]}),
            Some("/Containers/0/ExitCode must be an integer"),
            Some("an integer"),
        ),
    ] {
        for (mode, misfit) in [
            (None, strict),
            (Some("STRICT"), strict),
            (Some("PRESENT"), present),
            (Some("NONE"), None),
        ] {
            let mut mock = json!({"result": result.to_string()});
            if let Some(mode) = mode {
                mock["fieldValidationMode"] = json!(mode);
            }
            let answer = bench.mocked(&state(resource), mock, json!({})).await;
            match misfit {
                None => assert_eq!(answer.expect("it fits")["output"], result.to_string()),
                Some(words) => refused(answer, "ValidationException", words),
            }
        }
    }
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused() {
    let bench = Bench::new().await;
    let task = |resource: &str| json!({"Type": "Task", "Resource": resource, "Parameters": {}, "End": true});
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    let pass = json!({"Type": "Pass", "End": true});
    for (state, words) in [
        (task(ARN), "An activity is only supported when a mock"),
        (task("arn:aws:states:::ecs:runTask.sync"), "'.sync'"),
        (
            task("arn:aws:states:::sqs:sendMessage.waitForTaskToken"),
            "'.waitForTaskToken'",
        ),
        (
            json!({"Type": "Parallel", "Branches": [inner], "End": true}),
            "'Parallel'",
        ),
        (
            json!({"Type": "Map", "ItemProcessor": inner, "End": true}),
            "'Map'",
        ),
    ] {
        refused(bench.test(&state, json!({})).await, "ValidationException", words);
    }
    let result = json!({"result": "1"});
    let error = json!({"errorOutput": {"error": "E"}});
    for (more, code, words) in [
        (json!({"input": "{"}), "InvalidExecutionInput", "EOF"),
        (
            json!({"input": format!("\"{}\"", "é".repeat(140_000))}),
            "ValidationException",
            "'input'",
        ),
        (
            json!({"variables": "[]"}),
            "ValidationException",
            "'variables' must be a JSON object",
        ),
        (
            json!({"context": "{}"}),
            "ValidationException",
            "only be given with a mock",
        ),
        (
            json!({"stateConfiguration": {"retrierRetryCount": 1}}),
            "ValidationException",
            "only be given with a mock",
        ),
        (
            json!({"mock": result}),
            "ValidationException",
            "State type 'Pass' is not supported when a mock",
        ),
        (
            json!({"roleArn": "arn:aws:iam::000000000000:role/other"}),
            "AccessDeniedException",
            "states.amazonaws.com",
        ),
        (json!({"roleArn": "x"}), "InvalidArn", "x"),
    ] {
        refused(bench.test(&pass, more).await, code, words);
    }
    let without = json!({"definition": pass.to_string()});
    refused(
        bench.call("TestState", without).await,
        "ValidationException",
        "roleArn is required",
    );
    let both = json!({"result": "1", "errorOutput": {"error": "E"}});
    for (mock, more, words) in [
        (both, json!({}), "either a result or an errorOutput"),
        (json!({}), json!({}), "either a result or an errorOutput"),
        (
            json!({"errorOutput": {"cause": "C"}}),
            json!({}),
            "'error' of mock.errorOutput",
        ),
        (json!({"result": "{"}), json!({}), "not valid JSON"),
        (
            result.clone(),
            json!({"context": "1"}),
            "'context' must be a JSON object",
        ),
        (
            result,
            json!({"stateConfiguration": {"retrierRetryCount": 1}}),
            "mocked error",
        ),
        (
            error.clone(),
            json!({"stateConfiguration": {"errorCausedByState": "I"}}),
            "of type 'Map' or 'Parallel'",
        ),
        (
            error.clone(),
            json!({"stateConfiguration": {"mapItemReaderData": "[]"}}),
            "stateConfiguration.mapItemReaderData",
        ),
        (
            error,
            json!({"stateConfiguration": {"mapIterationFailureCount": 1}}),
            "stateConfiguration.mapIterationFailureCount",
        ),
    ] {
        refused(
            bench.mocked(&task(FUNCTION), mock, more).await,
            "ValidationException",
            words,
        );
    }
    let parallel = json!({"Type": "Parallel", "Branches": [inner], "End": true});
    let odd = bench
        .mocked(&parallel, json!({"result": "[1, 2]"}), json!({}))
        .await;
    refused(odd, "ValidationException", "an array of 1 results");
    let odd = bench
        .mocked(
            &task("arn:aws:states:::aws-sdk:ecs:fly"),
            json!({"result": "1"}),
            json!({}),
        )
        .await;
    refused(odd, "InvalidDefinition", "not supported by Roadstead yet");
}
