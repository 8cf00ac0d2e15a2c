//! Which connections end when rules change. EC2 tracks a flow and lets it go on after its rule is gone, but for one
//! that is open to all both ways: "a security group rule permits TCP or UDP flows for all traffic (0.0.0.0/0
//! or ::/0) and there is a corresponding rule in the other direction that permits all response traffic for any
//! port". Such a flow is not tracked, and ends at once when no rule lets it in any more (user guide, "Amazon EC2
//! security group connection tracking"). Here the kernel tracks every flow, so the ones that would not be are
//! found by the rules that were in force, and forgotten. Pure; each interface decides by its own groups.

use std::collections::BTreeMap;
use std::net::IpAddr;

use roadstead_acs::network::{Interface, Peer, Protocol, Rule, SecurityGroup, VpcMap};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A connection as its first packet was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: u8,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) to_port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Sender,
    Receiver,
}

impl Side {
    fn own(self, flow: &Flow) -> IpAddr {
        match self {
            Side::Sender => flow.from,
            Side::Receiver => flow.to,
        }
    }

    fn other(self, flow: &Flow) -> IpAddr {
        match self {
            Side::Sender => flow.to,
            Side::Receiver => flow.from,
        }
    }

    /// Rules of the flow's direction, and of the answers'.
    fn rules(self, group: &SecurityGroup) -> (&[Rule], &[Rule]) {
        match self {
            Side::Sender => (&group.egress, &group.ingress),
            Side::Receiver => (&group.ingress, &group.egress),
        }
    }
}

/// A map, indexed for many questions.
struct Index<'a> {
    interfaces: BTreeMap<IpAddr, &'a Interface>,
    groups: BTreeMap<&'a str, &'a SecurityGroup>,
}

impl<'a> Index<'a> {
    fn of(map: &'a VpcMap) -> Self {
        let mut interfaces = BTreeMap::new();
        for interface in &map.interfaces {
            let v4 = interface.private_ips.iter().copied().map(IpAddr::V4);
            let v6 = interface.ipv6_addresses.iter().copied().map(IpAddr::V6);
            interfaces.extend(v4.chain(v6).map(|ip| (ip, interface)));
        }
        let groups = map.groups.iter().map(|g| (g.group_id.as_str(), g)).collect();
        Self { interfaces, groups }
    }

    fn groups_of(&self, ip: IpAddr) -> impl Iterator<Item = &'a SecurityGroup> {
        let worn = self.interfaces.get(&ip).map(|i| i.groups.as_slice());
        worn.unwrap_or_default()
            .iter()
            .filter_map(|id| self.groups.get(id.as_str()).copied())
    }

    fn untracked(&self, flow: &Flow, side: Side) -> bool {
        if !matches!(flow.protocol, TCP | UDP) {
            return false;
        }
        let open = |rule: &Rule| to_everyone(&rule.peer, flow.to);
        let lets = |rule: &Rule| open(rule) && carries(&rule.protocol, flow.protocol, Some(flow.to_port));
        let answers = |rule: &Rule| open(rule) && carries(&rule.protocol, flow.protocol, None);
        let own = side.own(flow);
        self.groups_of(own).any(|g| side.rules(g).0.iter().any(lets))
            && self.groups_of(own).any(|g| side.rules(g).1.iter().any(answers))
    }

    fn permits(&self, flow: &Flow, side: Side) -> bool {
        let other = side.other(flow);
        let matches = |rule: &Rule| {
            carries(&rule.protocol, flow.protocol, Some(flow.to_port))
                && match &rule.peer {
                    Peer::Cidr(cidr) => cidr.contains(&other),
                    Peer::Group(id) => self.interfaces.get(&other).is_some_and(|i| i.groups.contains(id)),
                }
        };
        self.groups_of(side.own(flow))
            .any(|g| side.rules(g).0.iter().any(matches))
    }
}

fn to_everyone(peer: &Peer, of_family: IpAddr) -> bool {
    matches!(peer, Peer::Cidr(cidr) if cidr.prefix_len() == 0 && cidr.addr().is_ipv4() == of_family.is_ipv4())
}

/// Whether a rule's protocol has this port, or with none every port.
fn carries(rule: &Protocol, protocol: u8, port: Option<u16>) -> bool {
    let ports = |from: u16, to: u16| match port {
        Some(port) => (from..=to).contains(&port),
        None => from == 0 && to == u16::MAX,
    };
    match *rule {
        Protocol::All => true,
        Protocol::Tcp { from, to } => protocol == TCP && ports(from, to),
        Protocol::Udp { from, to } => protocol == UDP && ports(from, to),
        Protocol::Icmp { .. } | Protocol::Icmpv6 { .. } => false,
        Protocol::Number(number) => number == protocol,
    }
}

/// Of `flows`, those that the change from one map to the other ends.
pub(crate) fn ended<'f, T>(before: &VpcMap, after: &VpcMap, flows: &'f [(Flow, T)]) -> Vec<&'f T> {
    let (before, after) = (Index::of(before), Index::of(after));
    let ends = |flow: &Flow| {
        [Side::Sender, Side::Receiver]
            .into_iter()
            .any(|side| before.untracked(flow, side) && !after.permits(flow, side))
    };
    flows
        .iter()
        .filter(|(flow, _)| ends(flow))
        .map(|(_, tag)| tag)
        .collect()
}

/// Whether a change can end a flow at all: rules or what is worn differ.
pub(crate) fn may_end(before: &VpcMap, after: &VpcMap) -> bool {
    let worn = |map: &VpcMap| -> BTreeMap<String, Vec<String>> {
        let each = map.interfaces.iter();
        each.map(|i| (i.interface_id.clone(), i.groups.clone())).collect()
    };
    before.groups != after.groups || worn(before) != worn(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(protocol: Protocol, peer: &str) -> Rule {
        let peer = match peer.parse() {
            Ok(cidr) => Peer::Cidr(cidr),
            Err(_) => Peer::Group(peer.to_owned()),
        };
        Rule { protocol, peer }
    }

    fn map(server: (Vec<Rule>, Vec<Rule>)) -> VpcMap {
        let interface = |n: u8, group: &str| Interface {
            interface_id: format!("eni-{n}"),
            mac: String::new(),
            private_ips: vec![std::net::Ipv4Addr::new(10, 0, 0, n)],
            ipv6_addresses: vec![],
            subnet_id: "subnet-1".into(),
            groups: vec![group.to_owned()],
            instance_id: None,
            source_dest_check: true,
        };
        let group = |id: &str, (ingress, egress): (Vec<Rule>, Vec<Rule>)| SecurityGroup {
            group_id: id.into(),
            ingress,
            egress,
        };
        let all = || vec![rule(Protocol::All, "0.0.0.0/0")];
        VpcMap {
            vpc_id: "vpc-1".into(),
            generation: 1,
            region: "us-east-1".into(),
            cidrs: vec![],
            subnets: vec![],
            interfaces: vec![interface(1, "sg-client"), interface(2, "sg-server")],
            groups: vec![group("sg-client", (vec![], all())), group("sg-server", server)],
        }
    }

    #[test]
    fn only_what_was_open_to_all_both_ways_ends_with_its_rule() {
        let tcp = |from, to| Protocol::Tcp { from, to };
        let any = "0.0.0.0/0";
        let everything = || vec![rule(Protocol::All, any)];
        let http = |peer: &str| vec![rule(tcp(80, 80), peer)];
        for (name, before, after, ends) in [
            (
                "the documented case",
                (http(any), everything()),
                (vec![], everything()),
                true,
            ),
            (
                "from one address",
                (http("10.0.0.1/32"), everything()),
                (vec![], everything()),
                false,
            ),
            (
                "from a group",
                (http("sg-client"), everything()),
                (vec![], everything()),
                false,
            ),
            ("answers not to all", (http(any), vec![]), (vec![], vec![]), false),
            (
                "answers to all by TCP alone",
                (http(any), vec![rule(tcp(0, u16::MAX), any)]),
                (vec![], everything()),
                true,
            ),
            (
                "answers on some ports",
                (http(any), vec![rule(tcp(1024, u16::MAX), any)]),
                (vec![], everything()),
                false,
            ),
            (
                "still let in by another",
                (http(any), everything()),
                (http("sg-client"), everything()),
                false,
            ),
            (
                "let in from elsewhere",
                (http(any), everything()),
                (http("10.9.0.0/16"), everything()),
                true,
            ),
            (
                "the port moves",
                (http(any), everything()),
                (vec![rule(tcp(81, 81), any)], everything()),
                true,
            ),
            (
                "answers narrowed",
                (http(any), everything()),
                (http(any), vec![]),
                false,
            ),
        ] {
            let flow = Flow {
                protocol: TCP,
                from: "10.0.0.1".parse().unwrap(),
                to: "10.0.0.2".parse().unwrap(),
                to_port: 80,
            };
            let (before, after) = (map(before), map(after));
            assert_eq!(
                ended(&before, &after, &[(flow, ())]).len(),
                usize::from(ends),
                "{name}"
            );
            assert!(may_end(&before, &after));
            let icmp = Flow { protocol: 1, ..flow };
            let udp = Flow {
                protocol: UDP,
                ..flow
            };
            assert!(
                ended(&before, &after, &[(icmp, ()), (udp, ())]).is_empty(),
                "{name}: nor did TCP's rule let them in"
            );
            assert!(ended(&before, &before, &[(flow, ())]).is_empty() && !may_end(&before, &before));
        }
    }

    #[test]
    fn an_interface_that_changes_its_groups_ends_what_they_opened() {
        let any = "0.0.0.0/0";
        let open = (vec![rule(Protocol::All, any)], vec![rule(Protocol::All, any)]);
        let before = map(open);
        let mut after = before.clone();
        after.interfaces[1].groups = vec!["sg-client".into()];
        let flow = Flow {
            protocol: UDP,
            from: "192.0.2.1".parse().unwrap(),
            to: "10.0.0.2".parse().unwrap(),
            to_port: 53,
        };
        assert!(may_end(&before, &after));
        assert_eq!(ended(&before, &after, &[(flow, 7)]), [&7]);
    }
}
