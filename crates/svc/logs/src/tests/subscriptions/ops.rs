//! Filters made, replaced, described and deleted.

use super::*;

#[tokio::test]
async fn put_subscription_filter_tries_its_destination_and_keeps_two_filters() {
    let (bench, lambda) = subscribed().await;
    bench
        .call("PutSubscriptionFilter", filter("f", "ERROR"))
        .await
        .expect("a filter");
    let taken = lambda.taken();
    let [tried] = taken.as_slice() else {
        panic!("{taken:?}")
    };
    assert_eq!(
        (
            tried.function.as_str(),
            tried.kind.as_str(),
            tried.caller.as_str()
        ),
        (FUNCTION, "Event", "logs.amazonaws.com")
    );
    assert_eq!(
        tried.source.as_deref(),
        Some("arn:aws:logs:us-east-1:000000000000:log-group:/a:*")
    );
    assert_eq!(
        tried.message,
        json!({"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs", "logGroup": "", "logStream": "",
            "subscriptionFilters": [], "logEvents": [{"id": "", "timestamp": START.0,
                "message": "CWL CONTROL MESSAGE: Checking health of destination Lambda"}]})
    );
    subscribe(&bench, &lambda, "g", "").await;
    let third = bench.call("PutSubscriptionFilter", filter("h", "")).await;
    Bench::refused(third, "LimitExceededException", "Resource limit exceeded.");
    assert!(
        lambda.taken().is_empty(),
        "the function is not called for a filter that cannot be"
    );
    // The same name again replaces, also when there are two.
    bench.clock.advance(5_000);
    let mut again = filter("f", "WARN");
    again["distribution"] = json!("ByLogStream");
    bench
        .call("PutSubscriptionFilter", again)
        .await
        .expect("replaced");
    let bench = bench.restarted().await;
    let described = bench
        .call("DescribeSubscriptionFilters", json!({"logGroupName": "/a"}))
        .await
        .expect("filters");
    let shown = |name: &str, pattern: &str| {
        json!({"filterName": name, "logGroupName": "/a", "filterPattern": pattern, "destinationArn": FUNCTION,
            "distribution": "ByLogStream", "creationTime": START.0, "applyOnTransformedLogs": false})
    };
    assert_eq!(
        described,
        json!({"subscriptionFilters": [shown("f", "WARN"), shown("g", "")]})
    );
}

#[tokio::test]
async fn a_function_that_cannot_be_called_is_no_destination() {
    // Nobody lets the service in.
    let bench = Bench::new().await;
    bench.group("/a", &["s"]).await;
    let words = "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute";
    let put = bench.call("PutSubscriptionFilter", filter("f", "")).await;
    Bench::refused(put, "InvalidParameterException", words);
    let (bench, lambda) = subscribed().await;
    lambda.fails([roadstead_protocol::ApiError::new(
        "ResourceNotFoundException",
        404,
        "no function",
    )]);
    let put = bench.call("PutSubscriptionFilter", filter("f", "")).await;
    Bench::refused(put, "InvalidParameterException", words);
    let described = bench
        .call("DescribeSubscriptionFilters", json!({"logGroupName": "/a"}))
        .await
        .expect("filters");
    assert_eq!(described, json!({"subscriptionFilters": []}));
}

#[tokio::test]
async fn subscriptions_refuse_what_could_not_be_delivered() {
    let (bench, lambda) = subscribed().await;
    let role = "arn:aws:iam::000000000000:role/r";
    for (member, value, words) in [
        (
            "filterPattern",
            json!("a:b"),
            "Invalid subscription filter pattern: ",
        ),
        ("applyOnTransformedLogs", json!(true), "applyOnTransformedLogs"),
        ("emitSystemFields", json!(["@aws.account"]), "emitSystemFields"),
        ("distribution", json!("Random"), "distribution"),
        (
            "fieldSelectionCriteria",
            json!("@aws.region = \"x\""),
            "fieldSelectionCriteria",
        ),
        (
            "roleArn",
            json!(role),
            "destinationArn for vendor lambda cannot be used with roleArn",
        ),
        ("destinationArn", json!("f"), "Invalid destinationArn"),
        (
            "destinationArn",
            json!("arn:aws:lambda:us-east-1:111111111111:function:f"),
            "this account and region",
        ),
        (
            "destinationArn",
            json!("arn:aws:lambda:eu-west-1:000000000000:function:f"),
            "this account and region",
        ),
        (
            "destinationArn",
            json!("arn:aws:lambda:us-east-1:000000000000:layer:l"),
            "this account and region",
        ),
        (
            "destinationArn",
            json!("arn:aws:kinesis:us-east-1:000000000000:stream/s"),
            "vendor kinesis cannot be used without roleArn",
        ),
        (
            "destinationArn",
            json!("arn:aws:logs:us-east-1:111111111111:destination:d"),
            "specified destination: a destinationArn of logs is not supported",
        ),
        (
            "destinationArn",
            json!("arn:aws:sqs:us-east-1:000000000000:q"),
            "PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs",
        ),
    ] {
        let mut request = filter("f", "");
        request[member] = value;
        let answer = bench.call("PutSubscriptionFilter", request).await;
        Bench::refused(answer, "InvalidParameterException", words);
    }
    for (arn, words) in [
        (
            "arn:aws:kinesis:us-east-1:000000000000:stream/s",
            "Could not deliver test message to specified Kinesis stream",
        ),
        (
            "arn:aws:firehose:us-east-1:000000000000:deliverystream/s",
            "Could not deliver test message to specified Firehose stream",
        ),
    ] {
        let mut request = filter("f", "");
        request["destinationArn"] = json!(arn);
        request["roleArn"] = json!(role);
        let answer = bench.call("PutSubscriptionFilter", request).await;
        Bench::refused(answer, "InvalidParameterException", words);
    }
    assert!(lambda.taken().is_empty());
    let nowhere = |operation: &'static str| {
        let mut request = filter("f", "");
        request["logGroupName"] = json!("/x");
        if operation != "PutSubscriptionFilter" {
            request = json!({"logGroupName": "/x", "filterName": "f"});
        }
        bench.call(operation, request)
    };
    for operation in ["PutSubscriptionFilter", "DeleteSubscriptionFilter"] {
        Bench::refused(nowhere(operation).await, "ResourceNotFoundException", "log group");
    }
    let described = bench
        .call("DescribeSubscriptionFilters", json!({"logGroupName": "/x"}))
        .await;
    Bench::refused(described, "ResourceNotFoundException", "log group");
    let unknown = bench
        .call(
            "DeleteSubscriptionFilter",
            json!({"logGroupName": "/a", "filterName": "f"}),
        )
        .await;
    Bench::refused(
        unknown,
        "ResourceNotFoundException",
        "The specified subscription filter does not exist.",
    );
}

#[tokio::test]
async fn filters_of_a_group_share_five_regular_expressions() {
    let (bench, lambda) = subscribed().await;
    subscribe(&bench, &lambda, "f", "%a% %b%").await;
    let metric = |name: &str, pattern: &str| {
        let request = json!({"logGroupName": "/a", "filterName": name, "filterPattern": pattern,
            "metricTransformations": [{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}]});
        bench.call("PutMetricFilter", request)
    };
    metric("m", "%a% %b%").await.expect("a filter");
    Bench::refused(metric("n", "%a% %b%").await, "LimitExceededException", "limit");
    metric("n", "%a%").await.expect("a filter");
    let sixth = bench.call("PutSubscriptionFilter", filter("g", "%a%")).await;
    Bench::refused(sixth, "LimitExceededException", "limit");
    subscribe(&bench, &lambda, "g", "a").await;
    // One that is replaced counts no more.
    subscribe(&bench, &lambda, "f", "%a%").await;
    subscribe(&bench, &lambda, "g", "%a%").await;
}

#[tokio::test]
async fn describe_subscription_filters_finds_pages_and_narrows() {
    let (bench, lambda) = subscribed().await;
    subscribe(&bench, &lambda, "one", "").await;
    subscribe(&bench, &lambda, "other", "").await;
    let names = |page: &Json| {
        let filters = page["subscriptionFilters"].as_array().expect("filters").clone();
        let name = |filter: &Json| filter["filterName"].as_str().expect("a name").to_owned();
        filters.iter().map(name).collect::<Vec<_>>()
    };
    for (prefix, found) in [("o", vec!["one", "other"]), ("ot", vec!["other"]), ("x", vec![])] {
        let request = json!({"logGroupName": "/a", "filterNamePrefix": prefix});
        let page = bench
            .call("DescribeSubscriptionFilters", request)
            .await
            .expect("filters");
        assert_eq!(names(&page), found, "{prefix}");
    }
    let request = json!({"logGroupName": "/a", "limit": 1});
    let first = bench
        .call("DescribeSubscriptionFilters", request)
        .await
        .expect("a page");
    assert_eq!(names(&first), ["one"]);
    let rest = json!({"logGroupName": "/a", "limit": 1, "nextToken": first["nextToken"]});
    let rest = bench
        .call("DescribeSubscriptionFilters", rest)
        .await
        .expect("a page");
    assert_eq!(
        (names(&rest), rest.get("nextToken")),
        (vec!["other".to_owned()], None)
    );
    let narrowed = json!({"logGroupName": "/a", "filterNamePrefix": "o", "nextToken": first["nextToken"]});
    let other = bench.call("DescribeSubscriptionFilters", narrowed).await;
    Bench::refused(other, "InvalidParameterException", "nextToken");
}
