//! Security groups, and what their many filters compare.

use roadstead_api_ec2::SecurityGroup;
use roadstead_base::Ctx;

use super::{arn, one, rule};
use crate::filter::Values;
use crate::records::{Group, Peer};
use crate::tags;
use crate::world::Realm;

pub(crate) const FILTERS: &[&str] = &[
    "description",
    "egress.ip-permission.cidr",
    "egress.ip-permission.from-port",
    "egress.ip-permission.group-id",
    "egress.ip-permission.group-name",
    "egress.ip-permission.ipv6-cidr",
    "egress.ip-permission.prefix-list-id",
    "egress.ip-permission.protocol",
    "egress.ip-permission.to-port",
    "egress.ip-permission.user-id",
    "group-id",
    "group-name",
    "ip-permission.cidr",
    "ip-permission.from-port",
    "ip-permission.group-id",
    "ip-permission.group-name",
    "ip-permission.ipv6-cidr",
    "ip-permission.prefix-list-id",
    "ip-permission.protocol",
    "ip-permission.to-port",
    "ip-permission.user-id",
    "owner-id",
    "tag:",
    "tag-key",
    "vpc-id",
];

pub(crate) fn wire(ctx: &Ctx, group: &Group) -> SecurityGroup {
    let rules = |egress: bool| {
        group
            .rules
            .iter()
            .filter(move |rule| rule.permit.egress == egress)
    };
    SecurityGroup {
        description: Some(group.description.clone()),
        group_id: Some(group.id.to_string()),
        group_name: Some(group.name.clone()),
        ip_permissions: Some(rule::permissions(ctx, rules(false))),
        ip_permissions_egress: Some(rule::permissions(ctx, rules(true))),
        owner_id: Some(ctx.account.to_string()),
        security_group_arn: Some(arn(ctx, "security-group", group.id.as_str())),
        tags: Some(tags::shown(&group.tags)),
        vpc_id: Some(group.vpc.to_string()),
    }
}

pub(crate) fn values(ctx: &Ctx, realm: &Realm, group: &Group, filter: &str) -> Values {
    match filter {
        "description" => one(group.description.as_str()),
        "group-id" => one(group.id.as_str()),
        "group-name" => one(group.name.as_str()),
        "owner-id" => one(ctx.account.as_str()),
        "vpc-id" => one(group.vpc.as_str()),
        _ => match filter.strip_prefix("egress.") {
            Some(of_rule) => rule_values(ctx, realm, group, true, of_rule),
            None => rule_values(ctx, realm, group, false, filter),
        },
    }
}

fn rule_values(ctx: &Ctx, realm: &Realm, group: &Group, egress: bool, filter: &str) -> Values {
    let permits = group
        .rules
        .iter()
        .map(|rule| &rule.permit)
        .filter(|permit| permit.egress == egress);
    let value = |permit: &crate::records::Permit| match (filter, &permit.peer) {
        ("ip-permission.cidr", Peer::V4(net)) => Some(net.to_string()),
        ("ip-permission.ipv6-cidr", Peer::V6(net)) => Some(net.to_string()),
        ("ip-permission.group-id", Peer::Group(id)) => Some(id.to_string()),
        ("ip-permission.group-name", Peer::Group(id)) => {
            realm.groups.get(id).map(|group| group.value.name.clone())
        }
        ("ip-permission.user-id", Peer::Group(_)) => Some(ctx.account.to_string()),
        ("ip-permission.protocol", _) => Some(permit.traffic.name()),
        ("ip-permission.from-port", _) => permit.traffic.ports().map(|(from, _)| from.to_string()),
        ("ip-permission.to-port", _) => permit.traffic.ports().map(|(_, to)| to.to_string()),
        _ => None,
    };
    permits.filter_map(value).collect()
}
