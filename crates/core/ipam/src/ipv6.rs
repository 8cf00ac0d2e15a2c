//! IPv6 blocks and addresses. A VPC's block is a /56 that the platform chooses, so the choice is made here:
//! a unique local one (RFC 4193), which no network that the machine is connected to answers for, and 48 of
//! its bits are random, so that two clouds that meet one day hardly ever share one. A subnet's block is a
//! multiple of four bits long, from the VPC's own to a /64, and EC2 keeps five addresses of it for itself,
//! as of an IPv4 one. There are so many others that a freed one need not rest: the next is a random one.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::ReservedFor;

/// Bits of the block of a VPC.
pub const VPC_PREFIX: u8 = 56;
/// What unique local addresses begin with, locally assigned: `fd00::/8`.
const UNIQUE_LOCAL: u128 = 0xfd << 120;
/// What the cloud has in that range for every machine, such as the metadata service: no VPC's.
const CLOUDS_OWN: (u128, u8) = (0xfd00_0ec2 << 96, 32);
/// The smallest block of a subnet.
const SMALLEST: u8 = 64;
/// Lengths of subnets' blocks are multiples of this.
const STEP: u8 = 4;
/// How many addresses at the start of a block are kept.
const KEPT_FIRST: u128 = 4;

/// Why an IPv6 block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ipv6CidrError {
    /// EC2 says `InvalidParameterValue`.
    #[error("{text:?} is not an IPv6 CIDR block; write it as fd00:1234:5678:9a00::/64")]
    Malformed { text: String },
    /// EC2 says `InvalidSubnet.Range`.
    #[error("{cidr} has a netmask of /{}; it must be /56, /60 or /64", cidr.prefix_len())]
    Size { cidr: Ipv6Net },
    /// EC2 says `InvalidSubnet.Range`.
    #[error("{cidr} is not within the IPv6 CIDR block of its VPC ({})", vpc.map_or_else(|| "it has none".to_owned(), |vpc| vpc.to_string()))]
    OutsideVpc { cidr: Ipv6Net, vpc: Option<Ipv6Net> },
    /// EC2 says `InvalidSubnet.Conflict`.
    #[error("{cidr} overlaps {sibling} of another subnet of the same VPC; choose a block that is free")]
    Conflict { cidr: Ipv6Net, sibling: Ipv6Net },
}

/// Why an IPv6 address cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ipv6AddressError {
    /// EC2 says `InvalidParameterValue`.
    #[error("{address} is not in {cidr}")]
    Outside { address: Ipv6Addr, cidr: Ipv6Net },
    /// EC2 says `InvalidParameterValue`.
    #[error("{address} is kept for {by} in {cidr}")]
    Reserved {
        address: Ipv6Addr,
        cidr: Ipv6Net,
        by: ReservedFor,
    },
    /// EC2 says `InvalidIPAddress.InUse`.
    #[error("{address} is in use in {cidr}")]
    InUse { address: Ipv6Addr, cidr: Ipv6Net },
}

/// The block of a VPC with these random bits; the next one that overlaps none of `used` if it is taken.
pub fn vpc_block(bits: [u8; 6], used: &BTreeSet<Ipv6Net>) -> Ipv6Net {
    let [a, b, c, d, e, f] = bits;
    let (base, length) = CLOUDS_OWN;
    let clouds_own = Ipv6Net::new_assert(Ipv6Addr::from(base), length);
    let mut number = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    // Ends: there are more blocks than any set in memory holds.
    loop {
        let base = UNIQUE_LOCAL | (u128::from(number) << (128 - u32::from(VPC_PREFIX)));
        let block = Ipv6Net::new_assert(Ipv6Addr::from(base), VPC_PREFIX);
        if !used
            .iter()
            .chain([&clouds_own])
            .any(|other| overlap(&block, other))
        {
            return block;
        }
        number = (number + 1) & 0xffff_ffff_ffff;
    }
}

/// Whether two blocks share an address: then one holds the other.
pub fn overlap(a: &Ipv6Net, b: &Ipv6Net) -> bool {
    a.contains(b) || b.contains(a)
}

/// Reads a block and clears its host bits.
///
/// # Errors
/// [`Ipv6CidrError::Malformed`].
pub fn parse_ipv6_cidr(text: &str) -> Result<Ipv6Net, Ipv6CidrError> {
    let cidr = text.parse::<Ipv6Net>().map_err(|_| Ipv6CidrError::Malformed {
        text: text.chars().take(64).collect(),
    })?;
    Ok(cidr.trunc())
}

/// Checks a subnet's block against the block of its VPC and those of the other subnets there; returns it
/// with host bits cleared.
///
/// # Errors
/// The size, the place, or a conflict.
pub fn check_ipv6_subnet(
    cidr: Ipv6Net,
    vpc: Option<Ipv6Net>,
    siblings: impl IntoIterator<Item = Ipv6Net>,
) -> Result<Ipv6Net, Ipv6CidrError> {
    let cidr = cidr.trunc();
    let length = cidr.prefix_len();
    if !(VPC_PREFIX..=SMALLEST).contains(&length) || !length.is_multiple_of(STEP) {
        return Err(Ipv6CidrError::Size { cidr });
    }
    if !vpc.is_some_and(|block| block.contains(&cidr)) {
        return Err(Ipv6CidrError::OutsideVpc { cidr, vpc });
    }
    match siblings.into_iter().find(|sibling| overlap(&cidr, sibling)) {
        Some(sibling) => Err(Ipv6CidrError::Conflict { cidr, sibling }),
        None => Ok(cidr),
    }
}

/// A subnet's block of IPv6 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv6Subnet {
    cidr: Ipv6Net,
}

impl Ipv6Subnet {
    /// The subnet with this block, which [`check_ipv6_subnet`] has accepted.
    pub fn new(cidr: Ipv6Net) -> Self {
        Self { cidr: cidr.trunc() }
    }

    /// The address of the subnet's router: its base plus one.
    pub fn router(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.base().wrapping_add(1))
    }

    /// Whether this very address can be had.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: Ipv6Addr, used: &BTreeSet<Ipv6Addr>) -> Result<(), Ipv6AddressError> {
        let cidr = self.cidr;
        if !cidr.contains(&address) {
            return Err(Ipv6AddressError::Outside { address, cidr });
        }
        let by = match u128::from(address) - self.base() {
            0 => Some(ReservedFor::Network),
            1 => Some(ReservedFor::Router),
            2 => Some(ReservedFor::Resolver),
            3 => Some(ReservedFor::Future),
            _ if address == cidr.broadcast() => Some(ReservedFor::Future),
            _ => None,
        };
        match by {
            Some(by) => Err(Ipv6AddressError::Reserved { address, cidr, by }),
            None if used.contains(&address) => Err(Ipv6AddressError::InUse { address, cidr }),
            None => Ok(()),
        }
    }

    /// The address with these random bits, or the next one, round the block, that can be had.
    pub fn pick(&self, bits: [u8; 16], used: &BTreeSet<Ipv6Addr>) -> Ipv6Addr {
        let first = self.base() + KEPT_FIRST;
        // At least 2^64, less four and one.
        let count = u128::from(self.cidr.broadcast()) - first;
        let mut at = u128::from_be_bytes(bits) % count;
        // Ends: there are more addresses than any set in memory holds.
        loop {
            let address = Ipv6Addr::from(first + at);
            if !used.contains(&address) {
                return address;
            }
            at = (at + 1) % count;
        }
    }

    fn base(&self) -> u128 {
        u128::from(self.cidr.network())
    }
}

#[cfg(test)]
mod tests;
