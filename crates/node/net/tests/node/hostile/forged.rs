//! Frames and packets that are made by hand: to whom they must not come, and in whose name.

use std::net::Ipv4Addr;

use roadstead_acs::network::Protocol;
use roadstead_net::{AGENT_ADDRESS, BridgeNet};

use super::*;

const IPV6: u16 = 0x86dd;
const ICMP: u8 = 1;

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
