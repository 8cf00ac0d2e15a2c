//! Rules as the API writes them, in its three forms: inside a permission, by themselves, and revoked.

use roadstead_api_ec2::{
    IpPermission, IpRange, Ipv6Range, ReferencedSecurityGroup, RevokedSecurityGroupRule, SecurityGroupRule,
    UserIdGroupPair,
};
use roadstead_base::Ctx;

use super::arn;
use crate::records::{Group, Peer, Permit, Rule, Traffic};
use crate::tags;

impl Traffic {
    /// `tcp`, `50`, `-1`.
    pub(crate) fn name(self) -> String {
        match self {
            Traffic::All => "-1".to_owned(),
            Traffic::Tcp { .. } => "tcp".to_owned(),
            Traffic::Udp { .. } => "udp".to_owned(),
            Traffic::Icmp { .. } => "icmp".to_owned(),
            Traffic::Icmpv6 { .. } => "icmpv6".to_owned(),
            Traffic::Number(number) => number.to_string(),
        }
    }

    /// `FromPort` and `ToPort`, where the protocol has them: ports, or type and code with -1 for any.
    pub(crate) fn ports(self) -> Option<(i32, i32)> {
        let any = |value: Option<u8>| value.map_or(-1, i32::from);
        match self {
            Traffic::Tcp { from, to } | Traffic::Udp { from, to } => Some((from.into(), to.into())),
            Traffic::Icmp { kind, code } | Traffic::Icmpv6 { kind, code } => Some((any(kind), any(code))),
            Traffic::All | Traffic::Number(_) => None,
        }
    }

    /// As errors about a rule say it.
    fn told(self) -> String {
        let any = |value: Option<u8>| value.map_or_else(|| "ALL".to_owned(), |value| value.to_string());
        match self {
            Traffic::All => "ALL".to_owned(),
            Traffic::Tcp { from, to } => format!("TCP, from port: {from}, to port: {to}"),
            Traffic::Udp { from, to } => format!("UDP, from port: {from}, to port: {to}"),
            Traffic::Icmp { kind, code } => format!("ICMP, type: {}, code: {}", any(kind), any(code)),
            Traffic::Icmpv6 { kind, code } => format!("ICMPv6, type: {}, code: {}", any(kind), any(code)),
            Traffic::Number(number) => format!("protocol: {number}"),
        }
    }
}

impl Permit {
    /// `peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW`
    pub(crate) fn told(&self) -> String {
        let peer = match &self.peer {
            Peer::V4(net) => net.to_string(),
            Peer::V6(net) => net.to_string(),
            Peer::Group(group) => group.to_string(),
        };
        format!("peer: {peer}, {}, ALLOW", self.traffic.told())
    }
}

/// Rules of one direction, those of the same protocol and ports together, in the order they were added.
pub(crate) fn permissions<'r>(ctx: &Ctx, rules: impl Iterator<Item = &'r Rule>) -> Vec<IpPermission> {
    let mut found: Vec<(Traffic, IpPermission)> = Vec::new();
    for rule in rules {
        let traffic = rule.permit.traffic;
        let at = found
            .iter()
            .position(|(known, _)| *known == traffic)
            .unwrap_or_else(|| {
                let ports = traffic.ports();
                found.push((
                    traffic,
                    IpPermission {
                        from_port: ports.map(|(from, _)| from),
                        ip_protocol: Some(traffic.name()),
                        ip_ranges: Some(Vec::new()),
                        ipv6_ranges: Some(Vec::new()),
                        prefix_list_ids: Some(Vec::new()),
                        to_port: ports.map(|(_, to)| to),
                        user_id_group_pairs: Some(Vec::new()),
                    },
                ));
                found.len() - 1
            });
        let Some((_, permission)) = found.get_mut(at) else {
            continue;
        };
        let description = rule.description.clone();
        match &rule.permit.peer {
            Peer::V4(net) => {
                let ranges = permission.ip_ranges.get_or_insert_default();
                ranges.push(IpRange {
                    cidr_ip: Some(net.to_string()),
                    description,
                });
            }
            Peer::V6(net) => {
                let ranges = permission.ipv6_ranges.get_or_insert_default();
                ranges.push(Ipv6Range {
                    cidr_ipv6: Some(net.to_string()),
                    description,
                });
            }
            Peer::Group(group) => {
                let pairs = permission.user_id_group_pairs.get_or_insert_default();
                pairs.push(UserIdGroupPair {
                    description,
                    group_id: Some(group.to_string()),
                    group_name: None,
                    peering_status: None,
                    user_id: Some(ctx.account.to_string()),
                    vpc_id: None,
                    vpc_peering_connection_id: None,
                });
            }
        }
    }
    found.into_iter().map(|(_, permission)| permission).collect()
}

pub(crate) fn wire(ctx: &Ctx, group: &Group, rule: &Rule) -> SecurityGroupRule {
    let (from, to) = rule.permit.traffic.ports().unwrap_or((-1, -1));
    let (cidr_ipv4, cidr_ipv6, referenced) = peers(&rule.permit.peer);
    SecurityGroupRule {
        cidr_ipv4,
        cidr_ipv6,
        description: rule.description.clone(),
        from_port: Some(from),
        group_id: Some(group.id.to_string()),
        group_owner_id: Some(ctx.account.to_string()),
        ip_protocol: Some(rule.permit.traffic.name()),
        is_egress: Some(rule.permit.egress),
        prefix_list_id: None,
        referenced_group_info: referenced.map(|group_id| ReferencedSecurityGroup {
            group_id: Some(group_id),
            peering_status: None,
            user_id: Some(ctx.account.to_string()),
            vpc_id: None,
            vpc_peering_connection_id: None,
        }),
        security_group_rule_arn: Some(arn(ctx, "security-group-rule", rule.id.as_str())),
        security_group_rule_id: Some(rule.id.to_string()),
        tags: Some(tags::shown(&rule.tags)),
        to_port: Some(to),
    }
}

pub(crate) fn revoked(group: &Group, rule: &Rule) -> RevokedSecurityGroupRule {
    let (from, to) = rule.permit.traffic.ports().unwrap_or((-1, -1));
    let (cidr_ipv4, cidr_ipv6, referenced_group_id) = peers(&rule.permit.peer);
    RevokedSecurityGroupRule {
        cidr_ipv4,
        cidr_ipv6,
        description: rule.description.clone(),
        from_port: Some(from),
        group_id: Some(group.id.to_string()),
        ip_protocol: Some(rule.permit.traffic.name()),
        is_egress: Some(rule.permit.egress),
        prefix_list_id: None,
        referenced_group_id,
        security_group_rule_id: Some(rule.id.to_string()),
        to_port: Some(to),
    }
}

/// The peer as IPv4 range, IPv6 range or group.
fn peers(peer: &Peer) -> (Option<String>, Option<String>, Option<String>) {
    match peer {
        Peer::V4(net) => (Some(net.to_string()), None, None),
        Peer::V6(net) => (None, Some(net.to_string()), None),
        Peer::Group(group) => (None, None, Some(group.to_string())),
    }
}
