//! A container definition as Docker's `Config` and `HostConfig`, JSON in strings. Only what was asked for is
//! written: an agent that reads every member must be able to refuse one it cannot do.
//! Source: the Docker Engine API, ContainerCreate; the ECS API reference, ContainerDefinition.

use std::collections::BTreeMap;

use roadstead_api_ecs::{
    ContainerDefinition, DeviceCgroupPermission, HealthCheck, LinuxParameters, NetworkMode,
};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

const MIB: i64 = 1024 * 1024;
const SECOND: i64 = 1_000_000_000;

/// The oldest Docker API that has everything in the two structures.
pub(super) fn version(container: &ContainerDefinition, health: bool) -> &'static str {
    let init = container
        .linux_parameters
        .as_ref()
        .and_then(|linux| linux.init_process_enabled)
        == Some(true);
    if init {
        "1.25"
    } else if health {
        "1.24"
    } else {
        "1.18"
    }
}

/// `Config`, and whether it has a health check.
pub(super) fn config(
    container: &ContainerDefinition,
    labels: &BTreeMap<String, String>,
) -> Result<(String, bool)> {
    let mut config = Map::new();
    let mut text = |name: &str, value: &Option<String>| {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            config.insert(name.to_owned(), json!(value));
        }
    };
    text("User", &container.user);
    text("WorkingDir", &container.working_directory);
    text("Hostname", &container.hostname);
    for (name, asked) in [
        ("Tty", container.pseudo_terminal),
        ("OpenStdin", container.interactive),
        ("NetworkDisabled", container.disable_networking),
    ] {
        if asked == Some(true) {
            config.insert(name.to_owned(), json!(true));
        }
    }
    let mut all = container.docker_labels.clone().unwrap_or_default();
    all.extend(labels.clone());
    if !all.is_empty() {
        config.insert("Labels".to_owned(), json!(all));
    }
    // `CMD NONE` switches off what the image says, which no agent looks at anyway.
    if let Some(check) = &container.health_check {
        config.insert("Healthcheck".to_owned(), health_check(check));
    }
    let checked = container
        .health_check
        .as_ref()
        .is_some_and(|check| check.command.first().is_some_and(|kind| kind != "NONE"));
    Ok((Value::Object(config).to_string(), checked))
}

fn health_check(check: &HealthCheck) -> Value {
    let HealthCheck {
        command,
        interval,
        retries,
        start_period,
        timeout,
    } = check;
    let nanoseconds = |seconds: Option<i32>, default: i32| i64::from(seconds.unwrap_or(default)) * SECOND;
    json!({
        "Test": command,
        "Interval": nanoseconds(*interval, 30),
        "Timeout": nanoseconds(*timeout, 5),
        "StartPeriod": nanoseconds(*start_period, 0),
        "Retries": retries.unwrap_or(3),
    })
}

/// `HostConfig`.
pub(super) fn host_config(container: &ContainerDefinition, mode: Option<NetworkMode>) -> Result<String> {
    let mut host = Map::new();
    let network = match mode {
        Some(NetworkMode::Awsvpc) => "",
        Some(NetworkMode::Host) => "host",
        Some(NetworkMode::None) => "none",
        None | Some(NetworkMode::Bridge) => "bridge",
    };
    host.insert("NetworkMode".to_owned(), json!(network));
    if let Some(mib) = container.memory_reservation {
        host.insert("MemoryReservation".to_owned(), json!(i64::from(mib) * MIB));
    }
    for (name, asked) in [
        ("Privileged", container.privileged),
        ("ReadonlyRootfs", container.readonly_root_filesystem),
    ] {
        if asked == Some(true) {
            host.insert(name.to_owned(), json!(true));
        }
    }
    let mut list = |name: &str, values: Vec<Value>| {
        if !values.is_empty() {
            host.insert(name.to_owned(), Value::Array(values));
        }
    };
    let strings = |values: &Option<Vec<String>>| values.iter().flatten().map(|value| json!(value)).collect();
    list("Dns", strings(&container.dns_servers));
    list("DnsSearch", strings(&container.dns_search_domains));
    list("SecurityOpt", strings(&container.docker_security_options));
    let hosts = container.extra_hosts.iter().flatten();
    list(
        "ExtraHosts",
        hosts
            .map(|host| json!(format!("{}:{}", host.hostname, host.ip_address)))
            .collect(),
    );
    let limits = container.ulimits.iter().flatten();
    let limits = limits.map(
        |limit| json!({ "Name": limit.name.as_str(), "Soft": limit.soft_limit, "Hard": limit.hard_limit }),
    );
    list("Ulimits", limits.collect());
    let sysctls: Map<String, Value> = container
        .system_controls
        .iter()
        .flatten()
        .filter_map(|control| Some((control.namespace.clone()?, json!(control.value.clone()?))))
        .collect();
    if !sysctls.is_empty() {
        host.insert("Sysctls".to_owned(), Value::Object(sysctls));
    }
    if let Some(log) = &container.log_configuration {
        if log
            .secret_options
            .as_ref()
            .is_some_and(|options| !options.is_empty())
        {
            return Err(Error::unsupported(
                "containerDefinitions.logConfiguration.secretOptions",
            ));
        }
        let options = log.options.clone().unwrap_or_default();
        host.insert(
            "LogConfig".to_owned(),
            json!({ "Type": log.log_driver.as_str(), "Config": options }),
        );
    }
    if let Some(linux) = &container.linux_parameters {
        linux_parameters(&mut host, linux, container.memory);
    }
    Ok(Value::Object(host).to_string())
}

fn linux_parameters(host: &mut Map<String, Value>, linux: &LinuxParameters, memory: Option<i32>) {
    let LinuxParameters {
        capabilities,
        devices,
        init_process_enabled,
        max_swap,
        shared_memory_size,
        swappiness,
        tmpfs,
    } = linux;
    if let Some(capabilities) = capabilities {
        for (name, caps) in [("CapAdd", &capabilities.add), ("CapDrop", &capabilities.drop)] {
            if let Some(caps) = caps.as_ref().filter(|caps| !caps.is_empty()) {
                host.insert(name.to_owned(), json!(caps));
            }
        }
    }
    let devices: Vec<Value> = devices
        .iter()
        .flatten()
        .map(|device| {
            let letter = |permission: &DeviceCgroupPermission| match permission {
                DeviceCgroupPermission::Read => 'r',
                DeviceCgroupPermission::Write => 'w',
                DeviceCgroupPermission::Mknod => 'm',
            };
            let permissions: String = match device.permissions.as_deref() {
                None | Some([]) => "rwm".to_owned(),
                Some(some) => some.iter().map(letter).collect(),
            };
            json!({
                "PathOnHost": device.host_path,
                "PathInContainer": device.container_path.as_ref().unwrap_or(&device.host_path),
                "CgroupPermissions": permissions,
            })
        })
        .collect();
    if !devices.is_empty() {
        host.insert("Devices".to_owned(), Value::Array(devices));
    }
    if *init_process_enabled == Some(true) {
        host.insert("Init".to_owned(), json!(true));
    }
    if let Some(swap) = max_swap {
        // Docker counts memory and swap together.
        let together = (i64::from(memory.unwrap_or_default()) + i64::from(*swap)) * MIB;
        host.insert("MemorySwap".to_owned(), json!(together));
        if let Some(swappiness) = swappiness {
            host.insert("MemorySwappiness".to_owned(), json!(swappiness));
        }
    }
    if let Some(mib) = shared_memory_size {
        host.insert("ShmSize".to_owned(), json!(i64::from(*mib) * MIB));
    }
    let mounts: Map<String, Value> = tmpfs
        .iter()
        .flatten()
        .map(|mount| {
            let mut options = mount.mount_options.clone().unwrap_or_default();
            options.push(format!("size={}m", mount.size));
            (mount.container_path.clone(), json!(options.join(",")))
        })
        .collect();
    if !mounts.is_empty() {
        host.insert("Tmpfs".to_owned(), Value::Object(mounts));
    }
}
