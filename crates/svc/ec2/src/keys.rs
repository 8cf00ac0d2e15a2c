//! Where each record lies. Beside the records stand keys that exist only to be compared: two creations that
//! must not both succeed want the same one, and a deletion wants a range of them to be empty.

use std::net::{IpAddr, Ipv4Addr};

use roadstead_base::Partition;
use roadstead_store::Key;

use crate::ids::{GroupId, InterfaceId, SubnetId, VpcId};

/// What all tables of this service begin with.
pub(crate) const TABLE_PREFIX: &str = "ec2-";

pub(crate) const VPC: &str = "ec2-vpc";
pub(crate) const SUBNET: &str = "ec2-subnet";
pub(crate) const GROUP: &str = "ec2-group";
pub(crate) const INTERFACE: &str = "ec2-interface";
pub(crate) const ADDRESS: &str = "ec2-address";
pub(crate) const RELEASED: &str = "ec2-released";
pub(crate) const TOKEN: &str = "ec2-token";
pub(crate) const DEFAULT_VPC: &str = "ec2-default-vpc";
pub(crate) const SUBNET_RANGE: &str = "ec2-subnet-range";
pub(crate) const GROUP_NAME: &str = "ec2-group-name";
pub(crate) const GROUP_USE: &str = "ec2-group-use";

/// The keys of one account and region.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Key);

impl Keys {
    pub(crate) fn of(partition: &Partition) -> Self {
        Self(Key::of(partition))
    }

    fn table(&self, table: &str) -> Key {
        self.0.child(table)
    }

    pub(crate) fn vpc(&self, id: &VpcId) -> Key {
        self.table(VPC).child(id.as_str())
    }

    pub(crate) fn subnet(&self, id: &SubnetId) -> Key {
        self.table(SUBNET).child(id.as_str())
    }

    pub(crate) fn group(&self, id: &GroupId) -> Key {
        self.table(GROUP).child(id.as_str())
    }

    pub(crate) fn interface(&self, id: &InterfaceId) -> Key {
        self.table(INTERFACE).child(id.as_str())
    }

    /// Above the addresses in use in a subnet.
    pub(crate) fn addresses(&self, subnet: &SubnetId) -> Key {
        self.table(ADDRESS).child(subnet.as_str())
    }

    pub(crate) fn address(&self, subnet: &SubnetId, address: impl Into<IpAddr>) -> Key {
        self.addresses(subnet).child(address.into().to_string())
    }

    /// Above the addresses of a subnet that were in use once.
    pub(crate) fn released_in(&self, subnet: &SubnetId) -> Key {
        self.table(RELEASED).child(subnet.as_str())
    }

    pub(crate) fn released(&self, subnet: &SubnetId, address: Ipv4Addr) -> Key {
        self.released_in(subnet).child(address.to_string())
    }

    /// `scoped` is [`crate::records::Token`]'s name with the kind of caller before it.
    pub(crate) fn token(&self, scoped: &str) -> Key {
        self.table(TOKEN).child(scoped)
    }

    pub(crate) fn default_vpc(&self) -> Key {
        self.table(DEFAULT_VPC).child("mark")
    }

    /// Above the ranges of a VPC's subnets.
    pub(crate) fn subnet_ranges(&self, vpc: &VpcId) -> Key {
        self.table(SUBNET_RANGE).child(vpc.as_str())
    }

    pub(crate) fn subnet_range(&self, vpc: &VpcId, subnet: &SubnetId) -> Key {
        self.subnet_ranges(vpc).child(subnet.as_str())
    }

    /// Above the names of a VPC's groups; the default group has none here, since nobody can take its name.
    pub(crate) fn group_names(&self, vpc: &VpcId) -> Key {
        self.table(GROUP_NAME).child(vpc.as_str())
    }

    /// Names differ by more than case.
    pub(crate) fn group_name(&self, vpc: &VpcId, name: &str) -> Key {
        self.group_names(vpc).child(name.to_lowercase())
    }

    /// Above whatever uses a group.
    pub(crate) fn uses_of_group(&self, group: &GroupId) -> Key {
        self.table(GROUP_USE).child(group.as_str())
    }

    /// `user` is the id of an interface or of another group.
    pub(crate) fn use_of_group(&self, group: &GroupId, user: &str) -> Key {
        self.uses_of_group(group).child(user)
    }
}
