//! What is read from a payload, and what is refused with which words.

use super::*;
use crate::engine::restart::RestartPolicy;
use crate::engine::spec::{RegistrySecret, SecretSource, Volume, VolumeSource};

fn container(name: &str) -> acs::Container {
    acs::Container {
        name: name.into(),
        image: "busybox".into(),
        essential: true,
        ..acs::Container::default()
    }
}

fn task(containers: Vec<acs::Container>) -> acs::Task {
    acs::Task {
        arn: "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef0123456789abcdef".into(),
        network_mode: "none".into(),
        overrides: "{}".into(),
        containers,
        ..acs::Task::default()
    }
}

fn refused(task: &acs::Task) -> String {
    decode(task).expect_err("is refused").to_string()
}

#[test]
fn overrides_come_last() {
    for overrides in [
        r#"{"command":["b"],"environment":{"A":"2"}}"#,
        r#"{"command":["b"],"environment":[{"name":"A","value":"2"}]}"#,
    ] {
        let mut web = container("web");
        web.command = Some(vec!["a".into()]);
        web.environment = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "1".to_owned())].into();
        web.overrides = overrides.into();
        let read = decode(&task(vec![web])).expect("reads");
        assert_eq!(read.containers[0].command, Some(vec!["b".to_owned()]));
        assert_eq!(read.containers[0].environment["A"], "2");
        assert_eq!(read.containers[0].environment["B"], "1");
    }
}

#[test]
fn ids_are_derived_from_the_task() {
    let read = decode(&task(vec![container("web")])).expect("reads");
    let again = decode(&task(vec![container("web")])).expect("reads");
    assert_eq!(read, again);
    assert_eq!(read.id, "0123456789abcdef0123456789abcdef");
    assert!(
        read.containers[0]
            .runtime_id
            .starts_with("0123456789abcdef0123456789abcdef-")
    );
}

#[test]
fn restart_policies_are_read_where_they_are_enabled() {
    let read = |enabled, ignored_exit_codes: &[i32], restart_attempt_period| {
        let mut web = container("web");
        web.restart_policy = Some(acs::RestartPolicy {
            enabled,
            ignored_exit_codes: ignored_exit_codes.to_vec(),
            restart_attempt_period,
        });
        decode(&task(vec![web])).map(|task| task.containers[0].restart.clone())
    };
    let policy = RestartPolicy {
        ignored: vec![0, 3],
        period_ms: 60_000,
    };
    assert_eq!(read(true, &[0, 3], 60), Ok(Some(policy)));
    assert_eq!(read(false, &[], 300), Ok(None));
    for period in [-1, i64::MAX] {
        let refused = read(true, &[], period).expect_err("is refused").to_string();
        assert!(refused.contains("restartAttemptPeriod"), "{refused}");
    }
    assert_eq!(
        decode(&task(vec![container("web")])).map(|task| task.containers[0].restart.clone()),
        Ok(None)
    );
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let change = |edit: fn(&mut acs::Task)| {
        let mut task = task(vec![container("web"), container("db")]);
        edit(&mut task);
        refused(&task)
    };
    for (why, wanted) in [
        (change(|t| t.arn = "arn:aws:ecs:r:0:task/x/..".into()), "ARN"),
        (change(|t| t.arn = "arn:aws:ecs:r:0:task/x/.y".into()), "ARN"),
        (change(|t| t.overrides = "not json".into()), "overrides"),
        (change(|t| t.containers.clear()), "containers"),
        (change(|t| t.containers[1].name = "web".into()), "two containers"),
        (
            change(|t| t.containers.iter_mut().for_each(|c| c.essential = false)),
            "essential",
        ),
        (
            change(|t| t.containers[0].overrides = "not json".into()),
            "overrides",
        ),
        (
            change(|t| t.containers[0].overrides = r#"{"image":"x"}"#.into()),
            "image",
        ),
        (
            change(|t| t.containers[0].docker_config.host_config = r#"{"SecurityOpt":["label:x"]}"#.into()),
            "label:x",
        ),
        (
            change(|t| {
                t.containers[0].docker_config.config = r#"{"Healthcheck":{"Test":["true"]}}"#.into();
                t.containers[0].health_check_type = "docker".into();
            }),
            "health check's Test",
        ),
        (
            change(|t| t.containers[0].health_check_type = "oracle".into()),
            "healthCheckType",
        ),
        (change(|t| t.containers[0].links.push("db".into())), "links"),
        (change(|t| t.containers[0].stop_timeout = Some(-1)), "stopTimeout"),
        (change(|t| t.memory = -1), "memory"),
        (change(|t| t.network_mode = "overlay".into()), "overlay"),
        (change(|t| t.network_mode = "awsvpc".into()), "network interface"),
        (change(|t| t.launch_type = "MOON".into()), "MOON"),
        (change(|t| t.pid_mode = "container".into()), "pidMode"),
    ] {
        assert!(why.contains(wanted), "{why:?} does not say {wanted:?}");
    }
}

#[test]
fn ports_and_links_are_read_by_network_mode() {
    let mapping = |port: u16, host: u16, range: &str, protocol: &str| acs::PortMapping {
        container_port: port,
        host_port: host,
        container_port_range: range.into(),
        protocol: protocol.into(),
    };
    let read = |mode: &str, mapping: acs::PortMapping| {
        let mut web = container("web");
        web.port_mappings = vec![mapping];
        let mut task = task(vec![web]);
        task.network_mode = mode.into();
        decode(&task).map(|task| {
            let port = task.containers[0].ports[0];
            (port.first, port.last, port.host, port.protocol())
        })
    };
    for (mode, mapping, wanted) in [
        ("bridge", mapping(80, 0, "", ""), (80, 80, 0, "tcp")),
        ("bridge", mapping(80, 8080, "", "tcp"), (80, 80, 8080, "tcp")),
        ("bridge", mapping(0, 0, "100-110", "udp"), (100, 110, 0, "udp")),
        ("host", mapping(80, 0, "", "UDP"), (80, 80, 80, "udp")),
    ] {
        assert_eq!(read(mode, mapping.clone()), Ok(wanted), "{mode} {mapping:?}");
    }
    for mapping in [
        mapping(0, 0, "", "tcp"),
        mapping(80, 0, "", "sctp"),
        mapping(0, 0, "110-100", "tcp"),
        mapping(0, 80, "100-110", "tcp"),
        mapping(0, 0, "100", "tcp"),
    ] {
        assert!(read("bridge", mapping.clone()).is_err(), "{mapping:?}");
    }
    let mut web = container("web");
    web.links = vec!["db:store".into()];
    let mut linked = task(vec![web, container("db")]);
    linked.network_mode = "bridge".into();
    let read = decode(&linked).expect("reads");
    assert_eq!(read.containers[0].links[0].alias, "store");
    assert_eq!(read.containers[0].depends_on[0].container, "db");
    linked.containers[1].links = vec!["web".into()];
    assert!(refused(&linked).contains("circle"));
}

#[test]
fn namespaces_are_each_ones_the_tasks_or_the_hosts() {
    for (text, wanted) in [
        ("", Sharing::None),
        ("task", Sharing::Task),
        ("host", Sharing::Host),
    ] {
        let mut with = task(vec![container("web")]);
        (with.pid_mode, with.ipc_mode) = (text.into(), text.into());
        let read = decode(&with).expect("reads");
        assert_eq!((read.pid, read.ipc), (wanted, wanted));
    }
    let mut with = task(vec![container("web")]);
    with.ipc_mode = "none".into();
    assert_eq!(decode(&with).expect("reads").ipc, Sharing::None);
}

#[test]
fn dependencies_must_lead_somewhere() {
    let on = |name: &str, condition: &str| acs::DependsOn {
        container_name: name.into(),
        condition: condition.into(),
    };
    for (dependencies, wanted) in [
        (vec![on("gone", "START")], "not there"),
        (vec![on("db", "HEALTHY")], "has no health check"),
        (vec![on("db", "SOMEHOW")], "SOMEHOW"),
        (vec![on("web", "START")], "circle"),
    ] {
        let mut web = container("web");
        web.depends_on = dependencies;
        let why = refused(&task(vec![web, container("db")]));
        assert!(why.contains(wanted), "{why}");
    }
}

#[test]
fn volumes_are_found_and_plain() {
    let mut web = container("web");
    web.mount_points = vec![acs::MountPoint {
        source_volume: "data".into(),
        container_path: "/d".into(),
        read_only: true,
    }];
    let mut with = task(vec![web.clone()]);
    assert!(refused(&with).contains("data"));
    let volume = |kind: &str, path: &str| acs::Volume {
        name: "data".into(),
        kind: kind.into(),
        host: acs::HostVolume {
            source_path: path.into(),
        },
        docker_volume_configuration: None,
    };
    for (volume, good) in [
        (volume("host", ""), true),
        (volume("host", "/srv/data"), true),
        (volume("host", "srv"), false),
        (volume("host", "/srv/../etc"), false),
        (volume("efs", ""), false),
    ] {
        with.volumes = vec![volume];
        assert_eq!(decode(&with).is_ok(), good, "{with:?}");
    }
    let docker = |scope: &str, driver: &str, kind: &str| acs::Volume {
        name: "data".into(),
        kind: "docker".into(),
        docker_volume_configuration: Some(acs::DockerVolume {
            scope: scope.into(),
            autoprovision: true,
            driver: driver.into(),
            driver_opts: [("type", kind), ("device", "tmpfs")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            labels: BTreeMap::new(),
        }),
        ..acs::Volume::default()
    };
    for (volume, wanted) in [
        (docker("task", "local", "tmpfs"), Ok(false)),
        (docker("shared", "local", "tmpfs"), Ok(true)),
        (docker("forever", "local", "tmpfs"), Err("the scope \"forever\"")),
        (
            docker("task", "rexray/ebs", "tmpfs"),
            Err("the driver \"rexray/ebs\""),
        ),
        (docker("task", "local", "nfs"), Err("driverOpts: type=nfs")),
        (
            acs::Volume {
                name: "../data".into(),
                ..docker("shared", "local", "tmpfs")
            },
            Err("no name for a volume"),
        ),
    ] {
        match (read_volume(&volume), wanted) {
            (
                Ok(Volume {
                    source: VolumeSource::Docker(read),
                    ..
                }),
                Ok(shared),
            ) => {
                assert_eq!(read.shared.is_some(), shared);
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (read, wanted) => panic!("{read:?}, but {wanted:?}"),
        }
    }
}

#[test]
fn an_interfaces_ipv6_addresses_have_a_gateway() {
    let interface = |addresses: &[&str], gateway: &str| acs::ElasticNetworkInterface {
        ec2_id: "eni-1".into(),
        mac_address: "02:00:00:00:00:01".into(),
        ipv4_addresses: vec![acs::Ipv4Address {
            primary: true,
            private_address: "10.0.0.5".into(),
        }],
        subnet_gateway_ipv4_address: "10.0.0.1/24".into(),
        ipv6_addresses: addresses
            .iter()
            .map(|address| acs::Ipv6Address {
                address: (*address).into(),
            })
            .collect(),
        subnet_gateway_ipv6_address: gateway.into(),
        ..acs::ElasticNetworkInterface::default()
    };
    for (addresses, gateway, complaint) in [
        (&["fd00::5", "fd00::6"][..], "fd00::1/64", ""),
        (&[], "", ""),
        (&["fd00::5"], "", "not an IPv6 address"),
        (&["fd00::5"], "fd00::1", "not an IPv6 address"),
        (&["fd00::5"], "fd00::1/129", "not an IPv6 address"),
        (&["fd00::5"], "10.0.0.1/24", "not an IPv6 address"),
        (&["10.0.0.5"], "fd00::1/64", "cannot be read"),
    ] {
        let words = check_interface(&interface(addresses, gateway))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert_eq!(words.is_empty(), complaint.is_empty(), "{words}");
        assert!(words.contains(complaint), "{words}");
    }
}

#[test]
fn registry_credentials_are_a_secret_in_a_region() {
    let with = |registry: serde_json::Value| {
        let mut web = container("web");
        web.registry_authentication = serde_json::from_value(registry).expect("reads");
        task(vec![web])
    };
    let data = serde_json::json!({"credentialsParameter": "arn:x", "region": "us-east-1"});
    let read = decode(&with(serde_json::json!({"type": "asm", "asmAuthData": data}))).expect("reads");
    let expected = RegistrySecret {
        secret: "arn:x".into(),
        region: "us-east-1".into(),
    };
    assert_eq!(read.containers[0].registry, Some(expected));
    assert_eq!(
        decode(&task(vec![container("web")])).expect("reads").containers[0].registry,
        None
    );
    for (registry, words) in [
        (serde_json::json!({"type": "asm"}), "names no secret"),
        (
            serde_json::json!({"type": "asm", "asmAuthData": {"region": "us-east-1"}}),
            "names no secret",
        ),
        (
            serde_json::json!({"type": "ecr"}),
            "type \"ecr\" is not supported",
        ),
    ] {
        let why = refused(&with(registry));
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn secrets_are_of_a_provider_in_a_region() {
    let secret = |provider: &str, from: &str, region: &str| acs::Secret {
        name: "A".into(),
        value_from: from.into(),
        provider: provider.into(),
        kind: "ENVIRONMENT_VARIABLE".into(),
        region: region.into(),
    };
    let read = |secret| secret::read_secret("web", &secret).map(|read| read.source);
    let arn = "arn:aws:secretsmanager:r:a:secret:s-AbCdEf";
    assert_eq!(
        read(secret("asm", &format!("{arn}:key::v"), "r")),
        Ok(SecretSource::Secret {
            arn: arn.into(),
            json_key: Some("key".into()),
            version_stage: None,
            version_id: Some("v".into()),
        })
    );
    assert_eq!(
        read(secret("ssm", "/a/b:3", "r")),
        Ok(SecretSource::Parameter("/a/b:3".into()))
    );
    for (refused, words) in [
        (secret("ssm", "", "r"), "not the name or ARN of a parameter"),
        (secret("ssm", "/a", ""), "not of a region"),
        (secret("asm", "/a", "r"), "not the ARN of a secret"),
        (
            secret("vault", "/a", "r"),
            "a secret of vault as ENVIRONMENT_VARIABLE",
        ),
    ] {
        let error = read(refused).expect_err("refused").to_string();
        assert!(error.contains(words), "{error}");
    }
}
