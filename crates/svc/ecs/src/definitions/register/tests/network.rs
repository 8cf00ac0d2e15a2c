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
    let unsupported = [(
        mapped(json!({"containerPort": 80, "appProtocol": "http"})),
        json!({}),
        "portMappings[0].appProtocol",
    )];
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
}

#[tokio::test]
async fn ranges_of_ports_lead_where_the_network_mode_says() {
    let mapped = |mappings: Json| json!({"portMappings": mappings});
    let range = |text: &str| mapped(json!([{"containerPortRange": text}]));
    let bridge = json!({"networkMode": "bridge"});
    for mode in [json!({}), bridge.clone()] {
        let shown = json!([{"containerPortRange": "80-90", "protocol": "tcp"}]);
        container_shows(range("80-90"), mode, mapped(shown)).await;
    }
    let cases = [
        (range("80-80"), bridge.clone(), "the lower first"),
        (range("90-80"), bridge.clone(), "the lower first"),
        (range("0-80"), bridge.clone(), "the lower first"),
        (range("80"), bridge.clone(), "the lower first"),
        (range("80-65536"), bridge.clone(), "the lower first"),
        (range("+80-90"), bridge.clone(), "the lower first"),
        (range("80-90"), json!({"networkMode": "host"}), "bridge or awsvpc"),
        (
            mapped(json!([{"containerPortRange": "80-90", "hostPort": 80}])),
            bridge.clone(),
            "neither a containerPort nor a hostPort",
        ),
        (
            mapped(json!([{"containerPortRange": "80-90"}, {"containerPortRange": "90-95"}])),
            bridge.clone(),
            "only be in one port mapping",
        ),
        (
            mapped(json!([{"containerPort": 85}, {"containerPortRange": "80-90"}])),
            bridge.clone(),
            "only be in one port mapping",
        ),
    ];
    containers_refused(CLIENT, &cases).await;
    let many = range("1000-1200");
    container_shows(range("1001-1200"), bridge.clone(), json!({})).await;
    container_shows(many.clone(), json!({}), json!({})).await;
    containers_refused(INVALID, &[(many, bridge.clone(), "at most 200 ports")]).await;
    let apart = json!([
        {"containerPortRange": "80-90", "protocol": "tcp"}, {"containerPortRange": "80-90", "protocol": "udp"},
        {"containerPort": 91, "hostPort": 0, "protocol": "tcp"}
    ]);
    container_shows(mapped(apart.clone()), bridge, mapped(apart)).await;
}

#[tokio::test]
async fn links_name_other_containers_of_a_bridge() {
    let linked = |links: Json| {
        let web = json!({"name": "web", "image": "a", "memory": 8, "links": links});
        let db = json!({"name": "db", "image": "b", "memory": 8, "essential": false});
        json!({"networkMode": "bridge", "containerDefinitions": [web, db]})
    };
    let ecs = std::sync::Arc::new(crate::tests::ecs());
    for links in [json!(["db"]), json!(["db:store", "db:db-2"])] {
        let answer = super::register(&ecs, super::request(json!({}), linked(links.clone())))
            .await
            .expect("is accepted");
        assert_eq!(answer["containerDefinitions"][0]["links"], links);
    }
    let mut circle = linked(json!(["db"]));
    circle["containerDefinitions"][1]["links"] = json!(["web"]);
    let mut host = linked(json!(["db"]));
    host["networkMode"] = json!("host");
    let cases = [
        (json!({}), linked(json!(["nobody"])), "'nobody'"),
        (json!({}), linked(json!(["web"])), "not another"),
        (json!({}), linked(json!(["db:"])), "letters, numbers"),
        (json!({}), linked(json!(["db:a.b"])), "letters, numbers"),
        (json!({}), linked(json!(["db", "db"])), "more than once"),
        (json!({}), circle, "circle"),
        (json!({}), host, "Links are not supported when networkMode=host."),
    ];
    containers_refused(CLIENT, &cases).await;
}

#[tokio::test]
async fn a_container_without_network_has_nothing_to_map() {
    let off = json!({"disableNetworking": true});
    for mode in ["awsvpc", "bridge", "host", "none"] {
        container_shows(off.clone(), json!({"networkMode": mode}), off.clone()).await;
    }
    let mapped = json!({"disableNetworking": true, "portMappings": [{"containerPort": 80}]});
    containers_refused(CLIENT, &[(mapped, json!({}), "neither portMappings nor links")]).await;
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
