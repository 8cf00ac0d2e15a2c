//! IPv6 beside IPv4: the same groups, the same pins, and neighbours that nobody can forge.

use std::io::Write as _;
use std::net::{Ipv6Addr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt};
use roadstead_acs::network::{Protocol, Rule, VpcMap};
use roadstead_net::{Error, MacAddr, VpcId};

use crate::support::*;

const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

fn serve6(ns: &str, port: u16) {
    answer_on(inside(ns, || {
        TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap()
    }));
}

fn reaches6(ns: &str, host: u8, port: u16) -> bool {
    call(ns, address6(host).into(), port).is_ok()
}

fn blocked6(ns: &str, host: u8, port: u16) -> bool {
    call_briefly(ns, address6(host).into(), port).is_err()
}

/// A socket for ICMPv6, of which the kernel fills in the checksum.
fn raw6(ns: &str) -> UdpSocket {
    let raw = inside(ns, || {
        let (kind, protocol) = (SockType::Raw, SockProtocol::IcmpV6);
        socket(AddressFamily::Inet6, kind, SockFlag::empty(), protocol).unwrap()
    });
    setsockopt(&raw, sockopt::Ipv6Ttl, &255).unwrap();
    setsockopt(&raw, sockopt::Ipv6MulticastHops, &255).unwrap();
    let raw = UdpSocket::from(raw);
    raw.set_read_timeout(Some(PATIENCE)).unwrap();
    raw
}

/// An echo request from inside `ns`; true when the answer came.
fn pings6(ns: &str, to: Ipv6Addr) -> bool {
    pings6_within(LONG, ns, to)
}

fn unanswered6(ns: &str, to: Ipv6Addr) -> bool {
    !pings6_within(PATIENCE, ns, to)
}

fn pings6_within(patience: Duration, ns: &str, to: Ipv6Addr) -> bool {
    static COUNTER: AtomicU16 = AtomicU16::new(0x5000);
    let raw = raw6(ns);
    raw.set_read_timeout(Some(patience)).unwrap();
    // A new identifier each time: a tracked one outlives its rule.
    let [high, low] = COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let request = [128, 0, 0, 0, high, low, 0, 1];
    if raw.send_to(&request, (to, 0)).is_err() {
        return false;
    }
    let mut buffer = [0u8; 128];
    // Questions of neighbours come by too.
    for _ in 0..16 {
        match raw.recv_from(&mut buffer) {
            Ok((8, from)) if from.ip() == to && buffer[0] == 129 && buffer[4..8] == request[4..] => {
                return true;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

fn from_anywhere(v: &VpcId, generation: u64, hosts: &[u8]) -> VpcMap {
    let mut map = MapOf::dual(v, generation);
    for host in hosts {
        map = map.wears(&dual(v, *host), &["sg-a"]);
    }
    map.group("sg-a", &[anywhere(Protocol::All), anywhere6(Protocol::All)])
        .0
}

#[tokio::test(flavor = "multi_thread")]
async fn by_ipv6_only_what_a_rule_allows_passes() {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b) = (dual(&v, 10), dual(&v, 11));
    let ping = Protocol::Icmpv6 {
        kind: Some(128),
        code: None,
    };
    let map = |generation, rules: &[Rule]| {
        let map = MapOf::dual(&v, generation)
            .wears(&a, &["sg-a"])
            .wears(&b, &["sg-b"]);
        map.group("sg-a", &[]).group("sg-b", rules).0
    };
    let first = [anywhere(tcp(80)), from_group(tcp(81), "sg-a")];
    m.net().apply(&map(1, &first)).await.unwrap();
    let (ta, tb) = (m.start(&a, "a").await, m.start(&b, "b").await);
    for port in [80, 81] {
        serve6(&tb.ns, port);
        serve6(&ta.ns, port);
    }
    let seen = call(&ta.ns, address6(11).into(), 81).unwrap();
    assert_eq!(
        seen,
        address6(10).to_string(),
        "the group's IPv6 address is a source"
    );
    assert!(blocked6(&ta.ns, 11, 80), "an IPv4 range opens nothing for IPv6");
    assert_eq!(
        call(&ta.ns, address(11).into(), 80).unwrap(),
        "::ffff:172.31.0.10"
    );
    assert!(blocked6(&tb.ns, 10, 81), "no rule opens the other way");
    assert!(unanswered6(&ta.ns, address6(11)), "no rule opens ICMPv6");
    assert!(pings6(&ta.ns, address6(1)), "the gateway answers");
    assert!(reaches6(&ta.ns, 10, 81), "a task reaches itself");

    let second = [anywhere6(tcp(80)), from_group(ping, "sg-a")];
    m.net().apply(&map(2, &second)).await.unwrap();
    assert!(reaches6(&ta.ns, 11, 80) && blocked6(&ta.ns, 11, 81), "at once");
    assert!(
        blocked(&ta.ns, address(11), 80),
        "an IPv6 range opens nothing for IPv4"
    );
    assert!(pings6(&ta.ns, address6(11)));

    let routes = ip(&ta.ns, "-6 route show default");
    assert!(routes.contains("via fd00:0:0:1::1 dev eth0"), "{routes}");
    let ips: Vec<_> = ta
        .connected
        .eni
        .ips
        .iter()
        .map(|ip| ip.address.to_string())
        .collect();
    assert_eq!(ips, ["172.31.0.10/20", "fd00:0:0:1::a/64"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_ipv6_source_is_dropped() {
    let m = Machine::new().await;
    let v = vpc(1);
    let map = |generation, check| {
        let mut map = from_anywhere(&v, generation, &[10, 11]);
        map.interfaces[0].source_dest_check = check;
        map
    };
    m.net().apply(&map(1, true)).await.unwrap();
    let (ta, tb) = (
        m.start(&dual(&v, 10), "a").await,
        m.start(&dual(&v, 11), "b").await,
    );
    let server = udp(&tb.ns, (address6(11), 5000));
    let say = |from: u8, text: &str| {
        let _ = udp(&ta.ns, (address6(from), 0)).send_to(text.as_bytes(), (address6(11), 5000));
    };
    let came = || {
        let (text, from) = heard(&server);
        (text, from.ip().to_string())
    };
    let own = address6(10).to_string();
    say(10, "own");
    assert_eq!(came(), ("own".into(), own.clone()));
    ip(&ta.ns, "addr add fd00:0:0:1::63/128 dev eth0 nodad");
    say(99, "forged");
    assert_eq!(received(&server), None);
    m.net().apply(&map(2, false)).await.unwrap();
    say(99, "unchecked");
    assert_eq!(came(), ("unchecked".into(), address6(99).to_string()));
    m.net().apply(&map(3, true)).await.unwrap();
    say(99, "checked again");
    assert_eq!(received(&server), None);

    let gateway = ip(&ta.ns, "-6 neigh show fd00:0:0:1::1 dev eth0");
    let mac = gateway
        .split("lladdr ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let mac = mac.expect("the gateway is known").to_owned();
    ip(&ta.ns, "link set eth0 address 02:99:99:99:99:99");
    ip(
        &ta.ns,
        &format!("neigh replace fd00:0:0:1::1 lladdr {mac} dev eth0 nud permanent"),
    );
    say(10, "foreign mac");
    assert_eq!(received(&server), None);
    ip(&ta.ns, "link set eth0 address 02:31:00:00:00:0a");
    say(10, "own again");
    assert_eq!(came(), ("own again".into(), own));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_advertisement_changes_nothing_and_fills_no_table() {
    let m = Machine::new().await;
    let v = vpc(1);
    m.net().apply(&from_anywhere(&v, 1, &[10, 11])).await.unwrap();
    let (ta, tb) = (
        m.start(&dual(&v, 10), "a").await,
        m.start(&dual(&v, 11), "b").await,
    );
    serve6(&tb.ns, 80);
    assert!(reaches6(&ta.ns, 11, 80));
    let router = m.id.router_namespace(&v);
    let known = || {
        let shown = ip(&router, "-6 neigh show");
        let mut lines: Vec<String> = shown
            .lines()
            .filter(|line| line.contains("fd00:"))
            .map(|line| line.trim().to_owned())
            .collect();
        lines.sort();
        lines
    };
    let before = known();
    assert_eq!(before.len(), 2, "{before:?}");
    let raw = raw6(&ta.ns);
    let link = inside(&ta.ns, || nix::net::if_::if_nametoindex("eth0").unwrap());
    let MacAddr(own) = dual(&v, 10).mac;
    // Whose neighbour it says to be: the other task, the gateway, and many that are not there.
    for host in (1..=11).chain(100..200) {
        let mut forged = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, 0x20, 0, 0, 0];
        forged.extend(address6(host).octets());
        forged.extend([2, 1]);
        forged.extend(own);
        for to in [address6(1), "ff02::1".parse().unwrap()] {
            let scope = if to.is_multicast() { link } else { 0 };
            raw.send_to(&forged, SocketAddrV6::new(to, 0, 0, scope)).unwrap();
        }
    }
    assert!(reaches6(&ta.ns, 11, 80));
    assert_eq!(known(), before);
    assert!(reaches6(&tb.ns, 11, 80), "b still reaches itself");
    serve6(&ta.ns, 80);
    assert!(reaches6(&tb.ns, 10, 80));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_come_and_go_with_the_map_and_outlive_the_daemon() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let map = |generation, more: bool| {
        let mut map = from_anywhere(&v, generation, &[10, 11]);
        if more {
            map.interfaces[1].ipv6_addresses.push(address6(77));
        }
        map
    };
    m.net().apply(&map(1, false)).await.unwrap();
    let (ta, tb) = (
        m.start(&dual(&v, 10), "a").await,
        m.start(&dual(&v, 11), "b").await,
    );
    serve6(&tb.ns, 80);
    ip(&tb.ns, "addr add fd00:0:0:1::4d/128 dev eth0 nodad");
    assert!(blocked6(&ta.ns, 77, 80), "not its own yet");
    m.net().apply(&map(2, true)).await.unwrap();
    assert!(reaches6(&ta.ns, 77, 80));
    let mut kept = inside(&ta.ns, || TcpStream::connect((address6(77), 80)).unwrap());
    m.reopen().await;
    assert!(reaches6(&ta.ns, 77, 80) && reaches6(&ta.ns, 11, 80));
    m.net().apply(&map(3, false)).await.unwrap();
    assert!(blocked6(&ta.ns, 77, 80), "taken away");
    let _ = kept.write_all(b"late");
    assert!(reaches6(&ta.ns, 11, 80));
    m.net().disconnect(&tb.net).await.unwrap();
    assert!(blocked6(&ta.ns, 11, 80), "cut off");
    for host in [10, 11] {
        m.net().detach(&dual(&v, host).interface_id).await.unwrap();
    }
    m.net().teardown().await.unwrap();
    assert_eq!(m.traces(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_contradicts_itself_is_refused() {
    let m = Machine::new().await;
    let v = vpc(1);
    for (address, prefix, word) in [
        ("fd00:0:0:2::5", 64, "not an address"),
        ("fd00:0:0:1::1", 64, "not an address"),
        ("fd00:0:0:1::5", 127, "prefix 127"),
        ("fd00:0:0:1::5", 129, "prefix 129"),
    ] {
        let mut wrong = dual(&v, 10);
        let ipv6 = wrong.ipv6.as_mut().unwrap();
        ipv6.addresses = vec![address.parse().unwrap()];
        ipv6.prefix = prefix;
        match m.net().attach(&wrong).await {
            Err(Error::Invalid(words)) => assert!(words.contains(word), "{words}"),
            other => panic!("{address}/{prefix}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_way_follows_the_map_unless_it_would_take_something_away() {
    let mut m = Machine::new().await;
    let v = vpc(1);
    let plain = MapOf::new(&v, 1).wears(&eni(&v, 10), &["sg-a"]);
    m.net()
        .apply(&plain.group("sg-a", &[anywhere(tcp(80))]).0)
        .await
        .unwrap();
    m.net()
        .attach_host(&v, "172.31.0.0/16".parse().unwrap())
        .await
        .unwrap();
    let routes = |m: &Machine| {
        let shown = ip(&m.host, "-6 route show table all");
        shown.lines().filter(|line| line.contains("fd00:")).count()
    };
    assert_eq!(routes(&m), 0, "no block yet");
    let dual_map = |generation| {
        let map = MapOf::dual(&v, generation).wears(&dual(&v, 10), &["sg-a"]);
        map.group("sg-a", &[anywhere6(tcp(80))]).0
    };
    m.net().apply(&dual_map(2)).await.unwrap();
    let ta = m.start(&dual(&v, 10), "a").await;
    for port in [80, 81] {
        serve6(&ta.ns, port);
    }
    serve6(&m.host, 80);
    let seen = call(&m.host, address6(10).into(), 80).unwrap();
    assert!(seen.starts_with("fd7a:7273:6c6e::a9fe:"), "{seen}");
    assert!(!reaches6(&m.host, 10, 81), "the group opens 80 alone");
    assert!(
        call_briefly(&ta.ns, seen.parse().unwrap(), 80).is_err(),
        "the VPC does not begin"
    );
    assert_eq!(routes(&m), 1);
    m.reopen().await;
    assert!(reaches6(&m.host, 10, 80), "a new process leads the same way");

    ip(&m.host, "link add rs-up type veth peer name rs-down");
    ip(&m.host, "link set rs-up up");
    ip(&m.host, "addr add fd00:0:0:9::1/64 dev rs-up nodad");
    m.net().apply(&dual_map(3)).await.unwrap();
    assert!(!reaches6(&m.host, 10, 80), "the host needs a part of the block");
    assert!(ip(&m.host, "-6 addr show dev rs-up").contains("fd00:0:0:9::1"));
    ip(&m.host, "link del rs-up");
    m.net().apply(&dual_map(4)).await.unwrap();
    assert!(reaches6(&m.host, 10, 80));
    m.net().detach_host(&v).await.unwrap();
    assert_eq!(routes(&m), 0);
    assert!(!reaches6(&m.host, 10, 80));
}
