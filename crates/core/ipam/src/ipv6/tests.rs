//! What blocks and addresses are accepted, and that none is chosen twice, whatever was chosen before.

use proptest::prelude::*;

use super::*;

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn told<T, E: ToString>(result: Result<T, E>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn blocks_are_read_and_made_canonical() {
    assert_eq!(parse_ipv6_cidr("fd00::5/64"), Ok(net("fd00::/64")));
    for malformed in [
        "",
        "fd00::",
        "fd00::/129",
        "10.0.0.0/16",
        " fd00::/64",
        "fd00:::/64",
    ] {
        assert!(
            told(parse_ipv6_cidr(malformed)).contains("is not an IPv6"),
            "{malformed}"
        );
    }
}

#[test]
fn subnets_are_inside_and_apart() {
    let vpc = Some(net("fd12:3456:789a:b00::/56"));
    let siblings = [net("fd12:3456:789a:b00::/64"), net("fd12:3456:789a:b10::/60")];
    let check = |text: &str, complaint: &str| {
        let refused = told(check_ipv6_subnet(net(text), vpc, siblings));
        assert!(
            refused.contains(complaint) && refused.is_empty() == complaint.is_empty(),
            "{text}: {refused}"
        );
    };
    check("fd12:3456:789a:b01::/64", "");
    check("fd12:3456:789a:b01::7/64", "");
    check("fd12:3456:789a:b20::/60", "");
    check("fd12:3456:789a:b00::/64", "overlaps fd12:3456:789a:b00::/64");
    check("fd12:3456:789a:b00::/56", "overlaps");
    check("fd12:3456:789a:b1f::/64", "overlaps fd12:3456:789a:b10::/60");
    check("fd12:3456:789a:c00::/64", "not within");
    check("fd12:3456:789a:b02::/63", "netmask of /63");
    check("fd12:3456:789a:b02::/80", "netmask of /80");
    check("fd12:3456:789a:b00::/52", "netmask of /52");
    let none = told(check_ipv6_subnet(net("fd00::/64"), None, []));
    assert!(none.contains("it has none"), "{none}");
}

#[test]
fn five_addresses_are_kept() {
    let subnet = Ipv6Subnet::new(net("fd00:0:0:1::/64"));
    let used = BTreeSet::from([address("fd00:0:0:1::5")]);
    let check = |text: &str, complaint: &str| {
        let refused = told(subnet.check(address(text), &used));
        assert!(
            refused.contains(complaint) && refused.is_empty() == complaint.is_empty(),
            "{text}: {refused}"
        );
    };
    check("fd00:0:0:1::4", "");
    check("fd00:0:0:1:ffff:ffff:ffff:fffe", "");
    check("fd00:0:0:1::5", "in use");
    check("fd00:0:0:1::", "the network address");
    check("fd00:0:0:1::1", "the router");
    check("fd00:0:0:1::2", "the resolver");
    check("fd00:0:0:1::3", "future use");
    check("fd00:0:0:1:ffff:ffff:ffff:ffff", "future use");
    check("fd00:0:0:2::4", "is not in");
    assert_eq!(subnet.router(), address("fd00:0:0:1::1"));
}

#[test]
fn the_next_one_goes_round() {
    let subnet = Ipv6Subnet::new(net("fd00:0:0:1::/64"));
    let pick = |bits: u128, used: &[&str]| {
        let used = used.iter().copied().map(address).collect();
        subnet.pick(bits.to_be_bytes(), &used)
    };
    assert_eq!(pick(0, &[]), address("fd00:0:0:1::4"));
    assert_eq!(pick(0, &["fd00:0:0:1::4"]), address("fd00:0:0:1::5"));
    let last = (1 << 64) - 6;
    assert_eq!(pick(last, &[]), address("fd00:0:0:1:ffff:ffff:ffff:fffe"));
    assert_eq!(
        pick(last, &["fd00:0:0:1:ffff:ffff:ffff:fffe"]),
        address("fd00:0:0:1::4")
    );
    let (taken, next) = (net("fdff:ffff:ffff:ff00::/56"), net("fd00::/56"));
    assert_eq!(vpc_block([0xff; 6], &BTreeSet::new()), taken);
    assert_eq!(vpc_block([0xff; 6], &BTreeSet::from([taken])), next);
    let metadata = [0, 0x0e, 0xc2, 0xff, 0xff, 0xff];
    assert_eq!(vpc_block(metadata, &BTreeSet::new()), net("fd00:ec3::/56"));
}

proptest! {
    #[test]
    fn blocks_of_vpcs_are_unique_local_and_apart(all in prop::collection::vec(any::<[u8; 6]>(), 1..40)) {
        let mut used = BTreeSet::new();
        for bits in all {
            let block = vpc_block(bits, &used);
            prop_assert_eq!(block.prefix_len(), VPC_PREFIX);
            prop_assert_eq!(block.trunc(), block);
            prop_assert!(net("fd00::/8").contains(&block));
            prop_assert!(used.iter().all(|other| !overlap(&block, other)));
            used.insert(block);
        }
    }

    /// Few bits, so that the same one is wished for again and again.
    #[test]
    fn picked_addresses_can_be_had(
        length in prop::sample::select(vec![56u8, 60, 64]),
        base in any::<u128>(),
        wishes in prop::collection::vec((any::<bool>(), 0u8..12), 1..200),
    ) {
        let subnet = Ipv6Subnet::new(Ipv6Net::new(Ipv6Addr::from(base), length).unwrap());
        let mut used = BTreeSet::new();
        for (high, low) in wishes {
            let count = (1u128 << (128 - length)) - KEPT_FIRST - 1;
            let bits = if high { count - 1 - u128::from(low) } else { u128::from(low) };
            let picked = subnet.pick(bits.to_be_bytes(), &used);
            prop_assert_eq!(subnet.check(picked, &used), Ok(()));
            used.insert(picked);
            prop_assert!(subnet.check(picked, &used).is_err());
        }
    }

    /// Of two accepted subnets of a VPC neither holds an address of the other.
    #[test]
    fn accepted_subnets_share_nothing(
        blocks in prop::collection::vec((any::<u8>(), prop::sample::select(vec![56u8, 60, 64])), 1..60),
    ) {
        let vpc = net("fd00:0:0:ab00::/56");
        let mut accepted: Vec<Ipv6Net> = Vec::new();
        for (place, length) in blocks {
            let base = u128::from(vpc.network()) | (u128::from(place) << 64);
            let wanted = Ipv6Net::new(Ipv6Addr::from(base), length).unwrap();
            match check_ipv6_subnet(wanted, Some(vpc), accepted.iter().copied()) {
                Ok(cidr) => {
                    for other in &accepted {
                        prop_assert!(!cidr.contains(&other.network()) && !other.contains(&cidr.network()));
                    }
                    accepted.push(cidr);
                }
                Err(error) => {
                    let conflicts = matches!(error, Ipv6CidrError::Conflict { .. });
                    prop_assert!(conflicts, "nothing else can be wrong: {}", error);
                }
            }
        }
    }
}
