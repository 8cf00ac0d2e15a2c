//! IPv6 addresses of interfaces, as the two operations that give them read and choose them, and the blocks
//! that VPCs get.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use roadstead_base::{Ctx, derived_hex, random_hex};

use crate::cidr::no_ipv6;
use crate::error::{self, Result};
use crate::ids::{CidrAssociationId, InterfaceId};
use crate::keys::Keys;
use crate::plan::Plan;
use crate::records::{AddressClaim, Ipv6Block, Subnet};
use crate::refuse;
use crate::world::Realm;

/// Addresses of one interface, as the largest instances have.
const MAX_ADDRESSES: usize = 50;
/// What blocks that the platform gives are said to be from.
pub(crate) const POOL: &str = "Amazon";

/// The addresses asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Named(Vec<Ipv6Addr>),
    Count(usize),
}

impl Asked {
    /// None if the request says nothing.
    pub(crate) fn read(named: Vec<String>, count: Option<i32>) -> Result<Option<Self>> {
        let count = count
            .map(|count| {
                usize::try_from(count).map_err(|_| {
                    error::invalid_value(format!(
                        "Value ({count}) for parameter ipv6AddressCount is invalid."
                    ))
                })
            })
            .transpose()?;
        let asked = match (named.is_empty(), count) {
            (true, None) => return Ok(None),
            (true, Some(count)) => Self::Count(count),
            (false, None | Some(0)) => Self::Named(addresses(&named)?),
            (false, Some(_)) => {
                return Err(error::combination(
                    "The parameter ipv6AddressCount cannot be used with the parameter ipv6Addresses",
                ));
            }
        };
        Ok(Some(asked))
    }

    fn len(&self) -> usize {
        match self {
            Self::Named(addresses) => addresses.len(),
            Self::Count(count) => *count,
        }
    }

    /// Addresses for an interface that has `present` of them.
    pub(crate) fn choose(&self, subnet: &Subnet, realm: &Realm, present: usize) -> Result<Vec<Ipv6Addr>> {
        if self.len() == 0 {
            return Ok(Vec::new());
        }
        if present + self.len() > MAX_ADDRESSES {
            return Err(error::other(
                "AddressLimitExceeded",
                format!("Number of IPv6 addresses will exceed limit of {MAX_ADDRESSES}."),
            ));
        }
        let Some(block) = &subnet.ipv6 else {
            return Err(error::invalid_value(format!(
                "The subnet '{}' does not have an IPv6 CIDR block.",
                subnet.id
            )));
        };
        let block = roadstead_ipam::Ipv6Subnet::new(block.cidr);
        let mut used = realm.ipv6_in(&subnet.id).clone();
        match self {
            Self::Named(addresses) => {
                for address in addresses {
                    block.check(*address, &used).map_err(|cause| no_ipv6(&cause))?;
                }
                Ok(addresses.clone())
            }
            Self::Count(count) => Ok((0..*count)
                .map(|_| {
                    let address = block.pick(bytes(&random_hex(32)), &used);
                    used.insert(address);
                    address
                })
                .collect()),
        }
    }
}

/// Addresses as a request lists them, each once.
pub(crate) fn addresses(texts: &[String]) -> Result<Vec<Ipv6Addr>> {
    let mut seen = BTreeSet::new();
    for text in texts {
        let address: Ipv6Addr = text.parse().map_err(|_| {
            error::invalid_value(format!(
                "Value ({}) for parameter ipv6Addresses is invalid. Invalid IPv6 address.",
                error::clip(text)
            ))
        })?;
        if !seen.insert(address) {
            return Err(error::invalid_value(
                "The same IPv6 address must not appear multiple times",
            ));
        }
    }
    // In the order of the request.
    texts
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| error::invalid_value("Invalid IPv6 address."))
        })
        .collect()
}

/// Plans that an interface holds addresses of its subnet.
pub(crate) fn plan_claims(
    keys: &Keys,
    plan: &mut Plan,
    subnet: &Subnet,
    interface: &InterfaceId,
    addresses: &[Ipv6Addr],
) -> Result<()> {
    for address in addresses {
        let claim = AddressClaim {
            interface: interface.clone(),
        };
        plan.insert(&keys.address(&subnet.id, *address), &claim)?;
    }
    Ok(())
}

/// A block for a VPC, which no other VPC of the account has in this region.
pub(crate) fn new_block(realm: &Realm) -> Ipv6Block<CidrAssociationId> {
    let association = CidrAssociationId::random();
    let used: BTreeSet<Ipv6Net> = realm
        .vpcs
        .values()
        .filter_map(|vpc| vpc.value.ipv6.as_ref())
        .map(|block| block.cidr)
        .collect();
    let bits = bytes(&derived_hex(association.as_str(), "ipv6-block", 12));
    Ipv6Block {
        cidr: roadstead_ipam::vpc_block(bits, &used),
        association,
    }
}

/// `Ipv6CidrBlockNetworkBorderGroup`: the region is the only one.
pub(crate) fn check_border_group(ctx: &Ctx, provided: bool, group: Option<String>) -> Result<()> {
    let Some(group) = group.filter(|group| !group.is_empty()) else {
        return Ok(());
    };
    if !provided {
        return Err(error::combination(
            "The parameter ipv6CidrBlockNetworkBorderGroup needs amazonProvidedIpv6CidrBlock to be true",
        ));
    }
    refuse::given(
        "Ipv6CidrBlockNetworkBorderGroup other than the region",
        Some(group).filter(|group| *group != ctx.region.as_str()),
    )
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_become_bytes() {
        assert_eq!(bytes::<6>("0123456789ab"), [1, 0x23, 0x45, 0x67, 0x89, 0xab]);
        assert_ne!(bytes::<16>(&random_hex(32)), [0; 16]);
    }
}
