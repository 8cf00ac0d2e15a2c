//! DescribeTasks, ListTasks and StopTask as a reader sees them.

use serde_json::{Value as Json, json};

use crate::harness::{Cloud, MACHINE, cloud, definition, text};

async fn with_tasks() -> (Cloud, String, Vec<String>) {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let mut arns = Vec::new();
    for (family, by) in [("a", "x/1"), ("a", "y"), ("b", "x/1")] {
        let mut text_of = definition(family, "host", |d| {
            d["tags"] = json!([{"key": "from", "value": "definition"}])
        });
        text_of["containerDefinitions"][0]["memory"] = json!(100);
        cloud
            .call("RegisterTaskDefinition", text_of)
            .await
            .expect("registers");
        let input = json!({
            "taskDefinition": family, "startedBy": by, "propagateTags": "TASK_DEFINITION",
            "tags": [{"key": "own", "value": family}], "enableECSManagedTags": true,
        });
        arns.push(text(&cloud.run(input).await["taskArn"]));
    }
    arns.sort();
    (cloud, instance, arns)
}

async fn listed(cloud: &Cloud, input: Json) -> Vec<String> {
    let answer = cloud.call("ListTasks", input).await.expect("lists");
    answer["taskArns"]
        .as_array()
        .expect("ARNs")
        .iter()
        .map(text)
        .collect()
}

#[tokio::test]
async fn list_tasks_filters_by_every_member() {
    let (cloud, instance, arns) = with_tasks().await;
    for (input, count) in [
        (json!({}), 3),
        (json!({"cluster": "default"}), 3),
        (json!({"family": "a"}), 2),
        (json!({"family": "c"}), 0),
        (json!({"startedBy": "x/1"}), 2),
        (json!({"startedBy": "x"}), 0),
        (json!({"launchType": "EC2"}), 3),
        (json!({"launchType": "FARGATE"}), 0),
        (json!({"launchType": "EXTERNAL"}), 0),
        (json!({"containerInstance": instance}), 3),
        (json!({"containerInstance": "0".repeat(32)}), 0),
        (json!({"desiredStatus": "RUNNING", "family": "b"}), 1),
        (json!({"desiredStatus": "STOPPED"}), 0),
        (json!({"desiredStatus": "PENDING"}), 0),
    ] {
        assert_eq!(listed(&cloud, input.clone()).await.len(), count, "{input}");
    }
    let of_service = json!({"serviceName": "web"});
    let error = cloud.call("ListTasks", of_service.clone()).await;
    let error = error.expect_err("there is no such service");
    assert_eq!(
        (&*error.code, &*error.message),
        ("ServiceNotFoundException", "Service not found.")
    );
    let made = json!({"serviceName": "web", "taskDefinition": "a", "desiredCount": 0});
    cloud.call("CreateService", made).await.expect("a service");
    assert_eq!(listed(&cloud, of_service).await, [""; 0]);
    cloud
        .call("StopTask", json!({"task": arns[0]}))
        .await
        .expect("stops");
    assert_eq!(
        listed(&cloud, json!({"desiredStatus": "STOPPED"})).await,
        [arns[0].clone()]
    );
    assert_eq!(listed(&cloud, json!({})).await, arns[1..]);
    for (input, words) in [
        (json!({"startedBy": "x", "family": "a"}), "startedBy"),
        (json!({"daemonName": "d"}), "daemonName"),
        (json!({"maxResults": 0}), "maxResults"),
        (json!({"nextToken": "forged"}), "nextToken"),
        (json!({"containerInstance": "short"}), "length"),
    ] {
        let error = cloud.call("ListTasks", input).await.expect_err(words);
        assert!(
            error.code == "InvalidParameterException" && error.message.contains(words),
            "{error}"
        );
    }
}

#[tokio::test]
async fn list_tasks_pages_through_all_also_across_a_restart() {
    let (cloud, _, arns) = with_tasks().await;
    let first = cloud
        .call("ListTasks", json!({"maxResults": 2}))
        .await
        .expect("lists");
    assert_eq!(first["taskArns"], json!(arns[..2]));
    let cloud = cloud.restart().await;
    let input = json!({"maxResults": 2, "nextToken": first["nextToken"]});
    let second = cloud.call("ListTasks", input).await.expect("lists");
    assert_eq!(
        (&second["taskArns"], &second["nextToken"]),
        (&json!(arns[2..]), &Json::Null)
    );
    let foreign = json!({"family": "a", "nextToken": first["nextToken"]});
    assert!(cloud.call("ListTasks", foreign).await.is_err());
}

#[tokio::test]
async fn describe_tasks_shows_tags_when_asked_and_names_what_is_missing() {
    let (cloud, _, arns) = with_tasks().await;
    let id = arns[0].rsplit('/').next().expect("an id");
    // Of either of the two forms that ids have had.
    let missing = "01234567-89ab-cdef-0123-456789abcdef";
    let answer = cloud
        .call("DescribeTasks", json!({"tasks": [id, arns[1], missing]}))
        .await
        .expect("answers");
    assert_eq!(answer["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&answer["tasks"][0]["taskArn"], &answer["tasks"][0]["tags"]),
        (&json!(arns[0]), &json!([]))
    );
    assert_eq!(answer["failures"][0]["reason"], "MISSING");
    assert!(text(&answer["failures"][0]["arn"]).ends_with(missing));
    let with_tags = json!({"tasks": [arns[0]], "include": ["TAGS"]});
    let answer = cloud.call("DescribeTasks", with_tags).await.expect("answers");
    let tags = answer["tasks"][0]["tags"].clone();
    let keys: Vec<String> = tags
        .as_array()
        .expect("tags")
        .iter()
        .map(|tag| text(&tag["key"]))
        .collect();
    assert_eq!(keys, ["aws:ecs:clusterName", "from", "own"]);
    let many: Vec<String> = (0..101).map(|i| format!("{i:032x}")).collect();
    for (input, code, words) in [
        (json!({"tasks": []}), "InvalidParameterException", "empty"),
        (json!({"tasks": many}), "InvalidParameterException", "at most 100"),
        (json!({"tasks": ["short"]}), "InvalidParameterException", "length"),
        (
            json!({"tasks": ["_".repeat(32)]}),
            "InvalidParameterException",
            "letters, digits and hyphens",
        ),
        (
            json!({"tasks": [id], "cluster": "nowhere"}),
            "ClusterNotFoundException",
            "not found",
        ),
    ] {
        let error = cloud.call("DescribeTasks", input).await.expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn stop_task_twice_is_once_and_its_first_reason_stays() {
    let (cloud, _, arns) = with_tasks().await;
    let first = cloud
        .call("StopTask", json!({"task": arns[0], "reason": "one"}))
        .await
        .expect("stops");
    assert_eq!(first["task"]["stoppedReason"], "one");
    let second = cloud
        .call("StopTask", json!({"task": arns[0], "reason": "two"}))
        .await
        .expect("answers");
    assert_eq!(
        (&second["task"]["stoppedReason"], &second["task"]["stopCode"]),
        (&json!("one"), &json!("UserInitiated"))
    );
    let plain = cloud
        .call("StopTask", json!({"task": arns[1], "cluster": "default"}))
        .await
        .expect("stops");
    assert_eq!(plain["task"]["stoppedReason"], "Task stopped by user");
    for (input, code, words) in [
        (
            json!({"task": "0".repeat(32)}),
            "InvalidParameterException",
            "The referenced task was not found.",
        ),
        (
            json!({"task": arns[2], "cluster": "nowhere"}),
            "ClusterNotFoundException",
            "not found",
        ),
        (
            json!({"task": arns[2], "reason": "x".repeat(1025)}),
            "InvalidParameterException",
            "1024",
        ),
        (json!({"task": ""}), "InvalidParameterException", "blank"),
    ] {
        let error = cloud.call("StopTask", input).await.expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
}
