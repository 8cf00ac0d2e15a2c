//! What a service cannot be, in the service's words.

use serde_json::{Value as Json, json};

use super::plane;

#[tokio::test]
async fn create_service_refuses_what_cannot_be() {
    let plane = plane().await;
    let with = |change: Json| {
        let mut request = json!({"serviceName": "web", "taskDefinition": "web", "desiredCount": 1});
        for (name, value) in change.as_object().expect("members") {
            request[name] = value.clone();
        }
        request
    };
    let percent = |least: i32, most: i32| json!({"deploymentConfiguration": {"minimumHealthyPercent": least, "maximumPercent": most}});
    let not_yet = "is not supported by Roadstead yet.";
    let own = crate::harness::definition("own", "awsvpc", |_| {});
    plane
        .cloud
        .call("RegisterTaskDefinition", own)
        .await
        .expect("registers");
    for (change, code, words) in [
        (
            json!({"taskDefinition": "own", "networkConfiguration": crate::harness::public()}),
            "InvalidParameterException",
            "assignPublicIp ENABLED is not supported by Roadstead yet",
        ),
        (
            json!({"serviceName": "a b"}),
            "InvalidParameterException",
            "Invalid service name.",
        ),
        (
            json!({"cluster": "none"}),
            "ClusterNotFoundException",
            "Cluster not found.",
        ),
        (
            json!({"taskDefinition": "none"}),
            "ClientException",
            "TaskDefinition not found.",
        ),
        (
            json!({"taskDefinition": null}),
            "InvalidParameterException",
            "TaskDefinition can not be blank.",
        ),
        (
            json!({"desiredCount": null}),
            "InvalidParameterException",
            "desiredCount must be given.",
        ),
        (
            json!({"desiredCount": -1}),
            "InvalidParameterException",
            "desiredCount must be between",
        ),
        (
            json!({"desiredCount": 5001}),
            "InvalidParameterException",
            "desiredCount must be between",
        ),
        (
            json!({"clientToken": "with space"}),
            "InvalidParameterException",
            "clientToken",
        ),
        (
            percent(100, 100),
            "InvalidParameterException",
            "cannot be 100 as this will block deployments.",
        ),
        (
            percent(101, 200),
            "InvalidParameterException",
            "minimumHealthyPercent",
        ),
        (percent(50, 99), "InvalidParameterException", "maximumPercent"),
        (
            json!({"healthCheckGracePeriodSeconds": -1}),
            "InvalidParameterException",
            "healthCheckGracePeriod",
        ),
        (
            json!({"schedulingStrategy": "DAEMON"}),
            "InvalidParameterException",
            "does not support a desired count",
        ),
        (
            json!({"schedulingStrategy": "DAEMON", "desiredCount": null, "placementStrategy": [{"type": "random"}]}),
            "InvalidParameterException",
            "does not support placement strategies",
        ),
        (
            json!({"schedulingStrategy": "DAEMON", "desiredCount": null,
                   "placementConstraints": [{"type": "distinctInstance"}]}),
            "InvalidParameterException",
            "distinctInstance",
        ),
        (
            json!({"schedulingStrategy": "DAEMON", "desiredCount": null, "availabilityZoneRebalancing": "ENABLED"}),
            "InvalidParameterException",
            "availabilityZoneRebalancing",
        ),
        (
            json!({"placementStrategy": [{"type": "spread", "field": "?"}]}),
            "InvalidParameterException",
            "placement",
        ),
        (
            json!({"launchType": "FARGATE"}),
            "InvalidParameterException",
            "does not support launch_type FARGATE",
        ),
        (
            json!({"platformVersion": "1.4.0"}),
            "InvalidParameterException",
            "platform version",
        ),
        (
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}),
            "InvalidParameterException",
            "not valid for the given networkMode",
        ),
        (
            json!({"launchType": "EXTERNAL"}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"role": "r"}),
            "InvalidParameterException",
            "you must also specify a load balancer",
        ),
        (
            json!({"enableExecuteCommand": true}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"loadBalancers": [{"containerName": "app"}]}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"serviceRegistries": [{"registryArn": "a"}]}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"serviceConnectConfiguration": {"enabled": true}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"volumeConfigurations": [{"name": "v"}]}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"vpcLatticeConfigurations": [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}]}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentController": {"type": "CODE_DEPLOY"}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"strategy": "BLUE_GREEN"}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"bakeTimeInMinutes": 1}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"lifecycleHooks": [{"lifecycleStages": ["PRE_SCALE_UP"]}]}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"canaryConfiguration": {"canaryPercent": 5.0}}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"linearConfiguration": {"stepPercent": 5.0}}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"deploymentConfiguration": {"alarms": {"alarmNames": [], "enable": true, "rollback": true}}}),
            "InvalidParameterException",
            "cannot be empty when enable is true.",
        ),
        (
            json!({"deploymentConfiguration": {"bakeTimeInMinutes": 5}}),
            "InvalidParameterException",
            not_yet,
        ),
        (
            json!({"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": {"maximumPercent": 100,
                   "minimumHealthyPercent": 50}}),
            "InvalidParameterException",
            "not possible with a maximumPercent of 100",
        ),
        (
            json!({"availabilityZoneRebalancing": "ENABLED", "placementStrategy": [{"type": "random"}]}),
            "InvalidParameterException",
            "not possible with a first placement strategy other than spread",
        ),
        (
            json!({"availabilityZoneRebalancing": "ENABLED", "placementConstraints": [
                {"type": "memberOf", "expression": "attribute:ecs.availability-zone == us-east-1a"}]}),
            "InvalidParameterException",
            "not possible with a placement constraint on attribute:ecs.availability-zone",
        ),
    ] {
        let error = plane.cloud.call("CreateService", with(change.clone())).await;
        let error = error
            .map(|answer| panic!("{change} made {answer:#}"))
            .expect_err("refused");
        assert!(
            error.code == code && error.message.contains(words),
            "{change}: {error}"
        );
    }
    let services = plane.cloud.call("ListServices", json!({})).await.expect("lists");
    assert_eq!(services["serviceArns"], json!([]));
}

#[tokio::test]
async fn what_asks_for_nothing_is_taken() {
    let plane = plane().await;
    let nothing = json!({
        "loadBalancers": [], "serviceRegistries": [], "enableExecuteCommand": false, "placementConstraints": [],
        "serviceConnectConfiguration": {"enabled": false}, "volumeConfigurations": [],
        "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": {
            "strategy": "ROLLING", "alarms": {"alarmNames": [], "enable": false, "rollback": false},
        },
    });
    plane.create(nothing).await;
}

#[tokio::test]
async fn services_that_are_not_there_are_named() {
    let plane = plane().await;
    for call in ["UpdateService", "DeleteService"] {
        let error = plane
            .cloud
            .call(call, json!({"service": "none"}))
            .await
            .expect_err("is not there");
        assert_eq!(
            (error.code.as_ref(), error.message.as_str()),
            ("ServiceNotFoundException", "Service not found.")
        );
    }
    let answer = plane
        .cloud
        .call("DescribeServices", json!({"services": ["none"]}))
        .await
        .expect("answers");
    let arn = "arn:aws:ecs:us-east-1:000000000000:service/default/none";
    assert_eq!(answer["failures"], json!([{"arn": arn, "reason": "MISSING"}]));
    let many: Vec<String> = (0..11).map(|n| format!("s{n}")).collect();
    for (services, words) in [
        (json!([]), "cannot be empty"),
        (json!(many), "at most 10"),
        (json!([""]), "blank"),
    ] {
        let error = plane
            .cloud
            .call("DescribeServices", json!({"services": services}))
            .await
            .expect_err(words);
        assert!(
            error.code == "InvalidParameterException" && error.message.contains(words),
            "{error}"
        );
    }
    let other = "arn:aws:ecs:us-east-1:000000000000:service/elsewhere/web";
    let error = plane
        .cloud
        .call("DescribeServices", json!({"services": [other]}))
        .await
        .expect_err("elsewhere");
    assert!(
        error.message.contains("Identifier is for cluster elsewhere"),
        "{error}"
    );
}
