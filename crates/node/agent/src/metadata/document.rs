//! The documents of the task metadata endpoint, version 4.
//! Source: "Amazon ECS task metadata endpoint version 4" in the ECS developer guide.

use roadstead_base::Timestamp;
use serde_json::{Map, Value, json};

use super::server::Place;
use crate::engine::machine::Machine;
use crate::engine::report;
use crate::engine::spec::{Container, NetworkMode, Port};
use crate::engine::state::{Binding, ContainerState, Status};

fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), value.into());
    }
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::to_rfc3339)
}

/// The whole task.
pub(super) fn task(machine: &Machine, place: &Place) -> Map<String, Value> {
    let (task, state) = (&machine.task, &machine.state);
    let containers = task
        .containers
        .iter()
        .map(|one| container(machine, one, &state.containers[&one.name]));
    let mut all = Map::new();
    put(&mut all, "Cluster", Some(task.cluster_arn.clone()));
    put(&mut all, "TaskARN", Some(task.arn.clone()));
    put(&mut all, "Family", Some(task.family.clone()));
    put(&mut all, "Revision", Some(task.revision.clone()));
    put(
        &mut all,
        "ServiceName",
        Some(task.service_name.clone()).filter(|name| !name.is_empty()),
    );
    put(&mut all, "DesiredStatus", Some(machine.desired().as_str()));
    put(&mut all, "KnownStatus", Some(machine.status().as_str()));
    put(&mut all, "Containers", Some(containers.collect::<Vec<Value>>()));
    let mut limits = Map::new();
    put(
        &mut limits,
        "CPU",
        (task.cpu > 0).then(|| task.cpu as f64 / 1024.0),
    );
    put(&mut limits, "Memory", (task.memory > 0).then_some(task.memory));
    put(&mut all, "Limits", (!limits.is_empty()).then_some(limits));
    put(&mut all, "PullStartedAt", time(state.pull_started_at));
    put(&mut all, "PullStoppedAt", time(state.pull_stopped_at));
    put(&mut all, "ExecutionStoppedAt", time(state.execution_stopped_at));
    put(
        &mut all,
        "AvailabilityZone",
        Some(place.availability_zone.clone()).filter(|zone| !zone.is_empty()),
    );
    put(&mut all, "LaunchType", Some(task.launch_type.as_str()));
    put(
        &mut all,
        "VPCID",
        Some(place.vpc_id.clone()).filter(|id| !id.is_empty()),
    );
    put(&mut all, "FaultInjectionEnabled", Some(false));
    all
}

/// One container.
pub(super) fn container(machine: &Machine, spec: &Container, state: &ContainerState) -> Value {
    let task = &machine.task;
    let mut all = Map::new();
    put(&mut all, "DockerId", Some(spec.runtime_id.clone()));
    put(&mut all, "Name", Some(spec.name.clone()));
    put(&mut all, "DockerName", Some(task.docker_name(spec)));
    put(&mut all, "Image", Some(spec.image_name.clone()));
    put(
        &mut all,
        "ImageID",
        state.image.as_ref().map(|image| image.id.clone()),
    );
    let ports = ports(machine, spec, state);
    put(&mut all, "Ports", (!ports.is_empty()).then_some(ports));
    put(&mut all, "Labels", Some(json!(task.labels(spec))));
    put(&mut all, "DesiredStatus", Some(machine.desired().as_str()));
    put(&mut all, "KnownStatus", Some(state.shown().as_str()));
    let ended = state.shown() == Status::Stopped;
    put(&mut all, "ExitCode", state.exit_code.filter(|_| ended));
    put(
        &mut all,
        "RestartCount",
        spec.restart.as_ref().map(|_| state.restarts),
    );
    put(
        &mut all,
        "Limits",
        Some(json!({ "CPU": spec.cpu, "Memory": spec.memory })),
    );
    put(&mut all, "CreatedAt", time(state.created_at));
    put(&mut all, "StartedAt", time(state.started_at));
    put(&mut all, "FinishedAt", time(state.finished_at.filter(|_| ended)));
    put(&mut all, "Type", Some("NORMAL"));
    put(&mut all, "Health", health(spec, state));
    let log = spec.host.log_config.as_ref();
    let driver = log.map_or("", |log| log.kind.as_str());
    put(
        &mut all,
        "LogDriver",
        Some(if driver.is_empty() { "json-file" } else { driver }),
    );
    let options = log.and_then(|log| log.config.clone());
    put(
        &mut all,
        "LogOptions",
        options
            .filter(|options| !options.is_empty())
            .map(|options| json!(options)),
    );
    put(
        &mut all,
        "ContainerARN",
        Some(spec.arn.clone()).filter(|arn| !arn.is_empty()),
    );
    put(&mut all, "Networks", Some(networks(machine, spec, state)));
    put(&mut all, "Snapshotter", Some("overlayfs"));
    Value::Object(all)
}

/// Of a container that has a health check.
fn health(spec: &Container, state: &ContainerState) -> Option<Value> {
    spec.health.as_ref()?;
    let health = &state.health;
    let mut all = Map::new();
    put(&mut all, "status", Some(health.status.as_str()));
    put(&mut all, "statusSince", time(health.since));
    put(&mut all, "exitCode", health.exit_code);
    put(
        &mut all,
        "output",
        Some(health.output.clone()).filter(|output| !output.is_empty()),
    );
    Some(Value::Object(all))
}

/// What the container listens on, and what of the node leads there.
fn ports(machine: &Machine, spec: &Container, state: &ContainerState) -> Vec<Value> {
    // One for each, in their order, once the container has its place.
    let bound = report::bindings(&machine.task, spec, state);
    let port = |(index, port): (usize, &Port)| {
        let bound = bound.get(index);
        let mut one = Map::new();
        match bound.and_then(Binding::ranges) {
            Some((container, host)) => {
                put(&mut one, "ContainerPortRange", Some(container));
                put(&mut one, "HostPortRange", Some(host));
            }
            None if port.is_range() => {
                let range = format!("{}-{}", port.first, port.last);
                put(&mut one, "ContainerPortRange", Some(range));
            }
            None => put(&mut one, "ContainerPort", Some(port.first)),
        }
        put(&mut one, "Protocol", Some(port.protocol()));
        let host = bound.map_or(port.host, |binding| binding.host_port);
        put(
            &mut one,
            "HostPort",
            (host != 0 && !port.is_range()).then_some(host),
        );
        Value::Object(one)
    };
    spec.ports.iter().enumerate().map(port).collect()
}

fn networks(machine: &Machine, spec: &Container, state: &ContainerState) -> Vec<Value> {
    let mode = if spec.config.network_disabled {
        NetworkMode::None
    } else {
        machine.task.network
    };
    if mode != NetworkMode::Awsvpc {
        let mut all = Map::new();
        put(&mut all, "NetworkMode", Some(mode.as_str()));
        if let Some(connection) = &state.connection {
            put(&mut all, "IPv4Addresses", Some(json!([connection.address])));
            put(&mut all, "MACAddress", Some(connection.mac.clone()));
            put(&mut all, "IPv4SubnetCIDRBlock", Some(connection.subnet.clone()));
        }
        return vec![Value::Object(all)];
    }
    let mode = mode.as_str();
    let network = |(index, interface): (usize, &roadstead_acs::ElasticNetworkInterface)| {
        let addresses: Vec<&str> = interface
            .ipv4_addresses
            .iter()
            .map(|address| address.private_address.as_str())
            .collect();
        let mut all = Map::new();
        put(&mut all, "NetworkMode", Some(mode));
        put(&mut all, "IPv4Addresses", Some(json!(addresses)));
        let ipv6 = interface.ipv6_addresses.iter().map(|one| one.address.as_str());
        let ipv6: Vec<&str> = ipv6.collect();
        put(&mut all, "IPv6Addresses", (!ipv6.is_empty()).then(|| json!(ipv6)));
        put(&mut all, "AttachmentIndex", Some(index));
        put(&mut all, "MACAddress", Some(interface.mac_address.clone()));
        put(
            &mut all,
            "IPv4SubnetCIDRBlock",
            subnet(&interface.subnet_gateway_ipv4_address),
        );
        put(
            &mut all,
            "IPv6SubnetCIDRBlock",
            subnet(&interface.subnet_gateway_ipv6_address),
        );
        let list = |list: &Vec<String>| (!list.is_empty()).then(|| json!(list));
        put(
            &mut all,
            "DomainNameServers",
            list(&interface.domain_name_servers),
        );
        put(&mut all, "DomainNameSearchList", list(&interface.domain_name));
        put(
            &mut all,
            "PrivateDNSName",
            Some(interface.private_dns_name.clone()).filter(|name| !name.is_empty()),
        );
        put(
            &mut all,
            "SubnetGatewayIpv4Address",
            Some(interface.subnet_gateway_ipv4_address.clone()),
        );
        Value::Object(all)
    };
    machine.task.interfaces.iter().enumerate().map(network).collect()
}

/// `10.0.1.1/24` is in `10.0.1.0/24`.
fn subnet(gateway: &str) -> Option<String> {
    let gateway: ipnet::IpNet = gateway.parse().ok()?;
    Some(gateway.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subnet_is_the_gateways() {
        for (gateway, wanted) in [
            ("10.77.1.1/24", Some("10.77.1.0/24")),
            ("172.31.16.1/20", Some("172.31.16.0/20")),
            ("10.0.0.1/32", Some("10.0.0.1/32")),
            ("10.0.0.1/0", Some("0.0.0.0/0")),
            ("10.0.0.1", None),
            ("x/24", None),
            ("10.0.0.1/33", None),
        ] {
            assert_eq!(subnet(gateway).as_deref(), wanted, "{gateway}");
        }
    }
}
