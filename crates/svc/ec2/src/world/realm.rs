//! What one account has in one region.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use roadstead_store::Entry;

use crate::ids::{GroupId, InstanceId, InterfaceId, RuleId, SubnetId, VpcId};
use crate::records::{DefaultVpcMark, Group, Interface, Released, Subnet, Token, Vpc};

/// A record with the revision that a change of it compares.
pub(crate) type Rec<T> = Arc<Entry<T>>;

#[derive(Default)]
pub(crate) struct Realm {
    pub(crate) vpcs: BTreeMap<VpcId, Rec<Vpc>>,
    pub(crate) subnets: BTreeMap<SubnetId, Rec<Subnet>>,
    pub(crate) groups: BTreeMap<GroupId, Rec<Group>>,
    pub(crate) interfaces: BTreeMap<InterfaceId, Rec<Interface>>,
    pub(crate) tokens: BTreeMap<String, Rec<Token>>,
    pub(crate) default_mark: Option<Rec<DefaultVpcMark>>,
    addresses: BTreeMap<SubnetId, BTreeSet<Ipv4Addr>>,
    ipv6_addresses: BTreeMap<SubnetId, BTreeSet<Ipv6Addr>>,
    released: BTreeMap<SubnetId, BTreeMap<Ipv4Addr, u64>>,
    uses: BTreeMap<GroupId, BTreeSet<String>>,
    rules: BTreeMap<RuleId, GroupId>,
    by_vpc: BTreeMap<VpcId, Members>,
}

/// What is in a VPC.
#[derive(Default)]
struct Members {
    subnets: BTreeSet<SubnetId>,
    groups: BTreeSet<GroupId>,
    interfaces: BTreeSet<InterfaceId>,
}

static NO_ADDRESSES: BTreeSet<Ipv4Addr> = BTreeSet::new();
static NO_IPV6: BTreeSet<Ipv6Addr> = BTreeSet::new();
static NO_RELEASES: BTreeMap<Ipv4Addr, u64> = BTreeMap::new();

impl Realm {
    pub(crate) fn subnets_of(&self, vpc: &VpcId) -> impl Iterator<Item = &Rec<Subnet>> {
        self.by_vpc
            .get(vpc)
            .into_iter()
            .flat_map(|m| &m.subnets)
            .filter_map(|id| self.subnets.get(id))
    }

    pub(crate) fn groups_of(&self, vpc: &VpcId) -> impl Iterator<Item = &Rec<Group>> {
        self.by_vpc
            .get(vpc)
            .into_iter()
            .flat_map(|m| &m.groups)
            .filter_map(|id| self.groups.get(id))
    }

    pub(crate) fn interfaces_of(&self, vpc: &VpcId) -> impl Iterator<Item = &Rec<Interface>> {
        self.by_vpc
            .get(vpc)
            .into_iter()
            .flat_map(|m| &m.interfaces)
            .filter_map(|id| self.interfaces.get(id))
    }

    /// IPv6 addresses of a subnet that interfaces hold.
    pub(crate) fn ipv6_in(&self, subnet: &SubnetId) -> &BTreeSet<Ipv6Addr> {
        self.ipv6_addresses.get(subnet).unwrap_or(&NO_IPV6)
    }

    /// IPv4 addresses of a subnet that interfaces hold.
    pub(crate) fn addresses_in(&self, subnet: &SubnetId) -> &BTreeSet<Ipv4Addr> {
        self.addresses.get(subnet).unwrap_or(&NO_ADDRESSES)
    }

    /// Addresses of a subnet that were held once and are free, with the time they came free in milliseconds.
    pub(crate) fn released_in(&self, subnet: &SubnetId) -> &BTreeMap<Ipv4Addr, u64> {
        self.released.get(subnet).unwrap_or(&NO_RELEASES)
    }

    /// Ids of the interfaces that wear the group and of the other groups whose rules name it.
    pub(crate) fn uses_of(&self, group: &GroupId) -> impl Iterator<Item = &String> {
        self.uses.get(group).into_iter().flatten()
    }

    pub(crate) fn group_of_rule(&self, rule: &str) -> Option<&Rec<Group>> {
        self.groups.get(self.rules.get(rule)?)
    }

    /// The default VPC, if there is one.
    pub(crate) fn default_vpc(&self) -> Option<&Rec<Vpc>> {
        self.vpcs.get(self.default_mark.as_ref()?.value.vpc.as_ref()?)
    }

    pub(crate) fn attached_to<'r>(
        &'r self,
        instance: &'r InstanceId,
    ) -> impl Iterator<Item = &'r Rec<Interface>> {
        self.interfaces.values().filter(move |interface| {
            interface
                .value
                .attachment
                .as_ref()
                .is_some_and(|a| a.instance == *instance)
        })
    }

    pub(super) fn put_vpc(&mut self, entry: Entry<Vpc>) {
        self.vpcs.insert(entry.value.id.clone(), Arc::new(entry));
    }

    pub(super) fn remove_vpc(&mut self, id: &VpcId) {
        self.vpcs.remove(id);
        self.by_vpc.remove(id);
    }

    /// Returns the VPC it is, or was, in.
    pub(super) fn set_subnet(&mut self, id: &str, now: Option<Entry<Subnet>>) -> Option<VpcId> {
        let id = SubnetId::named(id);
        match now {
            Some(entry) => {
                let vpc = entry.value.vpc.clone();
                self.by_vpc
                    .entry(vpc.clone())
                    .or_default()
                    .subnets
                    .insert(id.clone());
                self.subnets.insert(id, Arc::new(entry));
                Some(vpc)
            }
            None => {
                let vpc = self.subnets.remove(&id)?.value.vpc.clone();
                if let Some(members) = self.by_vpc.get_mut(&vpc) {
                    members.subnets.remove(&id);
                }
                Some(vpc)
            }
        }
    }

    /// Returns the VPC it is, or was, in.
    pub(super) fn set_group(&mut self, id: &str, now: Option<Entry<Group>>) -> Option<VpcId> {
        let id = GroupId::named(id);
        let before = self.groups.remove(&id);
        for rule in before.iter().flat_map(|group| &group.value.rules) {
            self.rules.remove(&rule.id);
        }
        match now {
            Some(entry) => {
                let vpc = entry.value.vpc.clone();
                self.by_vpc
                    .entry(vpc.clone())
                    .or_default()
                    .groups
                    .insert(id.clone());
                self.rules
                    .extend(entry.value.rules.iter().map(|rule| (rule.id.clone(), id.clone())));
                self.groups.insert(id, Arc::new(entry));
                Some(vpc)
            }
            None => {
                let vpc = before?.value.vpc.clone();
                if let Some(members) = self.by_vpc.get_mut(&vpc) {
                    members.groups.remove(&id);
                }
                Some(vpc)
            }
        }
    }

    /// Returns what it was and what it is.
    pub(super) fn set_interface(
        &mut self,
        id: &str,
        now: Option<Entry<Interface>>,
    ) -> (Option<Rec<Interface>>, Option<Rec<Interface>>) {
        let id = InterfaceId::named(id);
        let now = now.map(Arc::new);
        let before = match &now {
            Some(entry) => {
                let members = self.by_vpc.entry(entry.value.vpc.clone()).or_default();
                members.interfaces.insert(id.clone());
                self.interfaces.insert(id, Arc::clone(entry))
            }
            None => {
                let before = self.interfaces.remove(&id);
                if let Some(members) = before.as_ref().and_then(|b| self.by_vpc.get_mut(&b.value.vpc)) {
                    members.interfaces.remove(&id);
                }
                before
            }
        };
        (before, now)
    }

    pub(super) fn set_address(&mut self, subnet: &str, address: &str, held: bool) {
        let subnet = SubnetId::named(subnet);
        match address.parse() {
            Ok(IpAddr::V4(address)) => note(&mut self.addresses, subnet, address, held),
            Ok(IpAddr::V6(address)) => note(&mut self.ipv6_addresses, subnet, address, held),
            Err(_) => {}
        }
    }

    pub(super) fn set_released(&mut self, subnet: &str, address: &str, now: Option<Released>) {
        let Ok(address) = address.parse() else { return };
        let subnet = SubnetId::named(subnet);
        let addresses = self.released.entry(subnet.clone()).or_default();
        match now {
            Some(released) => addresses.insert(address, u64::try_from(released.at.0).unwrap_or(0)),
            None => addresses.remove(&address),
        };
        if addresses.is_empty() {
            self.released.remove(&subnet);
        }
    }

    pub(super) fn set_token(&mut self, token: &str, now: Option<Entry<Token>>) {
        match now {
            Some(entry) => self.tokens.insert(token.to_owned(), Arc::new(entry)),
            None => self.tokens.remove(token),
        };
    }

    pub(super) fn set_default_mark(&mut self, now: Option<Entry<DefaultVpcMark>>) {
        self.default_mark = now.map(Arc::new);
    }

    pub(super) fn set_use(&mut self, group: &str, user: &str, now: bool) {
        let group = GroupId::named(group);
        let users = self.uses.entry(group.clone()).or_default();
        if now {
            users.insert(user.to_owned());
        } else {
            users.remove(user);
        }
        if users.is_empty() {
            self.uses.remove(&group);
        }
    }
}

fn note<A: Ord>(all: &mut BTreeMap<SubnetId, BTreeSet<A>>, subnet: SubnetId, address: A, held: bool) {
    let addresses = all.entry(subnet.clone()).or_default();
    if held {
        addresses.insert(address);
    } else {
        addresses.remove(&address);
    }
    if addresses.is_empty() {
        all.remove(&subnet);
    }
}
