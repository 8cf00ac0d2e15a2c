//! A task with every right in its network namespace (NET_ADMIN, NET_RAW, root) reaches no other task that does not let
//! it, no service of the host, nothing under an address that is not its own. Tried, not argued.

mod forged;

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;

use roadstead_acs::network::Protocol;
use roadstead_net::AGENT_ADDRESS;

use crate::frames::*;
use crate::support::*;

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const UDP: u8 = 17;
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
