//! Finding what a request names, or saying in EC2's words that it is not there.

use std::collections::BTreeMap;

use crate::error::{self, Kind, Result};
use crate::ids::{GroupId, InterfaceId, SubnetId, VpcId};
use crate::records::{Group, Interface, Subnet, Vpc};
use crate::world::{Realm, Rec};

fn find<'r, K, T>(map: &'r BTreeMap<K, Rec<T>>, kind: Kind, id: &str) -> Result<&'r Rec<T>>
where
    K: std::borrow::Borrow<str> + Ord,
{
    kind.check(id)?;
    map.get(id).ok_or_else(|| kind.not_found(id))
}

impl Realm {
    pub(crate) fn vpc(&self, id: &str) -> Result<&Rec<Vpc>> {
        find::<VpcId, _>(&self.vpcs, error::VPC, id)
    }

    pub(crate) fn subnet(&self, id: &str) -> Result<&Rec<Subnet>> {
        find::<SubnetId, _>(&self.subnets, error::SUBNET, id)
    }

    pub(crate) fn group(&self, id: &str) -> Result<&Rec<Group>> {
        find::<GroupId, _>(&self.groups, error::GROUP, id)
    }

    pub(crate) fn interface(&self, id: &str) -> Result<&Rec<Interface>> {
        find::<InterfaceId, _>(&self.interfaces, error::INTERFACE, id)
    }

    pub(crate) fn interface_of_attachment(&self, id: &str) -> Result<&Rec<Interface>> {
        error::ATTACHMENT.check(id)?;
        self.interfaces
            .values()
            .find(|entry| {
                entry
                    .value
                    .attachment
                    .as_ref()
                    .is_some_and(|attachment| attachment.id.as_str() == id)
            })
            .ok_or_else(|| error::ATTACHMENT.not_found(id))
    }

    /// The default VPC, for requests that name no VPC.
    pub(crate) fn default_or_refuse(&self) -> Result<&Rec<Vpc>> {
        self.default_vpc()
            .ok_or_else(|| error::other("VPCIdNotSpecified", "No default VPC for this user"))
    }

    /// A group of the default VPC by name.
    pub(crate) fn group_named(&self, name: &str) -> Result<&Rec<Group>> {
        let vpc = self.default_or_refuse()?;
        self.groups_of(&vpc.value.id)
            .find(|group| group.value.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                error::other(
                    "InvalidGroup.NotFound",
                    format!(
                        "The security group '{}' does not exist in default VPC '{}'",
                        error::clip(name),
                        vpc.value.id
                    ),
                )
            })
    }

    /// A group by id or, in the default VPC, by name.
    pub(crate) fn group_by(&self, id: Option<&str>, name: Option<&str>) -> Result<&Rec<Group>> {
        match (
            id.filter(|id| !id.is_empty()),
            name.filter(|name| !name.is_empty()),
        ) {
            (Some(id), None) => self.group(id),
            (None, Some(name)) => self.group_named(name),
            (Some(_), Some(_)) => Err(error::combination(
                "The parameter GroupName cannot be used with the parameter GroupId",
            )),
            (None, None) => Err(error::missing("groupName or groupId")),
        }
    }
}

/// What is asked for by ids, or all, in order of ids. Every id must exist.
pub(crate) fn select<'r, K, T>(
    map: &'r BTreeMap<K, Rec<T>>,
    kind: Kind,
    ids: Option<&[String]>,
) -> Result<Vec<&'r Rec<T>>>
where
    K: std::borrow::Borrow<str> + Ord,
{
    let Some(ids) = ids.filter(|ids| !ids.is_empty()) else {
        return Ok(map.values().collect());
    };
    let mut found = BTreeMap::new();
    let mut absent = Vec::new();
    for id in ids {
        kind.check(id)?;
        match map.get(id.as_str()) {
            Some(entry) => _ = found.insert(id, entry),
            None => absent.push(id.as_str()),
        }
    }
    if absent.is_empty() {
        Ok(found.into_values().collect())
    } else {
        Err(kind.none_of(&absent))
    }
}
