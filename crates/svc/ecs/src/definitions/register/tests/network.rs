//! What a container has of the network and of names.

use serde_json::{Value as Json, json};

use super::{CLIENT, INVALID, container_shows, containers_refused};

#[tokio::test]
async fn port_mappings_follow_the_network_mode() {
    let mapped = |mapping: Json| json!({"portMappings": [mapping]});
    let host = json!({"networkMode": "host"});
    let twice = json!({"portMappings": [{"containerPort": 80}, {"containerPort": 80}]});
    let cases = [
        (
            mapped(json!({})),
            json!({}),
            "Invalid 'containerPort' setting for container 'web'.",
        ),
        (
            mapped(json!({"containerPort": 0})),
            json!({}),
            "Invalid 'containerPort' setting",
        ),
        (
            mapped(json!({"containerPort": 65_536})),
            json!({}),
            "Invalid 'containerPort' setting",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": -1})),
            json!({}),
            "Invalid 'hostPort' setting",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": 8080})),
            json!({}),
            "When networkMode=awsvpc, the host ports",
        ),
        (
            mapped(json!({"containerPort": 80, "hostPort": 8080})),
            host.clone(),
            "When networkMode=host, the host ports",
        ),
        (
            mapped(json!({"containerPort": 80})),
            json!({"networkMode": "none"}),
            "networkMode=none",
        ),
        (twice.clone(), json!({}), "mapped more than once"),
        (twice.clone(), host.clone(), "mapped more than once"),
        (
            mapped(json!({"containerPort": 80, "name": "-x"})),
            json!({}),
            "name of a port mapping",
        ),
        (
            json!({"portMappings": [{"containerPort": 80, "name": "x"}, {"containerPort": 81, "name": "x"}]}),
            json!({}),
            "not unique",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let unsupported = [
        (
            mapped(json!({"containerPortRange": "80-90"})),
            json!({}),
            "portMappings[0].containerPortRange is not",
        ),
        (
            mapped(json!({"containerPort": 80, "appProtocol": "http"})),
            json!({}),
            "portMappings[0].appProtocol",
        ),
    ];
    containers_refused(INVALID, &unsupported).await;
    let shown = |host_port: i32| json!({"portMappings": [{"containerPort": 80, "hostPort": host_port, "protocol": "tcp"}]});
    container_shows(mapped(json!({"containerPort": 80})), json!({}), shown(80)).await;
    container_shows(
        mapped(json!({"containerPort": 80, "hostPort": 80})),
        json!({}),
        shown(80),
    )
    .await;
    container_shows(mapped(json!({"containerPort": 80})), host, shown(80)).await;
    let bridge = json!({"networkMode": "bridge"});
    container_shows(mapped(json!({"containerPort": 80})), bridge.clone(), shown(0)).await;
    container_shows(
        mapped(json!({"containerPort": 80, "hostPort": 8080})),
        bridge.clone(),
        shown(8080),
    )
    .await;
    container_shows(twice, bridge, json!({})).await;
    let both = json!({"portMappings": [
        {"containerPort": 53, "hostPort": 53, "protocol": "tcp", "name": "dns"},
        {"containerPort": 53, "hostPort": 53, "protocol": "udp"}
    ]});
    container_shows(both.clone(), json!({}), both).await;
}

#[tokio::test]
async fn names_around_a_container_depend_on_the_network_mode() {
    let awsvpc = [
        (
            json!({"links": ["a"]}),
            json!({}),
            "Links are not supported when networkMode=awsvpc.",
        ),
        (
            json!({"hostname": "h"}),
            json!({}),
            "hostname is not supported on container when networkMode=awsvpc.",
        ),
        (
            json!({"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}]}),
            json!({}),
            "extraHosts is not supported",
        ),
        (
            json!({"dnsServers": ["10.0.0.2"]}),
            json!({}),
            "dnsServers is not supported",
        ),
        (
            json!({"dnsSearchDomains": ["a.b"]}),
            json!({}),
            "dnsSearchDomains is not supported",
        ),
    ];
    containers_refused(CLIENT, &awsvpc).await;
    let bridge = || json!({"networkMode": null});
    let accepted = json!({
        "hostname": "h-1", "extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}],
        "dnsServers": ["10.0.0.2", "fd00::2"], "dnsSearchDomains": ["a.b"]
    });
    container_shows(accepted.clone(), bridge(), accepted).await;
    let bad = [
        (json!({"hostname": "-h"}), bridge(), "Invalid 'hostname' setting"),
        (
            json!({"extraHosts": [{"hostname": "h", "ipAddress": "x"}]}),
            bridge(),
            "Invalid 'extraHosts' setting",
        ),
        (
            json!({"dnsServers": ["x"]}),
            bridge(),
            "Invalid 'dnsServers' setting",
        ),
        (
            json!({"dnsSearchDomains": [""]}),
            bridge(),
            "Invalid 'dnsSearchDomains' setting",
        ),
    ];
    containers_refused(CLIENT, &bad).await;
    containers_refused(
        INVALID,
        &[(
            json!({"links": ["a"]}),
            bridge(),
            "containerDefinitions[0].links is not",
        )],
    )
    .await;
}

#[tokio::test]
async fn environment_and_labels_are_checked() {
    let pairs = json!([{"name": "A", "value": "1"}, {"name": "B", "value": ""}]);
    container_shows(
        json!({"environment": [{"name": "A", "value": "1"}, {"name": "B"}], "dockerLabels": {"a": "b"}}),
        json!({}),
        json!({"environment": pairs, "dockerLabels": {"a": "b"}}),
    )
    .await;
    let cases = [
        (
            json!({"environment": [{"value": "1"}]}),
            json!({}),
            "Invalid 'environment' setting",
        ),
        (
            json!({"environment": [{"name": "A=B", "value": "1"}]}),
            json!({}),
            "Invalid 'environment' setting",
        ),
        (
            json!({"environment": [{"name": "A"}, {"name": "A"}]}),
            json!({}),
            "set more than once",
        ),
        (
            json!({"dockerLabels": {"": "b"}}),
            json!({}),
            "Invalid 'dockerLabels' setting",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
}
