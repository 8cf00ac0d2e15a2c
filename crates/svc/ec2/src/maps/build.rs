//! The map of one VPC from the state: a pure translation.

use ipnet::IpNet;
use roadstead_acs::network::{self, VpcMap};

use crate::ids::VpcId;
use crate::records::{Group, Interface, Peer, Rule, Subnet, Traffic};
use crate::world::World;

/// The VPC as nodes see it, of the generation that the state is at; none if it does not exist.
pub(crate) fn vpc_map(world: &World, vpc: &VpcId) -> Option<VpcMap> {
    let (partition, realm) = world.home(vpc)?;
    let record = realm.vpcs.get(vpc)?;
    Some(VpcMap {
        vpc_id: vpc.to_string(),
        generation: world.generation(),
        region: partition.region.to_string(),
        cidrs: std::iter::once(IpNet::V4(record.value.cidr))
            .chain(record.value.ipv6.iter().map(|block| IpNet::V6(block.cidr)))
            .collect(),
        subnets: realm.subnets_of(vpc).map(|entry| subnet(&entry.value)).collect(),
        interfaces: realm
            .interfaces_of(vpc)
            .map(|entry| interface(&entry.value))
            .collect(),
        groups: realm.groups_of(vpc).map(|entry| group(&entry.value)).collect(),
    })
}

/// Whether two maps say the same, whenever they were made.
pub(crate) fn same(a: &VpcMap, b: &VpcMap) -> bool {
    let VpcMap {
        vpc_id,
        generation: _,
        region,
        cidrs,
        subnets,
        interfaces,
        groups,
    } = a;
    *vpc_id == b.vpc_id
        && *region == b.region
        && *cidrs == b.cidrs
        && *subnets == b.subnets
        && *interfaces == b.interfaces
        && *groups == b.groups
}

fn subnet(subnet: &Subnet) -> network::Subnet {
    network::Subnet {
        subnet_id: subnet.id.to_string(),
        cidr: IpNet::V4(subnet.cidr),
        ipv6_cidr: subnet.ipv6.as_ref().map(|block| block.cidr),
        availability_zone: subnet.zone.clone(),
    }
}

fn interface(interface: &Interface) -> network::Interface {
    network::Interface {
        interface_id: interface.id.to_string(),
        mac: interface.mac.to_string(),
        private_ips: interface.addresses.clone(),
        ipv6_addresses: interface.ipv6.clone(),
        subnet_id: interface.subnet.to_string(),
        groups: interface.groups.iter().map(ToString::to_string).collect(),
        instance_id: interface
            .attachment
            .as_ref()
            .map(|attachment| attachment.instance.to_string()),
        source_dest_check: interface.source_dest_check,
    }
}

fn group(group: &Group) -> network::SecurityGroup {
    let rules = |egress: bool| {
        group
            .rules
            .iter()
            .filter(move |r| r.permit.egress == egress)
            .map(rule)
            .collect()
    };
    network::SecurityGroup {
        group_id: group.id.to_string(),
        ingress: rules(false),
        egress: rules(true),
    }
}

fn rule(rule: &Rule) -> network::Rule {
    let protocol = match rule.permit.traffic {
        Traffic::All => network::Protocol::All,
        Traffic::Tcp { from, to } => network::Protocol::Tcp { from, to },
        Traffic::Udp { from, to } => network::Protocol::Udp { from, to },
        Traffic::Icmp { kind, code } => network::Protocol::Icmp { kind, code },
        Traffic::Icmpv6 { kind, code } => network::Protocol::Icmpv6 { kind, code },
        Traffic::Number(number) => network::Protocol::Number(number),
    };
    let peer = match &rule.permit.peer {
        Peer::V4(net) => network::Peer::Cidr(IpNet::V4(*net)),
        Peer::V6(net) => network::Peer::Cidr(IpNet::V6(*net)),
        Peer::Group(group) => network::Peer::Group(group.to_string()),
    };
    network::Rule { protocol, peer }
}
