//! Groups: made, described, kept for so long, protected, deleted.

use serde_json::{Value as Json, json};

use crate::harness::Bench;

#[tokio::test]
async fn create_log_group_once_describe_keep_and_delete_it() {
    let bench = Bench::new().await;
    let made = json!({"logGroupName": "/app/a", "tags": {"team": "a"}, "logGroupClass": "STANDARD"});
    bench.call("CreateLogGroup", made.clone()).await.expect("made");
    let again = bench.call("CreateLogGroup", made).await;
    Bench::refused(
        again,
        "ResourceAlreadyExistsException",
        "The specified log group already exists",
    );
    let days = |days: i32| json!({"logGroupName": "/app/a", "retentionInDays": days});
    bench
        .call("PutRetentionPolicy", days(7))
        .await
        .expect("kept for a week");
    Bench::refused(
        bench.call("PutRetentionPolicy", days(8)).await,
        "InvalidParameterException",
        "enum value set",
    );
    let bench = bench.restarted().await;
    let shown = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/app/a";
    assert_eq!(
        shown,
        json!({"logGroups": [{"logGroupName": "/app/a", "arn": format!("{arn}:*"), "logGroupArn": arn,
            "creationTime": 1_700_000_000_000_i64, "retentionInDays": 7, "storedBytes": 0, "metricFilterCount": 0,
            "logGroupClass": "STANDARD", "deletionProtectionEnabled": false}]})
    );
    bench
        .call("DeleteRetentionPolicy", json!({"logGroupName": "/app/a"}))
        .await
        .expect("kept for ever");
    let shown = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    assert!(shown["logGroups"][0].get("retentionInDays").is_none());
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/app/a"}))
        .await
        .expect("deleted");
    for (operation, input) in [
        ("DeleteLogGroup", json!({"logGroupName": "/app/a"})),
        ("PutRetentionPolicy", days(7)),
        ("DeleteRetentionPolicy", json!({"logGroupName": "/app/a"})),
        (
            "CreateLogStream",
            json!({"logGroupName": "/app/a", "logStreamName": "s"}),
        ),
    ] {
        Bench::refused(
            bench.call(operation, input).await,
            "ResourceNotFoundException",
            "The specified log group does not exist.",
        );
    }
}

#[tokio::test]
async fn describe_log_groups_finds_pages_and_narrows() {
    let bench = Bench::new().await;
    for name in ["/app/b", "/app/a", "/other", "/app/c"] {
        bench
            .call("CreateLogGroup", json!({"logGroupName": name}))
            .await
            .expect(name);
    }
    let names = |page: &Json| {
        let groups = page["logGroups"].as_array().expect("groups").clone();
        let name = |group: &Json| group["logGroupName"].as_str().expect("a name").to_owned();
        groups.iter().map(name).collect::<Vec<_>>()
    };
    let first = json!({"logGroupNamePrefix": "/app/", "limit": 2});
    let first = bench.call("DescribeLogGroups", first).await.expect("a page");
    assert_eq!(names(&first), ["/app/a", "/app/b"]);
    let rest = json!({"logGroupNamePrefix": "/app/", "limit": 2, "nextToken": first["nextToken"]});
    let rest = bench.call("DescribeLogGroups", rest).await.expect("a page");
    assert_eq!(names(&rest), ["/app/c"]);
    assert!(rest.get("nextToken").is_none());
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/app/c";
    for (request, found) in [
        (json!({"logGroupNamePattern": "the"}), vec!["/other"]),
        (json!({"logGroupNamePattern": "THE"}), vec![]),
        (
            json!({"logGroupIdentifiers": ["/app/b", arn]}),
            vec!["/app/b", "/app/c"],
        ),
        (json!({"logGroupClass": "INFREQUENT_ACCESS"}), vec![]),
        (
            json!({"logGroupClass": "STANDARD", "logGroupNamePrefix": "/o"}),
            vec!["/other"],
        ),
        (
            json!({"includeLinkedAccounts": false, "logGroupNamePrefix": "/o"}),
            vec!["/other"],
        ),
    ] {
        let page = bench
            .call("DescribeLogGroups", request.clone())
            .await
            .expect("a page");
        assert_eq!(names(&page), found, "{request}");
    }
    for (request, words) in [
        (
            json!({"logGroupNamePattern": "abc", "logGroupNamePrefix": "b"}),
            "mutually exclusive",
        ),
        (
            json!({"logGroupIdentifiers": ["/app/a"], "logGroupNamePrefix": "b"}),
            "logGroupIdentifiers",
        ),
        (json!({"nextToken": "forged"}), "nextToken"),
        (json!({"nextToken": first["nextToken"]}), "nextToken"),
        (
            json!({"accountIdentifiers": ["000000000000"]}),
            "accountIdentifiers",
        ),
        (json!({"includeLinkedAccounts": true}), "includeLinkedAccounts"),
    ] {
        Bench::refused(
            bench.call("DescribeLogGroups", request).await,
            "InvalidParameterException",
            words,
        );
    }
}

#[tokio::test]
async fn what_groups_cannot_have_yet_is_refused_by_name() {
    let bench = Bench::new().await;
    for (member, value) in [
        ("kmsKeyId", json!("arn:aws:kms:us-east-1:000000000000:key/x")),
        ("logGroupClass", json!("INFREQUENT_ACCESS")),
        ("tags", json!({"aws:x": "y"})),
    ] {
        let mut request = json!({"logGroupName": "/a"});
        request[member] = value;
        let words = if member == "tags" { "reserved" } else { member };
        Bench::refused(
            bench.call("CreateLogGroup", request).await,
            "InvalidParameterException",
            words,
        );
    }
    let reserved = bench
        .call("CreateLogGroup", json!({"logGroupName": "aws/x"}))
        .await;
    Bench::refused(reserved, "InvalidParameterException", "reserved");
}

#[tokio::test]
async fn a_protected_group_stays() {
    let bench = Bench::new().await;
    let made = json!({"logGroupName": "/a", "deletionProtectionEnabled": true});
    bench.call("CreateLogGroup", made).await.expect("made");
    bench
        .call(
            "CreateLogStream",
            json!({"logGroupName": "/a", "logStreamName": "s"}),
        )
        .await
        .expect("a stream");
    let kept = bench.call("DeleteLogGroup", json!({"logGroupName": "/a"})).await;
    Bench::refused(kept, "ValidationException", "protected");
    let kept = bench
        .call(
            "DeleteLogStream",
            json!({"logGroupName": "/a", "logStreamName": "s"}),
        )
        .await;
    Bench::refused(kept, "ValidationException", "protected");
    let shown = bench.call("DescribeLogGroups", json!({})).await.expect("groups");
    assert_eq!(shown["logGroups"][0]["deletionProtectionEnabled"], true);
}

#[tokio::test]
async fn list_log_groups_finds_pages_and_narrows() {
    let bench = Bench::new().await;
    for (name, tag) in [("/app/b", "prod"), ("/app/a", "test"), ("/other", "Production")] {
        let made = json!({"logGroupName": name, "tags": {"stage": tag}});
        bench.call("CreateLogGroup", made).await.expect(name);
    }
    let names = |page: &Json| {
        let groups = page["logGroups"].as_array().expect("groups").clone();
        let name = |group: &Json| group["logGroupName"].as_str().expect("a name").to_owned();
        groups.iter().map(name).collect::<Vec<_>>()
    };
    for (request, found) in [
        (json!({}), vec!["/app/a", "/app/b", "/other"]),
        (
            json!({"logGroupNamePattern": "^/app/a|other"}),
            vec!["/app/a", "/other"],
        ),
        (json!({"logGroupClass": "DELIVERY"}), vec![]),
        (
            json!({"logGroupClass": "STANDARD", "includeLinkedAccounts": false}),
            vec!["/app/a", "/app/b", "/other"],
        ),
        (
            json!({"logGroupTags": [{"key": "stage", "values": ["prod*"]}]}),
            vec!["/app/b", "/other"],
        ),
        (
            json!({"logGroupTags": [{"key": "stage", "values": ["!prod"]}, {"key": "stage"}]}),
            vec!["/app/a", "/other"],
        ),
        (json!({"logGroupTags": [{"key": "none"}]}), vec![]),
    ] {
        let page = bench
            .call("ListLogGroups", request.clone())
            .await
            .expect("a page");
        assert_eq!(names(&page), found, "{request}");
    }
    let first = bench
        .call("ListLogGroups", json!({"limit": 2}))
        .await
        .expect("a page");
    assert_eq!(
        first["logGroups"][0],
        json!({"logGroupName": "/app/a", "logGroupClass": "STANDARD",
            "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:/app/a"})
    );
    let rest = json!({"limit": 2, "nextToken": first["nextToken"]});
    assert_eq!(
        names(&bench.call("ListLogGroups", rest).await.expect("a page")),
        ["/other"]
    );
    for (member, value) in [
        ("accountIdentifiers", json!(["000000000000"])),
        ("dataSources", json!([{"name": "x"}])),
        ("fieldIndexNames", json!(["x"])),
        ("includeLinkedAccounts", json!(true)),
    ] {
        let refused = bench.call("ListLogGroups", json!({ member: value })).await;
        Bench::refused(refused, "InvalidParameterException", member);
    }
}

#[tokio::test]
async fn protection_is_put_on_and_taken_off() {
    let bench = Bench::new().await;
    let protect = |on: bool| json!({"logGroupIdentifier": "/a", "deletionProtectionEnabled": on});
    let missing = bench.call("PutLogGroupDeletionProtection", protect(true)).await;
    Bench::refused(missing, "ResourceNotFoundException", "log group");
    bench
        .call("CreateLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("made");
    for _ in 0..2 {
        bench
            .call("PutLogGroupDeletionProtection", protect(true))
            .await
            .expect("protected");
    }
    let bench = bench.restarted().await;
    let kept = bench.call("DeleteLogGroup", json!({"logGroupName": "/a"})).await;
    Bench::refused(kept, "ValidationException", "protected");
    bench
        .call("PutLogGroupDeletionProtection", protect(false))
        .await
        .expect("free");
    bench
        .call("DeleteLogGroup", json!({"logGroupName": "/a"}))
        .await
        .expect("deleted");
}

#[tokio::test]
async fn days_that_cannot_be_are_told_those_that_can() {
    let bench = Bench::new().await;
    bench.group("/a", &[]).await;
    let two = json!({"logGroupName": "/a", "retentionInDays": 2});
    Bench::refused(
        bench.call("PutRetentionPolicy", two).await,
        "InvalidParameterException",
        "1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must \
         satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90,",
    );
}
