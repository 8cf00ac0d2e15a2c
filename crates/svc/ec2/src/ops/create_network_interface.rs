//! CreateNetworkInterface. The store decides who gets an address: each is a key that must not exist yet.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use roadstead_api_ec2::{
    CreateNetworkInterfaceRequest, CreateNetworkInterfaceResult, InstanceIpv6Address, NetworkInterface,
    PrivateIpAddressSpecification,
};
use roadstead_base::{Caller, Ctx, Timestamp, derived_hex};
use roadstead_ipam::Mac;
use roadstead_protocol::Wire as _;

use crate::cidr::no_address;
use crate::default_vpc::plan_uses;
use crate::error::{self, Result};
use crate::ids::{GroupId, InterfaceId};
use crate::ipv6::{Asked, plan_claims};
use crate::keys::Keys;
use crate::plan::Plan;
use crate::records::{AddressClaim, Interface, Subnet, Tags, Token};
use crate::service::Ec2;
use crate::world::{Realm, Rec};
use crate::{refuse, show, tags};

/// Of one interface. Source: "Amazon VPC quotas".
pub(super) const MAX_GROUPS: usize = 5;
/// Addresses of one interface, as the largest instances have.
const MAX_ADDRESSES: usize = 50;
const MAX_TEXT: usize = 255;
const MAX_TOKEN: usize = 64;
/// For so long a token stands for what it was used for first.
const TOKEN_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// Tokens that ran out are removed by later calls, so many at a time.
const TOKENS_SWEPT: usize = 4;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: CreateNetworkInterfaceRequest,
) -> Result<CreateNetworkInterfaceResult> {
    let fingerprint = fingerprint(&input);
    let CreateNetworkInterfaceRequest {
        subnet_id,
        client_token,
        connection_tracking_specification,
        description,
        dry_run,
        enable_primary_ipv6,
        groups,
        interface_type,
        ipv4_prefix_count,
        ipv4_prefixes,
        ipv6_address_count,
        ipv6_addresses,
        ipv6_prefix_count,
        ipv6_prefixes,
        operator,
        private_ip_address,
        private_ip_addresses,
        secondary_private_ip_address_count,
        tag_specifications,
    } = input;
    refuse::given(
        "ConnectionTrackingSpecification",
        connection_tracking_specification,
    )?;
    refuse::flag("EnablePrimaryIpv6", enable_primary_ipv6)?;
    refuse::given("InterfaceType", interface_type)?;
    refuse::count("Ipv4PrefixCount", ipv4_prefix_count)?;
    refuse::list("Ipv4Prefixes", ipv4_prefixes)?;
    refuse::count("Ipv6PrefixCount", ipv6_prefix_count)?;
    refuse::list("Ipv6Prefixes", ipv6_prefixes)?;
    refuse::given("Operator", operator)?;
    let description = description.unwrap_or_default();
    if description.chars().count() > MAX_TEXT {
        return Err(error::invalid_value(format!(
            "description exceeds the maximum length of {MAX_TEXT} characters"
        )));
    }
    let client_token = client_token.filter(|token| !token.is_empty());
    if client_token
        .as_ref()
        .is_some_and(|token| token.chars().count() > MAX_TOKEN)
    {
        return Err(error::invalid_value(format!(
            "clientToken exceeds the maximum length of {MAX_TOKEN} characters"
        )));
    }
    let addresses = Addresses::read(
        private_ip_address,
        private_ip_addresses,
        secondary_private_ip_address_count,
    )?;
    let ipv6 = ipv6(ipv6_addresses, ipv6_address_count)?;
    let groups: Vec<String> = unique(groups.unwrap_or_default());
    if groups.len() > MAX_GROUPS {
        return Err(too_many_groups());
    }
    let requester = match ctx.caller {
        Caller::Service(name) => Some(name.to_owned()),
        Caller::Root | Caller::User(_) | Caller::Role(_) | Caller::Node => None,
    };
    let new = New {
        ctx,
        id: match (&requester, &client_token) {
            (Some(_), Some(token)) => InterfaceId::derived(token, "eni"),
            _ => InterfaceId::random(),
        },
        subnet: subnet_id,
        groups,
        description,
        token: client_token.as_ref().map(|token| Used {
            key: format!("{}:{token}", if requester.is_some() { "service" } else { "user" }),
            token: token.clone(),
            request: fingerprint,
        }),
        requester,
        tags: tags::at_creation(&ctx.caller, tag_specifications, "network-interface")?,
        now: ec2.clock.now(),
    };
    let zones = ec2.zones(&ctx.region);
    let mut wanted = ec2.wanted();
    let shown = ec2
        .change(ctx, dry_run, |realm, keys, plan| {
            let view = show::interface::View {
                ctx,
                realm,
                zones: &zones,
            };
            if let Some(before) = new.made_before(realm)? {
                return Ok(view.wire(&before.value));
            }
            let entry = realm.subnet(&new.subnet)?;
            let subnet = &entry.value;
            let groups = new.groups(realm, subnet)?;
            let chosen = wanted.choose(&subnet.id, |taken| {
                let used: BTreeSet<Ipv4Addr> = realm.addresses_in(&subnet.id).clone();
                addresses.choose(subnet, used, taken, realm)
            })?;
            let ipv6 = match &ipv6 {
                Some(asked) => asked.choose(subnet, realm, 0)?,
                None => Asked::Count(subnet.assign_ipv6.into()).choose(subnet, realm, 0)?,
            };
            // The block must still be the subnet's, and whether addresses come unasked as it was.
            plan.unmodified(entry);
            plan_claims(keys, plan, subnet, &new.id, &ipv6)?;
            let interface = new.interface(realm, subnet, groups, chosen, ipv6);
            new.plan(realm, keys, plan, &interface)?;
            Ok::<NetworkInterface, _>(view.wire(&interface))
        })
        .await?;
    Ok(CreateNetworkInterfaceResult {
        client_token,
        network_interface: Some(shown),
    })
}

pub(super) fn too_many_groups() -> roadstead_protocol::ApiError {
    error::other(
        "SecurityGroupsPerInterfaceLimitExceeded",
        "The maximum number of security groups per interface has been reached.",
    )
}

pub(super) fn unique(list: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    list.into_iter()
        .filter(|item| seen.insert(item.clone()))
        .collect()
}

/// Digest of everything that must be the same when a token comes again.
fn fingerprint(input: &CreateNetworkInterfaceRequest) -> String {
    let same = CreateNetworkInterfaceRequest {
        client_token: None,
        dry_run: None,
        ..input.clone()
    };
    derived_hex(
        &format!("{:?}", same.into_value()),
        "create-network-interface",
        32,
    )
}

/// The IPv6 addresses asked for; none leaves it to the subnet.
fn ipv6(listed: Option<Vec<InstanceIpv6Address>>, count: Option<i32>) -> Result<Option<Asked>> {
    let mut named = Vec::new();
    for InstanceIpv6Address {
        ipv6_address,
        is_primary_ipv6,
    } in listed.unwrap_or_default()
    {
        refuse::flag("IsPrimaryIpv6", is_primary_ipv6)?;
        named.push(ipv6_address.ok_or_else(|| error::missing("ipv6Address"))?);
    }
    Asked::read(named, count)
}

/// A client token in use.
struct Used {
    key: String,
    token: String,
    request: String,
}

/// The interface to be.
struct New<'a> {
    ctx: &'a Ctx,
    id: InterfaceId,
    subnet: String,
    groups: Vec<String>,
    description: String,
    token: Option<Used>,
    requester: Option<String>,
    tags: Tags,
    now: Timestamp,
}

impl New<'_> {
    /// What the token made when it came first.
    fn made_before<'r>(&self, realm: &'r Realm) -> Result<Option<&'r Rec<Interface>>> {
        let Some(used) = &self.token else { return Ok(None) };
        let token = realm.tokens.get(&used.key).map(|entry| &entry.value);
        let Some(token) = token.filter(|token| !self.expired(token)) else {
            // An id that derives from the token outlasts it: part of the platform that looks again after days
            // finds what it has.
            return Ok(realm.interfaces.get(&self.id));
        };
        if token.request != used.request {
            return Err(error::other(
                "IdempotentParameterMismatch",
                "The request uses the same client token as a previous, but non-identical request.",
            ));
        }
        // Gone again: a late repetition must not bring it back.
        realm.interface(token.interface.as_str()).map(Some)
    }

    fn expired(&self, token: &Token) -> bool {
        token.at.plus_millis(TOKEN_MILLIS) < self.now
    }

    /// The groups it wears: those named, or the VPC's default group.
    fn groups(&self, realm: &Realm, subnet: &Subnet) -> Result<Vec<GroupId>> {
        if self.groups.is_empty() {
            return Ok(vec![realm.vpc(subnet.vpc.as_str())?.value.default_group.clone()]);
        }
        groups_in(realm, subnet, &self.groups)
    }

    fn interface(
        &self,
        realm: &Realm,
        subnet: &Subnet,
        groups: Vec<GroupId>,
        addresses: Vec<Ipv4Addr>,
        ipv6: Vec<Ipv6Addr>,
    ) -> Interface {
        let in_use = realm
            .interfaces_of(&subnet.vpc)
            .map(|other| other.value.mac)
            .collect();
        Interface {
            id: self.id.clone(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            mac: Mac::first_free(mac_bits(&self.id), &in_use),
            addresses,
            ipv6,
            groups,
            description: self.description.clone(),
            source_dest_check: true,
            requester: self.requester.clone(),
            token: self.token.as_ref().map(|used| used.token.clone()),
            attachment: None,
            tags: self.tags.clone(),
        }
    }

    fn plan(&self, realm: &Realm, keys: &Keys, plan: &mut Plan, interface: &Interface) -> Result<()> {
        plan.insert(&keys.interface(&interface.id), interface)?;
        plan_uses(keys, plan, interface.id.as_str(), &interface.groups)?;
        for address in &interface.addresses {
            let claim = AddressClaim {
                interface: interface.id.clone(),
            };
            plan.insert(&keys.address(&interface.subnet, *address), &claim)?;
            plan.delete(&keys.released(&interface.subnet, *address));
        }
        let Some(used) = &self.token else { return Ok(()) };
        let token = Token {
            interface: interface.id.clone(),
            request: used.request.clone(),
            at: self.now,
        };
        match realm.tokens.get(&used.key) {
            Some(expired) => plan.replace(expired, &token)?,
            None => plan.insert(&keys.token(&used.key), &token)?,
        }
        let old = realm
            .tokens
            .iter()
            .filter(|(key, entry)| **key != used.key && self.expired(&entry.value));
        for (key, _) in old.take(TOKENS_SWEPT) {
            plan.delete(&keys.token(key));
        }
        tracing::debug!(interface = %interface.id, account = %self.ctx.account, "an interface is planned");
        Ok(())
    }
}

/// Groups by their ids, all of the subnet's VPC.
pub(super) fn groups_in(realm: &Realm, subnet: &Subnet, ids: &[String]) -> Result<Vec<GroupId>> {
    ids.iter()
        .map(|id| {
            let group = &realm.group(id)?.value;
            if group.vpc == subnet.vpc {
                Ok(group.id.clone())
            } else {
                Err(error::invalid_parameter(format!(
                    "Security group {id} and subnet {} belong to different networks.",
                    subnet.id
                )))
            }
        })
        .collect()
}

fn mac_bits(id: &InterfaceId) -> [u8; 5] {
    let hex = derived_hex(id.as_str(), "mac", 10);
    let bits = u64::from_str_radix(&hex, 16).unwrap_or_default();
    let [_, _, _, a, b, c, d, e] = bits.to_be_bytes();
    [a, b, c, d, e]
}

/// The addresses asked for.
struct Addresses {
    primary: Option<Ipv4Addr>,
    secondary: Vec<Ipv4Addr>,
    /// Further ones, to be chosen.
    more: usize,
}

impl Addresses {
    fn read(
        primary: Option<String>,
        listed: Option<Vec<PrivateIpAddressSpecification>>,
        count: Option<i32>,
    ) -> Result<Self> {
        let mut primary = primary
            .filter(|text| !text.is_empty())
            .map(|text| address(&text))
            .transpose()?;
        let listed = listed.unwrap_or_default();
        let more = match count {
            None => 0,
            Some(count) => usize::try_from(count).map_err(|_| {
                error::invalid_value(format!(
                    "Value ({count}) for parameter secondaryPrivateIpAddressCount is invalid."
                ))
            })?,
        };
        if listed.len() > 1 && more > 0 {
            return Err(error::combination(
                "The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses",
            ));
        }
        let mut secondary = Vec::new();
        for PrivateIpAddressSpecification {
            primary: is_primary,
            private_ip_address,
        } in listed
        {
            let text = private_ip_address.ok_or_else(|| error::missing("privateIpAddress"))?;
            let address = address(&text)?;
            if is_primary == Some(true) {
                if primary.replace(address).is_some() {
                    return Err(error::combination(
                        "Only one primary private IP address can be specified",
                    ));
                }
            } else {
                secondary.push(address);
            }
        }
        let fixed: BTreeSet<Ipv4Addr> = secondary.iter().chain(&primary).copied().collect();
        if fixed.len() < secondary.len() + usize::from(primary.is_some()) {
            return Err(error::invalid_value(
                "The same private IP address must not appear multiple times",
            ));
        }
        if 1 + secondary.len() + more > MAX_ADDRESSES {
            return Err(error::other(
                "PrivateIpAddressLimitExceeded",
                format!("Number of private addresses will exceed limit of {MAX_ADDRESSES}."),
            ));
        }
        Ok(Self {
            primary,
            secondary,
            more,
        })
    }

    /// All addresses of the interface, the primary one first, twice: for the record and for whoever keeps calls
    /// apart, which `taken` asks.
    fn choose(
        &self,
        subnet: &Subnet,
        mut used: BTreeSet<Ipv4Addr>,
        taken: &dyn Fn(&mut BTreeSet<Ipv4Addr>),
        realm: &Realm,
    ) -> Result<(Vec<Ipv4Addr>, Vec<Ipv4Addr>)> {
        let block = roadstead_ipam::Subnet::new(subnet.cidr);
        let refuse = |cause| no_address(&cause, subnet.id.as_str());
        for address in self.primary.iter().chain(&self.secondary) {
            block.check(*address, &used).map_err(refuse)?;
        }
        used.extend(self.primary.iter().chain(&self.secondary));
        taken(&mut used);
        let mut next = || {
            let address = block
                .next(&used, realm.released_in(&subnet.id), None)
                .map_err(refuse)?;
            used.insert(address);
            Ok(address)
        };
        let mut chosen = vec![match self.primary {
            Some(primary) => primary,
            None => next()?,
        }];
        chosen.extend(&self.secondary);
        for _ in 0..self.more {
            chosen.push(next()?);
        }
        Ok((chosen.clone(), chosen))
    }
}

fn address(text: &str) -> Result<Ipv4Addr> {
    text.parse().map_err(|_| {
        error::invalid_value(format!(
            "Value ({}) for parameter privateIpAddress is invalid. Invalid IPv4 address.",
            error::clip(text)
        ))
    })
}

#[cfg(test)]
mod tests;
