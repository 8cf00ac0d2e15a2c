//! EC2's networking: the VPCs, subnets, security groups and interfaces that tasks live in. It exists so that a
//! task's network is described once, by the API everybody knows, and enforced from that description: nodes
//! are told the state kept here, and nothing else opens a path.
//!
//! A call reads the state in memory ([`world`]), decides, and commits a [`plan`] whose conditions hold the
//! decision to what it was based on. Node maps follow from the same state.

mod authorization;
mod cidr;
mod default_vpc;
mod error;
mod filter;
mod ids;
mod ipv6;
mod keys;
mod lookup;
mod maps;
mod ops;
mod page;
mod permissions;
mod plan;
mod records;
mod refuse;
mod service;
mod show;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod through_the_gate;
mod world;
mod zones;

pub use authorization::Ec2Permissions;
pub use default_vpc::{DefaultSubnet, DefaultVpc};
pub use error::Error;
pub use ids::{
    AttachmentId, CidrAssociationId, GroupId, InstanceId, InterfaceId, RuleId, SubnetCidrAssociationId,
    SubnetId, VpcId,
};
pub use service::{Ec2, Options};
