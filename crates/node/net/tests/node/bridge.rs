//! The node's bridge network: containers reach one another, and the world outside reaches what is published.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use roadstead_net::{AGENT_ADDRESS, BridgeNet, Bridged, Error, Keep, PublishPort, Transport};

use crate::support::*;

fn publish(transport: Transport, container_port: u16, host_port: Option<u16>) -> PublishPort {
    PublishPort {
        container_port,
        count: 1,
        host_port,
        transport,
    }
}

async fn start(m: &Machine, name: &str, ports: &[PublishPort]) -> (String, Bridged) {
    let netns = m.net().make_task_namespace(name).await.unwrap();
    let net = BridgeNet {
        container: name.into(),
        netns,
        ports: ports.to_vec(),
    };
    let bridged = m.net().connect_bridge(&net).await.unwrap();
    (m.id.task_namespace(name), bridged)
}

fn localhost() -> IpAddr {
    Ipv4Addr::LOCALHOST.into()
}

/// A name that no other test's processes have.
fn unique(m: &Machine, name: &str) -> String {
    format!("{}-{name}", m.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_reach_one_another_and_nothing_else() {
    let m = Machine::new().await;
    let host_before = (ip(&m.host, "addr"), ip(&m.host, "route show table all"));
    let ((na, a), (nb, b)) = (start(&m, "a", &[]).await, start(&m, "b", &[]).await);
    assert_eq!(
        a.subnet,
        "172.17.0.0/16".parse().unwrap(),
        "Docker's, which is free here"
    );
    assert_ne!(a.ip, b.ip);
    serve(&na, 80);
    serve(&nb, 80);
    assert_eq!(call(&na, b.ip.into(), 80).unwrap(), a.ip.to_string());
    assert_eq!(call(&nb, a.ip.into(), 80).unwrap(), b.ip.to_string());
    assert!(pings(&na, a.gateway) && pings(&na, b.ip));
    ip(&m.host, "addr add 192.0.2.1/32 dev lo");
    serve(&m.host, 80);
    assert!(
        blocked(&na, Ipv4Addr::new(192, 0, 2, 1), 80),
        "no way to the host"
    );
    assert!(blocked(&m.host, a.ip, 80), "nor from it, but by a published port");
    ip(&m.host, "addr del 192.0.2.1/32 dev lo");
    // The agent knows both.
    answer_on(
        m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    for (ns, container) in [(&na, &a), (&nb, &b)] {
        let seen = call(ns, AGENT_ADDRESS.into(), 80).unwrap();
        assert_eq!(seen, container.bridge_address.to_string());
    }
    assert_ne!(a.bridge_address, b.bridge_address);
    assert_eq!(
        (ip(&m.host, "addr"), ip(&m.host, "route show table all")),
        host_before
    );
    let rules = inside(&m.host, || {
        std::process::Command::new("nft")
            .args(["list", "ruleset"])
            .output()
            .unwrap()
    });
    assert_eq!(rules.stdout, b"", "no rule in the host's tables");
    for _ in 0..2 {
        m.net().disconnect_bridge("a").await.unwrap();
    }
    assert!(blocked(&nb, a.ip, 80));
    m.net().disconnect_bridge("b").await.unwrap();
    let left = [
        m.id.agent_namespace(),
        m.id.task_namespace("a"),
        m.id.task_namespace("b"),
    ];
    assert_eq!(m.traces(), left);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_subnet_is_chosen_when_the_host_has_dockers() {
    let m = Machine::new().await;
    ip(&m.host, "link add rs-up type veth peer name rs-down");
    ip(&m.host, "link set rs-up up");
    ip(&m.host, "addr add 172.17.0.1/16 dev rs-up");
    let (_, a) = start(&m, "a", &[]).await;
    assert_eq!(a.subnet, "172.18.0.0/16".parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn published_ports_lead_to_the_container() {
    let m = Machine::new().await;
    let names = [unique(&m, "a"), unique(&m, "b")];
    let ports = [
        publish(Transport::Tcp, 80, Some(8080)),
        publish(Transport::Tcp, 81, None),
        publish(Transport::Udp, 53, Some(8053)),
        publish(Transport::Udp, 54, None),
    ];
    let (na, a) = start(&m, &names[0], &ports).await;
    assert_eq!(a.ports[0].host_port, 8080);
    assert_eq!(a.ports[2].host_port, 8053);
    assert!(
        a.ports
            .iter()
            .all(|p| p.addresses[0] == IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    );
    let chosen = [a.ports[1].host_port, a.ports[3].host_port];
    assert!(chosen.iter().all(|port| *port > 1024), "{chosen:?}");
    serve(&na, 80);
    serve(&na, 81);
    for port in [8080, chosen[0]] {
        assert_eq!(call(&m.host, localhost(), port).unwrap(), a.gateway.to_string());
    }
    for (inner, outer) in [(53, 8053), (54, chosen[1])] {
        let server = udp(&na, (a.ip, inner));
        let clients = [
            udp(&m.host, (Ipv4Addr::LOCALHOST, 0)),
            udp(&m.host, (Ipv4Addr::LOCALHOST, 0)),
        ];
        for (n, client) in clients.iter().enumerate() {
            client
                .send_to(format!("from {n}").as_bytes(), (Ipv4Addr::LOCALHOST, outer))
                .unwrap();
            let (text, from) = heard(&server);
            assert_eq!((text, from.ip()), (format!("from {n}"), a.gateway.into()));
            server.send_to(format!("to {n}").as_bytes(), from).unwrap();
        }
        for (n, client) in clients.iter().enumerate() {
            let (text, from) = heard(client);
            assert_eq!((text, from.port()), (format!("to {n}"), outer));
        }
    }
    // The same port of the host a second time, and again once it is free.
    let netns = m.net().make_task_namespace(&names[1]).await.unwrap();
    let net = BridgeNet {
        container: names[1].clone(),
        netns,
        ports: vec![
            publish(Transport::Udp, 80, None),
            publish(Transport::Tcp, 80, Some(8080)),
        ],
    };
    let refused = m.net().connect_bridge(&net).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::PortTaken {
                transport: Transport::Tcp,
                ..
            }
        ),
        "{refused}"
    );
    assert!(
        refused
            .to_string()
            .contains("Bind for 0.0.0.0:8080 failed: port is already allocated")
    );
    assert_eq!(forwarders(&names[1]), Vec::<i32>::new());
    m.net().disconnect_bridge(&names[0]).await.unwrap();
    assert_eq!(forwarders(&names[0]), Vec::<i32>::new());
    let b = m.net().connect_bridge(&net).await.unwrap();
    assert_eq!(b, m.net().connect_bridge(&net).await.unwrap(), "again is fine");
    serve(&m.id.task_namespace(&names[1]), 80);
    assert!(call(&m.host, localhost(), 8080).is_ok());
    m.net().teardown().await.unwrap();
    assert_eq!(forwarders(&names[1]), Vec::<i32>::new());
    assert_eq!(m.traces(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_runs_again_keeps_its_address_and_its_ports() {
    let m = Machine::new().await;
    let (a, other) = (unique(&m, "a"), unique(&m, "b"));
    let ports = [publish(Transport::Tcp, 80, None)];
    let (_, first) = start(&m, &a, &ports).await;
    let (nb, _) = start(&m, &other, &[]).await;
    let netns = m.net().make_task_namespace(&unique(&m, "run-2")).await.unwrap();
    let net = BridgeNet {
        container: a,
        netns,
        ports: ports.to_vec(),
    };
    // Also while the namespace of the run before is still there.
    let second = m.net().connect_bridge(&net).await.unwrap();
    assert_eq!(second, first);
    let ns = m.id.task_namespace(&unique(&m, "run-2"));
    serve(&ns, 80);
    assert!(call(&m.host, localhost(), first.ports[0].host_port).is_ok());
    assert!(call(&nb, first.ip.into(), 80).is_ok());
    answer_on(
        m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    assert_eq!(
        call(&ns, AGENT_ADDRESS.into(), 80).unwrap(),
        first.bridge_address.to_string()
    );
    m.net().teardown().await.unwrap();
    assert_eq!(m.traces(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_ports_stays_a_run() {
    let m = Machine::new().await;
    let name = unique(&m, "a");
    let run = |host_port| PublishPort {
        count: 20,
        ..publish(Transport::Tcp, 7000, host_port)
    };
    let (na, a) = start(&m, &name, &[run(None)]).await;
    let first = a.ports[0].host_port;
    for n in [0, 7, 19] {
        serve(&na, 7000 + n);
        assert!(call(&m.host, localhost(), first + n).is_ok());
    }
    assert!(call_briefly(&m.host, localhost(), first + 20).is_err());
    let impossible = [
        run(Some(65_530)),
        run(Some(0)),
        PublishPort {
            count: 0,
            ..run(None)
        },
        PublishPort {
            count: 201,
            ..run(None)
        },
    ];
    for port in impossible {
        let net = BridgeNet {
            container: "x".into(),
            netns: m.net().make_task_namespace("x").await.unwrap(),
            ports: vec![port],
        };
        assert!(matches!(
            m.net().connect_bridge(&net).await,
            Err(Error::Invalid(_))
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_served_while_the_daemon_is_away_and_a_forwarder_that_died_comes_back() {
    let mut m = Machine::new().await;
    let (a, gone) = (unique(&m, "a"), unique(&m, "gone"));
    let (na, bridged) = start(&m, &a, &[publish(Transport::Tcp, 80, None)]).await;
    let port = bridged.ports[0].host_port;
    start(&m, &gone, &[publish(Transport::Tcp, 80, Some(8080))]).await;
    serve(&na, 80);
    let before = forwarders(&a);
    assert_eq!(before.len(), 1);
    m.close().await;
    assert!(call(&m.host, localhost(), port).is_ok(), "without the daemon");
    m.net_namespace_gone(&gone);
    until("its device's end, which the kernel takes its time for", || {
        ip(&m.id.bridge_namespace(), "-o link").lines().count() == 2
    })
    .await;
    m.open().await;
    assert_eq!(forwarders(&a), before, "the same process");
    assert_eq!(forwarders(&gone).len(), 1, "it may run again");
    assert!(call(&m.host, localhost(), port).is_ok());

    kill(before[0]);
    until("a forwarder again", || call(&m.host, localhost(), port).is_ok()).await;
    let second = forwarders(&a);
    assert_ne!(second, before);
    m.close().await;
    kill(second[0]);
    until("its end", || forwarders(&a).is_empty()).await;
    m.open().await;
    assert!(call(&m.host, localhost(), port).is_ok(), "on the same port");

    let keep = Keep {
        tasks: BTreeSet::from([a.clone()]),
        ..Keep::default()
    };
    assert_eq!(
        m.net().reap(keep).await.unwrap().bridged,
        std::slice::from_ref(&gone)
    );
    assert_eq!(forwarders(&gone), Vec::<i32>::new(), "nobody asked to keep it");
    assert!(call(&m.host, localhost(), port).is_ok());
    let reaped = m.net().reap(Keep::default()).await.unwrap();
    assert_eq!(reaped.bridged, std::slice::from_ref(&a));
    assert_eq!(forwarders(&a), Vec::<i32>::new());
    assert_eq!(m.traces(), [m.id.agent_namespace()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_died_while_the_daemon_was_away_runs_again_with_its_ports() {
    let mut m = Machine::new().await;
    let (a, other) = (unique(&m, "a"), unique(&m, "b"));
    let ports = [
        publish(Transport::Tcp, 80, None),
        publish(Transport::Udp, 53, None),
    ];
    let (_, first) = start(&m, &a, &ports).await;
    m.close().await;
    m.net_namespace_gone(&a);
    until("its device's end, which the kernel takes its time for", || {
        ip(&m.id.bridge_namespace(), "-o link").lines().count() == 1
    })
    .await;
    m.open().await;
    let keep = Keep {
        tasks: BTreeSet::from([a.clone()]),
        ..Keep::default()
    };
    assert_eq!(m.net().reap(keep).await.unwrap().bridged, Vec::<String>::new());
    // Nobody else gets them meanwhile.
    let (_, second) = start(&m, &other, &ports).await;
    assert_ne!((second.ip, &second.ports), (first.ip, &first.ports));
    let netns = m.net().make_task_namespace(&unique(&m, "run-2")).await.unwrap();
    let net = BridgeNet {
        container: a.clone(),
        netns,
        ports: ports.to_vec(),
    };
    let again = m.net().connect_bridge(&net).await.unwrap();
    assert_eq!((again.ip, &again.ports), (first.ip, &first.ports));
    serve(&m.id.task_namespace(&unique(&m, "run-2")), 80);
    assert!(call(&m.host, localhost(), first.ports[0].host_port).is_ok());
    m.net().teardown().await.unwrap();
    assert_eq!((forwarders(&a), m.traces()), (Vec::new(), Vec::new()));
}
