//! What a container of the payload becomes for the runtime.

use super::*;
use crate::engine::decode::decode;
use roadstead_acs as acs;
use roadstead_image::{Digest, Reference};

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
        allowed: Allowed::default(),
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
    assert_eq!(
        value("AWS_DISABLE_HOST_PREFIX_INJECTION"),
        None,
        "its server may need the prefix"
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
            max_files: 3,
            backlog: None,
        }
    );
    let mount = tmpfs("/run", "size=64m,noexec,ro").expect("reads");
    assert!(mount.read_only);
    assert!(
        matches!(mount.kind, MountKind::Tmpfs { size: Some(67_108_864), options } if options == ["noexec"])
    );
}

fn made(task: &Task, allowed: Allowed) -> Result<ContainerSpec> {
    let around = Surroundings {
        allowed,
        ..Surroundings::default()
    };
    let digest = || Digest::parse(&format!("sha256:{}", "0".repeat(64))).expect("a digest");
    let image = Image {
        reference: Reference::parse("busybox").expect("a reference"),
        digest: digest(),
        manifest_digest: digest(),
        image_id: digest(),
        config: image(),
        layers: vec![PathBuf::from("/layer")],
        size: 0,
        tracked: false,
    };
    container(task, &task.containers[0], &image, Vec::new(), "h".into(), &around)
}

#[test]
fn what_docker_can_say_reaches_the_runtime() {
    let task = task(|task| {
        task.pid_mode = "host".into();
        task.containers[0].memory = 64;
        task.containers[0].docker_config.config = r#"{"Tty":true,"OpenStdin":true,"User":"www:33"}"#.into();
        task.containers[0].docker_config.host_config =
            r#"{"Init":true,"ShmSize":1048576,"MemorySwap":67108864,"MemorySwappiness":7,"ReadonlyRootfs":true,
                "Devices":[{"PathOnHost":"/dev/zero","PathInContainer":"/dev/mine","CgroupPermissions":"rm"}],
                "SecurityOpt":["no-new-privileges"],"Sysctls":{"kernel.sem":"1","net.core.somaxconn":"2"}}"#
                .into();
    });
    let spec = made(&task, Allowed::default()).expect("can be");
    assert!(spec.tty && spec.interactive && spec.init && spec.no_new_privileges && spec.readonly_root);
    assert!(!spec.privileged && spec.seccomp == Seccomp::Default);
    assert_eq!(
        (spec.shm_size, spec.swappiness, spec.resources.swap),
        (Some(1 << 20), Some(7), Some(0))
    );
    assert_eq!((spec.pid, spec.ipc), (Share::Host, Share::New));
    assert_eq!(spec.sysctls.len(), 2, "in namespaces of its own");
    let device = &spec.devices[0];
    assert_eq!((device.read, device.write, device.mknod), (true, false, true));
}

#[test]
fn privileges_are_the_operators_to_give() {
    for (host, member) in [
        (r#"{"Privileged":true}"#, "privileged"),
        (r#"{"SecurityOpt":["seccomp:unconfined"]}"#, "seccomp:unconfined"),
    ] {
        let task = task(|task| task.containers[0].docker_config.host_config = host.into());
        let Err(Failure(why)) = made(&task, Allowed::default()) else {
            panic!("{host} was allowed")
        };
        assert!(
            why.contains(member) && why.contains("--allow-privileged"),
            "{why}"
        );
        let allowed = Allowed {
            privileged: true,
            users: None,
        };
        let spec = made(&task, allowed).expect("is allowed");
        assert!(spec.privileged || spec.seccomp == Seccomp::Unconfined);
    }
}

#[test]
fn parameters_of_shared_namespaces_are_set_once_for_all() {
    let sysctls = r#"{"Sysctls":{"kernel.sem":"1","net.core.somaxconn":"2"}}"#;
    let shared = task(|task| {
        task.ipc_mode = "task".into();
        task.containers[0].docker_config.host_config = sysctls.into();
    });
    let names = |spec: &ContainerSpec| spec.sysctls.keys().cloned().collect::<Vec<_>>();
    let spec = made(&shared, Allowed::default()).expect("can be");
    assert_eq!(names(&spec), ["net.core.somaxconn"]);
    let spec = pause(&shared, None, Allowed::default()).expect("can be");
    assert_eq!(names(&spec), ["kernel.sem"]);
}

#[test]
fn networks_are_joined_or_new() {
    let net = |mode: &str, config: &str| {
        let task = task(|task| {
            task.network_mode = mode.into();
            task.containers[0].docker_config.config = config.into();
        });
        made(&task, Allowed::default()).expect("can be").network
    };
    assert!(matches!(net("bridge", ""), Net::New));
    assert!(matches!(net("none", ""), Net::New));
    assert!(matches!(net("host", ""), Net::Host));
    assert!(matches!(net("host", r#"{"NetworkDisabled":true}"#), Net::New));
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
