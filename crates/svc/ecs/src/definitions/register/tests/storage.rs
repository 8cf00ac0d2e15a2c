//! Volumes and mounts.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, container_shows, containers_refused, register, request};
use crate::tests::ecs;

#[tokio::test]
async fn volumes_and_mounts_name_each_other() {
    let task =
        || json!({"volumes": [{"name": "own"}, {"name": "host", "host": {"sourcePath": "/srv/data"}}]});
    let mounts = json!([
        {"sourceVolume": "own", "containerPath": "/a"},
        {"sourceVolume": "host", "containerPath": "/b", "readOnly": true}
    ]);
    container_shows(
        json!({"mountPoints": mounts}),
        task(),
        json!({"mountPoints": mounts}),
    )
    .await;
    let ecs = Arc::new(ecs());
    let answer = register(&ecs, request(json!({}), task()))
        .await
        .expect("is accepted");
    assert_eq!(
        answer["volumes"],
        json!([{"name": "own", "host": {}}, {"name": "host", "host": {"sourcePath": "/srv/data"}}])
    );
    let volume = |volume: Json| json!({"volumes": [volume]});
    let mount = |mount: Json| json!({"mountPoints": [mount]});
    let cases = [
        (
            json!({}),
            volume(json!({})),
            "Volume.name should not be null or empty.",
        ),
        (
            json!({}),
            volume(json!({"name": "a/b"})),
            "Volume.name contains invalid characters.",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": ""}})),
            "host.sourcePath should not be blank.",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": "a"}})),
            "absolute path",
        ),
        (
            json!({}),
            volume(json!({"name": "v", "host": {"sourcePath": "/a/../b"}})),
            "absolute path",
        ),
        (
            json!({}),
            json!({"volumes": [{"name": "v"}, {"name": "v"}]}),
            "not unique",
        ),
        (
            mount(json!({"containerPath": "/a"})),
            task(),
            "Unknown volume ''.",
        ),
        (
            mount(json!({"sourceVolume": "x", "containerPath": "/a"})),
            task(),
            "Unknown volume 'x'.",
        ),
        (mount(json!({"sourceVolume": "own"})), task(), "containerPath"),
        (
            mount(json!({"sourceVolume": "own", "containerPath": "a"})),
            task(),
            "containerPath",
        ),
        (
            mount(json!({"sourceVolume": "own", "containerPath": "/"})),
            task(),
            "containerPath",
        ),
        (
            json!({"mountPoints": [
                {"sourceVolume": "own", "containerPath": "/a"}, {"sourceVolume": "own", "containerPath": "/a/"}
            ]}),
            task(),
            "mounted more than once",
        ),
        (
            json!({"volumesFrom": [{"sourceContainer": "web"}]}),
            json!({}),
            "Invalid 'volumesFrom' setting",
        ),
        (
            json!({"volumesFrom": [{"sourceContainer": "x"}]}),
            json!({}),
            "Invalid 'volumesFrom' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        ("configuredAtLaunch", json!(true)),
        ("efsVolumeConfiguration", json!({"fileSystemId": "fs-1"})),
        (
            "fsxWindowsFileServerVolumeConfiguration",
            json!({
                "fileSystemId": "fs-1", "rootDirectory": "/",
                "authorizationConfig": {"credentialsParameter": "p", "domain": "d"}
            }),
        ),
        (
            "s3filesVolumeConfiguration",
            json!({"fileSystemArn": "arn:aws:s3files:::x"}),
        ),
    ];
    for (member, value) in unsupported {
        let words = format!("volumes[0].{member} is not supported by Roadstead yet.");
        let task = volume(json!({"name": "v", member: value}));
        containers_refused(INVALID, &[(json!({}), task, &words)]).await;
    }
}

#[tokio::test]
async fn docker_volumes_are_kept_with_their_defaults() {
    let ecs = Arc::new(ecs());
    let bind = json!({"type": "none", "device": "/srv/a", "o": "bind"});
    for (asked, shown) in [
        (json!({}), json!({"scope": "task", "driver": "local"})),
        (
            json!({"scope": "shared"}),
            json!({"scope": "shared", "driver": "local", "autoprovision": false}),
        ),
        (
            json!({"scope": "task", "autoprovision": false, "labels": {"a": "b"}, "driverOpts": bind}),
            json!({
                "scope": "task", "driver": "local", "autoprovision": false, "labels": {"a": "b"}, "driverOpts": bind,
            }),
        ),
    ] {
        let volumes = |docker| json!([{"name": "v", "dockerVolumeConfiguration": docker}]);
        let answer = register(&ecs, request(json!({}), json!({"volumes": volumes(asked)})))
            .await
            .expect("is accepted");
        assert_eq!(answer["volumes"], volumes(shown));
        assert_eq!(answer["compatibilities"], json!(["EC2"]));
        let wanted = json!({"name": "ecs.capability.docker-plugin.local"});
        let attributes = answer["requiresAttributes"].as_array().expect("attributes");
        assert!(attributes.contains(&wanted), "{attributes:?}");
    }
}

#[tokio::test]
async fn docker_volumes_that_cannot_be_are_refused() {
    let volume = |docker: Json| json!({"volumes": [{"name": "v", "dockerVolumeConfiguration": docker}]});
    let both = json!({"volumes": [{"name": "v", "host": {}, "dockerVolumeConfiguration": {}}]});
    let mut fargate = volume(json!({}));
    fargate["requiresCompatibilities"] = json!(["FARGATE"]);
    fargate["networkMode"] = json!("awsvpc");
    fargate["cpu"] = json!("256");
    fargate["memory"] = json!("512");
    let cases = [
        (both, "only one volume configuration type should be used"),
        (fargate, "do not support dockerVolumeConfiguration"),
        (
            volume(json!({"autoprovision": true})),
            "for the scope shared alone",
        ),
        (
            volume(json!({"driverOpts": {"type": "tmpfs"}})),
            "missing required option",
        ),
        (volume(json!({"labels": {"": "a"}})), "Invalid 'labels' setting"),
    ];
    let cases = cases.map(|(task, words)| (json!({}), task, words));
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        (json!({"driver": "rexray/ebs"}), "driver rexray/ebs"),
        (
            json!({"driverOpts": {"type": "nfs", "device": ":/a", "o": "addr=10.0.0.1"}}),
            "driverOpts type=nfs",
        ),
    ];
    for (docker, what) in unsupported {
        let words = format!("volumes[0].dockerVolumeConfiguration.{what} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(json!({}), volume(docker), &words)]).await;
    }
}
