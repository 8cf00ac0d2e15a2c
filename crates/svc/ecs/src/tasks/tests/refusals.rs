//! What RunTask and StartTask refuse, in which words. Each request is right but for one thing.

use serde_json::{Value as Json, json};

use crate::harness::{Cloud, GROUP, GROUP_OTHER, MACHINE, SUBNET_A, SUBNET_OTHER, awsvpc, cloud, definition};

async fn ready() -> Cloud {
    let cloud = cloud().await;
    let instance = cloud.register("default", MACHINE, 2).await;
    let mut agent = cloud.agent(&instance).await;
    agent.manifest().await;
    let fargate = |d: &mut Json| {
        d["requiresCompatibilities"] = json!(["FARGATE"]);
        d["cpu"] = json!("256");
        d["memory"] = json!("512");
    };
    for text in [
        definition("vpc", "awsvpc", |_| {}),
        definition("host", "host", |_| {}),
        definition("bridge", "bridge", |_| {}),
        definition("fargate", "awsvpc", fargate),
    ] {
        cloud
            .call("RegisterTaskDefinition", text)
            .await
            .expect("registers");
    }
    cloud
}

struct Refusals {
    cloud: Cloud,
    operation: &'static str,
    base: Json,
}

impl Refusals {
    /// The base request with these members, refused so.
    async fn check(&self, change: Json, code: &str, words: &str) {
        let mut input = self.base.clone();
        input
            .as_object_mut()
            .expect("an object")
            .extend(change.as_object().expect("an object").clone());
        let error = self.cloud.call(self.operation, input).await.expect_err(words);
        assert!(
            error.code == code && error.message.contains(words),
            "wanted {code} with {words:?}, got {error}"
        );
    }
}

const INVALID: &str = "InvalidParameterException";
const CLIENT: &str = "ClientException";

#[tokio::test]
async fn run_task_refuses_members_that_have_no_effect_by_name() {
    let cloud = ready().await;
    let refusals = Refusals {
        cloud,
        operation: "RunTask",
        base: json!({"taskDefinition": "host"}),
    };
    for (change, name) in [
        (json!({"enableExecuteCommand": true}), "enableExecuteCommand"),
        (json!({"referenceId": "x"}), "referenceId"),
        (
            json!({"volumeConfigurations": [{"name": "v"}]}),
            "volumeConfigurations",
        ),
        (json!({"launchType": "EXTERNAL"}), "launchType EXTERNAL"),
        (
            json!({"launchType": "MANAGED_INSTANCES"}),
            "launchType MANAGED_INSTANCES",
        ),
        (
            json!({"overrides": {"ephemeralStorage": {"sizeInGiB": 30}}}),
            "overrides.ephemeralStorage",
        ),
        (
            json!({"overrides": {"inferenceAcceleratorOverrides": [{"deviceName": "x"}]}}),
            "overrides.inferenceAcceleratorOverrides",
        ),
        (
            json!({"taskDefinition": "bridge", "networkConfiguration": awsvpc(&[SUBNET_A], &[])}),
            "Network Configuration is not valid for the given networkMode",
        ),
    ] {
        refusals.check(change, INVALID, name).await;
    }
    for (member, item, words) in [
        (
            "environmentFiles",
            json!({"type": "s3", "value": "a"}),
            "environmentFiles",
        ),
        (
            "resourceRequirements",
            json!({"type": "InferenceAccelerator", "value": "a"}),
            "overrides.containerOverrides.resourceRequirements.type InferenceAccelerator",
        ),
        (
            "resourceRequirements",
            json!({"type": "GPU", "value": "all"}),
            "Invalid override of 'resourceRequirements'",
        ),
    ] {
        let change = json!({"overrides": {"containerOverrides": [{"name": "app", member: [item]}]}});
        refusals.check(change, INVALID, words).await;
    }
    // What asks for nothing is no reason to refuse.
    let nothing = json!({
        "taskDefinition": "host", "capacityProviderStrategy": [], "enableExecuteCommand": false,
        "placementStrategy": [], "placementConstraints": [], "volumeConfigurations": [], "propagateTags": "NONE",
    });
    refusals.cloud.call("RunTask", nothing).await.expect("runs");
}

#[tokio::test]
async fn run_task_refuses_what_cannot_be_in_the_services_words() {
    let cloud = ready().await;
    let refusals = Refusals {
        cloud,
        operation: "RunTask",
        base: json!({"taskDefinition": "host"}),
    };
    for (change, code, words) in [
        (
            json!({"cluster": "nowhere"}),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            json!({"cluster": "AWSFargate"}),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            json!({"taskDefinition": "nobody"}),
            CLIENT,
            "TaskDefinition not found.",
        ),
        (
            json!({"taskDefinition": "host:9"}),
            CLIENT,
            "TaskDefinition not found.",
        ),
        (json!({"count": 0}), INVALID, "count"),
        (json!({"count": 11}), INVALID, "count"),
        (json!({"startedBy": "a b"}), INVALID, "startedBy"),
        (json!({"startedBy": "x".repeat(129)}), INVALID, "startedBy"),
        (json!({"group": ""}), INVALID, "group"),
        (json!({"group": "service:x"}), INVALID, "group"),
        (json!({"propagateTags": "SERVICE"}), INVALID, "propagateTags"),
        (
            json!({"tags": [{"key": "aws:x", "value": ""}]}),
            INVALID,
            "reserved",
        ),
        (json!({"clientToken": "x".repeat(65)}), INVALID, "clientToken"),
        (json!({"clientToken": "a b"}), INVALID, "clientToken"),
        (
            json!({"platformVersion": "LATEST"}),
            INVALID,
            "platform version must be null",
        ),
        (
            json!({"placementConstraints": [{"type": "distinctInstance", "expression": "x"}]}),
            INVALID,
            "expression",
        ),
        (
            json!({"placementConstraints": [{}]}),
            INVALID,
            "placementConstraints.type",
        ),
        (
            json!({"placementConstraints": [{"type": "memberOf"}]}),
            INVALID,
            "expression must be given",
        ),
        (
            json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:a is b"}]}),
            INVALID,
            "column 13: expected an operator",
        ),
        (
            json!({"placementStrategy": [{"type": "spread", "field": "zone"}]}),
            INVALID,
            "use instanceId, host or attribute:NAME",
        ),
        (
            json!({"placementStrategy": [{"field": "cpu"}]}),
            INVALID,
            "placementStrategy.type",
        ),
        (
            json!({"placementStrategy": vec![json!({"type": "random"}); 6]}),
            INVALID,
            "at most 5",
        ),
        (
            json!({"taskDefinition": "fargate", "launchType": "FARGATE", "placementStrategy": [{"type": "random"}]}),
            INVALID,
            "Placement strategies are not supported with FARGATE launch type.",
        ),
        (
            json!({"placementConstraints": vec![json!({"type": "distinctInstance"}); 11]}),
            INVALID,
            "at most 10",
        ),
        (
            json!({"overrides": {"containerOverrides": [{"name": "db"}]}}),
            INVALID,
            "Override for container named db is not a container in the TaskDefinition.",
        ),
        (json!({"overrides": {"cpu": "lots"}}), CLIENT, "cpu"),
        (json!({"overrides": {"memory": "100"}}), CLIENT, "200"),
        (
            json!({"launchType": "FARGATE"}),
            INVALID,
            "Task definition does not support launch_type FARGATE.",
        ),
        (
            json!({"taskDefinition": "fargate"}),
            INVALID,
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            json!({"taskDefinition": "fargate", "launchType": "FARGATE", "platformVersion": "1.0.0"}),
            "PlatformUnknownException",
            "platformVersion",
        ),
        (
            json!({"taskDefinition": "fargate", "launchType": "FARGATE", "placementConstraints": [{"type": "distinctInstance"}]}),
            INVALID,
            "Placement constraints are not supported with FARGATE launch type.",
        ),
        (
            json!({"taskDefinition": "fargate", "launchType": "FARGATE", "overrides": {"cpu": "300"}}),
            CLIENT,
            "No Fargate configuration exists for given values.",
        ),
    ] {
        refusals.check(change, code, words).await;
    }
}

#[tokio::test]
async fn networks_that_cannot_be_are_refused_in_the_services_words() {
    let cloud = ready().await;
    let refusals = Refusals {
        cloud,
        operation: "RunTask",
        base: json!({"taskDefinition": "vpc"}),
    };
    let network =
        |subnets: &[&str], groups: &[&str]| json!({"networkConfiguration": awsvpc(subnets, groups)});
    let many: Vec<String> = (0..17).map(|i| format!("subnet-{i:017x}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut public = awsvpc(&[SUBNET_A], &[]);
    public["awsvpcConfiguration"]["assignPublicIp"] = json!("ENABLED");
    for (change, words) in [
        (
            json!({}),
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ),
        (
            json!({"networkConfiguration": {}}),
            "Network Configuration must be provided",
        ),
        (
            json!({"taskDefinition": "host", "networkConfiguration": awsvpc(&[SUBNET_A], &[])}),
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ),
        (network(&[], &[]), "subnets can not be empty."),
        (network(&many, &[]), "subnets can have at most 16 items."),
        (
            network(&[SUBNET_A], &[GROUP; 6]),
            "securityGroups can have at most 5 items.",
        ),
        (
            network(&["subnet-0000000000000000f"], &[]),
            "Error retrieving subnet information for [subnet-0000000000000000f]: The subnet ID \
             'subnet-0000000000000000f' does not exist (ErrorCode: InvalidSubnetID.NotFound)",
        ),
        (
            network(&[SUBNET_A], &["sg-0000000000000000f"]),
            "Error retrieving security group information for [sg-0000000000000000f]: The security group \
             'sg-0000000000000000f' does not exist (ErrorCode: InvalidGroup.NotFound)",
        ),
        (
            network(&[SUBNET_A, SUBNET_OTHER], &[]),
            "All subnets must belong to the same VPC.",
        ),
        (
            network(&[SUBNET_A], &[GROUP_OTHER]),
            "Security Group sg-0000000000000000c does not appear to belong to the same VPC as the input subnets.",
        ),
        (json!({"networkConfiguration": public}), "assignPublicIp"),
    ] {
        refusals.check(change, INVALID, words).await;
    }
}

#[tokio::test]
async fn start_task_refuses_as_run_task_does_and_bounds_its_list() {
    let cloud = ready().await;
    let base = json!({"taskDefinition": "host", "containerInstances": ["0".repeat(32)]});
    let refusals = Refusals {
        cloud,
        operation: "StartTask",
        base,
    };
    let many: Vec<String> = (0..11).map(|i| format!("{i:032x}")).collect();
    for (change, words) in [
        (json!({"enableExecuteCommand": true}), "enableExecuteCommand"),
        (json!({"referenceId": "x"}), "referenceId"),
        (
            json!({"volumeConfigurations": [{"name": "v"}]}),
            "volumeConfigurations",
        ),
        (json!({"containerInstances": []}), "empty"),
        (json!({"containerInstances": many}), "at most 10"),
        (json!({"containerInstances": ["short"]}), "length"),
        (json!({"startedBy": "x".repeat(37)}), "up to 36"),
        (
            json!({"taskDefinition": "bridge", "networkConfiguration": awsvpc(&[SUBNET_A], &[])}),
            "Network Configuration is not valid for the given networkMode",
        ),
        (json!({"propagateTags": "SERVICE"}), "propagateTags"),
    ] {
        refusals.check(change, INVALID, words).await;
    }
}

#[tokio::test]
async fn a_cluster_without_instances_says_so() {
    let cloud = cloud().await;
    cloud
        .call("RegisterTaskDefinition", definition("host", "host", |_| {}))
        .await
        .expect("registers");
    let error = cloud
        .call("RunTask", json!({"taskDefinition": "host"}))
        .await
        .expect_err("is refused");
    assert_eq!(error.code, INVALID);
    assert_eq!(
        error.message,
        "No Container Instances were found in your cluster."
    );
}
