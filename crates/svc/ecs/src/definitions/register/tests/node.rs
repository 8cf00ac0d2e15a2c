//! What the node does for a container beside running it.

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, container_shows, containers_refused, put};

#[tokio::test]
async fn health_checks_and_restart_policies_are_validated_then_refused() {
    let check = |over: Json| json!({"healthCheck": put(json!({"command": ["CMD", "true"]}), over)});
    let policy = |over: Json| json!({"restartPolicy": put(json!({"enabled": true}), over)});
    let codes: Vec<i32> = (0..51).collect();
    let cases = [
        (
            check(json!({"command": []})),
            json!({}),
            "Invalid 'healthCheck' setting",
        ),
        (
            check(json!({"command": ["true"]})),
            json!({}),
            "must begin with CMD",
        ),
        (check(json!({"command": ["CMD"]})), json!({}), "name what to run"),
        (check(json!({"interval": 4})), json!({}), "interval"),
        (check(json!({"timeout": 1})), json!({}), "timeout"),
        (check(json!({"retries": 11})), json!({}), "retries"),
        (check(json!({"startPeriod": 301})), json!({}), "startPeriod"),
        (
            policy(json!({"ignoredExitCodes": codes})),
            json!({}),
            "50 exit codes",
        ),
        (
            policy(json!({"restartAttemptPeriod": 59})),
            json!({}),
            "60 to 1800",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        (
            check(json!({})),
            json!({}),
            "containerDefinitions[0].healthCheck is not supported by Roadstead yet.",
        ),
        (
            policy(json!({})),
            json!({}),
            "containerDefinitions[0].restartPolicy is not supported by Roadstead yet.",
        ),
    ];
    containers_refused(INVALID, &unsupported).await;
    container_shows(
        policy(json!({"enabled": false})),
        json!({}),
        json!({"restartPolicy": null}),
    )
    .await;
}

#[tokio::test]
async fn timeouts_user_and_directory_are_kept_or_refused() {
    let accepted = json!({
        "startTimeout": 2, "stopTimeout": 300, "user": "1000:www", "workingDirectory": "/srv",
        "readonlyRootFilesystem": true, "entryPoint": ["sh", "-c"], "command": ["sleep 1"],
        "versionConsistency": "disabled"
    });
    container_shows(accepted.clone(), json!({}), accepted).await;
    let cases = [
        (
            json!({"startTimeout": -1}),
            json!({}),
            "Invalid 'startTimeout' setting",
        ),
        (
            json!({"stopTimeout": 86_401}),
            json!({}),
            "Invalid 'stopTimeout' setting",
        ),
        (json!({"user": ""}), json!({}), "Invalid 'user' setting"),
        (json!({"user": "a b"}), json!({}), "Invalid 'user' setting"),
        (
            json!({"workingDirectory": "srv"}),
            json!({}),
            "Invalid 'workingDirectory' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn linux_parameters_and_ulimits_are_kept_or_refused() {
    let accepted = json!({
        "linuxParameters": {
            "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
            "tmpfs": [{"containerPath": "/t", "size": 16, "mountOptions": ["noexec", "mode=1777"]}]
        },
        "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]
    });
    container_shows(accepted.clone(), json!({}), accepted).await;
    let linux = |parameters: Json| json!({"linuxParameters": parameters});
    let tmpfs = |over: Json| json!({"linuxParameters": {"tmpfs": [put(json!({"containerPath": "/t", "size": 1}), over)]}});
    let limit = |soft: i32, hard: i32| json!({"name": "core", "softLimit": soft, "hardLimit": hard});
    let cases = [
        (
            linux(json!({"capabilities": {"add": ["FLY"]}})),
            json!({}),
            "'FLY' is not a capability.",
        ),
        (
            linux(json!({"capabilities": {"drop": ["CAP_KILL"]}})),
            json!({}),
            "is not a capability.",
        ),
        (tmpfs(json!({"size": 0})), json!({}), "at least 1 MiB"),
        (
            tmpfs(json!({"containerPath": "t"})),
            json!({}),
            "Invalid 'tmpfs' setting",
        ),
        (
            tmpfs(json!({"mountOptions": ["shared"]})),
            json!({}),
            "not a mount option",
        ),
        (
            tmpfs(json!({"mountOptions": ["mode=1,size=1g"]})),
            json!({}),
            "not a mount option",
        ),
        (
            linux(json!({"swappiness": 101})),
            json!({}),
            "Invalid 'swappiness' setting",
        ),
        (
            linux(json!({"maxSwap": -1})),
            json!({}),
            "Invalid 'maxSwap' setting",
        ),
        (
            linux(json!({"sharedMemorySize": -1})),
            json!({}),
            "Invalid 'sharedMemorySize' setting",
        ),
        (json!({"ulimits": [limit(2, 1)]}), json!({}), "must not exceed"),
        (json!({"ulimits": [limit(-1, 1)]}), json!({}), "must not exceed"),
        (
            json!({"ulimits": [limit(1, 1), limit(1, 1)]}),
            json!({}),
            "set more than once",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    for (member, value) in [
        ("devices", json!([{"hostPath": "/dev/null"}])),
        ("initProcessEnabled", json!(true)),
        ("maxSwap", json!(0)),
        ("sharedMemorySize", json!(64)),
        ("swappiness", json!(60)),
    ] {
        let words = format!("linuxParameters.{member} is not supported by Roadstead yet.");
        containers_refused(INVALID, &[(linux(json!({member: value})), json!({}), &words)]).await;
    }
    container_shows(
        linux(json!({"initProcessEnabled": false, "devices": []})),
        json!({}),
        json!({}),
    )
    .await;
}

#[tokio::test]
async fn logs_go_to_bounded_files_or_are_refused() {
    let logs = |over: Json| json!({"logConfiguration": put(json!({"logDriver": "json-file"}), over)});
    let options = |name: &str, value: &str| logs(json!({"options": {name: value}}));
    let accepted = logs(json!({"options": {"max-size": "10m", "max-file": "3"}}));
    container_shows(accepted.clone(), json!({}), accepted).await;
    for value in ["", "10", "m", "0k", "63k", "2048g", "1.5m", "+1m"] {
        containers_refused(CLIENT, &[(options("max-size", value), json!({}), "max-size")]).await;
    }
    for value in ["", "0", "101", "x"] {
        containers_refused(CLIENT, &[(options("max-file", value), json!({}), "max-file")]).await;
    }
    let secret = json!({"secretOptions": [{"name": "a", "valueFrom": "b"}]});
    let mut cases = vec![
        (
            options("labels", "x"),
            json!({}),
            "logConfiguration.options.labels is not",
        ),
        (logs(secret), json!({}), "logConfiguration.secretOptions is not"),
    ];
    for driver in [
        "syslog",
        "journald",
        "gelf",
        "fluentd",
        "awslogs",
        "splunk",
        "awsfirelens",
    ] {
        cases.push((
            logs(json!({"logDriver": driver})),
            json!({}),
            "logConfiguration.logDriver =",
        ));
    }
    containers_refused(INVALID, &cases).await;
}
