//! What the node does for a container beside running it.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, container_shows, containers_refused, put, register, request};
use crate::tests::ecs;

#[tokio::test]
async fn health_checks_are_kept_with_their_defaults() {
    let check = |over: Json| json!({"healthCheck": put(json!({"command": ["CMD", "true"]}), over)});
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
    ];
    containers_refused(CLIENT, &cases).await;
    let filled = json!({"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3});
    container_shows(check(json!({})), json!({}), json!({"healthCheck": filled})).await;
    let full = check(json!({"interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0}));
    container_shows(full.clone(), json!({}), full).await;
}

#[tokio::test]
async fn restart_policies_are_kept_within_their_bounds() {
    let policy = |over: Json| json!({"restartPolicy": put(json!({"enabled": true}), over)});
    let codes = |count: i32| json!({"ignoredExitCodes": (0..count).collect::<Vec<_>>()});
    let period = |seconds: i32| json!({"restartAttemptPeriod": seconds});
    let cases = [
        (policy(codes(51)), json!({}), "50 exit codes"),
        (policy(period(59)), json!({}), "60 to 1800"),
        (policy(period(1801)), json!({}), "60 to 1800"),
    ];
    containers_refused(CLIENT, &cases).await;
    for over in [
        json!({}),
        json!({"enabled": false}),
        codes(50),
        period(60),
        period(1800),
    ] {
        container_shows(policy(over.clone()), json!({}), policy(over)).await;
    }
    let ecs = Arc::new(ecs());
    for (enabled, needed) in [(true, true), (false, false)] {
        let answer = register(&ecs, request(policy(json!({"enabled": enabled})), json!({})))
            .await
            .expect("registered");
        let needs = answer["requiresAttributes"].as_array().into_iter().flatten();
        let attribute = json!({"name": "ecs.capability.container-restart-policy"});
        assert_eq!(needs.filter(|one| **one == attribute).count() == 1, needed);
    }
}

#[tokio::test]
async fn timeouts_user_and_directory_are_kept_or_refused() {
    let accepted = json!({
        "startTimeout": 2, "stopTimeout": 300, "user": "1000:www", "workingDirectory": "/srv",
        "readonlyRootFilesystem": true, "entryPoint": ["sh", "-c"], "command": ["sleep 1"],
        "versionConsistency": "disabled"
    });
    container_shows(accepted.clone(), json!({}), accepted).await;
    let enabled = json!({"versionConsistency": "enabled"});
    container_shows(enabled.clone(), json!({}), enabled).await;
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
            "devices": [{"hostPath": "/dev/null", "containerPath": "/dev/x", "permissions": ["read", "mknod"]}],
            "initProcessEnabled": true, "maxSwap": 64, "swappiness": 10, "sharedMemorySize": 16,
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
        (
            json!({"linuxParameters": {"maxSwap": 1}, "memory": null, "memoryReservation": 8}),
            json!({}),
            "on top of the container's 'memory'",
        ),
        (
            linux(json!({"sharedMemorySize": 1})),
            json!({"ipcMode": "task"}),
            "no shared memory of its own",
        ),
        (
            linux(json!({"devices": [{"hostPath": "dev/null"}]})),
            json!({}),
            "Invalid 'devices' setting",
        ),
        (
            linux(json!({"devices": [{"hostPath": "/dev/null", "containerPath": "/etc/x"}]})),
            json!({}),
            "below /dev",
        ),
        (
            linux(
                json!({"devices": [{"hostPath": "/dev/null"}, {"hostPath": "/dev/zero", "containerPath": "/dev/null"}]}),
            ),
            json!({}),
            "more than once",
        ),
        (
            linux(json!({"devices": [{"hostPath": "/dev/null", "permissions": ["read", "read"]}]})),
            json!({}),
            "more than once",
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
    container_shows(
        linux(json!({"initProcessEnabled": false, "devices": []})),
        json!({}),
        json!({}),
    )
    .await;
}

/// What a definition of launch type EC2 says and Fargate refuses in these words.
async fn not_on_fargate(container: Json, task: Json, words: &str) {
    let ec2 = put(json!({"networkMode": "awsvpc"}), task);
    let answer = register(&Arc::new(ecs()), request(container.clone(), ec2.clone()))
        .await
        .expect(words);
    assert_eq!(answer["compatibilities"], json!(["EC2"]), "{words}");
    let fargate = put(
        ec2,
        json!({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512"}),
    );
    containers_refused(CLIENT, &[(container, fargate, words)]).await;
}

#[tokio::test]
async fn fargate_refuses_what_reaches_the_machine() {
    let linux = |parameters: Json| json!({"linuxParameters": parameters});
    for (container, words) in [
        (linux(json!({"devices": [{"hostPath": "/dev/null"}]})), "devices"),
        (linux(json!({"maxSwap": 0})), "maxSwap"),
        (linux(json!({"swappiness": 1})), "swappiness"),
        (linux(json!({"sharedMemorySize": 1})), "sharedMemorySize"),
        (json!({"privileged": true}), "privileged"),
        (
            json!({"dockerSecurityOptions": ["no-new-privileges"]}),
            "dockerSecurityOptions",
        ),
        (json!({"disableNetworking": true}), "disableNetworking"),
    ] {
        not_on_fargate(container, json!({}), words).await;
    }
    not_on_fargate(json!({}), json!({"pidMode": "host"}), "pidMode").await;
    not_on_fargate(json!({}), json!({"ipcMode": "task"}), "ipcMode").await;
    let fargate =
        json!({"requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "pidMode": "task"});
    let allowed = json!({
        "interactive": true, "pseudoTerminal": true,
        "systemControls": [{"namespace": "net.core.somaxconn", "value": "100"}],
        "linuxParameters": {"initProcessEnabled": true}
    });
    container_shows(allowed.clone(), fargate, allowed).await;
}

#[tokio::test]
async fn privileges_are_a_matter_of_placement() {
    let attributes = |container: Json, task: Json| async move {
        let answer = register(&Arc::new(ecs()), request(container, task))
            .await
            .expect("is accepted");
        let names = answer["requiresAttributes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let names = names
            .iter()
            .map(|it| it["name"].as_str().unwrap_or_default().to_owned());
        names.collect::<Vec<_>>()
    };
    let privileged = "com.amazonaws.ecs.capability.privileged-container".to_owned();
    for (container, wanted) in [
        (json!({"privileged": true}), true),
        (json!({"dockerSecurityOptions": ["seccomp:unconfined"]}), true),
        (json!({"dockerSecurityOptions": ["seccomp=unconfined"]}), true),
        (json!({"dockerSecurityOptions": ["no-new-privileges"]}), false),
        (json!({"privileged": false}), false),
    ] {
        let names = attributes(container.clone(), json!({})).await;
        assert_eq!(names.contains(&privileged), wanted, "{container}");
    }
    for (container, task, name) in [
        (
            json!({"linuxParameters": {"initProcessEnabled": true}}),
            json!({}),
            "com.amazonaws.ecs.capability.docker-remote-api.1.25",
        ),
        (
            json!({}),
            json!({"pidMode": "task"}),
            "ecs.capability.pid-ipc-namespace-sharing",
        ),
        (
            json!({}),
            json!({"ipcMode": "host"}),
            "ecs.capability.pid-ipc-namespace-sharing",
        ),
        (
            json!({"portMappings": [{"containerPortRange": "1-2"}]}),
            json!({}),
            "ecs.capability.network.container-port-range",
        ),
    ] {
        assert!(
            attributes(container, task).await.contains(&name.to_owned()),
            "{name}"
        );
    }
    let options = |option: &str| json!({"dockerSecurityOptions": [option]});
    let twice = json!({"dockerSecurityOptions": ["no-new-privileges", "no-new-privileges:false"]});
    containers_refused(
        CLIENT,
        &[
            (
                options("seccomp:/etc/profile.json"),
                json!({}),
                "'seccomp:/etc/profile.json'",
            ),
            (
                options("systempaths=unconfined"),
                json!({}),
                "'systempaths=unconfined'",
            ),
            (twice, json!({}), "more than once"),
        ],
    )
    .await;
    for option in [
        "apparmor:docker-default",
        "label:disable",
        "credentialspec:file://x",
    ] {
        let words = format!("dockerSecurityOptions = {option} is not supported");
        containers_refused(INVALID, &[(options(option), json!({}), &words)]).await;
    }
}

#[tokio::test]
async fn kernel_parameters_belong_to_a_namespace_of_the_task() {
    let set = |name: &str, value: &str| json!({"systemControls": [{"namespace": name, "value": value}]});
    for name in [
        "net.ipv4.tcp_keepalive_time",
        "kernel.shmmax",
        "kernel.shm_rmid_forced",
        "fs.mqueue.msg_max",
    ] {
        let accepted = set(name, "1");
        container_shows(accepted.clone(), json!({}), accepted).await;
    }
    let host = || json!({"networkMode": "host"});
    let twice = json!({"systemControls": [
        {"namespace": "kernel.sem", "value": "1"}, {"namespace": "kernel.sem", "value": "2"}
    ]});
    let cases = [
        (
            set("kernel.panic", "1"),
            json!({}),
            "'kernel.panic' is not a namespaced kernel parameter.",
        ),
        (set("vm.swappiness", "1"), json!({}), "not a namespaced"),
        (set("net..core", "1"), json!({}), "not a namespaced"),
        (set("net./../kernel/panic", "1"), json!({}), "not a namespaced"),
        (set("net.core.somaxconn", ""), json!({}), "needs a value"),
        (set("net.core.somaxconn", "1\n2"), json!({}), "needs a value"),
        (twice, json!({}), "more than once"),
        (set("net.core.somaxconn", "1"), host(), "networkMode=host"),
        (set("kernel.sem", "1"), json!({"ipcMode": "host"}), "ipcMode=host"),
    ];
    containers_refused(CLIENT, &cases).await;
    container_shows(set("kernel.sem", "1"), host(), set("kernel.sem", "1")).await;
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
    for driver in ["journald", "splunk", "awsfirelens"] {
        cases.push((
            logs(json!({"logDriver": driver})),
            json!({}),
            "logConfiguration.logDriver =",
        ));
    }
    containers_refused(INVALID, &cases).await;
}

#[tokio::test]
async fn gpus_are_kept_and_counted() {
    let gpu = |value: &str| json!({"resourceRequirements": [{"type": "GPU", "value": value}]});
    container_shows(gpu("2"), json!({}), gpu("2")).await;
    let answer = register(&Arc::new(ecs()), request(gpu("1"), json!({})))
        .await
        .expect("is accepted");
    assert_eq!(answer["compatibilities"], json!(["EC2"]));
    let twice = json!({"resourceRequirements": [
        {"type": "GPU", "value": "1"}, {"type": "GPU", "value": "1"}
    ]});
    let mut cases = vec![(twice, json!({}), "more than once")];
    for value in ["", "0", "-1", "+1", "1.5", "many", "1025"] {
        cases.push((gpu(value), json!({}), "not a whole number from 1 to 1024"));
    }
    let fargate = json!({
        "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",
    });
    cases.push((gpu("1"), fargate, "do not support GPU resourceRequirements"));
    containers_refused(CLIENT, &cases).await;
    let accelerator =
        json!({"resourceRequirements": [{"type": "InferenceAccelerator", "value": "device_1"}]});
    let words = "containerDefinitions[0].resourceRequirements.type InferenceAccelerator is not supported";
    containers_refused(INVALID, &[(accelerator, json!({}), words)]).await;
}
