//! The host's way to one VPC, and that it costs the host nothing.

use ipnet::Ipv4Net;
use roadstead_acs::network::{Peer, Protocol, Rule};
use roadstead_net::HostAttachError;

use crate::support::*;

fn cidr() -> Ipv4Net {
    "172.31.0.0/16".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_reaches_what_groups_allow_and_the_vpc_never_begins() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let inside_only = Rule {
        protocol: tcp(80),
        peer: Peer::Cidr("172.31.0.0/16".parse().unwrap()),
    };
    let map = MapOf::new(&v, 1).wears(&a, &["sg-a"]).wears(&b, &["sg-b"]);
    let map = map
        .group("sg-a", &[anywhere(tcp(80))])
        .group("sg-b", &[inside_only]);
    m.net().apply(&map.0).await.unwrap();
    let before = (ip(&m.host, "addr"), ip(&m.host, "route show table all"));
    m.net().attach_host(&v, cidr()).await.unwrap();
    m.net().attach_host(&v, cidr()).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    for ns in [&ta.ns, &tb.ns, &m.host] {
        serve(ns, 80);
    }
    serve(&ta.ns, 81);
    let seen = call(&m.host, address(10).into(), 80).unwrap();
    assert!(seen.starts_with("169.254."), "{seen}");
    assert!(blocked(&m.host, address(10), 81));
    assert!(
        blocked(&m.host, address(11), 80),
        "the group lets only the VPC in"
    );
    assert!(pings(&m.host, address(1)), "the gateway answers the host");
    assert!(
        call_briefly(&ta.ns, seen.parse().unwrap(), 80).is_err(),
        "the VPC does not begin"
    );
    let routes = ip(&m.host, "route");
    assert_eq!(routes.lines().count(), 1, "{routes}");
    m.net().detach_host(&v).await.unwrap();
    m.net().detach_host(&v).await.unwrap();
    assert!(blocked(&m.host, address(10), 80));
    for eni in [&a, &b] {
        m.net().detach(&eni.interface_id).await.unwrap();
    }
    assert_eq!((ip(&m.host, "addr"), ip(&m.host, "route show table all")), before);
    assert_eq!(
        m.traces(),
        [m.id.agent_namespace()]
            .map(|n| n.to_string())
            .to_vec()
            .into_iter()
            .chain([m.id.task_namespace("a"), m.id.task_namespace("b")])
            .collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_overlaps_the_hosts_own_is_refused_with_the_reason() {
    let m = Machine::new().await;
    let v = vpc(1);
    ip(&m.host, "link add rs-up type veth peer name rs-down");
    ip(&m.host, "link set rs-up up");
    ip(&m.host, "addr add 10.9.0.1/24 dev rs-up");
    ip(&m.host, "route add default via 10.9.0.254");
    ip(&m.host, "route add 10.64.0.0/10 via 10.9.0.254");
    ip(&m.host, "route add 172.20.0.0/16 via 10.9.0.254 table 77");
    ip(&m.host, "route add blackhole 192.0.2.0/24");
    let before = (ip(&m.host, "-br link"), ip(&m.host, "route show table all"));
    for (cidr, word) in [
        ("10.9.0.0/16", "10.9.0.1"),
        ("10.65.0.0/16", "10.64.0.0/10"),
        ("172.16.0.0/12", "172.20.0.0/16"),
        ("192.0.2.128/25", "192.0.2.0/24"),
        ("127.1.0.0/16", "127."),
    ] {
        let refused = m.net().attach_host(&v, cidr.parse().unwrap()).await;
        let Err(HostAttachError::Refused { reason, .. }) = refused else {
            panic!("{cidr}: {refused:?}")
        };
        assert!(reason.contains(word), "{cidr}: {reason}");
    }
    assert_eq!(
        (ip(&m.host, "-br link"), ip(&m.host, "route show table all")),
        before
    );
    m.net().attach_host(&v, cidr()).await.unwrap();

    let second = Machine::beside(&m).await;
    let refused = second
        .net()
        .attach_host(&vpc(2), "172.31.4.0/24".parse().unwrap())
        .await;
    let Err(HostAttachError::Refused { reason, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("172.31.0.0/16"), "another instance's: {reason}");
    second
        .net()
        .attach_host(&vpc(2), "172.30.0.0/16".parse().unwrap())
        .await
        .unwrap();
    second.net().teardown().await.unwrap();
    assert!(ip(&m.host, "route").contains("172.31.0.0/16"));
    m.net()
        .attach_host(&v, "172.29.0.0/16".parse().unwrap())
        .await
        .unwrap();
    assert!(
        !ip(&m.host, "route").contains("172.31.0.0/16"),
        "one CIDR at a time"
    );
    m.net().teardown().await.unwrap();
    assert_eq!(
        (ip(&m.host, "-br link"), ip(&m.host, "route show table all")),
        before
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_attachment_survives_a_restart() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let a = eni(&v, 10);
    let map = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .group("sg-a", &[anywhere(Protocol::All)]);
    m.net().apply(&map.0).await.unwrap();
    m.net().attach_host(&v, cidr()).await.unwrap();
    let ta = m.start(&a, "a").await;
    serve(&ta.ns, 80);
    m.reopen().await;
    assert!(reaches(&m.host, address(10), 80));
    m.net().attach_host(&v, cidr()).await.unwrap();
    assert!(reaches(&m.host, address(10), 80));
}
