//! The gate by the wire: real sockets, real bytes, services that only record what reached them.

mod support;

use roadstead_base::Caller;
use roadstead_dispatch::Trust;
use roadstead_protocol::Value;
use roadstead_protocol::sigv4::{SigningKey, sign};
use support::{NOW, world};

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

#[tokio::test]
async fn json_calls_reach_their_service_with_their_caller() {
    let world = world(Trust::UnknownIsRoot).await;
    let (status, body) = world
        .json(
            "111122223333",
            &format!("{ECS}.ListTasks"),
            "",
            r#"{"cluster":"a","family":null}"#,
        )
        .await;
    assert_eq!((status, body.as_str()), (200, "{}"));
    let seen = world.seen.lock().expect("no panic holds it");
    let (operation, ctx, input) = &seen[0];
    assert_eq!(operation, "ListTasks");
    assert_eq!(
        (ctx.account.as_str(), ctx.region.as_str(), &ctx.caller),
        ("111122223333", "us-east-1", &Caller::Root)
    );
    assert_eq!(input.get("cluster"), Some(&Value::Str("a".into())));
    assert_eq!(input.get("family"), None);
}

#[tokio::test]
async fn bad_json_requests_are_refused_in_the_services_form() {
    let world = world(Trust::UnknownIsRoot).await;
    for (target, body, status, code, named) in [
        ("ListTasks", "{", 400, "SerializationException", "JSON"),
        ("ListTasks", "[]", 400, "SerializationException", "object"),
        (
            "ListTasks",
            r#"{"cluster":1}"#,
            400,
            "SerializationException",
            "cluster",
        ),
        (
            "ListTasks",
            r#"{"nonsense":1}"#,
            400,
            "InvalidParameterException",
            "nonsense",
        ),
        (
            "ListTasks",
            r#"{"launchType":"MARS"}"#,
            400,
            "InvalidParameterException",
            "launchType",
        ),
        (
            "RegisterTaskDefinition",
            r#"{"family":"a"}"#,
            400,
            "InvalidParameterException",
            "containerDefinitions",
        ),
        (
            "RegisterTaskDefinition",
            r#"{"family":"a","containerDefinitions":[{"nme":"x"}]}"#,
            400,
            "InvalidParameterException",
            "containerDefinitions[0].nme",
        ),
        (
            "UpdateContainerAgent",
            "{}",
            501,
            "NotImplemented",
            "UpdateContainerAgent",
        ),
        ("Nonsense", "{}", 400, "UnknownOperationException", "Nonsense"),
    ] {
        let (got, answer) = world.json("AK", &format!("{ECS}.{target}"), "", body).await;
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(
            (got, answer["__type"].as_str()),
            (status, Some(code)),
            "{target} {body}: {answer}"
        );
        assert!(
            answer["message"].as_str().is_some_and(|m| m.contains(named)),
            "{target} {body}: {answer}"
        );
    }
    let deep = "[".repeat(10_000);
    assert_eq!(
        world.json("AK", &format!("{ECS}.ListTasks"), "", &deep).await.0,
        400
    );
    let large = format!(r#"{{"cluster":"{}"}}"#, "a".repeat(70_000));
    assert_eq!(
        world.json("AK", &format!("{ECS}.ListTasks"), "", &large).await.0,
        413
    );
    assert_eq!(world.calls(), 0, "none of them reached the service");
}

#[tokio::test]
async fn errors_carry_their_members() {
    let world = world(Trust::UnknownIsRoot).await;
    let (status, body) = world
        .json("AK", &format!("{ECS}.RunTask"), "", r#"{"taskDefinition":"a"}"#)
        .await;
    assert_eq!(status, 400);
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({"__type": "ConflictException", "message": "<twice & again>", "resourceIds": ["a"]})
    );
}

#[tokio::test]
async fn ec2_forms_become_structures_and_answers_xml() {
    let world = world(Trust::UnknownIsRoot).await;
    let form = "Action=DescribeSubnets&Version=2016-11-15&Filter.2.Name=b&Filter.1.Name=a&Filter.1.Value.1=x%20y&SubnetId.1=s-1&MaxResults=5";
    let (status, body) = world.ec2(form).await;
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains(
            "<DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15\"><requestId>"
        ),
        "{body}"
    );
    let seen = world.seen.lock().expect("no panic holds it").remove(0).2;
    let filters = seen.get("Filters").expect("filters");
    let Value::List(filters) = filters else {
        panic!("{filters:?}")
    };
    assert_eq!(filters[0].get("Name"), Some(&Value::Str("a".into())));
    assert_eq!(
        filters[0].get("Values"),
        Some(&Value::List(vec![Value::Str("x y".into())]))
    );
    assert_eq!(filters[1].get("Name"), Some(&Value::Str("b".into())));
    assert_eq!(seen.get("MaxResults"), Some(&Value::Int(5)));
    for (form, status, code) in [
        ("Version=2016-11-15", 400, "MissingAction"),
        ("Action=Nope&Version=2016-11-15", 400, "InvalidAction"),
        ("Action=RunInstances&Version=2016-11-15", 501, "NotImplemented"),
        ("Action=DescribeSubnets&Version=1999-01-01", 400, "NoSuchVersion"),
        (
            "Action=DescribeSubnets&Version=2016-11-15&Nope=1",
            400,
            "UnknownParameter",
        ),
        (
            "Action=DescribeSubnets&Version=2016-11-15&MaxResults=x",
            400,
            "InvalidParameterValue",
        ),
        ("Action=DeleteSubnet&Version=2016-11-15", 400, "MissingParameter"),
    ] {
        let (got, body) = world.ec2(form).await;
        assert_eq!(got, status, "{form}: {body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{form}: {body}");
    }
}

#[tokio::test]
async fn web_pages_cannot_use_the_trusting_listener() {
    let world = world(Trust::UnknownIsRoot).await;
    let (status, _) = world
        .json(
            "AK",
            &format!("{ECS}.ListTasks"),
            "Origin: http://evil.example\r\n",
            "{}",
        )
        .await;
    assert_eq!(status, 403);
    let (status, _, _) = world
        .raw("POST / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(status, 403);
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn strangers_are_refused_elsewhere_and_issued_keys_are_held_to_their_signature() {
    let world = world(Trust::IssuedOnly).await;
    let target = format!("{ECS}.ListTasks");
    let (status, body) = world.json("AK", &target, "", "{}").await;
    assert_eq!(status, 400);
    assert!(body.contains("UnrecognizedClientException"), "{body}");
    let (_, body) = world
        .json("RSKEY", &target, "X-Amz-Date: 20270115T080000Z\r\n", "{}")
        .await;
    assert!(body.contains("InvalidSignatureException"), "{body}");

    let mut headers = http::HeaderMap::new();
    headers.insert("host", "localhost".parse().expect("a header"));
    headers.insert("x-amz-target", target.parse().expect("a header"));
    let key = SigningKey {
        access_key: "RSKEY",
        secret: "secret",
        region: "us-east-1",
        service: "ecs",
    };
    sign(
        &http::Method::POST,
        &"/".parse().expect("a URI"),
        &mut headers,
        b"{}",
        &key,
        NOW,
    );
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("ASCII")))
        .collect();
    for (body, status) in [("{}", 200), ("{ }", 400)] {
        let request = format!(
            "POST / HTTP/1.1\r\nConnection: close\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (got, _, answer) = world.raw(&request).await;
        assert_eq!(got, status, "{answer}");
    }
    assert_eq!(
        world.seen.lock().expect("no panic holds it")[0].1.caller,
        Caller::Node
    );
}

#[tokio::test]
async fn unsigned_and_misdirected_requests_are_refused() {
    let world = world(Trust::UnknownIsRoot).await;
    let (status, head, body) = world
        .raw(&format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Amz-Target: {ECS}.ListTasks\r\nContent-Length: 2\r\n\r\n{{}}"
        ))
        .await;
    assert_eq!(status, 400);
    assert!(head.contains("x-amzn-requestid: "), "{head}");
    assert!(body.contains("MissingAuthenticationTokenException"), "{body}");
    let (status, _) = world.json("AK", "Nope_2020.Do", "", "{}").await;
    assert_eq!(status, 400);
    let (status, _, _) = world
        .raw("GET /nope HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_health_check_says_when_all_is_there() {
    let world = world(Trust::IssuedOnly).await;
    for expected in ["starting", "running"] {
        let (status, _, body) = world
            .raw("GET /_roadstead/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await;
        let health: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((status, health["status"].as_str()), (200, Some(expected)));
        assert!(health["version"].is_string(), "{body}");
        world.dispatcher.set_ready();
    }
}

#[tokio::test]
async fn an_opened_listener_serves_strangers_under_any_name() {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: 169.254.170.2:4566\r\nConnection: close\r\nX-Amz-Target: {ECS}.ListTasks\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AK/20270115/us-east-1/ecs/aws4_request, SignedHeaders=host, \
         Signature=00\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    for (trust, status) in [
        (Trust::Opened, 200),
        (Trust::UnknownIsRoot, 403),
        (Trust::IssuedOnly, 400),
    ] {
        let (got, _, body) = world(trust).await.raw(&request).await;
        assert_eq!(got, status, "{trust:?}: {body}");
    }
}
