//! Tasks that their service may not stop yet.

use serde_json::json;

use super::{is_steady, plane};
use crate::harness::text;

#[tokio::test]
async fn protected_tasks_outlast_scale_in_until_it_ends() {
    let plane = plane().await;
    plane.create(json!({})).await;
    let tasks = plane.all_run(2).await;
    plane.service_when("steady", is_steady).await;
    let protect =
        json!({"cluster": "default", "tasks": tasks, "protectionEnabled": true, "expiresInMinutes": 1});
    let answer = plane
        .cloud
        .call("UpdateTaskProtection", protect)
        .await
        .expect("protects");
    assert_eq!(answer["failures"], json!([]));
    for (shown, arn) in answer["protectedTasks"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(&tasks)
    {
        let wanted = json!({"taskArn": arn, "protectionEnabled": true, "expirationDate": 1_700_000_060});
        assert_eq!(*shown, wanted);
    }
    plane.update(json!({"desiredCount": 0})).await;
    let plane = plane.restart().await;
    let get = json!({"cluster": "default", "tasks": tasks});
    let shown = plane
        .cloud
        .call("GetTaskProtection", get.clone())
        .await
        .expect("shows");
    assert_eq!(shown["protectedTasks"], answer["protectedTasks"]);
    // One is given free, the other is so after its minute.
    let free = json!({"cluster": "default", "tasks": [tasks[0]], "protectionEnabled": false});
    let answer = plane
        .cloud
        .call("UpdateTaskProtection", free)
        .await
        .expect("frees");
    let wanted = json!([{"taskArn": tasks[0], "protectionEnabled": false}]);
    assert_eq!(answer["protectedTasks"], wanted);
    assert_eq!(plane.tasks("RUNNING", 1).await, [tasks[1].as_str()]);
    plane.cloud.clock.advance(60_000);
    plane.tasks("RUNNING", 0).await;
    let shown = plane.cloud.call("GetTaskProtection", get).await.expect("shows");
    let reasons = shown["failures"].as_array().expect("a list").iter();
    let reasons: Vec<String> = reasons.map(|failure| text(&failure["reason"])).collect();
    assert_eq!(
        reasons,
        ["TASK_NOT_VALID", "TASK_NOT_VALID"],
        "they are on their way out"
    );
}

#[tokio::test]
async fn protection_is_for_tasks_of_services() {
    let plane = plane().await;
    let alone = text(&plane.cloud.run(json!({"taskDefinition": "web"})).await["taskArn"]);
    let none = "0123456789abcdef0123456789abcdef";
    let update = json!({"cluster": "default", "tasks": [alone, none], "protectionEnabled": true});
    let answer = plane
        .cloud
        .call("UpdateTaskProtection", update)
        .await
        .expect("answers");
    assert_eq!(answer["protectedTasks"], json!([]));
    let get = json!({"cluster": "default", "tasks": [alone, none]});
    let same = plane.cloud.call("GetTaskProtection", get).await.expect("answers");
    assert_eq!(same["failures"], answer["failures"]);
    let reasons = [&answer["failures"][0]["reason"], &answer["failures"][1]["reason"]];
    assert_eq!(reasons, ["TASK_NOT_VALID", "MISSING"]);
    for (call, change, words) in [
        ("UpdateTaskProtection", json!({"tasks": []}), "cannot be empty"),
        (
            "UpdateTaskProtection",
            json!({"tasks": vec![none; 11]}),
            "at most 10",
        ),
        (
            "UpdateTaskProtection",
            json!({"expiresInMinutes": 0}),
            "expiresInMinutes",
        ),
        (
            "UpdateTaskProtection",
            json!({"expiresInMinutes": 2881}),
            "expiresInMinutes",
        ),
        (
            "UpdateTaskProtection",
            json!({"expiresInMinutes": 1, "protectionEnabled": false}),
            "protectionEnabled",
        ),
        ("GetTaskProtection", json!({"tasks": null}), "cannot be empty"),
        (
            "GetTaskProtection",
            json!({"tasks": vec![none; 101]}),
            "at most 100",
        ),
        (
            "GetTaskProtection",
            json!({"cluster": "none"}),
            "Cluster not found.",
        ),
    ] {
        let mut request = json!({"cluster": "default", "tasks": [none]});
        if call == "UpdateTaskProtection" {
            request["protectionEnabled"] = json!(true);
        }
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        let error = plane.cloud.call(call, request).await.expect_err(words);
        assert!(error.message.contains(words), "{call} {change}: {error}");
    }
}

#[tokio::test]
async fn there_are_no_namespaces() {
    let plane = plane().await;
    let list = async |request| {
        plane
            .cloud
            .call("ListServicesByNamespace", request)
            .await
            .expect_err("refused")
    };
    let error = list(json!({"namespace": "internal", "maxResults": 10})).await;
    assert_eq!(error.code, "NamespaceNotFoundException");
    for (request, words) in [
        (json!({"namespace": ""}), "blank"),
        (json!({"namespace": "a", "maxResults": 101}), "maxResults"),
        (json!({"namespace": "a", "nextToken": "forged"}), "nextToken"),
    ] {
        let error = list(request).await;
        assert!(
            error.code == "InvalidParameterException" && error.message.contains(words),
            "{error}"
        );
    }
}
