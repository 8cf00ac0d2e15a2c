//! Every member of a definition that a task can have arrives; the shapes are those of the recorded conversations
//! with the vendor's agent.

use roadstead_acs as acs;
use roadstead_api_ecs::{MODEL, RegisterTaskDefinitionRequest, TaskDefinition};
use roadstead_base::Timestamp;
use roadstead_protocol::{Wire, json};
use serde_json::{Value as Json, json};

use super::*;
use crate::names::{ClusterName, ContainerInstanceId, Family, TaskDefinitionId, TaskId};
use crate::stored::Stored;
use crate::tags::Tags;
use crate::tasks::{
    AttachmentStatus, ContainerRecord, ContainerStatus, Desired, InterfaceRecord, LastStatus, Times,
};
use crate::tests::ctx;

/// A definition as it is registered, without the registration's checks.
fn definition(text: Json) -> Definition {
    let shape = MODEL
        .operation("RegisterTaskDefinition")
        .and_then(|operation| operation.input)
        .expect("a shape");
    let value = json::from_json(&MODEL, shape, text, "").expect("fits the model");
    let request = RegisterTaskDefinitionRequest::from_value(value).expect("a request");
    TaskDefinition {
        family: Some(request.family),
        network_mode: request.network_mode,
        container_definitions: Some(request.container_definitions),
        volumes: request.volumes,
        pid_mode: request.pid_mode,
        ipc_mode: request.ipc_mode,
        ..Default::default()
    }
}

pub(crate) fn task(attachment: bool) -> TaskRecord {
    let partition = ctx().partition();
    let cluster = ClusterName::new("default").expect("a name");
    let host = crate::instances::InstanceRef {
        partition: partition.clone(),
        cluster: cluster.clone(),
        id: ContainerInstanceId::derived("i", "test"),
    };
    let container = |name: &str| ContainerRecord {
        name: name.into(),
        arn: format!("arn:container/{name}"),
        image: String::new(),
        essential: true,
        status: ContainerStatus::Pending,
        cpu: 0,
        memory: None,
        memory_reservation: None,
        runtime_id: None,
        image_digest: None,
        by_tag: false,
        exit_code: None,
        reason: None,
        bindings: Vec::new(),
        health: None,
    };
    TaskRecord {
        node: roadstead_placement::NodeId("i-1".into()),
        definition: TaskDefinitionId {
            family: Family::new("fam").expect("a name"),
            revision: 7,
        },
        capacity_provider: None,
        launch: Launch::Ec2,
        host,
        host_ec2_id: None,
        zone: None,
        desired: Desired::Running,
        last: LastStatus::Pending,
        stop: None,
        group: "family:fam".into(),
        started_by: None,
        cpu: Some(512),
        memory: Some(1024),
        overrides: Stored::default(),
        architecture: "x86_64".into(),
        containers: vec![container("web")],
        attachment: attachment.then(|| AttachmentRecord {
            id: "a-b".into(),
            status: AttachmentStatus::Attaching,
            subnet: "subnet-1".into(),
            cidr: "10.77.1.0/24".into(),
            ipv6_cidr: None,
            resolver: "10.77.0.2".into(),
            groups: Vec::new(),
            device_index: 1,
            interface: Some(InterfaceRecord {
                id: "eni-0001".into(),
                attachment: None,
                mac: "02:ec:5e:00:00:01".into(),
                address: "10.77.1.10".into(),
                ipv6_address: None,
                dns_name: Some("ip-10-77-1-10.ec2.internal".into()),
            }),
        }),
        ephemeral_storage: None,
        times: Times {
            created: Timestamp(0),
            ..Times::default()
        },
        protected_until: None,
        version: 1,
        tags: Tags::default(),
        id: TaskId::derived("t", "test"),
        partition,
        cluster,
    }
}

/// One container, compiled, with its Docker structures read.
fn container(text: Json) -> (acs::Container, Json, Json) {
    let mut whole = json!({"name": "web", "image": "busybox:test"});
    whole
        .as_object_mut()
        .expect("an object")
        .extend(text.as_object().expect("an object").clone());
    let definition =
        definition(json!({"family": "fam", "networkMode": "host", "containerDefinitions": [whole]}));
    check(&definition).expect("a task can have it");
    let compiled = compile(&definition, &task(false))
        .expect("compiles")
        .containers
        .remove(0);
    let read = |text: &str| serde_json::from_str(text).expect("JSON");
    let (config, host) = (
        read(&compiled.docker_config.config),
        read(&compiled.docker_config.host_config),
    );
    (compiled, config, host)
}

#[test]
fn members_of_a_container_arrive() {
    let (compiled, config, host) = container(json!({
        "cpu": 64, "memory": 64, "memoryReservation": 32, "essential": false,
        "entryPoint": ["sh"], "command": ["-c", "true"], "user": "1000:1000", "workingDirectory": "/srv",
        "hostname": "box", "dockerLabels": {"a": "b"},
        "environment": [{"name": "FOO", "value": "bar"}, {"name": "EMPTY"}],
        "portMappings": [{"containerPort": 80}, {"containerPort": 53, "protocol": "udp"}],
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/v", "readOnly": true}],
        "volumesFrom": [{"sourceContainer": "db", "readOnly": true}],
        "dependsOn": [{"containerName": "db", "condition": "HEALTHY"}],
        "startTimeout": 60, "stopTimeout": 5,
    }));
    assert_eq!(
        (compiled.cpu, compiled.memory, compiled.essential),
        (64, 64, false)
    );
    assert_eq!(compiled.entry_point.as_deref(), Some(&["sh".to_owned()][..]));
    assert_eq!(compiled.command.as_deref().map(<[_]>::len), Some(2));
    assert_eq!(compiled.environment.get("FOO").map(String::as_str), Some("bar"));
    assert_eq!(compiled.environment.get("EMPTY").map(String::as_str), Some(""));
    assert_eq!(
        (compiled.start_timeout, compiled.stop_timeout),
        (Some(60), Some(5))
    );
    let ports: Vec<_> = compiled
        .port_mappings
        .iter()
        .map(|p| (p.container_port, p.host_port, &*p.protocol))
        .collect();
    assert_eq!(ports, [(80, 80, "tcp"), (53, 53, "udp")]);
    assert!(compiled.mount_points[0].read_only && compiled.volumes_from[0].read_only);
    assert_eq!(compiled.depends_on[0].condition, "HEALTHY");
    assert_eq!(compiled.container_arn, "arn:container/web");
    assert_eq!(
        (&config["User"], &config["WorkingDir"]),
        (&json!("1000:1000"), &json!("/srv"))
    );
    assert_eq!(
        (&config["Hostname"], &config["Labels"]["a"]),
        (&json!("box"), &json!("b"))
    );
    assert_eq!(config["Labels"]["com.amazonaws.ecs.task-definition-version"], "7");
    assert_eq!(config["Labels"]["com.amazonaws.ecs.container-name"], "web");
    assert_eq!(
        host,
        json!({"NetworkMode": "host", "MemoryReservation": 32 << 20})
    );
    assert_eq!(compiled.docker_config.version, "1.18");
}

#[test]
fn docker_structures_say_what_was_asked_and_nothing_else() {
    let check = |text: Json, name: &str, wanted: Json| {
        let (_, config, host) = container(text);
        let found = if host.get(name).is_some() {
            &host[name]
        } else {
            &config[name]
        };
        assert_eq!(*found, wanted, "{name}");
    };
    check(json!({"privileged": true}), "Privileged", json!(true));
    check(
        json!({"readonlyRootFilesystem": true}),
        "ReadonlyRootfs",
        json!(true),
    );
    check(json!({"disableNetworking": true}), "NetworkDisabled", json!(true));
    check(json!({"pseudoTerminal": true}), "Tty", json!(true));
    check(json!({"interactive": true}), "OpenStdin", json!(true));
    check(json!({"dnsServers": ["10.0.0.2"]}), "Dns", json!(["10.0.0.2"]));
    check(json!({"dnsSearchDomains": ["x"]}), "DnsSearch", json!(["x"]));
    check(
        json!({"dockerSecurityOptions": ["no-new-privileges"]}),
        "SecurityOpt",
        json!(["no-new-privileges"]),
    );
    check(
        json!({"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.9"}]}),
        "ExtraHosts",
        json!(["h:10.0.0.9"]),
    );
    check(
        json!({"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]}),
        "Ulimits",
        json!([{"Name": "nofile", "Soft": 1, "Hard": 2}]),
    );
    check(
        json!({"systemControls": [{"namespace": "net.core.somaxconn", "value": "9"}]}),
        "Sysctls",
        json!({"net.core.somaxconn": "9"}),
    );
    check(
        json!({"logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1m"}}}),
        "LogConfig",
        json!({"Type": "json-file", "Config": {"max-size": "1m"}}),
    );
    let linux = |text: Json| json!({"memory": 64, "linuxParameters": text});
    check(
        linux(json!({"capabilities": {"add": ["NET_ADMIN"]}})),
        "CapAdd",
        json!(["NET_ADMIN"]),
    );
    check(
        linux(json!({"capabilities": {"drop": ["ALL"]}})),
        "CapDrop",
        json!(["ALL"]),
    );
    check(linux(json!({"initProcessEnabled": true})), "Init", json!(true));
    check(linux(json!({"sharedMemorySize": 8})), "ShmSize", json!(8 << 20));
    check(linux(json!({"maxSwap": 64})), "MemorySwap", json!(128 << 20));
    check(
        linux(json!({"maxSwap": 64, "swappiness": 10})),
        "MemorySwappiness",
        json!(10),
    );
    check(
        linux(json!({"tmpfs": [{"containerPath": "/t", "size": 5, "mountOptions": ["noexec"]}]})),
        "Tmpfs",
        json!({"/t": "noexec,size=5m"}),
    );
    check(
        linux(json!({"devices": [{"hostPath": "/dev/fuse", "permissions": ["read"]}]})),
        "Devices",
        json!([{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "r"}]),
    );
    let (compiled, config, _) =
        container(json!({"healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 5}}));
    assert_eq!(
        (
            compiled.health_check_type.as_str(),
            compiled.docker_config.version.as_str()
        ),
        ("docker", "1.24")
    );
    let wanted = json!({
        "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_i64, "Timeout": 5_000_000_000_i64,
        "StartPeriod": 0, "Retries": 3,
    });
    assert_eq!(config["Healthcheck"], wanted);
}

#[test]
fn registry_credentials_travel_as_the_secret_and_its_region() {
    let elsewhere = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:r-AbCdEf";
    for (secret, region) in [("registry", "us-east-1"), (elsewhere, "eu-west-1")] {
        let text = json!({
            "family": "fam", "containerDefinitions": [
                {"name": "web", "image": "i", "repositoryCredentials": {"credentialsParameter": secret}},
                {"name": "open", "image": "i"},
            ],
        });
        let payload = compile(&definition(text), &task(false)).expect("compiles");
        let sent = serde_json::to_value(&payload.containers).expect("writes");
        let wanted = json!({
            "type": "asm", "asmAuthData": {"credentialsParameter": secret, "region": region},
        });
        assert_eq!(sent[0]["registryAuthentication"], wanted);
        assert_eq!(sent[1].get("registryAuthentication"), None);
    }
}

#[test]
fn secrets_travel_with_their_provider_and_region() {
    let parameter = "arn:aws:ssm:eu-west-1:000000000000:parameter/a";
    let secret = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:r-AbCdEf:key::";
    for (from, provider, region) in [
        ("/app/name", "ssm", "us-east-1"),
        (parameter, "ssm", "eu-west-1"),
        (secret, "asm", "eu-west-1"),
    ] {
        let (compiled, _, _) = container(json!({"secrets": [{"name": "A", "valueFrom": from}]}));
        let sent = serde_json::to_value(&compiled.secrets).expect("writes");
        let wanted = json!([{
            "name": "A", "valueFrom": from, "provider": provider, "type": "ENVIRONMENT_VARIABLE", "region": region,
        }]);
        assert_eq!(sent, wanted);
    }
}

#[test]
fn restart_policies_travel_with_their_default() {
    for (policy, wanted) in [
        (json!(null), json!(null)),
        (json!({"enabled": false, "restartAttemptPeriod": 60}), json!(null)),
        (
            json!({"enabled": true}),
            json!({"enabled": true, "ignoredExitCodes": [], "restartAttemptPeriod": 300}),
        ),
        (
            json!({"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60}),
            json!({"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60}),
        ),
    ] {
        let (sent, _, _) = container(json!({"restartPolicy": policy}));
        let sent = serde_json::to_value(&sent).expect("writes");
        assert_eq!(sent["restartPolicy"], wanted, "{policy}");
    }
}

#[test]
fn docker_volumes_travel_with_their_scope_driver_and_labels() {
    let whole = json!({
        "scope": "shared", "autoprovision": true, "driver": "local", "labels": {"a": "b"},
        "driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
    });
    let plain = json!({
        "scope": "task", "autoprovision": false, "driver": "local", "labels": {}, "driverOpts": {},
    });
    for (asked, sent) in [(whole.clone(), whole), (json!({}), plain)] {
        let text = json!({
            "family": "fam", "containerDefinitions": [{"name": "web", "image": "i"}],
            "volumes": [{"name": "v", "dockerVolumeConfiguration": asked}],
        });
        let payload = compile(&definition(text), &task(false)).expect("compiles");
        let volume = serde_json::to_value(&payload.volumes[0]).expect("writes");
        assert_eq!(
            (
                &volume["name"],
                &volume["type"],
                &volume["dockerVolumeConfiguration"]
            ),
            (&json!("v"), &json!("docker"), &sent)
        );
    }
}

#[test]
fn what_no_task_can_have_is_refused_by_name() {
    for (member, value) in [
        ("environmentFiles", json!([{"type": "s3", "value": "arn"}])),
        ("firelensConfiguration", json!({"type": "fluentd"})),
        ("credentialSpecs", json!(["x"])),
    ] {
        let text = json!({
            "family": "fam", "containerDefinitions": [{"name": "web", "image": "i", member: value}],
        });
        let error = check(&definition(text)).expect_err(member).to_string();
        assert!(error.contains(member), "{error}");
    }
    for (member, value) in [
        ("efsVolumeConfiguration", json!({"fileSystemId": "fs-1"})),
        ("configuredAtLaunch", json!(true)),
    ] {
        let text = json!({
            "family": "fam", "containerDefinitions": [{"name": "web", "image": "i"}],
            "volumes": [{"name": "v", member: value}],
        });
        let error = check(&definition(text)).expect_err(member).to_string();
        assert!(error.contains(member), "{error}");
    }
}

#[test]
fn ports_of_a_bridge_are_the_hosts_or_chosen_there() {
    let definition = definition(json!({"family": "fam", "containerDefinitions": [{
        "name": "web", "image": "i", "links": ["db:store"], "portMappings": [
            {"containerPort": 80}, {"containerPort": 81, "hostPort": 8081, "protocol": "udp"},
            {"containerPortRange": "100-110"}
        ]
    }]}));
    let compiled = compile(&definition, &task(false)).expect("compiles");
    let text = serde_json::to_value(&compiled).expect("JSON");
    assert_eq!(text["networkMode"], "bridge");
    assert_eq!(text["containers"][0]["links"], json!(["db:store"]));
    let wanted = json!([
        {"containerPort": 80, "hostPort": 0, "protocol": "tcp"},
        {"containerPort": 81, "hostPort": 8081, "protocol": "udp"},
        {"containerPort": 0, "containerPortRange": "100-110", "hostPort": 0, "protocol": "tcp"},
    ]);
    assert_eq!(text["containers"][0]["portMappings"], wanted);
}

/// The members that the vendor's agent was seen to take, in the conversation with an awsvpc task.
#[test]
fn an_awsvpc_task_has_the_shape_of_the_recorded_one() {
    let definition = definition(json!({
        "family": "fam", "networkMode": "awsvpc", "pidMode": "task", "ipcMode": "none",
        "containerDefinitions": [{"name": "web", "image": "busybox:test", "cpu": 64, "memory": 64, "essential": true}],
        "volumes": [{"name": "scratch"}, {"name": "data", "host": {"sourcePath": "/data"}}],
    }));
    let compiled = compile(&definition, &task(true)).expect("compiles");
    let text = serde_json::to_value(&compiled).expect("JSON");
    assert_eq!(
        (&text["version"], &text["overrides"], &text["desiredStatus"]),
        (&json!("7"), &json!("{}"), &json!("RUNNING"))
    );
    assert_eq!(
        (&text["cpu"], &text["memory"], &text["launchType"]),
        (&json!(0.5), &json!(1024), &json!("EC2"))
    );
    assert_eq!(
        (&text["pidMode"], &text["ipcMode"]),
        (&json!("task"), &json!("none"))
    );
    assert_eq!(
        text["containers"][0]["dockerConfig"]["hostConfig"],
        r#"{"NetworkMode":""}"#
    );
    assert_eq!(text["volumes"][1]["host"]["sourcePath"], "/data");
    assert_eq!(
        text["elasticNetworkInterfaces"][0],
        json!({
            "attachmentArn": "arn:aws:ecs:us-east-1:000000000000:attachment/a-b", "ec2Id": "eni-0001",
            "macAddress": "02:ec:5e:00:00:01",
            "ipv4Addresses": [{"primary": true, "privateAddress": "10.77.1.10"}],
            "subnetGatewayIpv4Address": "10.77.1.1/24", "domainNameServers": ["10.77.0.2"],
            "domainName": ["ec2.internal"], "privateDnsName": "ip-10-77-1-10.ec2.internal",
        })
    );
}
