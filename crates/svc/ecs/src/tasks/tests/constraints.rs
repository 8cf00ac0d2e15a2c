//! `memberOf` and placement strategies, from the request to the instance.

use serde_json::{Value as Json, json};

use super::placing::{count, reasons};
use crate::harness::{Agent, Cloud, cloud, definition, registration, text};

/// Three machines, in zones a, a and b, the last one with an attribute `rack` = 7. Small tasks of `host`.
async fn three() -> (Cloud, [String; 3], Vec<Agent>) {
    let cloud = cloud().await;
    let mut instances = Vec::new();
    let mut agents = Vec::new();
    for (machine, zone) in [("1", "us-east-1a"), ("2", "us-east-1a"), ("3", "us-east-1b")] {
        let machine = format!("i-0000000000000000{machine}");
        let mut request = registration("default", &machine, 0, zone);
        if zone == "us-east-1b" {
            let attribute = json!({"name": "rack", "value": "7"});
            request["attributes"]
                .as_array_mut()
                .expect("a list")
                .push(attribute);
        }
        let answer = cloud.call("RegisterContainerInstance", request).await;
        let instance = text(&answer.expect("registers")["containerInstance"]["containerInstanceArn"]);
        let mut agent = cloud.agent(&instance).await;
        agent.manifest().await;
        agents.push(agent);
        instances.push(instance);
    }
    let small = definition("host", "host", |d| {
        d["containerDefinitions"][0]["cpu"] = json!(10);
        d["containerDefinitions"][0]["memory"] = json!(10);
    });
    cloud
        .call("RegisterTaskDefinition", small)
        .await
        .expect("registers");
    let instances = instances.try_into().expect("three");
    (cloud, instances, agents)
}

fn hosts(answer: &Json) -> Vec<String> {
    let tasks = answer["tasks"].as_array().expect("tasks").iter();
    tasks.map(|task| text(&task["containerInstanceArn"])).collect()
}

fn member_of(expression: &str) -> Json {
    json!([{"type": "memberOf", "expression": expression}])
}

#[tokio::test]
async fn member_of_keeps_tasks_to_the_instances_it_means() {
    let (cloud, [one, two, three], _agents) = three().await;
    let id = |arn: &str| arn.rsplit('/').next().unwrap_or_default().to_owned();
    for (expression, expected) in [
        ("attribute:rack exists", vec![&three]),
        ("attribute:ecs.availability-zone == us-east-1a", vec![&one, &two]),
        (
            "attribute:ecs.availability-zone == us-east-1a and ec2InstanceId =~ .*1",
            vec![&one],
        ),
        (
            "not(attribute:rack in [7]) && agentVersion == 1 && ec2InstanceId != i-00000000000000001",
            vec![&two],
        ),
    ] {
        let input =
            json!({"taskDefinition": "host", "count": 4, "placementConstraints": member_of(expression)});
        let answer = cloud.call("RunTask", input).await.expect("answers");
        let mut hosts = hosts(&answer);
        assert_eq!(hosts.len(), 4, "{expression}: {answer:#}");
        hosts.sort();
        hosts.dedup();
        let mut expected: Vec<String> = expected.into_iter().cloned().collect();
        expected.sort();
        assert_eq!(hosts, expected, "{expression}");
    }
    // Beside tasks of another group: none is there yet, so that nothing can go anywhere.
    let beside =
        json!({"taskDefinition": "host", "group": "b", "placementConstraints": member_of("task:group == a")});
    let answer = cloud.call("RunTask", beside.clone()).await.expect("answers");
    assert_eq!(
        reasons(&answer),
        ["memberOf placement constraint unsatisfied."; 3]
    );
    let first = json!({"taskDefinition": "host", "group": "a", "containerInstances": [id(&two)]});
    cloud.call("StartTask", first).await.expect("answers");
    let answer = cloud.call("RunTask", beside).await.expect("answers");
    assert_eq!(hosts(&answer), [two]);
}

#[tokio::test]
async fn an_attribute_that_no_instance_has_is_the_reason() {
    let (cloud, instances, _agents) = three().await;
    let expression = "attribute:ecs.os-type == windows";
    let input = json!({"taskDefinition": "host", "placementConstraints": member_of(expression)});
    let answer = cloud.call("RunTask", input).await.expect("answers");
    assert_eq!(
        (count(&answer), reasons(&answer)),
        (0, vec!["ATTRIBUTE".to_owned(); 3])
    );
    let detail = text(&answer["failures"][0]["detail"]);
    assert!(detail.contains(expression), "{detail}");
    // The same, said by the definition: as its system, or as a constraint of its own.
    let windows = definition("windows", "host", |d| {
        d["runtimePlatform"] = json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"});
    });
    let constrained = definition("constrained", "host", |d| {
        d["placementConstraints"] = member_of(expression)
    });
    for (family, definition, words) in [
        ("windows", windows, "ecs.os-family"),
        ("constrained", constrained, expression),
    ] {
        let shown = cloud
            .call("RegisterTaskDefinition", definition.clone())
            .await
            .expect("registers");
        if family == "constrained" {
            assert_eq!(
                shown["taskDefinition"]["placementConstraints"],
                definition["placementConstraints"]
            );
        }
        for (operation, more) in [
            ("RunTask", json!({})),
            ("StartTask", json!({"containerInstances": instances})),
        ] {
            let mut input = json!({"taskDefinition": family});
            input
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().expect("an object").clone());
            let answer = cloud.call(operation, input).await.expect("answers");
            assert_eq!(reasons(&answer), ["ATTRIBUTE"; 3], "{operation} {family}");
            let detail = text(&answer["failures"][0]["detail"]);
            assert!(detail.contains(words), "{detail}");
        }
    }
}

#[tokio::test]
async fn constraints_of_definition_and_request_count_together() {
    let (cloud, _, _agents) = three().await;
    let six: Vec<Json> = (0..6)
        .map(|n| json!({"type": "memberOf", "expression": format!("attribute:a{n} !exists")}))
        .collect();
    let constrained = definition("six", "host", |d| d["placementConstraints"] = json!(six));
    cloud
        .call("RegisterTaskDefinition", constrained)
        .await
        .expect("registers");
    let input = json!({"taskDefinition": "six", "placementConstraints": six});
    let error = cloud.call("RunTask", input).await.expect_err("is refused");
    assert!(
        error.code == "InvalidParameterException" && error.message.contains("at most 10"),
        "{error}"
    );
    cloud
        .run(json!({"taskDefinition": "six", "placementConstraints": six[..4]}))
        .await;
}

#[tokio::test]
async fn strategies_pack_spread_and_chain() {
    let (cloud, [one, two, three], _agents) = three().await;
    let run = |strategies: Json, count: usize, group: &'static str| {
        let input = json!({"taskDefinition": "host", "count": count, "group": group, "placementStrategy": strategies});
        let cloud = &cloud;
        async move { hosts(&cloud.call("RunTask", input).await.expect("answers")) }
    };
    // Something on the second, so that it has the least left.
    let first = json!({"taskDefinition": "host", "group": "first", "containerInstances": [two]});
    cloud.call("StartTask", first).await.expect("answers");
    let packed = run(json!([{"type": "binpack", "field": "memory"}]), 4, "packed").await;
    assert_eq!(packed, vec![two.clone(); 4]);
    let packed = run(json!([{"type": "binpack", "field": "CPU"}]), 2, "packed").await;
    assert_eq!(packed, vec![two.clone(); 2]);
    // By zones: as many in b, where one instance is, as in a, where two are.
    let spread = run(
        json!([{"type": "spread", "field": "attribute:ecs.availability-zone"}]),
        6,
        "spread",
    )
    .await;
    assert_eq!(spread.iter().filter(|host| **host == three).count(), 3);
    // By zones, then packed: in a always the one that has the least left.
    let chained = json!([
        {"type": "spread", "field": "attribute:ecs.availability-zone"},
        {"type": "binpack", "field": "memory"},
    ]);
    let chained = run(chained, 6, "chained").await;
    assert_eq!(chained.iter().filter(|host| **host == two).count(), 3);
    assert_eq!(chained.iter().filter(|host| **host == three).count(), 3);
    // What is spread are the tasks of the group, whatever else runs where.
    for field in ["instanceId", "host"] {
        let spread = run(json!([{"type": "spread", "field": field}]), 6, field).await;
        for instance in [&one, &two, &three] {
            assert_eq!(
                spread.iter().filter(|host| *host == instance).count(),
                2,
                "{field}"
            );
        }
    }
    assert_eq!(run(json!([{"type": "random"}]), 5, "random").await.len(), 5);
}

#[tokio::test]
async fn listings_keep_to_the_instances_an_expression_means() {
    let (cloud, [one, two, three], _agents) = three().await;
    let task = json!({"taskDefinition": "host", "group": "g", "containerInstances": [one]});
    cloud.call("StartTask", task).await.expect("answers");
    cloud.register("default", "i-0000000000000000f", 0).await;
    let list = |filter: &'static str, max: i32| {
        let cloud = &cloud;
        async move {
            let (mut seen, mut token) = (Vec::new(), Json::Null);
            loop {
                let input = json!({"filter": filter, "maxResults": max, "nextToken": token});
                let page = cloud.call("ListContainerInstances", input).await.expect(filter);
                seen.extend(
                    page["containerInstanceArns"]
                        .as_array()
                        .expect("arns")
                        .iter()
                        .map(text),
                );
                token = page["nextToken"].clone();
                if token.is_null() {
                    return seen;
                }
            }
        }
    };
    let sorted = |arns: &[&String]| {
        let mut arns: Vec<String> = arns.iter().map(|arn| (*arn).clone()).collect();
        arns.sort();
        arns
    };
    assert_eq!(
        list("agentConnected == true", 1).await,
        sorted(&[&one, &two, &three])
    );
    assert_eq!(list("task:group == g", 100).await, sorted(&[&one]));
    assert_eq!(
        list("agentConnected != false and task:group != g", 1).await,
        sorted(&[&two, &three])
    );
    assert_eq!(
        list("runningTasksCount == 0 and attribute:rack == 7", 100).await,
        sorted(&[&three])
    );
    assert_eq!(list("registeredAt < 2000-01-01", 100).await, sorted(&[]));
    // A token belongs to its filter.
    let page = cloud
        .call("ListContainerInstances", json!({"maxResults": 1}))
        .await
        .expect("a page");
    let other = json!({"maxResults": 1, "filter": "agentConnected == true", "nextToken": page["nextToken"]});
    let error = cloud
        .call("ListContainerInstances", other)
        .await
        .expect_err("another listing's token");
    assert_eq!(error.code, "InvalidParameterException");
}
