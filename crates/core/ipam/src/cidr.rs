//! Which CIDR blocks a VPC and its subnets may have. The rules are those of the EC2 API reference for CreateVpc
//! and CreateSubnet: a netmask from /16 to /28, subnets inside their VPC and apart from each other, and host
//! bits quietly cleared.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The shortest and the longest netmask of VPCs and subnets.
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=28;

/// Why a CIDR block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// EC2 says `InvalidParameterValue`.
    #[error("{text:?} is not an IPv4 CIDR block; write it as 10.0.0.0/16")]
    Malformed { text: String },
    /// EC2 says `InvalidVpc.Range` or `InvalidSubnet.Range`.
    #[error("{cidr} has a netmask of /{}; it must be between /16 and /28", cidr.prefix_len())]
    Size { cidr: Ipv4Net },
    /// EC2 says `InvalidVpc.Range`.
    #[error(
        "{cidr} holds {what} addresses, which hosts cannot have; choose a private range such as 10.0.0.0/16"
    )]
    Unusable { cidr: Ipv4Net, what: &'static str },
    /// EC2 says `InvalidSubnet.Range`.
    #[error("{cidr} is not within a CIDR block of its VPC ({})", list(vpc))]
    OutsideVpc { cidr: Ipv4Net, vpc: Vec<Ipv4Net> },
    /// EC2 says `InvalidSubnet.Conflict`.
    #[error("{cidr} overlaps the subnet {sibling} of the same VPC; choose a block that is free")]
    Conflict { cidr: Ipv4Net, sibling: Ipv4Net },
}

fn list(cidrs: &[Ipv4Net]) -> String {
    let texts: Vec<String> = cidrs.iter().map(Ipv4Net::to_string).collect();
    texts.join(", ")
}

/// Reads a block and clears its host bits: `10.0.1.5/24` is `10.0.1.0/24`.
pub fn parse_cidr(text: &str) -> Result<Ipv4Net, CidrError> {
    let cidr = text.parse::<Ipv4Net>().map_err(|_| CidrError::Malformed {
        text: text.chars().take(64).collect(),
    })?;
    Ok(cidr.trunc())
}

/// Checks a VPC's block; returns it with host bits cleared.
pub fn check_vpc(cidr: Ipv4Net) -> Result<Ipv4Net, CidrError> {
    let cidr = check_size(cidr)?;
    let unusable = [
        ("unspecified", Ipv4Addr::new(0, 0, 0, 0), 8),
        ("loopback", Ipv4Addr::new(127, 0, 0, 0), 8),
        ("link-local", Ipv4Addr::new(169, 254, 0, 0), 16),
        ("multicast or reserved", Ipv4Addr::new(224, 0, 0, 0), 3),
    ];
    for (what, base, prefix) in unusable {
        if Ipv4Net::new(base, prefix).is_ok_and(|range| range.contains(&cidr)) {
            return Err(CidrError::Unusable { cidr, what });
        }
    }
    Ok(cidr)
}

/// Checks a subnet's block against the blocks of its VPC and the other subnets there; returns it with host bits
/// cleared.
pub fn check_subnet(
    cidr: Ipv4Net,
    vpc: &[Ipv4Net],
    siblings: impl IntoIterator<Item = Ipv4Net>,
) -> Result<Ipv4Net, CidrError> {
    let cidr = check_size(cidr)?;
    if !vpc.iter().any(|block| block.contains(&cidr)) {
        return Err(CidrError::OutsideVpc {
            cidr,
            vpc: vpc.to_vec(),
        });
    }
    // Of two blocks that share an address, one holds the other.
    match siblings
        .into_iter()
        .find(|sibling| sibling.contains(&cidr) || cidr.contains(sibling))
    {
        Some(sibling) => Err(CidrError::Conflict { cidr, sibling }),
        None => Ok(cidr),
    }
}

fn check_size(cidr: Ipv4Net) -> Result<Ipv4Net, CidrError> {
    let cidr = cidr.trunc();
    if PREFIXES.contains(&cidr.prefix_len()) {
        Ok(cidr)
    } else {
        Err(CidrError::Size { cidr })
    }
}

/// Where a VPC's own name server answers: the base of its block plus two.
pub fn resolver(vpc: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(vpc.network()).wrapping_add(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn blocks_are_read_and_made_canonical() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = parse_cidr(text).ok().map(|cidr| cidr.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("10.0.0.0/16", Some("10.0.0.0/16"));
        check("10.0.1.5/24", Some("10.0.1.0/24"));
        check("100.68.0.18/18", Some("100.68.0.0/18"));
        for malformed in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/16",
            "10.0.0.256/16",
            "10.0.0.0/-1",
            "::/64",
            " 10.0.0.0/16",
        ] {
            check(malformed, None);
        }
        assert_eq!(resolver(net("10.7.0.0/16")), Ipv4Addr::new(10, 7, 0, 2));
    }

    #[test]
    fn vpcs_are_of_a_size_and_place() {
        let check = |text: &str, complaint: &str| {
            let refused = check_vpc(net(text))
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(
                refused.contains(complaint) && refused.is_empty() == complaint.is_empty(),
                "{text}: {refused}"
            );
        };
        for fine in [
            "10.0.0.0/16",
            "172.31.0.0/16",
            "192.168.0.0/28",
            "100.64.0.0/16",
            "8.8.0.0/20",
            "198.19.0.0/16",
        ] {
            check(fine, "");
        }
        check("10.0.0.0/15", "netmask of /15");
        check("10.0.0.0/29", "netmask of /29");
        check("0.0.0.0/0", "netmask of /0");
        check("127.0.0.0/16", "loopback");
        check("169.254.8.0/24", "link-local");
        check("224.0.0.0/16", "multicast");
        check("255.255.0.0/16", "multicast");
        check("0.1.0.0/16", "unspecified");
        assert_eq!(check_vpc(net("10.0.9.9/16")).unwrap(), net("10.0.0.0/16"));
    }

    #[test]
    fn subnets_are_inside_and_apart() {
        let vpc = [net("10.0.0.0/16"), net("10.9.0.0/16")];
        let siblings = [net("10.0.0.0/24"), net("10.0.16.0/20")];
        let check = |text: &str, complaint: &str| {
            let refused = check_subnet(net(text), &vpc, siblings)
                .err()
                .map(|error| error.to_string());
            let refused = refused.unwrap_or_default();
            assert!(
                refused.contains(complaint) && refused.is_empty() == complaint.is_empty(),
                "{text}: {refused}"
            );
        };
        check("10.0.1.0/24", "");
        check("10.0.1.77/24", "");
        check("10.9.0.0/16", "");
        check("10.0.0.0/24", "overlaps the subnet 10.0.0.0/24");
        check("10.0.0.128/25", "overlaps the subnet 10.0.0.0/24");
        check("10.0.0.0/16", "overlaps the subnet 10.0.0.0/24");
        check("10.0.31.240/28", "overlaps the subnet 10.0.16.0/20");
        check(
            "10.1.0.0/24",
            "is not within a CIDR block of its VPC (10.0.0.0/16, 10.9.0.0/16)",
        );
        check("10.0.0.0/15", "netmask of /15");
        check("10.0.1.0/29", "netmask of /29");
    }
}
