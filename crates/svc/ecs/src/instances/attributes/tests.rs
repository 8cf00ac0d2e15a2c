//! Attributes from the call to the placement, and states of instances.

use serde_json::{Value as Json, json};

use crate::harness::{Cloud, MACHINE, cloud, definition, text};

fn attribute(name: &str, value: Option<&str>, target: &str) -> Json {
    let mut attribute = json!({"name": name, "targetId": target});
    if let Some(value) = value {
        attribute["value"] = json!(value);
    }
    if !target.starts_with("arn:") {
        attribute["targetType"] = json!("container-instance");
    }
    attribute
}

async fn put(cloud: &Cloud, attributes: Json) -> Json {
    let answer = cloud
        .call("PutAttributes", json!({"attributes": attributes}))
        .await;
    answer.expect("puts")["attributes"].clone()
}

async fn named(cloud: &Cloud, input: Json) -> Vec<(String, Json, Json)> {
    let (mut seen, mut input) = (Vec::new(), input);
    input["targetType"] = json!("container-instance");
    loop {
        let page = cloud.call("ListAttributes", input.clone()).await.expect("a page");
        for one in page["attributes"].as_array().expect("attributes") {
            seen.push((text(&one["name"]), one["value"].clone(), one["targetId"].clone()));
        }
        if page["nextToken"].is_null() {
            return seen;
        }
        input["nextToken"] = page["nextToken"].clone();
    }
}

#[tokio::test]
async fn attributes_are_put_listed_used_and_deleted() {
    let cloud = cloud().await;
    let one = cloud.register("default", MACHINE, 0).await;
    let two = cloud.register("default", "i-0000000000000000b", 0).await;
    let short = two.rsplit('/').next().expect("an id");
    let shown = put(
        &cloud,
        json!([
            attribute("rack", Some("7"), &one),
            attribute("rack", Some("8"), short)
        ]),
    )
    .await;
    assert_eq!(
        shown,
        json!([
            {"name": "rack", "value": "7", "targetId": one}, {"name": "rack", "value": "8", "targetId": two},
        ])
    );
    // The same again, another value, and one without a value.
    put(&cloud, json!([attribute("rack", Some("7"), &one)])).await;
    put(
        &cloud,
        json!([attribute("rack", Some("9"), &two), attribute("ssd", None, &two)]),
    )
    .await;
    let cloud = cloud.restart().await;
    let mut racks = vec![
        ("rack".to_owned(), json!("7"), json!(one)),
        ("rack".to_owned(), json!("9"), json!(two)),
    ];
    racks.sort_by_key(|(_, _, target)| target.to_string());
    assert_eq!(
        named(&cloud, json!({"attributeName": "rack", "maxResults": 1})).await,
        racks
    );
    let only = named(&cloud, json!({"attributeName": "rack", "attributeValue": "9"})).await;
    assert_eq!(only, [("rack".to_owned(), json!("9"), json!(two))]);
    assert_eq!(
        named(&cloud, json!({"attributeName": "ssd"})).await,
        [("ssd".to_owned(), Json::Null, json!(two))]
    );
    let every = named(&cloud, json!({"maxResults": 3})).await;
    assert_eq!(every, named(&cloud, json!({})).await);
    assert!(
        every
            .iter()
            .any(|(name, value, _)| name == "ecs.os-type" && *value == json!("linux"))
    );
    // An agent that comes back leaves them as they are.
    let mut agent = cloud.agent(&two).await;
    agent.manifest().await;
    let mut again = crate::harness::registration("default", "i-0000000000000000b", 0, "us-east-1a");
    again["containerInstanceArn"] = json!(two);
    cloud
        .call("RegisterContainerInstance", again)
        .await
        .expect("registers");
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let constraint = json!([{"type": "memberOf", "expression": "attribute:rack > 7"}]);
    let task = cloud
        .run(json!({"taskDefinition": "host", "placementConstraints": constraint}))
        .await;
    assert_eq!(task["containerInstanceArn"], json!(two));

    let delete = json!({"attributes": [attribute("rack", None, &two), attribute("none", None, &two)]});
    let answer = cloud
        .call("DeleteAttributes", delete.clone())
        .await
        .expect("deletes");
    assert_eq!(answer["attributes"], json!([{"name": "rack", "targetId": two}]));
    let answer = cloud
        .call("DeleteAttributes", delete)
        .await
        .expect("deletes nothing");
    assert_eq!(answer["attributes"], json!([]));
    let input = json!({"taskDefinition": "host", "placementConstraints": constraint});
    let answer = cloud.call("RunTask", input).await.expect("answers");
    assert_eq!(answer["tasks"], json!([]));
}

#[tokio::test]
async fn an_instance_has_ten_attributes_of_users_at_most_and_a_call_changes_all_or_none() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let other = cloud.register("default", "i-0000000000000000b", 0).await;
    let nine: Vec<Json> = (0..9)
        .map(|n| attribute(&format!("a{n}"), None, &instance))
        .collect();
    put(&cloud, json!(nine)).await;
    let two = json!([
        attribute("a9", None, &instance),
        attribute("b", None, &other),
        attribute("a10", None, &instance),
    ]);
    let error = cloud
        .call("PutAttributes", json!({"attributes": two}))
        .await
        .expect_err("too many");
    assert_eq!(error.code, "AttributeLimitExceededException");
    assert_eq!(named(&cloud, json!({"attributeName": "b"})).await, []);
    put(
        &cloud,
        json!([
            attribute("a9", None, &instance),
            attribute("a0", Some("again"), &instance)
        ]),
    )
    .await;
    let delete = json!({"attributes": [attribute("a0", None, &instance)]});
    cloud.call("DeleteAttributes", delete).await.expect("deletes");
    put(&cloud, json!([attribute("a10", None, &instance)])).await;
}

#[tokio::test]
async fn what_is_no_attribute_is_refused() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let gone = cloud.register("default", "i-0000000000000000b", 0).await;
    cloud
        .call("DeregisterContainerInstance", json!({"containerInstance": gone}))
        .await
        .expect("goes");
    let missing = "0".repeat(32);
    let id = instance.rsplit('/').next().expect("an id");
    let many: Vec<Json> = (0..11)
        .map(|n| attribute(&format!("a{n}"), None, &instance))
        .collect();
    const INVALID: &str = "InvalidParameterException";
    for (attributes, code, words) in [
        (json!([]), INVALID, "empty"),
        (json!(many), INVALID, "at most 10"),
        (json!([{"name": "a"}]), INVALID, "targetId"),
        (json!([{"name": "a", "targetId": id}]), INVALID, "targetType"),
        (json!([attribute("a b", None, &instance)]), INVALID, "name"),
        (json!([attribute("", None, &instance)]), INVALID, "name"),
        (
            json!([attribute(&"a".repeat(129), None, &instance)]),
            INVALID,
            "name",
        ),
        (
            json!([attribute("ecs.os-type", Some("windows"), &instance)]),
            INVALID,
            "reserved",
        ),
        (
            json!([attribute("com.amazonaws.ecs.capability.x", None, &instance)]),
            INVALID,
            "reserved",
        ),
        (json!([attribute("a", Some(" b"), &instance)]), INVALID, "value"),
        (json!([attribute("a", Some("b;c"), &instance)]), INVALID, "value"),
        (
            json!([attribute("a", Some(&"b".repeat(129)), &instance)]),
            INVALID,
            "value",
        ),
        (
            json!([attribute("a", None, &missing)]),
            "TargetNotFoundException",
            "not in the cluster",
        ),
        (
            json!([attribute("a", None, &gone)]),
            "TargetNotFoundException",
            "not in the cluster",
        ),
    ] {
        let error = cloud
            .call("PutAttributes", json!({"attributes": attributes}))
            .await
            .expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
    for (operation, input, code, words) in [
        (
            "DeleteAttributes",
            json!({"attributes": [attribute("a", Some("b"), &instance)]}),
            INVALID,
            "value",
        ),
        (
            "DeleteAttributes",
            json!({"attributes": [attribute("ecs.os-type", None, &instance)]}),
            INVALID,
            "reserved",
        ),
        (
            "DeleteAttributes",
            json!({"cluster": "none", "attributes": [attribute("a", None, id)]}),
            "ClusterNotFoundException",
            "found",
        ),
        (
            "ListAttributes",
            json!({"targetType": "container-instance", "attributeValue": "x"}),
            INVALID,
            "attributeName",
        ),
        (
            "ListAttributes",
            json!({"targetType": "container-instance", "maxResults": 101}),
            INVALID,
            "maxResults",
        ),
        (
            "ListAttributes",
            json!({"targetType": "container-instance", "cluster": "none"}),
            "ClusterNotFoundException",
            "found",
        ),
        (
            "ListAttributes",
            json!({"targetType": "container-instance", "nextToken": "forged"}),
            INVALID,
            "nextToken",
        ),
    ] {
        let error = cloud.call(operation, input).await.expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_draining_instance_takes_no_new_tasks_and_its_own_run_on() {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 0).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let gone = cloud.register("default", "i-0000000000000000b", 0).await;
    cloud
        .call("DeregisterContainerInstance", json!({"containerInstance": gone}))
        .await
        .expect("goes");
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let task = cloud.run(json!({"taskDefinition": "host"})).await;
    let id = instance.rsplit('/').next().expect("an id");
    let set = |status: &'static str| {
        let (cloud, named) = (&cloud, json!([id, gone, "0".repeat(32)]));
        async move {
            let input = json!({"containerInstances": named, "status": status});
            cloud
                .call("UpdateContainerInstancesState", input)
                .await
                .expect("answers")
        }
    };
    for _ in 0..2 {
        let answer = set("DRAINING").await;
        assert_eq!(answer["containerInstances"][0]["status"], "DRAINING");
        assert_eq!(answer["containerInstances"][0]["version"], 3);
        assert_eq!(answer["failures"][0]["reason"], "INACTIVE");
        assert_eq!(answer["failures"][1]["reason"], "MISSING");
    }
    let listed = cloud
        .call("ListContainerInstances", json!({"status": "DRAINING"}))
        .await
        .expect("lists");
    assert_eq!(listed["containerInstanceArns"], json!([instance]));
    let answer = cloud
        .call("RunTask", json!({"taskDefinition": "host"}))
        .await
        .expect("answers");
    assert_eq!(
        (&answer["tasks"], &answer["failures"][0]["reason"]),
        (&json!([]), &json!("INACTIVE"))
    );
    let shown = cloud.task(&text(&task["taskArn"])).await;
    assert_eq!(shown["desiredStatus"], "RUNNING");
    set("ACTIVE").await;
    cloud.run(json!({"taskDefinition": "host"})).await;
    let many: Vec<String> = (0..11).map(|n| format!("{n:032x}")).collect();
    for (input, words) in [
        (
            json!({"containerInstances": [id], "status": "REGISTERING"}),
            "ACTIVE or DRAINING",
        ),
        (json!({"containerInstances": [], "status": "ACTIVE"}), "empty"),
        (
            json!({"containerInstances": many, "status": "ACTIVE"}),
            "at most 10",
        ),
    ] {
        let error = cloud
            .call("UpdateContainerInstancesState", input)
            .await
            .expect_err(words);
        assert!(
            error.code == "InvalidParameterException" && error.message.contains(words),
            "{error}"
        );
    }
}
