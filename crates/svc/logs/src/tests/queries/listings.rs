//! What is there to query: the queries so far, the definitions that were saved, the fields of a group.

use serde_json::{Value as Json, json};

use super::{SECONDS, ended, filled, started};
use crate::Options;
use crate::harness::{Bench, START};
use crate::sweep::sweep;

#[tokio::test]
async fn describe_queries_finds_pages_and_narrows() {
    let bench = filled(Options::default()).await;
    let mut ids = Vec::new();
    for more in [
        json!({}),
        json!({"logGroupName": "/b"}),
        json!({"logGroupName": null, "logGroupNames": ["/a", "/b"]}),
    ] {
        let id = started(&bench, more).await;
        ended(&bench, &id).await;
        ids.push(id);
        bench.clock.advance(1000);
    }
    let found = |page: &Json| {
        let queries = page["queries"].as_array().expect("queries").clone();
        queries
            .iter()
            .map(|query| query["queryId"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    let [first, second, third] = [&ids[0], &ids[1], &ids[2]];
    for (request, wanted) in [
        (json!({}), vec![third, second, first]),
        (json!({"logGroupName": "/a"}), vec![third, first]),
        (
            json!({"status": "Complete", "queryLanguage": "CWLI"}),
            vec![third, second, first],
        ),
        (json!({"status": "Running"}), vec![]),
    ] {
        let page = bench
            .call("DescribeQueries", request.clone())
            .await
            .expect("queries");
        assert_eq!(
            found(&page),
            wanted.into_iter().cloned().collect::<Vec<_>>(),
            "{request}"
        );
    }
    let page = bench
        .call("DescribeQueries", json!({"maxResults": 2}))
        .await
        .expect("queries");
    let rest = json!({"maxResults": 2, "nextToken": page["nextToken"]});
    let rest = bench.call("DescribeQueries", rest).await.expect("queries");
    assert_eq!(found(&rest), std::slice::from_ref(first));
    let shown = &rest["queries"][0];
    assert_eq!(
        (
            &shown["logGroupName"],
            &shown["queryString"],
            &shown["createTime"],
            &shown["queryDuration"]
        ),
        (&json!("/a"), &json!("fields n"), &json!(START.0), &json!(0))
    );
    assert_eq!(shown["userIdentity"], "arn:aws:iam::000000000000:root");
    assert!(shown["bytesScanned"].as_f64().expect("bytes") > 0.0);
    let other = bench
        .call("DescribeQueries", json!({"queryLanguage": "SQL"}))
        .await;
    Bench::refused(other, "InvalidParameterException", "queryLanguage");
    // After seven days they are forgotten.
    bench.clock.advance(7 * 86_400_000 - 1000);
    let kept = bench.call("DescribeQueries", json!({})).await.expect("queries");
    assert_eq!(found(&kept), std::slice::from_ref(third));
    let gone = bench.call("GetQueryResults", json!({"queryId": first})).await;
    Bench::refused(gone, "ResourceNotFoundException", "query");
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 2);
    assert_eq!(sweep(&bench.logs).await.expect("swept"), 0);
}

#[tokio::test]
async fn the_fields_of_a_group_by_how_many_events_have_them() {
    let bench = filled(Options::default()).await;
    let odd = json!({"logGroupName": "/a", "logStreamName": "s", "logEvents": [
        {"timestamp": START.0, "message": "no JSON"}, {"timestamp": START.0, "message": r#"{"rare": 1, "n": 1}"#}]});
    bench.call("PutLogEvents", odd).await.expect("lines");
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/a";
    for request in [
        json!({"logGroupName": "/a"}),
        json!({"logGroupIdentifier": arn}),
        json!({"logGroupName": "/a", "time": SECONDS - 400}),
    ] {
        let fields = bench.call("GetLogGroupFields", request).await.expect("fields");
        let percent = |name: &str| {
            let all = fields["logGroupFields"].as_array().expect("fields");
            all.iter()
                .find(|field| field["name"] == name)
                .map(|field| field["percent"].clone())
        };
        assert_eq!(fields["logGroupFields"][0]["percent"], 100);
        assert_eq!(percent("@message"), Some(json!(100)));
        assert_eq!(
            (percent("n"), percent("inner.list.0"), percent("rare")),
            (Some(json!(85)), Some(json!(71)), Some(json!(14)))
        );
        assert_eq!(percent("@ptr"), None);
    }
    let earlier = bench
        .call("GetLogGroupFields", json!({"logGroupName": "/a", "time": 1}))
        .await
        .expect("fields");
    assert_eq!(earlier["logGroupFields"], json!([]));
    Bench::refused(
        bench.call("GetLogGroupFields", json!({})).await,
        "InvalidParameterException",
        "required",
    );
}

#[tokio::test]
async fn query_definitions_are_saved_changed_found_and_deleted() {
    let bench = Bench::new().await;
    let token = "t".repeat(36);
    let made = json!({"name": "b", "queryString": "fields a", "logGroupNames": ["/a"], "clientToken": token,
        "queryLanguage": "CWLI", "parameters": [{"name": "p", "defaultValue": "1", "description": "d"}]});
    let first = bench
        .call("PutQueryDefinition", made.clone())
        .await
        .expect("made");
    let again = bench.call("PutQueryDefinition", made).await.expect("the same");
    assert_eq!(first, again);
    for name in ["a", "ab"] {
        let made = json!({"name": name, "queryString": "limit 1"});
        bench.call("PutQueryDefinition", made).await.expect(name);
    }
    let bench = bench.restarted().await;
    let id = first["queryDefinitionId"].clone();
    let names = |page: &Json| {
        let all = page["queryDefinitions"].as_array().expect("definitions").clone();
        all.iter()
            .map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    let page = bench
        .call("DescribeQueryDefinitions", json!({"maxResults": 2}))
        .await
        .expect("a page");
    assert_eq!(names(&page), ["a", "ab"]);
    let rest = json!({"maxResults": 2, "nextToken": page["nextToken"]});
    let rest = bench
        .call("DescribeQueryDefinitions", rest)
        .await
        .expect("a page");
    assert_eq!(
        rest["queryDefinitions"],
        json!([{"name": "b", "queryString": "fields a", "logGroupNames": ["/a"], "queryDefinitionId": id,
            "lastModified": START.0, "queryLanguage": "CWLI",
            "parameters": [{"name": "p", "defaultValue": "1", "description": "d"}]}])
    );
    let narrowed = json!({"queryDefinitionNamePrefix": "a", "queryLanguage": "CWLI"});
    let narrowed = bench
        .call("DescribeQueryDefinitions", narrowed)
        .await
        .expect("a page");
    assert_eq!(names(&narrowed), ["a", "ab"]);
    // As documented, nothing of the old one stays.
    let changed = json!({"queryDefinitionId": id, "name": "c", "queryString": "fields c"});
    bench.call("PutQueryDefinition", changed).await.expect("changed");
    let shown = bench
        .call(
            "DescribeQueryDefinitions",
            json!({"queryDefinitionNamePrefix": "c"}),
        )
        .await
        .expect("a page");
    assert_eq!(shown["queryDefinitions"][0].get("logGroupNames"), None);
    let named = json!({"queryDefinitionId": id});
    let deleted = bench
        .call("DeleteQueryDefinition", named.clone())
        .await
        .expect("deleted");
    assert_eq!(deleted, json!({"success": true}));
    Bench::refused(
        bench.call("DeleteQueryDefinition", named).await,
        "ResourceNotFoundException",
        "definition",
    );
    let twice = json!([{"name": "p"}, {"name": "p"}]);
    let many: Vec<String> = (0..51).map(|number| format!("g{number}")).collect();
    for (member, value, code) in [
        ("queryLanguage", json!("SQL"), "InvalidParameterException"),
        ("parameters", twice, "InvalidParameterException"),
        ("logGroupNames", json!(many), "InvalidParameterException"),
        ("queryDefinitionId", json!("none"), "ResourceNotFoundException"),
    ] {
        let mut request = json!({"name": "x", "queryString": "limit 1"});
        request[member] = value;
        Bench::refused(bench.call("PutQueryDefinition", request).await, code, "");
    }
}

#[tokio::test]
async fn the_groups_of_a_query_are_listed_by_name() {
    let bench = filled(Options::default()).await;
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/a";
    let id = started(
        &bench,
        json!({"logGroupName": null, "logGroupIdentifiers": ["/b", arn]}),
    )
    .await;
    ended(&bench, &id).await;
    let bench = bench.restarted().await;
    let listed = bench
        .call("ListLogGroupsForQuery", json!({"queryId": id, "maxResults": 50}))
        .await
        .expect("groups");
    assert_eq!(listed, json!({"logGroupIdentifiers": ["/a", "/b"]}));
    let other = bench
        .call("ListLogGroupsForQuery", json!({"queryId": "nothing"}))
        .await;
    Bench::refused(other, "ResourceNotFoundException", "query");
    // A query has no more groups than a page, so that every token is another's.
    let next = json!({"queryId": id, "nextToken": "x"});
    let next = bench.call("ListLogGroupsForQuery", next).await;
    Bench::refused(next, "InvalidParameterException", "nextToken");
}
