//! The map of a VPC, as a node needs it to route and to filter: which interfaces exist and where, which
//! groups they wear, which rules the groups hold. It is sent whole, with a generation; a node refuses an
//! older one. It names no nftables, routes or devices: those are the node's business.
//!
//! Members that came later have a default, so that a map of an earlier control plane and the records of an
//! earlier agent are read; an earlier agent does not see them, and serves IPv4 alone.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};
use serde::{Deserialize, Serialize};

/// One VPC as one node sees it. The whole state: what is absent here is absent on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcMap {
    /// `vpc-…`; unique over all accounts and regions.
    pub vpc_id: String,
    /// Grows with every change of the VPC; a node keeps the highest it applied and refuses lower ones.
    pub generation: u64,
    /// Region of the VPC, for its internal domain name.
    pub region: String,
    /// The IPv4 block first, then the IPv6 block if there is one.
    pub cidrs: Vec<IpNet>,
    pub subnets: Vec<Subnet>,
    pub interfaces: Vec<Interface>,
    pub groups: Vec<SecurityGroup>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    pub subnet_id: String,
    pub cidr: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6_cidr: Option<Ipv6Net>,
    pub availability_zone: String,
}

/// An elastic network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interface {
    /// `eni-…`
    pub interface_id: String,
    /// Lower case, colon separated.
    pub mac: String,
    /// The primary address first.
    pub private_ips: Vec<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Addr>,
    pub subnet_id: String,
    /// Ids of the security groups it wears.
    pub groups: Vec<String>,
    /// The instance (`i-…`) it is attached to, if any.
    pub instance_id: Option<String>,
    /// False lets it send from and receive for addresses that are not its own.
    pub source_dest_check: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroup {
    /// `sg-…`
    pub group_id: String,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
}

/// One permission of a security group: this protocol and these ports, from (to) this peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    pub protocol: Protocol,
    pub peer: Peer,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// Every protocol and port (`-1` in the API).
    All,
    /// Both ends inclusive.
    Tcp {
        from: u16,
        to: u16,
    },
    Udp {
        from: u16,
        to: u16,
    },
    /// `None` is any type or code (`-1` in the API).
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    Icmpv6 {
        kind: Option<u8>,
        code: Option<u8>,
    },
    /// Any other IP protocol by number; ports do not apply.
    Number(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Peer {
    Cidr(IpNet),
    /// Every interface that wears this group.
    Group(String),
}
