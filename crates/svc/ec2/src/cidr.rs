//! Address ranges as clients write them, and in EC2's words what is wrong with them. EC2 takes
//! `100.68.0.18/18` and files it as `100.68.0.0/18`.

use ipnet::{Ipv4Net, Ipv6Net};
use roadstead_ipam::{AddressError, CidrError, Ipv6AddressError, Ipv6CidrError};
use roadstead_protocol::ApiError;

use crate::error::{self, Result};

/// The block of a VPC.
pub(crate) fn of_vpc(text: &str) -> Result<Ipv4Net> {
    let check = |cidr| roadstead_ipam::check_vpc(cidr);
    roadstead_ipam::parse_cidr(text)
        .and_then(check)
        .map_err(|cause| refused("InvalidVpc.Range", text, &cause))
}

/// The block of a subnet, which must fit into its VPC beside the others.
pub(crate) fn of_subnet(text: &str, vpc: Ipv4Net, others: impl Iterator<Item = Ipv4Net>) -> Result<Ipv4Net> {
    let check = |cidr| roadstead_ipam::check_subnet(cidr, &[vpc], others);
    roadstead_ipam::parse_cidr(text)
        .and_then(check)
        .map_err(|cause| refused("InvalidSubnet.Range", text, &cause))
}

fn refused(range: &'static str, text: &str, cause: &CidrError) -> ApiError {
    let text = error::clip(text);
    match cause {
        CidrError::Malformed { .. } => error::invalid_value(format!(
            "Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."
        )),
        CidrError::Size { .. } | CidrError::Unusable { .. } | CidrError::OutsideVpc { .. } => {
            error::other(range, format!("The CIDR '{text}' is invalid."))
        }
        CidrError::Conflict { .. } => error::other(
            "InvalidSubnet.Conflict",
            format!("The CIDR '{text}' conflicts with another subnet"),
        ),
    }
}

/// The IPv6 block of a subnet, which must fit into its VPC's beside the others.
pub(crate) fn of_ipv6_subnet(
    text: &str,
    vpc: Option<Ipv6Net>,
    others: impl Iterator<Item = Ipv6Net>,
) -> Result<Ipv6Net> {
    let check = |cidr| roadstead_ipam::check_ipv6_subnet(cidr, vpc, others);
    let refused = |cause| {
        let text = error::clip(text);
        match cause {
            Ipv6CidrError::Malformed { .. } => error::invalid_value(format!(
                "Value ({text}) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block."
            )),
            Ipv6CidrError::Size { .. } | Ipv6CidrError::OutsideVpc { .. } => {
                error::other("InvalidSubnet.Range", format!("The CIDR '{text}' is invalid."))
            }
            Ipv6CidrError::Conflict { .. } => error::other(
                "InvalidSubnet.Conflict",
                format!("The CIDR '{text}' conflicts with another subnet"),
            ),
        }
    };
    roadstead_ipam::parse_ipv6_cidr(text)
        .and_then(check)
        .map_err(refused)
}

/// Why an interface cannot have an IPv6 address.
pub(crate) fn no_ipv6(cause: &Ipv6AddressError) -> ApiError {
    match cause {
        Ipv6AddressError::Outside { .. } => {
            error::invalid_value("IPv6 address does not fall within the subnet's IPv6 CIDR block")
        }
        Ipv6AddressError::Reserved { .. } => {
            error::invalid_value("IPv6 address is in the subnet's reserved address range")
        }
        Ipv6AddressError::InUse { address, .. } => error::other(
            "InvalidIPAddress.InUse",
            format!("The specified address is already in use: {address}"),
        ),
    }
}

/// Why an interface cannot have an address.
pub(crate) fn no_address(cause: &AddressError, subnet: &str) -> ApiError {
    match cause {
        AddressError::Exhausted { .. } => error::other(
            "InsufficientFreeAddressesInSubnet",
            format!(
                "The specified subnet does not have enough free addresses to satisfy the request: {subnet}"
            ),
        ),
        AddressError::Outside { .. } => {
            error::invalid_value("Address does not fall within the subnet's address range")
        }
        AddressError::Reserved { .. } => {
            error::invalid_value("Address is in subnet's reserved address range")
        }
        AddressError::InUse { address, .. } => error::other(
            "InvalidIPAddress.InUse",
            format!("The specified address is already in use: {address}"),
        ),
    }
}

fn malformed(text: &str) -> ApiError {
    error::invalid_value(format!("CIDR block {} is malformed", error::clip(text)))
}

/// The peer of a rule.
pub(crate) fn peer_v4(text: &str) -> Result<Ipv4Net> {
    text.parse::<Ipv4Net>()
        .map(|net| net.trunc())
        .map_err(|_| malformed(text))
}

/// The peer of a rule.
pub(crate) fn peer_v6(text: &str) -> Result<Ipv6Net> {
    text.parse::<Ipv6Net>()
        .map(|net| net.trunc())
        .map_err(|_| malformed(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_refused_in_the_words_of_ec2() {
        let vpc: Ipv4Net = "10.0.0.0/16".parse().expect("a net");
        let other: Ipv4Net = "10.0.1.0/24".parse().expect("a net");
        let told = |got: Result<Ipv4Net>| match got {
            Ok(net) => net.to_string(),
            Err(error) => format!("{}: {}", error.code, error.message),
        };
        let check = |got: Result<Ipv4Net>, wanted: &str| assert_eq!(told(got), wanted);
        check(of_vpc("100.68.0.18/18"), "100.68.0.0/18");
        check(
            of_vpc("10.0.0.0/8"),
            "InvalidVpc.Range: The CIDR '10.0.0.0/8' is invalid.",
        );
        check(
            of_vpc("10.0.0.0/29"),
            "InvalidVpc.Range: The CIDR '10.0.0.0/29' is invalid.",
        );
        check(
            of_vpc("127.0.0.0/16"),
            "InvalidVpc.Range: The CIDR '127.0.0.0/16' is invalid.",
        );
        check(
            of_vpc("ten"),
            "InvalidParameterValue: Value (ten) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
        );
        let subnet = |text: &str| of_subnet(text, vpc, [other].into_iter());
        check(subnet("10.0.2.9/24"), "10.0.2.0/24");
        check(
            subnet("10.1.0.0/24"),
            "InvalidSubnet.Range: The CIDR '10.1.0.0/24' is invalid.",
        );
        check(
            subnet("10.0.0.0/15"),
            "InvalidSubnet.Range: The CIDR '10.0.0.0/15' is invalid.",
        );
        check(
            subnet("10.0.1.128/25"),
            "InvalidSubnet.Conflict: The CIDR '10.0.1.128/25' conflicts with another subnet",
        );
    }

    #[test]
    fn peers_are_made_canonical() {
        assert_eq!(
            peer_v4("100.68.0.18/18").map(|net| net.to_string()),
            Ok("100.68.0.0/18".to_owned())
        );
        assert_eq!(
            peer_v6("2001:db8::1/32").map(|net| net.to_string()),
            Ok("2001:db8::/32".to_owned())
        );
        let wrong = peer_v4("10.0.0.1/40").expect_err("no such prefix");
        assert_eq!(wrong.message, "CIDR block 10.0.0.1/40 is malformed");
    }
}
