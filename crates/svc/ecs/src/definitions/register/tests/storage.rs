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
        ("dockerVolumeConfiguration", json!({"driver": "local"})),
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
