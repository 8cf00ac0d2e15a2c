//! IP address functions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Function, function};
use crate::value::Value;

pub(super) fn find(name: &str) -> Option<Function> {
    match name {
        "isvalidip" => function(1, 1, |values, _| is::<IpAddr>(&values[0])),
        "isvalidipv4" => function(1, 1, |values, _| is::<Ipv4Addr>(&values[0])),
        "isvalidipv6" => function(1, 1, |values, _| is::<Ipv6Addr>(&values[0])),
        "isipinsubnet" => function(2, 2, |values, _| within(values, |_| true)),
        "isipv4insubnet" => function(2, 2, |values, _| within(values, |address| address.is_ipv4())),
        "isipv6insubnet" => function(2, 2, |values, _| within(values, |address| address.is_ipv6())),
        "ipv4tonumber" => function(1, 1, |values, _| {
            let address = parse::<Ipv4Addr>(&values[0]);
            address.map_or(Value::Null, |address| {
                Value::Number(f64::from(u32::from(address)))
            })
        }),
        "isprivateip" => function(1, 1, |values, _| test(&values[0], private)),
        "ispublicip" => function(1, 1, |values, _| {
            test(&values[0], |address| !private(address) && !reserved(address))
        }),
        "isreservedip" => function(1, 1, |values, _| test(&values[0], reserved)),
        _ => None,
    }
}

fn parse<A: std::str::FromStr>(value: &Value) -> Option<A> {
    value.text()?.trim().parse().ok()
}

fn is<A: std::str::FromStr>(value: &Value) -> Value {
    Value::Bool(parse::<A>(value).is_some())
}

fn test(value: &Value, test: fn(IpAddr) -> bool) -> Value {
    Value::Bool(parse(value).is_some_and(test))
}

fn within(values: &[Value], family: fn(IpAddr) -> bool) -> Value {
    let (address, subnet) = (parse::<IpAddr>(&values[0]), values[1].text());
    let inside = address
        .filter(|address| family(*address))
        .zip(subnet)
        .is_some_and(|(address, subnet)| contains(&subnet, address));
    Value::Bool(inside)
}

/// Whether an address lies in a block such as `192.0.2.0/24`.
fn contains(subnet: &str, address: IpAddr) -> bool {
    let Some((start, length)) = subnet.trim().split_once('/') else {
        return false;
    };
    let (Ok(start), Ok(length)) = (start.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    match (start, address) {
        (IpAddr::V4(start), IpAddr::V4(address)) if length <= 32 => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            u32::from(start) & mask == u32::from(address) & mask
        }
        (IpAddr::V6(start), IpAddr::V6(address)) if length <= 128 => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            u128::from(start) & mask == u128::from(address) & mask
        }
        _ => false,
    }
}

/// RFC 1918, and RFC 4193 for IPv6.
fn private(address: IpAddr) -> bool {
    let blocks = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    blocks.iter().any(|block| contains(block, address))
}

/// The special-purpose registries of IANA, without what is private.
fn reserved(address: IpAddr) -> bool {
    const BLOCKS: [&str; 20] = [
        "0.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "100::/64",
        "2001:db8::/32",
        "fe80::/10",
        "ff00::/8",
    ];
    BLOCKS.iter().any(|block| contains(block, address))
}
