//! Registration, description and listing of container instances.

use serde_json::{Value as Json, json};

use crate::harness::{Cloud, MACHINE, cloud, registration, text};

async fn described(cloud: &Cloud, instance: &str) -> Json {
    let input = json!({"containerInstances": [instance], "include": ["TAGS"]});
    cloud
        .call("DescribeContainerInstances", input)
        .await
        .expect("answers")["containerInstances"][0]
        .clone()
}

#[tokio::test]
async fn a_registration_is_shown_as_it_was_sent() {
    let cloud = cloud().await;
    let mut input = registration("default", MACHINE, 7, "us-east-1a");
    input["tags"] = json!([{"key": "rack", "value": "7"}]);
    input["instanceIdentityDocumentSignature"] = json!("c2ln");
    let neuron = json!({"name": "NEURON_CORES", "type": "INTEGER", "integerValue": 3});
    input["totalResources"]
        .as_array_mut()
        .expect("a list")
        .push(neuron);
    let answer = cloud
        .call("RegisterContainerInstance", input.clone())
        .await
        .expect("registers");
    let arn = text(&answer["containerInstance"]["containerInstanceArn"]);
    let shown = described(&cloud, &arn).await;
    assert_eq!(
        (&shown["ec2InstanceId"], &shown["status"]),
        (&json!(MACHINE), &json!("ACTIVE"))
    );
    assert_eq!(
        (&shown["agentConnected"], &shown["tags"][0]["value"]),
        (&json!(false), &json!("7"))
    );
    assert_eq!(
        shown["versionInfo"],
        json!({"agentVersion": "1", "agentHash": "h", "dockerVersion": "d"})
    );
    assert_eq!(
        (&shown["runningTasksCount"], &shown["pendingTasksCount"]),
        (&json!(0), &json!(0))
    );
    let attributes = shown["attributes"].as_array().expect("attributes");
    for sent in input["attributes"].as_array().expect("attributes") {
        assert!(
            attributes
                .iter()
                .any(|it| it["name"] == sent["name"] && it["value"] == sent["value"]),
            "{sent}"
        );
    }
    assert!(
        attributes
            .iter()
            .any(|it| it["name"] == "ecs.availability-zone" && it["value"] == "us-east-1a")
    );
    for list in ["registeredResources", "remainingResources"] {
        let names: Vec<String> = shown[list]
            .as_array()
            .expect("a list")
            .iter()
            .map(|resource| text(&resource["name"]))
            .collect();
        assert_eq!(
            names,
            ["CPU", "MEMORY", "PORTS", "PORTS_UDP", "NEURON_CORES"],
            "{list}"
        );
    }
    let ports = &shown["registeredResources"][2];
    assert_eq!(
        (&ports["type"], &ports["stringSetValue"]),
        (&json!("STRINGSET"), &json!(["22"]))
    );
    assert_eq!(cloud.remaining(&arn, "PORTS").await, json!(["22"]));
}

#[tokio::test]
async fn the_same_token_registers_the_same_instance() {
    let cloud = cloud().await;
    let mut arns = Vec::new();
    for token in ["one", "one", "two"] {
        let mut input = registration("default", MACHINE, 7, "us-east-1a");
        input["clientToken"] = json!(token);
        let answer = cloud
            .call("RegisterContainerInstance", input)
            .await
            .expect("registers");
        arns.push(text(&answer["containerInstance"]["containerInstanceArn"]));
    }
    assert_eq!(arns[0], arns[1], "a repeated call");
    assert_ne!(arns[1], arns[2], "an agent that begins anew");
    assert_eq!(described(&cloud, &arns[2]).await["status"], "ACTIVE");
    let listed = cloud
        .call("ListContainerInstances", json!({}))
        .await
        .expect("lists");
    assert_eq!(listed["containerInstanceArns"], json!([arns[2]]));
}

#[tokio::test]
async fn an_agent_comes_back_as_who_it_was() {
    let cloud = cloud().await;
    let mut input = registration("default", MACHINE, 7, "us-east-1a");
    let custom = json!({"name": "stack", "value": "test"});
    input["attributes"].as_array_mut().expect("a list").push(custom);
    let answer = cloud
        .call("RegisterContainerInstance", input)
        .await
        .expect("registers");
    let arn = text(&answer["containerInstance"]["containerInstanceArn"]);
    let cloud = cloud.restart().await;
    let mut again = registration("default", MACHINE, 9, "us-east-1a");
    again["containerInstanceArn"] = json!(arn);
    let answer = cloud
        .call("RegisterContainerInstance", again.clone())
        .await
        .expect("registers");
    let instance = &answer["containerInstance"];
    assert_eq!(
        (&instance["containerInstanceArn"], &instance["version"]),
        (&json!(arn), &json!(2))
    );
    let value = |name: &str| {
        let attributes = instance["attributes"].as_array().expect("attributes").iter();
        attributes
            .filter(|it| it["name"] == name)
            .map(|it| it["value"].clone())
            .next()
    };
    assert_eq!(
        value("stack"),
        Some(json!("test")),
        "what it does not send again stays"
    );
    assert_eq!(value("roadstead.eni-slots"), Some(json!("9")));
    let mut other = again.clone();
    other["instanceIdentityDocument"] = json!(r#"{"instanceId":"i-0000000000000000f"}"#);
    let mut unknown = again.clone();
    unknown["containerInstanceArn"] = json!(format!("{}{}", &arn[..arn.len() - 32], "0".repeat(32)));
    for (input, words) in [(other, "another machine"), (unknown, "does not exist")] {
        let error = cloud
            .call("RegisterContainerInstance", input)
            .await
            .expect_err(words);
        assert!(
            error.code == "ClientException" && error.message.contains(words),
            "{error}"
        );
    }
    cloud
        .call("DeregisterContainerInstance", json!({"containerInstance": arn}))
        .await
        .expect("goes");
    let error = cloud
        .call("RegisterContainerInstance", again)
        .await
        .expect_err("inactive");
    assert!(error.message.contains("inactive"), "{error}");
}

#[tokio::test]
async fn an_external_instance_has_a_ledger_of_its_own_and_no_interfaces() {
    let cloud = cloud().await;
    let mut input = registration("default", MACHINE, 7, "us-east-1a");
    input["instanceIdentityDocument"] = json!("");
    input["instanceIdentityDocumentSignature"] = json!("");
    let mut arns = Vec::new();
    for _ in 0..2 {
        let answer = cloud
            .call("RegisterContainerInstance", input.clone())
            .await
            .expect("registers");
        arns.push(text(&answer["containerInstance"]["containerInstanceArn"]));
    }
    assert_ne!(arns[0], arns[1], "two machines for all anybody knows");
    let id = arns[0].rsplit('/').next().expect("an id");
    assert_eq!(described(&cloud, &arns[0]).await["ec2InstanceId"], id);
    let listed = cloud
        .call("ListContainerInstances", json!({}))
        .await
        .expect("lists");
    assert_eq!(listed["containerInstanceArns"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn registrations_that_cannot_be_are_refused() {
    let cloud = cloud().await;
    let check = |change: Json, code: &'static str, words: &'static str| {
        let mut input = registration("default", MACHINE, 1, "us-east-1a");
        input
            .as_object_mut()
            .expect("an object")
            .extend(change.as_object().expect("an object").clone());
        let cloud = &cloud;
        async move {
            let error = cloud
                .call("RegisterContainerInstance", input)
                .await
                .expect_err(words);
            assert!(error.code == code && error.message.contains(words), "{error}");
        }
    };
    let invalid = "InvalidParameterException";
    check(
        json!({"cluster": "nowhere"}),
        "ClusterNotFoundException",
        "Cluster not found.",
    )
    .await;
    check(
        json!({"platformDevices": [{"id": "0", "type": "GPU"}]}),
        invalid,
        "platformDevices",
    )
    .await;
    check(json!({"totalResources": []}), invalid, "CPU and MEMORY").await;
    check(
        json!({"instanceIdentityDocument": "{"}),
        "ClientException",
        "instanceIdentityDocument",
    )
    .await;
    check(
        json!({"instanceIdentityDocument": "", "instanceIdentityDocumentSignature": "x"}),
        invalid,
        "instanceIdentityDocumentSignature",
    )
    .await;
    check(
        json!({"attributes": [{"name": "a", "targetId": "x"}]}),
        invalid,
        "attributes.targetId",
    )
    .await;
    check(
        json!({"attributes": [{"name": "a", "targetType": "container-instance"}]}),
        invalid,
        "attributes.targetType",
    )
    .await;
    check(
        json!({"attributes": [{"name": ""}]}),
        invalid,
        "Invalid attribute",
    )
    .await;
    check(
        json!({"attributes": [{"name": "a", "value": "x".repeat(129)}]}),
        invalid,
        "Invalid attribute",
    )
    .await;
    check(json!({"tags": [{"key": "aws:x"}]}), invalid, "reserved").await;
    let many: Vec<Json> = (0..300).map(|i| json!({"name": i.to_string()})).collect();
    check(json!({"attributes": many}), invalid, "at most 256").await;
}

#[tokio::test]
async fn describe_and_list_find_instances_by_id_arn_and_status() {
    let cloud = cloud().await;
    let mut arns = Vec::new();
    for i in 0..3 {
        arns.push(
            cloud
                .register("default", &format!("i-0000000000000000{i}"), 0)
                .await,
        );
    }
    arns.sort();
    let id = arns[0].rsplit('/').next().expect("an id");
    let missing = "0".repeat(32);
    let input = json!({"containerInstances": [id, arns[1], missing], "cluster": "default"});
    let answer = cloud
        .call("DescribeContainerInstances", input)
        .await
        .expect("answers");
    assert_eq!(answer["containerInstances"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (
            &answer["failures"][0]["reason"],
            &answer["containerInstances"][0]["tags"]
        ),
        (&json!("MISSING"), &json!([]))
    );
    cloud
        .call(
            "DeregisterContainerInstance",
            json!({"containerInstance": arns[2]}),
        )
        .await
        .expect("goes");
    let twice = cloud
        .call(
            "DeregisterContainerInstance",
            json!({"containerInstance": arns[2]}),
        )
        .await
        .expect("is gone");
    assert_eq!(twice["containerInstance"]["status"], "INACTIVE");
    for (input, wanted) in [
        (json!({}), json!(arns[..2])),
        (
            json!({"cluster": "default", "status": "ACTIVE"}),
            json!(arns[..2]),
        ),
        (json!({"status": "DRAINING"}), json!([])),
    ] {
        let answer = cloud
            .call("ListContainerInstances", input.clone())
            .await
            .expect("lists");
        assert_eq!(answer["containerInstanceArns"], wanted, "{input}");
    }
    let first = cloud
        .call("ListContainerInstances", json!({"maxResults": 1}))
        .await
        .expect("lists");
    let input = json!({"maxResults": 1, "nextToken": first["nextToken"]});
    let second = cloud.call("ListContainerInstances", input).await.expect("lists");
    assert_eq!(
        (&second["containerInstanceArns"], &second["nextToken"]),
        (&json!(arns[1..2]), &Json::Null)
    );
    let many: Vec<String> = (0..101).map(|i| format!("{i:032x}")).collect();
    for (operation, input, words) in [
        (
            "ListContainerInstances",
            json!({"filter": "attribute:a"}),
            "filter is no expression: column 12: expected an operator",
        ),
        ("ListContainerInstances", json!({"maxResults": 101}), "maxResults"),
        (
            "DescribeContainerInstances",
            json!({"containerInstances": []}),
            "empty",
        ),
        (
            "DescribeContainerInstances",
            json!({"containerInstances": many}),
            "at most 100",
        ),
        (
            "DeregisterContainerInstance",
            json!({"containerInstance": missing}),
            "not found",
        ),
    ] {
        let error = cloud.call(operation, input).await.expect_err(words);
        assert!(
            error.code == "InvalidParameterException" && error.message.contains(words),
            "{error}"
        );
    }
}
