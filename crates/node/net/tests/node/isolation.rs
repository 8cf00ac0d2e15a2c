//! What a task may not do, tried with root's rights inside its namespace.

use roadstead_acs::network::Protocol;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_source_address_or_mac_is_dropped() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let map = |generation, check| {
        let map = MapOf::new(&v, generation)
            .wears(&a, &["sg-a"])
            .wears(&b, &["sg-a"]);
        let mut map = map.group("sg-a", &[anywhere(Protocol::All)]).0;
        map.interfaces[0].source_dest_check = check;
        map
    };
    m.net().apply(&map(1, true)).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let server = udp(&tb.ns, (address(11), 5000));
    let say = |from: u8, text: &str| {
        udp(&ta.ns, (address(from), 0))
            .send_to(text.as_bytes(), (address(11), 5000))
            .unwrap();
    };
    let came = || {
        let (text, from) = heard(&server);
        (text, from.ip().to_string())
    };
    say(10, "own");
    assert_eq!(came(), ("own".into(), "172.31.0.10".into()));
    ip(&ta.ns, "addr add 172.31.0.99/32 dev eth0");
    say(99, "forged");
    assert_eq!(received(&server), None);
    m.net().apply(&map(2, false)).await.unwrap();
    say(99, "unchecked");
    assert_eq!(came(), ("unchecked".into(), "172.31.0.99".into()));
    m.net().apply(&map(3, true)).await.unwrap();
    say(99, "checked again");
    assert_eq!(received(&server), None);

    ip(&ta.ns, "link set eth0 address 02:99:99:99:99:99");
    // The neighbour is set by hand, else ARP alone would already fail.
    let router = m.id.router_namespace(&v);
    let links = ip(&router, "-o link");
    let alias = format!("alias {}", a.interface_id);
    let line = links.lines().find(|l| l.contains(&alias)).unwrap();
    let mac = line
        .split("link/ether ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    ip(
        &ta.ns,
        &format!("neigh replace 172.31.0.1 lladdr {mac} dev eth0 nud permanent"),
    );
    ip(
        &ta.ns,
        &format!("neigh replace 172.31.0.11 lladdr {mac} dev eth0 nud permanent"),
    );
    say(10, "foreign mac");
    assert_eq!(received(&server), None);
    ip(&ta.ns, &format!("link set eth0 address {}", a.mac));
    say(10, "own again");
    assert_eq!(came(), ("own again".into(), "172.31.0.10".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_arp_changes_nothing_and_fills_no_table() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let map = MapOf::new(&v, 1).wears(&a, &["sg-a"]).wears(&b, &["sg-a"]);
    m.net()
        .apply(&map.group("sg-a", &[anywhere(Protocol::All)]).0)
        .await
        .unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    serve(&tb.ns, 80);
    let router = m.id.router_namespace(&v);
    let before = ip(&router, "neigh");
    // a takes b's address and many others, and asks for the gateway from each.
    for host in [11u8, 50, 51, 52] {
        ip(&ta.ns, &format!("addr add 172.31.0.{host}/32 dev eth0"));
        ip(&ta.ns, "neigh flush dev eth0");
        let _ = udp(&ta.ns, (address(host), 0)).send_to(b"x", (address(1), 9));
    }
    tokio::time::sleep(PATIENCE).await;
    assert_eq!(ip(&router, "neigh"), before);
    for host in [11u8, 50, 51, 52] {
        ip(&ta.ns, &format!("addr del 172.31.0.{host}/32 dev eth0"));
    }
    assert!(reaches(&ta.ns, address(11), 80), "b is still b");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vpcs_with_one_cidr_do_not_meet() {
    let m = Machine::new().await;
    let (v, w) = (vpc(1), vpc(2));
    let (a, b, twin) = (eni(&v, 10), eni(&v, 11), eni(&w, 11));
    let all = [anywhere(Protocol::All)];
    let first = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .wears(&b, &["sg-a"])
        .group("sg-a", &all);
    let second = MapOf::new(&w, 1).wears(&twin, &["sg-b"]).group("sg-b", &all);
    m.net().apply(&first.0).await.unwrap();
    m.net().apply(&second.0).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let other = m.start(&twin, "twin").await;
    serve(&tb.ns, 80);
    serve(&other.ns, 81);
    assert!(reaches(&ta.ns, address(11), 80), "the one of its own VPC");
    assert!(blocked(&ta.ns, address(11), 81), "not its twin");
    assert!(blocked(&other.ns, address(10), 80));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_sees_its_gateway_and_nothing_of_the_host() {
    let m = Machine::new().await;
    let v = vpc(1);
    let a = eni(&v, 10);
    let map = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .group("sg-a", &[anywhere(Protocol::All)]);
    m.net().apply(&map.0).await.unwrap();
    let ta = m.start(&a, "a").await;
    ip(&m.host, "addr add 192.0.2.1/32 dev lo");
    serve(&m.host, 80);
    assert!(pings(&ta.ns, address(1)), "the gateway answers");
    assert!(call_briefly(&ta.ns, "192.0.2.1".parse().unwrap(), 80).is_err());
    assert!(
        call_briefly(&ta.ns, "172.31.0.1".parse().unwrap(), 80).is_err(),
        "the router serves nothing"
    );
    let routes = ip(&ta.ns, "route");
    assert!(routes.contains("blackhole 169.254.169.254"), "{routes}");
    let metadata = call_briefly(&ta.ns, "169.254.169.254".parse().unwrap(), 80);
    assert!(metadata.is_err());
    let links = ip(&ta.ns, "-br link");
    let names: Vec<&str> = links
        .lines()
        .map(|l| l.split(['@', ' ']).next().unwrap())
        .collect();
    assert_eq!(names, ["lo", "eth0", "ecs-eth0"]);
    assert!(links.contains(&a.mac.to_string()), "{links}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_goes_nowhere() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (eni(&v, 10), eni(&v, 11));
    let map = MapOf::new(&v, 1).wears(&a, &["sg-a"]).wears(&b, &["sg-a"]);
    m.net()
        .apply(&map.group("sg-a", &[anywhere(Protocol::All)]).0)
        .await
        .unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    let listener = inside(&tb.ns, || std::net::TcpListener::bind("[::]:80").unwrap());
    answer_on(listener);
    for device in ["eth0", "ecs-eth0"] {
        ip(
            &ta.ns,
            &format!(
                "addr add fd00:9::{}/64 dev {device} nodad",
                if device == "eth0" { 1 } else { 3 }
            ),
        );
        ip(
            &tb.ns,
            &format!(
                "addr add fd00:9::{}/64 dev {device} nodad",
                if device == "eth0" { 2 } else { 4 }
            ),
        );
    }
    for to in ["fd00:9::2", "fd00:9::4"] {
        assert!(call_briefly(&ta.ns, to.parse().unwrap(), 80).is_err(), "{to}");
    }
}
