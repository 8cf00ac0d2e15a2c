//! A task with every right in its network namespace (NET_ADMIN, NET_RAW, root) reaches no other task that does not let
//! it, no service of the host, nothing under an address that is not its own. Tried, not argued.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use roadstead_acs::network::Protocol;
use roadstead_net::{AGENT_ADDRESS, BridgeNet};

use crate::frames::*;
use crate::support::*;

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// A VPC with the attacker, a victim that lets only its friend in, and the friend, which lets everyone in.
struct Scene {
    m: Machine,
    attacker: Task,
    victim: Task,
    friend: Task,
    router_mac: Mac,
    /// The bridge's end of the attacker's private link is not sniffed; what comes through it is.
    agent_mac: Mac,
}

const ATTACKER: u8 = 10;
const VICTIM: u8 = 11;
const FRIEND: u8 = 12;

async fn scene() -> Scene {
    let m = Machine::new().await;
    let v = vpc(1);
    let (a, b, c) = (eni(&v, ATTACKER), eni(&v, VICTIM), eni(&v, FRIEND));
    let map = MapOf::new(&v, 1)
        .wears(&a, &["sg-a"])
        .wears(&b, &["sg-b"])
        .wears(&c, &["sg-c"])
        .group("sg-a", &[])
        .group("sg-b", &[from_group(Protocol::All, "sg-c")])
        .group("sg-c", &[anywhere(Protocol::All)]);
    m.net().apply(&map.0).await.unwrap();
    let attacker = m.start(&a, "a").await;
    let victim = m.start(&b, "b").await;
    let friend = m.start(&c, "c").await;
    serve(&victim.ns, 80);
    serve(&friend.ns, 80);
    ip(&m.host, "addr add 192.0.2.1/32 dev lo");
    serve(&m.host, 80);
    let router = m.id.router_namespace(&v);
    let alias = format!("alias {}", a.interface_id);
    let links = ip(&router, "-o link");
    let line = links.lines().find(|l| l.contains(&alias)).unwrap();
    let device = line.split(": ").nth(1).unwrap().split('@').next().unwrap();
    let router_mac = mac_of(&router, device);
    let agent_mac = mac_of(&m.id.agent_namespace(), "ecs-bridge");
    Scene {
        m,
        attacker,
        victim,
        friend,
        router_mac,
        agent_mac,
    }
}

impl Scene {
    fn mac(&self) -> Mac {
        self.attacker.net.eni.mac.0
    }

    fn send(&self, frame: &[u8]) {
        inject(&self.attacker.ns, "eth0", frame);
    }

    fn send_on_link(&self, frame: &[u8]) {
        inject(&self.attacker.ns, "ecs-eth0", frame);
    }

    /// A datagram with the trick's name, by the router.
    fn datagram(&self, from: Ipv4Addr, to: Ipv4Addr, trick: &str) -> Vec<u8> {
        ipv4(from, to, UDP, 0, &udp_to(4000, 9, &word(trick)))
    }

    /// Whatever was sent before this has arrived when this has: it is sent as anyone may, to who lets everyone in.
    async fn settle(&self, there: &Sniffer) {
        self.send(&ethernet(
            self.mac(),
            self.router_mac,
            IPV4,
            &self.datagram(address(ATTACKER), address(FRIEND), "allowed"),
        ));
        until("the datagram that is allowed", || {
            there.seen().contains("allowed")
        })
        .await;
        tokio::time::sleep(PATIENCE / 4).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_reaches_who_does_not_let_it_in_or_claims_to_be_another() {
    let s = scene().await;
    let mut twin = MapOf::new(&vpc(2), 1);
    let other = eni(&vpc(2), VICTIM);
    twin = twin
        .wears(&other, &["sg-x"])
        .group("sg-x", &[anywhere(Protocol::All)]);
    s.m.net().apply(&twin.0).await.unwrap();
    let twin = s.m.start(&other, "twin").await;
    let bridged = BridgeNet {
        container: "bridged".into(),
        netns: s.m.net().make_task_namespace("bridged").await.unwrap(),
        ports: vec![],
    };
    let container = s.m.net().connect_bridge(&bridged).await.unwrap();
    let agent_ns = s.m.id.agent_namespace();
    let sniffers = [
        ("victim", Sniffer::on(&s.victim.ns, None)),
        ("friend", Sniffer::on(&s.friend.ns, None)),
        ("twin", Sniffer::on(&twin.ns, None)),
        ("host", Sniffer::on(&s.m.host, None)),
        ("bridged", Sniffer::on(&s.m.id.task_namespace("bridged"), None)),
        ("agent", Sniffer::on(&agent_ns, Some("ecs-bridge"))),
    ];
    let router = s.m.id.router_namespace(&vpc(1));
    let neighbours = (ip(&router, "neigh"), ip(&agent_ns, "neigh"));
    let (me, gateway) = (address(ATTACKER), address(1));
    let (own, via) = (s.mac(), s.router_mac);
    let forged: Mac = [2, 0x99, 0, 0, 0, 1];
    let victim_mac = s.victim.net.eni.mac.0;
    let nobody = Ipv4Addr::UNSPECIFIED;
    let eth = |from: Mac, to: Mac, packet: &[u8]| s.send(&ethernet(from, to, IPV4, packet));

    // Its own address, to who does not let it in: by the router, by guess, to everyone.
    eth(own, via, &s.datagram(me, address(VICTIM), "plain"));
    eth(
        own,
        victim_mac,
        &s.datagram(me, address(VICTIM), "by the victim's MAC"),
    );
    eth(
        own,
        EVERYONE,
        &s.datagram(me, address(VICTIM), "in a broadcast frame"),
    );
    eth(
        own,
        [1, 0, 0x5e, 0, 0, 1],
        &s.datagram(me, address(VICTIM), "in a multicast frame"),
    );
    // To who lets everyone in, but as another: every source is a lie here.
    for (source, trick) in [
        (address(VICTIM), "as the victim"),
        (address(FRIEND), "as the receiver itself"),
        (gateway, "as the gateway"),
        (address(2), "as the resolver"),
        (address(99), "as nobody's address"),
        (nobody, "as 0.0.0.0"),
        (Ipv4Addr::LOCALHOST, "as loopback"),
        (Ipv4Addr::new(192, 0, 2, 1), "as the host"),
        (Ipv4Addr::new(169, 254, 170, 2), "as the agent"),
        (Ipv4Addr::BROADCAST, "as broadcast"),
    ] {
        eth(own, via, &s.datagram(source, address(FRIEND), trick));
    }
    eth(forged, via, &s.datagram(me, address(FRIEND), "with a forged MAC"));
    eth(
        victim_mac,
        via,
        &s.datagram(
            address(VICTIM),
            address(FRIEND),
            "with the victim's MAC and address",
        ),
    );
    // To many, to the router, to the host, to other networks.
    for (target, trick) in [
        (Ipv4Addr::BROADCAST, "to 255.255.255.255"),
        (Ipv4Addr::new(172, 31, 15, 255), "to the subnet's broadcast"),
        (Ipv4Addr::new(224, 0, 0, 1), "to all hosts"),
        (Ipv4Addr::new(224, 0, 0, 251), "to mDNS"),
        (Ipv4Addr::new(239, 1, 2, 3), "to a multicast group"),
        (Ipv4Addr::new(192, 0, 2, 1), "to the host"),
        (Ipv4Addr::LOCALHOST, "to loopback"),
        (container.ip, "to the bridge network"),
        (s.victim.connected.bridge_address, "to the victim's private link"),
        (AGENT_ADDRESS, "to the agent by the VPC"),
        (Ipv4Addr::new(169, 254, 169, 254), "to instance metadata"),
    ] {
        eth(own, via, &s.datagram(me, target, trick));
        eth(own, EVERYONE, &s.datagram(me, target, trick));
    }
    let discover = ipv4(
        nobody,
        Ipv4Addr::BROADCAST,
        UDP,
        0,
        &udp_to(68, 67, &word("DHCP")),
    );
    eth(own, EVERYONE, &discover);
    // Tagged: VLAN, priority, twice.
    let plain = s.datagram(me, address(VICTIM), "tagged");
    for (outer, tag) in [
        (0x8100u16, 0u16),
        (0x8100, 1),
        (0x8100, 100),
        (0x88a8, 0),
        (0x88a8, 7),
    ] {
        let tagged = [&tag.to_be_bytes()[..], &IPV4.to_be_bytes(), &plain].concat();
        s.send(&ethernet(own, via, outer, &tagged));
        let twice = [
            &tag.to_be_bytes()[..],
            &0x8100u16.to_be_bytes(),
            &[0, 5],
            &IPV4.to_be_bytes(),
            &plain,
        ]
        .concat();
        s.send(&ethernet(own, via, outer, &twice));
        let forged = s.datagram(address(VICTIM), address(FRIEND), "tagged and forged");
        let tagged = [&tag.to_be_bytes()[..], &IPV4.to_be_bytes(), &forged].concat();
        s.send(&ethernet(own, via, outer, &tagged));
    }
    // In pieces: the second without the first, and a first that is too short to hold a port.
    eth(
        own,
        via,
        &ipv4(me, address(VICTIM), UDP, 0x0010, &word("second fragment")),
    );
    eth(own, via, &ipv4(me, address(VICTIM), UDP, 0x2000, &word("f")));
    // Wrapped: IP in IP, and GRE, to who lets it in and to the router.
    let wrapped = s.datagram(address(VICTIM), address(VICTIM), "wrapped");
    for outer in [gateway, address(VICTIM)] {
        eth(own, via, &ipv4(me, outer, 4, 0, &wrapped));
        eth(
            own,
            via,
            &ipv4(me, outer, 47, 0, &[&[0, 0, 8, 0][..], &wrapped].concat()),
        );
    }
    // Source route: by the friend to the victim.
    let mut routed = s.datagram(me, address(FRIEND), "source routed");
    routed[0] = 0x47;
    let option = [131, 7, 4, 172, 31, 0, VICTIM, 0];
    routed.splice(20..20, option);
    let length = (routed.len() as u16).to_be_bytes();
    routed[2..4].copy_from_slice(&length);
    eth(own, via, &resummed(routed));
    // ARP: claims, answers nobody asked for, questions in another's name.
    for (operation, sender, target, trick) in [
        (
            1,
            (own, address(VICTIM)),
            (EVERYONE, address(VICTIM)),
            "gratuitous ARP",
        ),
        (
            2,
            (own, address(VICTIM)),
            (via, gateway),
            "ARP answer as the victim",
        ),
        (
            2,
            (own, gateway),
            (victim_mac, address(VICTIM)),
            "ARP answer as the gateway",
        ),
        (
            1,
            (own, address(FRIEND)),
            (EVERYONE, gateway),
            "ARP question as the friend",
        ),
        (
            1,
            (forged, me),
            (EVERYONE, gateway),
            "ARP question with a forged MAC",
        ),
        (1, (own, me), (EVERYONE, address(VICTIM)), "ARP question"),
    ] {
        for to in [EVERYONE, via, victim_mac] {
            s.send(&ethernet(own, to, ARP, &arp(operation, sender, target, trick)));
        }
    }
    // IPv6 from the link-local address: to all nodes, an advertisement of a router, one of a neighbour.
    let ll = "fe80::ff:fe00:a".parse().unwrap();
    for (target, kind, trick) in [
        ("ff02::1", 128, "IPv6 ping to all nodes"),
        ("ff02::1", 134, "router advertisement"),
        ("ff02::1", 136, "neighbour advertisement"),
        ("ff02::2", 133, "router solicitation"),
    ] {
        let packet = ipv6(ll, target.parse().unwrap(), kind, trick);
        s.send(&ethernet(own, [0x33, 0x33, 0, 0, 0, 1], IPV6, &packet));
        s.send(&ethernet(own, via, IPV6, &packet));
        s.send_on_link(&ethernet(own, [0x33, 0x33, 0, 0, 0, 1], IPV6, &packet));
    }
    s.settle(&sniffers[1].1).await;
    for (name, sniffer) in &sniffers {
        let mut seen = sniffer.seen();
        if *name == "friend" {
            assert!(seen.remove("allowed"), "else the sniffers see nothing at all");
        }
        assert!(seen.is_empty(), "{name} got {seen:?}");
    }
    assert_eq!((ip(&router, "neigh"), ip(&agent_ns, "neigh")), neighbours);
    assert_eq!(
        call(&s.friend.ns, address(VICTIM).into(), 80).unwrap(),
        address(FRIEND).to_string()
    );
    assert_eq!(
        call(&s.attacker.ns, address(FRIEND).into(), 80).unwrap(),
        me.to_string()
    );
}

/// The header's checksum after a change.
fn resummed(mut packet: Vec<u8>) -> Vec<u8> {
    let header = usize::from(packet[0] & 15) * 4;
    packet[10..12].copy_from_slice(&[0, 0]);
    let sum: u32 = packet[..header]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = !(((sum & 0xffff) + (sum >> 16)) as u16);
    packet[10..12].copy_from_slice(&folded.to_be_bytes());
    packet
}

/// An ICMPv6 message; nobody looks at its checksum before the firewall has let it through.
fn ipv6(from: std::net::Ipv6Addr, to: std::net::Ipv6Addr, kind: u8, trick: &str) -> Vec<u8> {
    let payload = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &word(trick)].concat();
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[58, 255]);
    packet.extend_from_slice(&from.octets());
    packet.extend_from_slice(&to.octets());
    packet.extend_from_slice(&payload);
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn no_icmp_error_gets_into_a_conversation_of_others() {
    let s = scene().await;
    let (client, server) = (
        udp(&s.friend.ns, (address(FRIEND), 4000)),
        udp(&s.victim.ns, (address(VICTIM), 5000)),
    );
    client.send_to(b"one", (address(VICTIM), 5000)).unwrap();
    let (_, from) = heard(&server);
    server.send_to(b"two", from).unwrap();
    heard(&client);
    let sniffers = [Sniffer::on(&s.victim.ns, None), Sniffer::on(&s.friend.ns, None)];
    // "The port is closed", "the packet is too big", about either direction, as the attacker itself.
    for (inner_from, inner_to, ports) in [
        (address(FRIEND), address(VICTIM), (4000, 5000)),
        (address(VICTIM), address(FRIEND), (5000, 4000)),
    ] {
        for (kind, code, rest) in [
            (3, 3, [0; 4]),
            (3, 4, [0, 0, 2, 0]),
            (5, 1, address(ATTACKER).octets()),
            (11, 0, [0; 4]),
        ] {
            let inner = ipv4(
                inner_from,
                inner_to,
                UDP,
                0,
                &udp_to(ports.0, ports.1, &word("icmp error")),
            );
            let message = icmp(kind, code, rest, &inner);
            let packet = ipv4(address(ATTACKER), inner_from, ICMP, 0, &message);
            s.send(&ethernet(s.mac(), s.router_mac, IPV4, &packet));
        }
    }
    s.settle(&sniffers[1]).await;
    // The friend lets everyone in, and so the attacker's own message as any packet; the victim gets none.
    assert!(sniffers[0].seen().is_empty(), "{:?}", sniffers[0].seen());
    client.send_to(b"three", (address(VICTIM), 5000)).unwrap();
    assert_eq!(heard(&server).0, "three");
    // One of the two may tell the other that its port is closed.
    drop(server);
    client.connect((address(VICTIM), 5000)).unwrap();
    client.send(b"four").unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    let closed = client.recv(&mut [0; 8]).unwrap_err();
    assert_eq!(closed.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tasks_own_routes_addresses_devices_and_firewall_open_nothing() {
    let s = scene().await;
    let (ns, host) = (&s.attacker.ns, Ipv4Addr::new(192, 0, 2, 1));
    let host_sniffer = Sniffer::on(&s.m.host, None);
    let run = |arguments: &[&str]| {
        let status = inside(ns, || {
            Command::new(arguments[0]).args(&arguments[1..]).output().unwrap()
        });
        status.status.success()
    };
    assert!(run(&["nft", "flush", "ruleset"]));
    assert!(run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"]));
    for route in [
        "route add 192.0.2.1/32 via 172.31.0.1 dev eth0",
        "route replace 192.0.2.1/32 via 169.254.172.1 dev ecs-eth0 onlink",
        "route replace 192.0.2.1/32 dev eth0",
        "route replace 192.0.2.1/32 dev ecs-eth0",
    ] {
        ip(ns, route);
        assert!(blocked(ns, host, 80), "{route}");
    }
    for route in [
        "route add 172.31.0.11/32 via 169.254.172.1 dev ecs-eth0 onlink",
        "route replace 172.31.0.11/32 dev eth0",
        "route replace 172.31.0.11/32 via 172.31.0.12 dev eth0 onlink",
    ] {
        ip(ns, route);
        assert!(blocked(ns, address(VICTIM), 80), "{route}");
    }
    ip(ns, "route del 172.31.0.11/32");
    // The victim's and the gateway's addresses as its own, and devices of its own on the interface.
    for own in [VICTIM, 1, 99] {
        ip(ns, &format!("addr add 172.31.0.{own}/32 dev eth0"));
    }
    let as_victim = udp(ns, (address(VICTIM), 0));
    let listener = udp(&s.friend.ns, (address(FRIEND), 7000));
    as_victim.send_to(b"forged", (address(FRIEND), 7000)).unwrap();
    assert_eq!(received(&listener), None);
    for own in [VICTIM, 1, 99] {
        ip(ns, &format!("addr del 172.31.0.{own}/32 dev eth0"));
    }
    assert_eq!(
        call(&s.friend.ns, address(VICTIM).into(), 80).unwrap(),
        address(FRIEND).to_string()
    );
    // Kinds that the kernel does not have fail here; those that it has open nothing.
    for kind in ["macvlan mode bridge", "macvlan mode passthru", "ipvlan mode l2"] {
        let made = run(&[
            &["ip", "link", "add", "evil0", "link", "eth0", "type"][..],
            &kind.split(' ').collect::<Vec<_>>(),
        ]
        .concat());
        if made {
            ip(ns, "addr add 172.31.0.77/20 dev evil0");
            ip(ns, "link set evil0 up");
            let forged = udp(ns, (address(77), 0));
            let _ = forged.send_to(b"forged", (address(FRIEND), 7000));
            assert_eq!(received(&listener), None, "{kind}");
            ip(ns, "link del evil0");
        }
    }
    // A bridge between its two interfaces joins no networks.
    ip(ns, "link add evil1 type bridge");
    for device in ["eth0", "ecs-eth0"] {
        ip(ns, &format!("link set {device} master evil1"));
    }
    ip(ns, "link set evil1 up");
    let bridge_mac = mac_of(ns, "evil1");
    for (from, to) in [(bridge_mac, EVERYONE), (s.mac(), s.agent_mac)] {
        let packet = s.datagram(address(ATTACKER), s.victim.connected.bridge_address, "bridged");
        inject(ns, "evil1", &ethernet(from, to, IPV4, &packet));
    }
    ip(ns, "link del evil1");
    assert!(host_sniffer.seen().is_empty());
    assert!(blocked(ns, address(VICTIM), 80));
    assert!(reaches(ns, address(FRIEND), 80), "what it may do it still may");
}

#[tokio::test(flavor = "multi_thread")]
async fn sniffing_shows_nothing_of_others() {
    let s = scene().await;
    answer_on(
        s.m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    for device in ["eth0", "ecs-eth0"] {
        ip(&s.attacker.ns, &format!("link set {device} promisc on"));
        ip(&s.attacker.ns, &format!("link set {device} allmulticast on"));
    }
    let sniffer = Sniffer::on(&s.attacker.ns, None);
    let there = Sniffer::on(&s.victim.ns, None);
    let server = udp(&s.victim.ns, (address(VICTIM), 9));
    let client = udp(&s.friend.ns, (address(FRIEND), 0));
    for _ in 0..20 {
        client.send_to(&word("a secret"), (address(VICTIM), 9)).unwrap();
        heard(&server);
        // By the private link, to the agent.
        let to_agent = udp(&s.victim.ns, (s.victim.connected.bridge_address, 0));
        to_agent
            .send_to(&word("a credential"), (AGENT_ADDRESS, 80))
            .unwrap();
    }
    until("what passes by", || there.seen().len() == 2).await;
    assert!(sniffer.seen().is_empty(), "{:?}", sniffer.seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_hears_no_task_in_anothers_name() {
    let s = scene().await;
    let agent = s.m.id.agent_namespace();
    let sniffer = Sniffer::on(&agent, Some("ecs-bridge"));
    let (mine, victims) = (
        s.attacker.connected.bridge_address,
        s.victim.connected.bridge_address,
    );
    let own = mac_of(&s.attacker.ns, "ecs-eth0");
    let victim_mac = mac_of(&s.victim.ns, "ecs-eth0");
    let gateway = Ipv4Addr::new(169, 254, 172, 1);
    let send = |mac: Mac, to: Mac, from: Ipv4Addr, target: Ipv4Addr, trick: &str| {
        let packet = s.datagram(from, target, trick);
        s.send_on_link(&ethernet(mac, to, IPV4, &packet));
    };
    for to in [s.agent_mac, EVERYONE] {
        send(own, to, victims, AGENT_ADDRESS, "the victim's address");
        send(
            victim_mac,
            to,
            victims,
            AGENT_ADDRESS,
            "the victim's address and MAC",
        );
        send(victim_mac, to, mine, AGENT_ADDRESS, "the victim's MAC");
        send(own, to, address(VICTIM), AGENT_ADDRESS, "the victim's interface");
        send(own, to, AGENT_ADDRESS, AGENT_ADDRESS, "the agent's own address");
        send(own, to, gateway, AGENT_ADDRESS, "the bridge's address");
        send(own, to, Ipv4Addr::LOCALHOST, AGENT_ADDRESS, "loopback");
        send(own, to, Ipv4Addr::UNSPECIFIED, AGENT_ADDRESS, "0.0.0.0");
    }
    for (operation, sender, trick) in [
        (1, (own, victims), "ARP question as the victim"),
        (2, (own, victims), "ARP answer as the victim"),
        (2, (own, gateway), "ARP answer as the gateway"),
        (1, (victim_mac, mine), "ARP question with the victim's MAC"),
    ] {
        for to in [EVERYONE, s.agent_mac] {
            s.send_on_link(&ethernet(
                own,
                to,
                ARP,
                &arp(operation, sender, ([0; 6], AGENT_ADDRESS), trick),
            ));
            s.send_on_link(&ethernet(
                sender.0,
                to,
                ARP,
                &arp(operation, sender, ([0; 6], AGENT_ADDRESS), trick),
            ));
        }
    }
    let tagged = [
        &[0, 0][..],
        &IPV4.to_be_bytes(),
        &s.datagram(victims, AGENT_ADDRESS, "tagged"),
    ]
    .concat();
    s.send_on_link(&ethernet(own, s.agent_mac, 0x8100, &tagged));
    send(own, s.agent_mac, mine, AGENT_ADDRESS, "honest");
    until("the honest one", || sniffer.seen().contains("honest")).await;
    tokio::time::sleep(PATIENCE / 4).await;
    assert_eq!(sniffer.seen().into_iter().collect::<Vec<_>>(), ["honest"]);
    let neighbours = ip(&agent, "neigh");
    let kept = format!("{victims} dev ecs-bridge lladdr");
    assert!(neighbours.contains(&kept), "{neighbours}");
    // And the victim's own credentials are still the victim's.
    answer_on(
        s.m.net()
            .listen_in_agent_ns((AGENT_ADDRESS, 80).into())
            .await
            .unwrap(),
    );
    assert_eq!(
        call(&s.victim.ns, IpAddr::from(AGENT_ADDRESS), 80).unwrap(),
        victims.to_string()
    );
}
