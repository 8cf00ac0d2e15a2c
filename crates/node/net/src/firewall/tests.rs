//! Rules and changes as data: no kernel is asked.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use roadstead_acs::network::{Interface, Peer, Protocol, Rule, SecurityGroup, VpcMap};

use super::element::{Element, ElementChange, Family, SetId, SetKind};
use super::groups::{LocalPort, Uplink, router_rules};
use super::ruleset::{Change, Present, Ruleset};
use crate::names::{InterfaceId, MacAddr};

fn ip(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host)
}

fn port(host: u8) -> LocalPort {
    LocalPort {
        interface: InterfaceId::parse(&format!("eni-{host}")).unwrap(),
        device: format!("rsabcd-e{host:05}"),
        mac: MacAddr([2, 0, 0, 0, 0, host]),
        ips: vec![ip(host)],
    }
}

fn map(worn: &[(u8, &[&str])], groups: &[(&str, Vec<Rule>, Vec<Rule>)]) -> VpcMap {
    let interface = |(host, groups): &(u8, &[&str])| Interface {
        interface_id: format!("eni-{host}"),
        mac: MacAddr([2, 0, 0, 0, 0, *host]).to_string(),
        private_ips: vec![ip(*host)],
        ipv6_addresses: Vec::new(),
        subnet_id: "subnet-1".into(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        instance_id: None,
        source_dest_check: true,
    };
    let group = |(id, ingress, egress): &(&str, Vec<Rule>, Vec<Rule>)| SecurityGroup {
        group_id: (*id).into(),
        ingress: ingress.clone(),
        egress: egress.clone(),
    };
    VpcMap {
        vpc_id: "vpc-1".into(),
        generation: 1,
        region: "us-east-1".into(),
        cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        subnets: vec![],
        interfaces: worn.iter().map(interface).collect(),
        groups: groups.iter().map(group).collect(),
    }
}

fn rules(map: &VpcMap, ports: &[LocalPort]) -> Ruleset {
    router_rules(
        Some(map),
        ports,
        None,
        &BTreeSet::new(),
        &BTreeSet::new(),
        &BTreeSet::new(),
    )
    .unwrap()
}

fn cidr(protocol: Protocol, text: &str) -> Rule {
    Rule {
        protocol,
        peer: Peer::Cidr(text.parse().unwrap()),
    }
}

#[test]
fn what_was_worn_lately_keeps_its_chains_so_that_a_port_is_elements_alone() {
    let map = map(
        &[(4, &["sg-a"]), (5, &["sg-a", "sg-b"])],
        &[("sg-a", vec![], vec![]), ("sg-b", vec![], vec![])],
    );
    let outfit = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let lately = BTreeSet::from([outfit(&["sg-a"]), outfit(&["sg-a", "sg-b"]), outfit(&["sg-gone"])]);
    let with = |ports: &[LocalPort]| {
        let none = BTreeSet::new();
        router_rules(Some(&map), ports, None, &none, &none, &lately).unwrap()
    };
    let (none, both) = (with(&[]), with(&[port(4), port(5)]));
    assert!(!none.chains.keys().any(|name| name.contains("gone")));
    assert!(matches!(both.change_from(&none), Change::Elements(_)));
    assert!(matches!(none.change_from(&both), Change::Elements(_)));
    let bare = rules(&map, &[]);
    assert!(
        matches!(both.change_from(&bare), Change::Commands(_)),
        "else there would be nothing to keep"
    );
}

#[test]
fn each_kind_of_rule_has_its_words() {
    let any = "0.0.0.0/0";
    let ping6 = Protocol::Icmpv6 {
        kind: Some(128),
        code: None,
    };
    for (rule, ingress, egress) in [
        (
            cidr(Protocol::All, any),
            "meta nfproto ipv4 accept",
            "meta nfproto ipv4 accept",
        ),
        (
            cidr(Protocol::All, "::/0"),
            "meta nfproto ipv6 accept",
            "meta nfproto ipv6 accept",
        ),
        (
            cidr(Protocol::Tcp { from: 80, to: 80 }, "10.0.0.7/24"),
            "ip saddr 10.0.0.0/24 tcp dport 80 accept",
            "ip daddr 10.0.0.0/24 tcp dport 80 accept",
        ),
        (
            cidr(Protocol::Udp { from: 1, to: 9 }, "10.0.0.7/32"),
            "ip saddr 10.0.0.7/32 udp dport 1-9 accept",
            "ip daddr 10.0.0.7/32 udp dport 1-9 accept",
        ),
        (
            cidr(Protocol::Tcp { from: 0, to: 65535 }, "fd00::/8"),
            "ip6 saddr fd00::/8 meta l4proto tcp accept",
            "ip6 daddr fd00::/8 meta l4proto tcp accept",
        ),
        (
            cidr(
                Protocol::Icmp {
                    kind: Some(8),
                    code: Some(0),
                },
                "10.0.0.0/8",
            ),
            "ip saddr 10.0.0.0/8 icmp type 8 icmp code 0 accept",
            "ip daddr 10.0.0.0/8 icmp type 8 icmp code 0 accept",
        ),
        (
            cidr(
                Protocol::Icmp {
                    kind: None,
                    code: None,
                },
                "10.0.0.0/8",
            ),
            "ip saddr 10.0.0.0/8 meta l4proto icmp accept",
            "ip daddr 10.0.0.0/8 meta l4proto icmp accept",
        ),
        (
            cidr(Protocol::Number(47), "10.0.0.0/8"),
            "ip saddr 10.0.0.0/8 meta l4proto 47 accept",
            "ip daddr 10.0.0.0/8 meta l4proto 47 accept",
        ),
        (
            Rule {
                protocol: Protocol::All,
                peer: Peer::Group("sg-2".into()),
            },
            "ip saddr @members.sg-2 accept / ip6 saddr @members6.sg-2 accept",
            "ip daddr @members.sg-2 accept / ip6 daddr @members6.sg-2 accept",
        ),
        (
            Rule {
                protocol: ping6.clone(),
                peer: Peer::Group("sg-2".into()),
            },
            "ip6 saddr @members6.sg-2 icmpv6 type 128 accept",
            "ip6 daddr @members6.sg-2 icmpv6 type 128 accept",
        ),
        (
            cidr(ping6.clone(), "::/0"),
            "meta nfproto ipv6 icmpv6 type 128 accept",
            "meta nfproto ipv6 icmpv6 type 128 accept",
        ),
        (cidr(ping6.clone(), "10.0.0.0/8"), "", ""),
        (
            cidr(
                Protocol::Icmp {
                    kind: None,
                    code: None,
                },
                "fd00::/8",
            ),
            "",
            "",
        ),
    ] {
        let map = map(
            &[(4, &["sg-1"])],
            &[("sg-1", vec![rule.clone()], vec![rule.clone()])],
        );
        let set = rules(&map, &[port(4)]);
        assert_eq!(set.chains["in.sg-1"].join(" / "), ingress, "{rule:?}");
        assert_eq!(set.chains["out.sg-1"].join(" / "), egress, "{rule:?}");
    }
}

#[test]
fn backward_ports_and_names_that_are_no_ids_are_refused() {
    let refused = |rule: Rule, group: &str| {
        let map = map(&[(4, &[group])], &[(group, vec![rule], vec![])]);
        router_rules(
            Some(&map),
            &[port(4)],
            None,
            &BTreeSet::new(),
            &BTreeSet::new(),
            &BTreeSet::new(),
        )
        .is_err()
    };
    let good = || cidr(Protocol::All, "10.0.0.0/8");
    assert!(!refused(good(), "sg-1"));
    assert!(refused(
        cidr(Protocol::Tcp { from: 9, to: 1 }, "10.0.0.0/8"),
        "sg-1"
    ));
    assert!(refused(good(), "sg-1 accept"));
    assert!(refused(
        Rule {
            protocol: Protocol::All,
            peer: Peer::Group("sg-1}".into())
        },
        "sg-1"
    ));
}

#[test]
fn an_interface_leads_to_the_chain_of_its_groups_and_without_groups_nowhere() {
    let worn: &[(u8, &[&str])] = &[
        (4, &["sg-1"]),
        (5, &["sg-2", "sg-1"]),
        (6, &[]),
        (7, &["sg-unknown"]),
    ];
    let map = map(worn, &[("sg-1", vec![], vec![]), ("sg-2", vec![], vec![])]);
    let set = rules(&map, &[port(4), port(5), port(6), port(7), port(8)]);
    let senders = &set.sets[&SetId::new(Family::Inet, "senders")].elements;
    let shown: Vec<String> = senders.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "\"rsabcd-e00004\" : goto out.sg-1",
            "\"rsabcd-e00005\" : goto out.sg-1.sg-2"
        ]
    );
    assert_eq!(set.chains["in.sg-1.sg-2"], ["jump in.sg-1", "jump in.sg-2"]);
    let pins = &set.sets[&SetId::new(Family::Inet, "pins")].elements;
    assert_eq!(pins.len(), 5, "every port is pinned, groups or not");
}

#[test]
fn members_of_a_peer_group_are_all_its_interfaces_wherever_they_are() {
    let from_two = Rule {
        protocol: Protocol::All,
        peer: Peer::Group("sg-2".into()),
    };
    let map = map(
        &[(4, &["sg-1"]), (5, &["sg-2"]), (6, &["sg-2", "sg-1"])],
        &[("sg-1", vec![from_two], vec![]), ("sg-2", vec![], vec![])],
    );
    let set = rules(&map, &[port(4)]);
    let members = &set.sets[&SetId::new(Family::Inet, "members.sg-2")].elements;
    assert_eq!(
        *members,
        BTreeSet::from([Element::address(ip(5)), Element::address(ip(6))])
    );
    assert!(!set.chains.contains_key("in.sg-2"), "no interface here wears it");
}

#[test]
fn an_ipv6_address_is_pinned_with_its_link_local_one_and_counts_as_a_member() {
    let from_two = Rule {
        protocol: Protocol::All,
        peer: Peer::Group("sg-2".into()),
    };
    let mut map = map(
        &[(4, &["sg-1"]), (5, &["sg-2"])],
        &[("sg-1", vec![from_two], vec![]), ("sg-2", vec![], vec![])],
    );
    map.interfaces[0].ipv6_addresses = vec!["fd00::4".parse().unwrap()];
    map.interfaces[1].ipv6_addresses = vec!["fd00::5".parse().unwrap()];
    map.subnets.push(roadstead_acs::network::Subnet {
        subnet_id: "subnet-1".into(),
        cidr: "10.0.0.0/24".parse().unwrap(),
        ipv6_cidr: Some("fd00::/64".parse().unwrap()),
        availability_zone: "us-east-1a".into(),
    });
    let set = rules(&map, &[port(4)]);
    let shown = |name: &str| {
        let elements = &set.sets[&SetId::new(Family::Inet, name)].elements;
        elements.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let pin = |ip: &str| format!("\"rsabcd-e00004\" . 02:00:00:00:00:04 . {ip}");
    assert_eq!(shown("pins6"), [pin("fd00::4"), pin("fe80::ff:fe00:4")]);
    assert_eq!(shown("members6.sg-2"), ["fd00::5"]);
    assert_eq!(shown("gateways6"), ["fd00::1"]);
}

#[test]
fn sixteen_groups_still_make_a_chain_name_the_kernel_takes() {
    let ids: Vec<String> = (0..16).map(|n| format!("sg-{n:017x}")).collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    let groups: Vec<_> = names.iter().map(|id| (*id, vec![], vec![])).collect();
    let set = rules(&map(&[(4, &names)], &groups), &[port(4)]);
    assert!(
        set.chains.keys().all(|name| name.len() < 128),
        "{:?}",
        set.chains.keys()
    );
    assert_eq!(set.chains.len(), 2 * 16 + 2);
}

#[test]
fn one_more_interface_in_known_groups_is_only_elements() {
    let groups = [("sg-1", vec![cidr(Protocol::All, "0.0.0.0/0")], vec![])];
    let map = map(&[(4, &["sg-1"]), (5, &["sg-1"])], &groups);
    let (before, after) = (rules(&map, &[port(4)]), rules(&map, &[port(4), port(5)]));
    let Change::Elements(change) = after.change_from(&before) else {
        panic!("more than elements")
    };
    assert_eq!(
        (change.add.len(), change.remove.len()),
        (5, 0),
        "pins of inet and arp, owner, sender, receiver"
    );
    assert_eq!(after.change_from(&after), Change::Nothing);
}

#[test]
fn a_host_attachment_is_pinned_and_receives_nothing_new() {
    let uplink = Uplink {
        device: "rsabcd-h00001".into(),
        mac: MacAddr([2; 6]),
        ip: ip(200),
        ipv6: Some("fd00::200".parse().unwrap()),
    };
    let none = BTreeSet::new();
    let set = router_rules(None, &[], Some(&uplink), &none, &none, &BTreeSet::new()).unwrap();
    let of = |name: &str| set.sets[&SetId::new(Family::Inet, name)].elements.len();
    assert_eq!(
        ["pins", "pins6", "uplinks", "senders", "receivers"].map(of),
        [1, 1, 1, 0, 0]
    );
}

#[test]
fn a_batch_has_the_bytes_that_nft_sends() {
    let change = ElementChange {
        remove: vec![],
        add: vec![(
            SetId::new(Family::Inet, "pins"),
            Element::pin("rsabcd-e00001", MacAddr([2, 0, 0, 0, 0, 1]), ip(1)),
        )],
    };
    let (bytes, last) = change.batch(7);
    assert_eq!(last, 8);
    assert_eq!(bytes.len(), 20 + 92 + 20);
    // The key as `nft` 1.0.6 sends it: device in 16 bytes, MAC padded to 8, address.
    let key = b"\x72\x73\x61\x62\x63\x64\x2d\x65\x30\x30\x30\x30\x31\x00\x00\x00\x02\x00\x00\x00\x00\x01\x00\x00\x0a\x00\x00\x01";
    assert!(bytes.windows(key.len()).any(|window| window == key));
    let kind = u16::from_ne_bytes([bytes[24], bytes[25]]);
    assert_eq!(kind, 0x0a0c);
}

#[test]
fn replacing_keeps_base_chains_and_removes_strangers() {
    let set = rules(&map(&[], &[]), &[]);
    let mut present = Present::default();
    for name in ["egress", "in.sg-old"] {
        present.chains.insert((Family::Inet, name.into()));
    }
    present
        .sets
        .insert(SetId::new(Family::Inet, "members.sg-old"), "set".into());
    let text = set.replacement(&present);
    assert!(text.contains("flush chain inet roadstead egress\n"));
    assert!(!text.contains("delete chain inet roadstead egress"));
    assert!(text.contains("delete chain inet roadstead in.sg-old\n"));
    assert!(text.contains("delete set inet roadstead members.sg-old\n"));
    assert!(!text.contains("delete table"));
}

fn any_ruleset() -> impl Strategy<Value = Ruleset> {
    let worn = prop::collection::vec(prop::collection::vec(0usize..4, 0..3), 4);
    let peers = prop::collection::vec(prop::option::of(0usize..4), 4);
    let dual = prop::collection::vec(any::<bool>(), 4);
    (worn, peers, dual, 0usize..5).prop_map(|(worn, peers, dual, here)| {
        let ids = ["sg-0", "sg-1", "sg-2", "sg-3"];
        let worn: Vec<(u8, Vec<&str>)> = worn
            .iter()
            .zip(1u8..)
            .map(|(groups, host)| (host, groups.iter().map(|g| ids[*g]).collect()))
            .collect();
        let borrowed: Vec<(u8, &[&str])> = worn
            .iter()
            .map(|(host, groups)| (*host, groups.as_slice()))
            .collect();
        let groups: Vec<_> = ids
            .iter()
            .zip(&peers)
            .map(|(id, peer)| {
                let peer = peer.map(|p| Rule {
                    protocol: Protocol::All,
                    peer: Peer::Group(ids[p].into()),
                });
                (*id, peer.into_iter().collect(), vec![])
            })
            .collect();
        let ports: Vec<LocalPort> = (1u8..).take(here).map(port).collect();
        let mut map = map(&borrowed, &groups);
        for ((interface, dual), host) in map.interfaces.iter_mut().zip(dual).zip(1u16..) {
            let address = std::net::Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, host);
            interface.ipv6_addresses = dual.then_some(address).into_iter().collect();
        }
        rules(&map, &ports)
    })
}

proptest! {
    #[test]
    fn nothing_refers_to_what_is_not_declared(set in any_ruleset()) {
        for group in set.sets.values().filter(|s| s.kind == SetKind::Flows) {
            for element in &group.elements {
                prop_assert!(set.chains.contains_key(element.goes_to.as_ref().unwrap()));
            }
        }
        for rule in set.chains.values().flatten() {
            if let Some(chain) = rule.strip_prefix("jump ") {
                prop_assert!(set.chains.contains_key(chain));
            }
            if let Some(name) = rule.split('@').nth(1).and_then(|r| r.split(' ').next()) {
                prop_assert!(set.sets.contains_key(&SetId::new(Family::Inet, name)));
            }
        }
    }

    #[test]
    fn a_change_names_exactly_what_differs(before in any_ruleset(), after in any_ruleset()) {
        match after.change_from(&before) {
            Change::Nothing => prop_assert_eq!(before, after),
            Change::Elements(change) => {
                let mut sets = before.sets.clone();
                for (id, element) in &change.remove { prop_assert!(sets.get_mut(id).unwrap().elements.remove(element)); }
                for (id, element) in &change.add { prop_assert!(sets.get_mut(id).unwrap().elements.insert(element.clone())); }
                prop_assert_eq!(sets, after.sets);
            }
            Change::Commands(text) => {
                for name in after.chains.keys().filter(|n| !before.chains.contains_key(*n)) {
                    let line = format!("add chain inet roadstead {}\n", name);
                    prop_assert!(text.contains(&line));
                }
                for name in before.chains.keys().filter(|n| !after.chains.contains_key(*n)) {
                    let line = format!("delete chain inet roadstead {}\n", name);
                    prop_assert!(text.contains(&line));
                }
            }
        }
    }
}
