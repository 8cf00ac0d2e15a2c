//! What a container of the payload becomes for the runtime.

use super::*;
use crate::engine::decode::decode;
use roadstead_acs as acs;

fn task(edit: impl FnOnce(&mut acs::Task)) -> Task {
    let mut task = acs::Task {
        arn: "arn:aws:ecs:us-east-1:000000000000:task/default/t1".into(),
        network_mode: "none".into(),
        containers: vec![acs::Container {
            name: "web".into(),
            image: "busybox".into(),
            essential: true,
            ..acs::Container::default()
        }],
        ..acs::Task::default()
    };
    edit(&mut task);
    decode(&task).expect("reads")
}

fn image() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/entry".into()],
        cmd: vec!["image-command".into()],
        env: vec!["PATH=/bin".into(), "AWS_REGION=image".into(), "MODE=image".into()],
        ..ImageConfig::default()
    }
}

#[test]
fn commands_combine_as_docker_combines_them() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for (entry, command, wanted) in [
        (None, None, "/entry image-command"),
        (None, Some("own"), "/entry own"),
        (Some("/mine"), None, "/mine"),
        (Some("/mine"), Some("own"), "/mine own"),
        (Some(""), Some(""), "/entry image-command"),
    ] {
        let task = task(|task| {
            task.containers[0].entry_point = entry.map(words);
            task.containers[0].command = command.map(words);
        });
        assert_eq!(
            args(&task.containers[0], &image()).expect("a command"),
            words(wanted),
            "{entry:?} {command:?}"
        );
    }
    let empty = task(|_| {});
    assert!(args(&empty.containers[0], &ImageConfig::default()).is_err());
}

#[test]
fn the_environment_is_the_images_then_the_nodes_then_the_tasks() {
    let around = Surroundings {
        region: "eu-west-1".into(),
        task_endpoint: Some("http://169.254.170.2:4566".into()),
        host_endpoint: None,
    };
    let interface = acs::ElasticNetworkInterface {
        ec2_id: "eni-1".into(),
        mac_address: "02:00:00:00:00:01".into(),
        ipv4_addresses: vec![acs::Ipv4Address {
            primary: true,
            private_address: "10.0.0.5".into(),
        }],
        subnet_gateway_ipv4_address: "10.0.0.1/24".into(),
        ..acs::ElasticNetworkInterface::default()
    };
    let task = task(|task| {
        task.network_mode = "awsvpc".into();
        task.launch_type = "FARGATE".into();
        task.elastic_network_interfaces = vec![interface];
        task.containers[0].environment = [("MODE", "task"), ("AWS_ENDPOINT_URL", "http://mine")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    });
    let all = environment(&task, &task.containers[0], &image(), &around);
    let value = |name: &str| {
        all.iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(value("PATH"), Some("/bin"));
    assert_eq!(value("AWS_REGION"), Some("eu-west-1"));
    assert_eq!(value("AWS_DEFAULT_REGION"), Some("eu-west-1"));
    assert_eq!(value("MODE"), Some("task"));
    assert_eq!(
        value("AWS_ENDPOINT_URL"),
        Some("http://mine"),
        "a task's own is left alone"
    );
    assert_eq!(value("AWS_EXECUTION_ENV"), Some("AWS_ECS_FARGATE"));
    let uri = format!("http://169.254.170.2/v4/{}", task.containers[0].metadata_id);
    assert_eq!(value("ECS_CONTAINER_METADATA_URI_V4"), Some(uri.as_str()));
    assert!(value("ECS_AGENT_URI").is_some());
}

#[test]
fn without_the_link_no_metadata_address_is_promised() {
    let task = task(|_| {});
    let around = Surroundings {
        task_endpoint: Some("x".into()),
        ..Surroundings::default()
    };
    let all = environment(&task, &task.containers[0], &image(), &around);
    assert!(
        !all.iter()
            .any(|(name, _)| name.starts_with("ECS_") || name == "AWS_ENDPOINT_URL"),
        "{all:?}"
    );
}

#[test]
fn limits_are_translated() {
    let task = task(|task| {
        task.cpu = 0.25;
        task.memory = 512;
        task.containers[0].memory = 128;
        task.containers[0].docker_config.host_config =
            r#"{"MemoryReservation":67108864,"MemorySwap":201326592,"Ulimits":[{"Name":"nofile","Soft":10,"Hard":-1}],
                "Tmpfs":{"/run":"size=64m,noexec,ro"},"LogConfig":{"Type":"json-file","Config":{"max-size":"1m","max-file":"3"}}}"#
                .into();
    });
    let group = group_resources(&task);
    assert_eq!(
        group.cpu_quota,
        Some(CpuQuota {
            quota_us: 25_000,
            period_us: 100_000
        })
    );
    assert_eq!(group.memory_limit, Some(512 << 20));
    let container = &task.containers[0];
    let own = resources(container).expect("reads");
    assert_eq!(
        (own.memory_limit, own.memory_reservation, own.swap),
        (Some(128 << 20), Some(64 << 20), Some(64 << 20))
    );
    assert_eq!(own.cpu_shares, Some(2));
    let limits = ulimits(container).expect("reads");
    assert_eq!((limits[0].soft, limits[0].hard), (10, u64::MAX));
    assert_eq!(
        log(container).expect("reads"),
        LogConfig {
            max_size: 1 << 20,
            max_files: 3
        }
    );
    let mount = tmpfs("/run", "size=64m,noexec,ro").expect("reads");
    assert!(mount.read_only);
    assert!(
        matches!(mount.kind, MountKind::Tmpfs { size: Some(67_108_864), options } if options == ["noexec"])
    );
}

#[test]
fn sizes_have_units() {
    for (text, wanted) in [
        ("64m", Some(64 << 20)),
        ("1G", Some(1 << 30)),
        ("10kb", Some(10 << 10)),
        ("7", Some(7)),
        ("m", None),
        ("-1", None),
    ] {
        assert_eq!(size(text), wanted, "{text}");
    }
}
