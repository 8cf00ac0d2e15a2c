//! What is stored. Everything a describe call shows is either here or derived from here, so that a restart
//! changes no answer.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use roadstead_base::Timestamp;
use roadstead_ipam::Mac;
use serde::{Deserialize, Serialize};

use crate::ids::{
    AttachmentId, CidrAssociationId, GroupId, InstanceId, InterfaceId, RuleId, SubnetCidrAssociationId,
    SubnetId, VpcId,
};

/// Tags by key.
pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vpc {
    pub(crate) id: VpcId,
    pub(crate) cidr: Ipv4Net,
    pub(crate) association: CidrAssociationId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6: Option<Ipv6Block<CidrAssociationId>>,
    pub(crate) is_default: bool,
    /// The group that interfaces wear when none is named; it goes with the VPC.
    pub(crate) default_group: GroupId,
    pub(crate) tags: Tags,
}

/// An IPv6 block, and the id that it is associated under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ipv6Block<Id> {
    pub(crate) cidr: Ipv6Net,
    pub(crate) association: Id,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    pub(crate) id: SubnetId,
    pub(crate) vpc: VpcId,
    pub(crate) cidr: Ipv4Net,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6: Option<Ipv6Block<SubnetCidrAssociationId>>,
    /// New interfaces get an IPv6 address unasked.
    #[serde(default)]
    pub(crate) assign_ipv6: bool,
    /// The zone's name.
    pub(crate) zone: String,
    pub(crate) default_for_zone: bool,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) vpc: VpcId,
    pub(crate) name: String,
    pub(crate) description: String,
    /// In the order they were added.
    pub(crate) rules: Vec<Rule>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: RuleId,
    #[serde(flatten)]
    pub(crate) permit: Permit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) tags: Tags,
}

/// What makes two rules of a group the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Permit {
    pub(crate) egress: bool,
    pub(crate) traffic: Traffic,
    pub(crate) peer: Peer,
}

/// A protocol and its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Traffic {
    All,
    Tcp {
        from: u16,
        to: u16,
    },
    Udp {
        from: u16,
        to: u16,
    },
    /// `None` is any.
    Icmp {
        kind: Option<u8>,
        code: Option<u8>,
    },
    Icmpv6 {
        kind: Option<u8>,
        code: Option<u8>,
    },
    Number(u8),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    V4(Ipv4Net),
    V6(Ipv6Net),
    Group(GroupId),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) id: InterfaceId,
    pub(crate) vpc: VpcId,
    pub(crate) subnet: SubnetId,
    pub(crate) mac: Mac,
    /// The primary one first; never empty.
    pub(crate) addresses: Vec<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) ipv6: Vec<Ipv6Addr>,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) description: String,
    pub(crate) source_dest_check: bool,
    /// The part of the platform that made it for itself, such as `ecs.amazonaws.com`.
    pub(crate) requester: Option<String>,
    /// The client token it was made with.
    pub(crate) token: Option<String>,
    pub(crate) attachment: Option<Attachment>,
    pub(crate) tags: Tags,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) id: AttachmentId,
    pub(crate) instance: InstanceId,
    pub(crate) device_index: i32,
    pub(crate) attached_at: Timestamp,
    pub(crate) delete_on_termination: bool,
}

/// A client token that was used, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) interface: InterfaceId,
    /// Digest of the request's other parameters.
    pub(crate) request: String,
    pub(crate) at: Timestamp,
}

/// That the default VPC was made once. It stays when the VPC is deleted, so that it is not made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DefaultVpcMark {
    pub(crate) vpc: Option<VpcId>,
}

/// Who holds an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddressClaim {
    pub(crate) interface: InterfaceId,
}

/// When an address came free, so that the one free for longest is given out next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Released {
    pub(crate) at: Timestamp,
}

/// The range of a subnet, filed under its VPC: what two new subnets are kept apart by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubnetRange {
    pub(crate) cidr: Ipv4Net,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ipv6_cidr: Option<Ipv6Net>,
}

/// That a group's name is taken in its VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameClaim {
    pub(crate) group: GroupId,
}

/// That an interface wears a group, or another group's rules name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupUse {}
