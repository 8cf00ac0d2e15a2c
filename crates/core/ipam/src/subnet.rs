//! The addresses of one subnet. EC2 keeps five of each for itself (the first four and the last), counts the
//! rest as `AvailableIpAddressCount`, and hands them out; how is its own affair. Here the next one is the first
//! that is free after the last one given, round and round, so that a freed address rests as long as possible:
//! peers may still have the old owner's in their caches and connections.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// A subnet's block of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    cidr: Ipv4Net,
}

/// What the platform keeps an address of each subnet for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservedFor {
    Network,
    Router,
    Resolver,
    Future,
    Broadcast,
}

impl fmt::Display for ReservedFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReservedFor::Network => "the network address",
            ReservedFor::Router => "the router",
            ReservedFor::Resolver => "the resolver",
            ReservedFor::Future => "future use",
            ReservedFor::Broadcast => "the broadcast address",
        })
    }
}

/// Why an address cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// EC2 says `InsufficientFreeAddressesInSubnet`.
    #[error("no address is left in {cidr}: all {capacity} are in use; free some or choose another subnet")]
    Exhausted { cidr: Ipv4Net, capacity: u32 },
    /// EC2 says `InvalidParameterValue`.
    #[error("{address} is not in the subnet {cidr}")]
    Outside { address: Ipv4Addr, cidr: Ipv4Net },
    /// EC2 says `InvalidParameterValue`.
    #[error("{address} is kept for {by} in the subnet {cidr}")]
    Reserved {
        address: Ipv4Addr,
        cidr: Ipv4Net,
        by: ReservedFor,
    },
    /// EC2 says `InvalidIPAddress.InUse`.
    #[error("{address} is in use in the subnet {cidr}")]
    InUse { address: Ipv4Addr, cidr: Ipv4Net },
}

/// How many addresses at the start of a block are kept.
const KEPT_FIRST: u32 = 4;
/// And how many in all, with the last.
const KEPT: u32 = KEPT_FIRST + 1;

impl Subnet {
    /// The subnet with this block, which `check_subnet` has accepted: /16 to /28.
    pub fn new(cidr: Ipv4Net) -> Self {
        Self { cidr: cidr.trunc() }
    }

    pub fn cidr(&self) -> Ipv4Net {
        self.cidr
    }

    /// The address of the subnet's router: its base plus one.
    pub fn router(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.base() + 1)
    }

    /// How many addresses interfaces can have when none is in use: of a /20, 4091.
    pub fn capacity(&self) -> u32 {
        self.last() - self.first() + 1
    }

    /// How many addresses are free: what EC2 tells as `AvailableIpAddressCount`. What is in `used` but not of
    /// this subnet does not count.
    pub fn available(&self, used: &BTreeSet<Ipv4Addr>) -> u32 {
        self.capacity() - self.count(used)
    }

    /// Whether this very address can be had.
    pub fn check(&self, address: Ipv4Addr, used: &BTreeSet<Ipv4Addr>) -> Result<(), AddressError> {
        let cidr = self.cidr;
        if !cidr.contains(&address) {
            return Err(AddressError::Outside { address, cidr });
        }
        let by = match u32::from(address) - self.base() {
            0 => Some(ReservedFor::Network),
            1 => Some(ReservedFor::Router),
            2 => Some(ReservedFor::Resolver),
            3 => Some(ReservedFor::Future),
            _ if address == cidr.broadcast() => Some(ReservedFor::Broadcast),
            _ => None,
        };
        match by {
            Some(by) => Err(AddressError::Reserved { address, cidr, by }),
            None if used.contains(&address) => Err(AddressError::InUse { address, cidr }),
            None => Ok(()),
        }
    }

    /// The next address to give out: the first free one after `last_given` (from the start if none), round the
    /// subnet. One that rests (freed not long ago; the number tells when, in any unit) is given only if no other
    /// is left, then the one that has rested longest.
    pub fn next(
        &self,
        used: &BTreeSet<Ipv4Addr>,
        resting: &BTreeMap<Ipv4Addr, u64>,
        last_given: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, AddressError> {
        if self.available(used) == 0 {
            return Err(AddressError::Exhausted {
                cidr: self.cidr,
                capacity: self.capacity(),
            });
        }
        let range = self.first()..=self.last();
        let after = last_given
            .map(|address| u32::from(address).saturating_add(1))
            .filter(|next| range.contains(next));
        let start = after.unwrap_or(*range.start());
        let round = (start..=*range.end())
            .chain(*range.start()..start)
            .map(Ipv4Addr::from);
        let mut rested: Option<(u64, Ipv4Addr)> = None;
        // At most one round: 65,531 addresses in the largest subnet.
        for address in round.filter(|address| !used.contains(address)) {
            match resting.get(&address) {
                None => return Ok(address),
                Some(since) if rested.is_none_or(|(longest, _)| *since < longest) => {
                    rested = Some((*since, address))
                }
                Some(_) => {}
            }
        }
        match rested {
            Some((_, address)) => Ok(address),
            None => Err(AddressError::Exhausted {
                cidr: self.cidr,
                capacity: self.capacity(),
            }),
        }
    }

    fn count(&self, used: &BTreeSet<Ipv4Addr>) -> u32 {
        let usable = Ipv4Addr::from(self.first())..=Ipv4Addr::from(self.last());
        used.range(usable).count() as u32
    }

    fn base(&self) -> u32 {
        u32::from(self.cidr.network())
    }

    fn first(&self) -> u32 {
        self.base() + KEPT_FIRST
    }

    /// For any block of /28 or larger this is behind `first`.
    fn last(&self) -> u32 {
        let size = self.cidr.broadcast().to_bits() - self.base();
        self.first() + size.saturating_sub(KEPT)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn subnet(cidr: &str) -> Subnet {
        Subnet::new(cidr.parse().unwrap())
    }

    fn address(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    #[test]
    fn five_addresses_are_kept() {
        for (cidr, capacity) in [
            ("10.0.0.0/16", 65_531),
            ("172.31.16.0/20", 4091),
            ("10.0.0.0/24", 251),
            ("10.0.0.16/28", 11),
        ] {
            assert_eq!(subnet(cidr).capacity(), capacity, "{cidr}");
            assert_eq!(subnet(cidr).available(&BTreeSet::new()), capacity, "{cidr}");
        }
        let small = subnet("10.0.0.16/28");
        let used =
            BTreeSet::from(["10.0.0.20", "10.0.0.30", "10.0.0.17", "10.0.0.31", "10.9.9.9"].map(address));
        assert_eq!(
            small.available(&used),
            9,
            "only the subnet's own usable addresses count"
        );
        assert_eq!(small.router(), address("10.0.0.17"));
    }

    #[test]
    fn a_named_address_is_had_or_refused_with_the_reason() {
        let small = subnet("10.0.0.16/28");
        let used = BTreeSet::from([address("10.0.0.21")]);
        let check = |text: &str, complaint: &str| {
            let refused = small
                .check(address(text), &used)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(
                refused.contains(complaint) && refused.is_empty() == complaint.is_empty(),
                "{text}: {refused}"
            );
        };
        check("10.0.0.20", "");
        check("10.0.0.30", "");
        check("10.0.0.21", "10.0.0.21 is in use in the subnet 10.0.0.16/28");
        check("10.0.0.16", "kept for the network address");
        check("10.0.0.17", "kept for the router");
        check("10.0.0.18", "kept for the resolver");
        check("10.0.0.19", "kept for future use");
        check("10.0.0.31", "kept for the broadcast address");
        check("10.0.0.15", "is not in the subnet");
        check("10.0.0.32", "is not in the subnet");
    }

    #[test]
    fn the_next_address_goes_round() {
        let small = subnet("10.0.0.16/28");
        let rest =
            BTreeMap::from([("10.0.0.22", 7), ("10.0.0.23", 5)].map(|(text, since)| (address(text), since)));
        let check = |used: &[&str], last: Option<&str>, expected: &str| {
            let used = used.iter().copied().map(address).collect();
            assert_eq!(
                small.next(&used, &rest, last.map(address)),
                Ok(address(expected)),
                "{used:?} {last:?}"
            );
        };
        check(&[], None, "10.0.0.20");
        check(&["10.0.0.20"], None, "10.0.0.21");
        check(&[], Some("10.0.0.20"), "10.0.0.21");
        check(&[], Some("10.0.0.21"), "10.0.0.24");
        check(&[], Some("10.0.0.30"), "10.0.0.20");
        check(&[], Some("10.0.0.31"), "10.0.0.20");
        check(&[], Some("255.255.255.255"), "10.0.0.20");
        check(&["10.0.0.30", "10.0.0.20"], Some("10.0.0.29"), "10.0.0.21");
        let full: Vec<String> = (20..=30)
            .filter(|n| *n != 22 && *n != 23)
            .map(|n| format!("10.0.0.{n}"))
            .collect();
        let mut full: Vec<&str> = full.iter().map(String::as_str).collect();
        check(&full, None, "10.0.0.23");
        full.push("10.0.0.23");
        check(&full, None, "10.0.0.22");
        full.push("10.0.0.22");
        let used = full.into_iter().map(address).collect();
        let error = small.next(&used, &rest, None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no address is left in 10.0.0.16/28: all 11 are in use; free some or choose another subnet"
        );
    }

    #[test]
    fn the_edges_of_all_addresses_hold() {
        assert_eq!(subnet("255.255.0.0/16").capacity(), 65_531);
        assert_eq!(
            subnet("255.255.255.240/28").next(&BTreeSet::new(), &BTreeMap::new(), None),
            Ok(address("255.255.255.244"))
        );
        assert_eq!(subnet("0.0.0.0/28").router(), address("0.0.0.1"));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Give,
        GiveNamed(u8),
        Free(usize),
    }

    proptest! {
        /// Whatever is given and freed: no address twice, none that is kept, and all of them before none is left.
        #[test]
        fn no_address_is_given_twice(
            prefix in 24u8..=28,
            steps in prop::collection::vec(
                prop_oneof![
                    4 => Just(Step::Give),
                    1 => any::<u8>().prop_map(Step::GiveNamed),
                    2 => (0usize..300).prop_map(Step::Free),
                ],
                1..400,
            ),
        ) {
            let subnet = Subnet::new(Ipv4Net::new(Ipv4Addr::new(10, 1, 2, 0), prefix).unwrap());
            let (mut used, mut resting, mut last) = (BTreeSet::new(), BTreeMap::new(), None);
            for (time, step) in (0u64..).zip(steps) {
                let before = subnet.available(&used);
                match step {
                    Step::Give => match subnet.next(&used, &resting, last) {
                        Ok(given) => {
                            prop_assert_eq!(subnet.check(given, &used), Ok(()));
                            if let Some(since) = resting.remove(&given) {
                                prop_assert!(resting.values().all(|other| since < *other), "the longest rested");
                                prop_assert_eq!(before as usize, resting.len() + 1, "only when no other is left");
                            }
                            prop_assert!(used.insert(given));
                            last = Some(given);
                            prop_assert_eq!(subnet.available(&used), before - 1);
                        }
                        Err(_) => prop_assert_eq!(before, 0),
                    },
                    Step::GiveNamed(host) => {
                        let named = Ipv4Addr::new(10, 1, 2, host);
                        if subnet.check(named, &used).is_ok() {
                            resting.remove(&named);
                            prop_assert!(used.insert(named));
                            prop_assert_eq!(subnet.available(&used), before - 1);
                        }
                    }
                    Step::Free(which) if !used.is_empty() => {
                        let freed = *used.iter().nth(which % used.len()).unwrap();
                        used.remove(&freed);
                        resting.insert(freed, time);
                        prop_assert_eq!(subnet.available(&used), before + 1);
                    }
                    Step::Free(_) => {}
                }
            }
        }

        /// Without any memory of what rests, a freed address still comes again only after a whole round.
        #[test]
        fn a_round_passes_before_reuse(prefix in 24u8..=28, start in any::<u8>()) {
            let subnet = Subnet::new(Ipv4Net::new(Ipv4Addr::new(10, 1, 2, 0), prefix).unwrap());
            let mut last = Some(Ipv4Addr::new(10, 1, 2, start));
            let mut seen = BTreeSet::new();
            for _ in 0..subnet.capacity() {
                let given = subnet.next(&BTreeSet::new(), &BTreeMap::new(), last).unwrap();
                prop_assert!(seen.insert(given));
                last = Some(given);
            }
        }
    }
}
