//! Capacity providers of clusters, and the tasks that count for them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use roadstead_base::Caller;

use crate::harness::{Cloud, SUBNET_A, awsvpc, cloud, definition};

const INVALID: &str = "InvalidParameterException";

fn item(provider: &str, weight: i32, base: i32) -> Json {
    json!({"capacityProvider": provider, "weight": weight, "base": base})
}

/// With Fargate's capacity, and a task definition for it; both providers in the cluster `default`.
async fn ready() -> (Cloud, Vec<crate::harness::Agent>) {
    let cloud = cloud().await;
    let mut agents = Vec::new();
    for n in 0..3 {
        let machine = format!("i-000000000000000f{n}");
        let capacity = cloud
            .register_in(Caller::Node, "AWSFargate", &machine, 4, "us-east-1a")
            .await;
        let mut agent = cloud.agent(&capacity).await;
        agent.manifest().await;
        agents.push(agent);
    }
    let fargate = definition("fargate", "awsvpc", |d| {
        d["requiresCompatibilities"] = json!(["FARGATE"]);
        d["cpu"] = json!("256");
        d["memory"] = json!("512");
    });
    cloud
        .call("RegisterTaskDefinition", fargate)
        .await
        .expect("registers");
    (cloud, agents)
}

async fn put(cloud: &Cloud, providers: Json, strategy: Json) -> Json {
    let input = json!({"cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
    let answer = cloud
        .call("PutClusterCapacityProviders", input)
        .await
        .expect("puts");
    answer["cluster"].clone()
}

fn run(more: Json) -> Json {
    let mut input = json!({"taskDefinition": "fargate", "networkConfiguration": awsvpc(&[SUBNET_A], &[])});
    let members = input.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    input
}

fn by_provider(answer: &Json) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in answer["tasks"].as_array().expect("tasks") {
        let name = task["capacityProviderName"].as_str().unwrap_or("none").to_owned();
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn copies_are_shared_by_base_and_weight_and_shown_with_their_provider() {
    let (cloud, _agents) = ready().await;
    put(&cloud, json!(["FARGATE", "FARGATE_SPOT"]), json!([])).await;
    let strategy = json!([item("FARGATE_SPOT", 1, 0), item("FARGATE", 0, 1)]);
    let answer = cloud
        .call(
            "RunTask",
            run(json!({"count": 3, "capacityProviderStrategy": strategy})),
        )
        .await;
    let answer = answer.expect("runs");
    let expected = BTreeMap::from([("FARGATE".to_owned(), 1), ("FARGATE_SPOT".to_owned(), 2)]);
    assert_eq!(by_provider(&answer), expected, "{answer:#}");
    // The base comes first, so that the first is there when the others find no room.
    assert_eq!(answer["tasks"][0]["capacityProviderName"], "FARGATE");
    assert_eq!(answer["tasks"][0]["launchType"], "FARGATE");
    let arn = answer["tasks"][2]["taskArn"].as_str().expect("an ARN").to_owned();
    let cloud = cloud.restart().await;
    assert_eq!(cloud.task(&arn).await["capacityProviderName"], "FARGATE_SPOT");
    // One that tasks count for stays.
    let input = json!({"cluster": "default", "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": []});
    let error = cloud
        .call("PutClusterCapacityProviders", input)
        .await
        .expect_err("in use");
    assert_eq!(error.code, "ResourceInUseException");
}

#[tokio::test]
async fn a_clusters_default_strategy_is_used_where_nothing_is_said() {
    let (cloud, _agents) = ready().await;
    let shown = put(
        &cloud,
        json!(["FARGATE_SPOT"]),
        json!([{"capacityProvider": "FARGATE_SPOT"}]),
    )
    .await;
    assert_eq!(shown["capacityProviders"], json!(["FARGATE_SPOT"]));
    assert_eq!(
        shown["defaultCapacityProviderStrategy"],
        json!([item("FARGATE_SPOT", 0, 0)])
    );
    let cloud = cloud.restart().await;
    let described = cloud.call("DescribeClusters", json!({})).await.expect("answers");
    assert_eq!(
        described["clusters"][0]["capacityProviders"],
        json!(["FARGATE_SPOT"])
    );
    assert_eq!(
        described["clusters"][0]["defaultCapacityProviderStrategy"],
        json!([item("FARGATE_SPOT", 0, 0)])
    );
    let task = &cloud.call("RunTask", run(json!({}))).await.expect("answers");
    // The agents went with the restart: there is no capacity, but FARGATE it was to be.
    assert_eq!(task["failures"][0]["reason"], "RESOURCE:FARGATE", "{task:#}");
    let error = cloud
        .call("RunTask", run(json!({"launchType": "EC2"})))
        .await
        .expect_err("no instances");
    assert!(error.message.contains("No Container Instances"), "{error}");
}

#[tokio::test]
async fn a_cluster_is_created_with_its_providers() {
    let cloud = cloud().await;
    let create = |name: &str, providers: Json, strategy: Json| {
        let input = json!({"clusterName": name, "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
        cloud.call("CreateCluster", input)
    };
    let (providers, strategy) = (json!(["FARGATE", "FARGATE_SPOT"]), json!([item("FARGATE", 2, 1)]));
    for _ in 0..2 {
        let answer = create("c", providers.clone(), strategy.clone())
            .await
            .expect("is made");
        assert_eq!(answer["cluster"]["capacityProviders"], providers);
        assert_eq!(answer["cluster"]["defaultCapacityProviderStrategy"], strategy);
    }
    let error = create("c", json!(["FARGATE"]), json!([]))
        .await
        .expect_err("another");
    assert!(error.message.contains("inconsistent"), "{error}");
    let error = create("d", json!(["x"]), json!([])).await.expect_err("unknown");
    assert!(error.message.contains("was not found"), "{error}");
    let error = create("d", json!([]), strategy).await.expect_err("not its own");
    assert!(error.message.contains("not associated"), "{error}");
}

#[tokio::test]
async fn strategies_that_cannot_be_are_refused() {
    let (cloud, _agents) = ready().await;
    put(&cloud, json!(["FARGATE"]), json!([])).await;
    let both = json!(["FARGATE", "FARGATE_SPOT"]);
    for (strategy, words) in [
        (json!([item("group", 1, 0)]), "was not found"),
        (
            json!([item("FARGATE_SPOT", 1, 0)]),
            "not associated with the cluster",
        ),
        (
            json!([item("FARGATE", 1, 0), item("FARGATE", 1, 0)]),
            "more than once",
        ),
        (json!(vec![item("FARGATE", 1, 0); 21]), "at most 20"),
    ] {
        let error = cloud
            .call("RunTask", run(json!({"capacityProviderStrategy": strategy})))
            .await
            .expect_err(words);
        assert!(error.code == INVALID && error.message.contains(words), "{error}");
    }
    let with_type = json!({"launchType": "FARGATE", "capacityProviderStrategy": [item("FARGATE", 1, 0)]});
    let error = cloud.call("RunTask", run(with_type)).await.expect_err("both");
    assert!(
        error.code == INVALID
            && error
                .message
                .contains("both a launch type and capacity provider strategy"),
        "{error}"
    );
    for (providers, strategy, words) in [
        (
            both.clone(),
            json!([item("FARGATE", 0, 1), item("FARGATE_SPOT", 1, 1)]),
            "Only one",
        ),
        (
            both.clone(),
            json!([item("FARGATE", 0, 0), item("FARGATE_SPOT", 0, 0)]),
            "greater than zero",
        ),
        (json!(["FARGATE", "FARGATE"]), json!([]), "more than once"),
        (json!(["group"]), json!([]), "was not found"),
        (
            json!(["FARGATE"]),
            json!([item("FARGATE_SPOT", 1, 0)]),
            "not associated",
        ),
    ] {
        let input = json!({"cluster": "default", "capacityProviders": providers, "defaultCapacityProviderStrategy": strategy});
        let error = cloud
            .call("PutClusterCapacityProviders", input)
            .await
            .expect_err(words);
        assert!(error.code == INVALID && error.message.contains(words), "{error}");
    }
    let input = json!({"cluster": "none", "capacityProviders": [], "defaultCapacityProviderStrategy": []});
    let error = cloud
        .call("PutClusterCapacityProviders", input)
        .await
        .expect_err("no cluster");
    assert_eq!(error.code, "ClusterNotFoundException");
}

#[tokio::test]
async fn the_built_in_providers_are_described_by_name_arn_cluster_and_page() {
    let cloud = cloud().await;
    let describe = |input: Json| {
        let cloud = &cloud;
        async move {
            cloud
                .call("DescribeCapacityProviders", input)
                .await
                .expect("answers")
        }
    };
    let names = |answer: &Json| -> Vec<Json> {
        let found = answer["capacityProviders"].as_array().expect("providers").iter();
        found.map(|provider| provider["name"].clone()).collect()
    };
    let every = describe(json!({"include": ["TAGS"]})).await;
    assert_eq!(every, describe(json!({})).await, "there are no tags either way");
    let arn = "arn:aws:ecs:us-east-1:000000000000:capacity-provider/FARGATE";
    assert_eq!(
        every["capacityProviders"][0],
        json!({
            "name": "FARGATE", "capacityProviderArn": arn, "status": "ACTIVE", "type": "FARGATE", "tags": []
        })
    );
    assert_eq!(names(&every), ["FARGATE", "FARGATE_SPOT"]);
    let first = describe(json!({"maxResults": 1})).await;
    assert_eq!(names(&first), ["FARGATE"]);
    let second = describe(json!({"maxResults": 1, "nextToken": first["nextToken"]})).await;
    assert_eq!(
        (names(&second), &second["nextToken"]),
        (vec![json!("FARGATE_SPOT")], &Json::Null)
    );
    let some = describe(json!({"capacityProviders": [arn, "mine"]})).await;
    assert_eq!(names(&some), ["FARGATE"]);
    assert_eq!(
        some["failures"],
        json!([
            {"arn": "arn:aws:ecs:us-east-1:000000000000:capacity-provider/mine", "reason": "MISSING"}
        ])
    );
    put(&cloud, json!(["FARGATE_SPOT"]), json!([])).await;
    assert_eq!(
        names(&describe(json!({"cluster": "default"})).await),
        ["FARGATE_SPOT"]
    );
    for (input, code) in [
        (json!({"cluster": "none"}), "ClusterNotFoundException"),
        (json!({"maxResults": 11}), INVALID),
        (json!({"nextToken": "forged"}), INVALID),
        (json!({"capacityProviders": vec!["a"; 101]}), INVALID),
    ] {
        assert_eq!(
            cloud
                .call("DescribeCapacityProviders", input)
                .await
                .expect_err(code)
                .code,
            code
        );
    }
}

#[tokio::test]
async fn providers_of_machines_that_nobody_rents_out_are_refused() {
    let cloud = cloud().await;
    let group = json!({"autoScalingGroupArn": "group"});
    for (operation, input, code, words) in [
        (
            "CreateCapacityProvider",
            json!({"name": "p", "autoScalingGroupProvider": group}),
            "ClientException",
            "no Auto Scaling group group",
        ),
        (
            "CreateCapacityProvider",
            json!({"name": "p", "autoScalingGroupProvider": group, "tags": [{"key": "aws:x", "value": "y"}]}),
            INVALID,
            "reserved: aws:x",
        ),
        (
            "CreateCapacityProvider",
            json!({"name": "p"}),
            INVALID,
            "autoScalingGroupProvider must be given",
        ),
        (
            "CreateCapacityProvider",
            json!({"name": "Fargate-mine", "autoScalingGroupProvider": group}),
            INVALID,
            "must not begin",
        ),
        (
            "CreateCapacityProvider",
            json!({"name": "a b", "autoScalingGroupProvider": group}),
            INVALID,
            "letters",
        ),
        (
            "CreateCapacityProvider",
            json!({"name": "p", "cluster": "default"}),
            INVALID,
            "cluster is not supported",
        ),
        (
            "UpdateCapacityProvider",
            json!({"name": "FARGATE"}),
            INVALID,
            "reserved and cannot be updated",
        ),
        (
            "UpdateCapacityProvider",
            json!({"name": "p"}),
            INVALID,
            "was not found",
        ),
        (
            "UpdateCapacityProvider",
            json!({"name": "p", "autoScalingGroupProvider": {}}),
            INVALID,
            "autoScalingGroupProvider",
        ),
        (
            "DeleteCapacityProvider",
            json!({"capacityProvider": "FARGATE_SPOT"}),
            INVALID,
            "reserved and cannot be deleted",
        ),
        (
            "DeleteCapacityProvider",
            json!({"capacityProvider": "p"}),
            INVALID,
            "was not found",
        ),
        (
            "DeleteCapacityProvider",
            json!({"capacityProvider": "p", "cluster": "c"}),
            INVALID,
            "cluster is not supported",
        ),
    ] {
        let error = cloud.call(operation, input).await.expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_cluster_is_updated_to_what_it_is_or_refused() {
    let cloud = cloud().await;
    let disabled = json!([{"name": "containerInsights", "value": "disabled"}]);
    let enabled = json!([{"name": "containerInsights", "value": "enabled"}]);
    for operation in ["UpdateCluster", "UpdateClusterSettings"] {
        let answer = cloud
            .call(operation, json!({"cluster": "default", "settings": disabled}))
            .await;
        let answer = answer.expect("answers");
        assert_eq!(answer["cluster"]["settings"], disabled);
        assert_eq!(answer["cluster"]["clusterName"], "default");
        let error = cloud
            .call(operation, json!({"cluster": "default", "settings": enabled}))
            .await;
        let error = error.expect_err("has no effect");
        assert!(
            error.code == INVALID && error.message.contains("containerInsights"),
            "{error}"
        );
        let error = cloud
            .call(operation, json!({"cluster": "none", "settings": disabled}))
            .await;
        assert_eq!(error.expect_err("no cluster").code, "ClusterNotFoundException");
    }
    for (operation, input, words) in [
        (
            "UpdateClusterSettings",
            json!({"cluster": "default", "settings": []}),
            "empty",
        ),
        (
            "UpdateCluster",
            json!({"cluster": "default", "configuration": {}}),
            "configuration",
        ),
        (
            "UpdateCluster",
            json!({"cluster": "default", "serviceConnectDefaults": {"namespace": "n"}}),
            "serviceConnectDefaults",
        ),
    ] {
        let error = cloud.call(operation, input).await.expect_err(words);
        assert!(error.code == INVALID && error.message.contains(words), "{error}");
    }
}
