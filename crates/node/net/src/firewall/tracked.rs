//! The firewall lets a tracked connection go on after its rule is gone, as documented; one that would not be
//! tracked ends. And none must go on to the next task that is given the address: with an address's interface go
//! its connections.

use std::net::IpAddr;

use rtnetlink::sys::{Socket, protocols::NETLINK_NETFILTER};

use super::element::{attribute, message};
use super::flows::{Flow, ended, may_end};
use crate::netlink::open_socket;
use crate::netns::Netns;
use crate::{Error, Result};
use roadstead_acs::network::VpcMap;

/// Which end of a connection's first packet an address is matched with: the attribute for an IPv4 address (of an
/// IPv6 one it is two more), and the flag.
const ENDS: [(u16, u32); 2] = [(1, 1), (2, 2)];

const DELETE: u16 = (1 << 8) | 2;
const REQUEST_ACK: u16 = 0x5;
const IPV4: u8 = 2;
const IPV6: u8 = 10;
const NESTED: u16 = 0x8000;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_IP: u16 = 1;
/// Bytes of netlink's header and nfnetlink's own.
const HEADER: usize = 20;
/// Datagrams of one list; the kernel bounds the connections it tracks far below.
const DUMP_DATAGRAMS: usize = 65_536;

/// Forgets every tracked connection of `namespace` that has one of `addresses` at either end. A kernel too
/// old to filter keeps them until they expire.
///
/// # Errors
/// [`Error::Kernel`] when connection tracking cannot be spoken to at all.
pub(crate) fn forget_connections<A: Copy + Into<IpAddr>>(namespace: &Netns, addresses: &[A]) -> Result<()> {
    let attempt = format!("forgetting tracked connections in {}", namespace.label());
    let socket = namespace
        .run(|| open_socket(NETLINK_NETFILTER))?
        .map_err(Error::kernel(attempt.clone()))?;
    let mut sequence = 0;
    for address in addresses.iter().map(|address| (*address).into()) {
        for (attribute_of_end, flag) in ENDS {
            sequence += 1;
            if let Err(error) = forget(&socket, sequence, address, attribute_of_end, flag) {
                tracing::debug!(%address, %error, "tracked connections are left to expire");
            }
        }
    }
    Ok(())
}

fn forget(socket: &Socket, sequence: u32, address: IpAddr, end: u16, flag: u32) -> std::io::Result<()> {
    const IPV6_ENDS: u16 = 2;
    const FILTER: u16 = 25;
    const FILTER_ORIGINAL_FLAGS: u16 = 1;

    let mut ip = Vec::new();
    let family = match address {
        IpAddr::V4(address) => {
            attribute(&mut ip, end, &address.octets());
            IPV4
        }
        IpAddr::V6(address) => {
            attribute(&mut ip, end + IPV6_ENDS, &address.octets());
            IPV6
        }
    };
    let mut tuple = Vec::new();
    attribute(&mut tuple, NESTED | TUPLE_IP, &ip);
    let mut filter = Vec::new();
    attribute(&mut filter, FILTER_ORIGINAL_FLAGS, &flag.to_ne_bytes());
    let mut body = Vec::new();
    attribute(&mut body, NESTED | TUPLE_ORIGINAL, &tuple);
    attribute(&mut body, NESTED | FILTER, &filter);
    let mut request = Vec::new();
    message(&mut request, DELETE, REQUEST_ACK, sequence, family, 0, &body);
    send(socket, &request)
}

/// Forgets the connections that a change from one map to the other ends, once the new rules are in force: their
/// next packet is a new connection's, or nobody's.
///
/// # Errors
/// [`Error::Kernel`] when connection tracking cannot be spoken to; then they go on.
pub(crate) fn end_connections(namespace: &Netns, before: &VpcMap, after: &VpcMap) -> Result<usize> {
    if !may_end(before, after) {
        return Ok(0);
    }
    let attempt = || format!("ending connections in {}", namespace.label());
    let socket = namespace
        .run(|| open_socket(NETLINK_NETFILTER))?
        .map_err(Error::kernel(attempt()))?;
    let all = connections(&socket).map_err(Error::kernel(attempt()))?;
    let gone = ended(before, after, &all);
    for (sequence, Tuple { family, bytes }) in (2..).zip(&gone) {
        let mut body = Vec::new();
        attribute(&mut body, NESTED | TUPLE_ORIGINAL, bytes);
        let mut request = Vec::new();
        message(&mut request, DELETE, REQUEST_ACK, sequence, *family, 0, &body);
        send(&socket, &request).map_err(Error::kernel(attempt()))?;
    }
    Ok(gone.len())
}

/// What names a connection to the kernel: its first packet's ends.
struct Tuple {
    family: u8,
    bytes: Vec<u8>,
}

/// Every connection of TCP and UDP that is tracked.
fn connections(socket: &Socket) -> std::io::Result<Vec<(Flow, Tuple)>> {
    const GET: u16 = (1 << 8) | 1;
    const REQUEST_DUMP: u16 = 0x301;
    const ERROR: u16 = 2;
    const DONE: u16 = 3;
    let mut request = Vec::new();
    message(&mut request, GET, REQUEST_DUMP, 1, 0, 0, &[]);
    socket.send(&request, 0)?;
    let mut found = Vec::new();
    for _ in 0..DUMP_DATAGRAMS {
        let (datagram, _) = socket.recv_from_full()?;
        let mut rest = &datagram[..];
        while let (Some(length), Some(kind)) = (word(rest, 0), half(rest, 4)) {
            let length = (length as usize).max(HEADER);
            match kind {
                DONE => return Ok(found),
                ERROR => {
                    let code = word(rest, 16).unwrap_or_default().cast_signed().wrapping_neg();
                    return Err(std::io::Error::from_raw_os_error(code));
                }
                _ => found.extend(
                    rest.get(HEADER..length)
                        .and_then(|body| connection(body, rest[16])),
                ),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
    Err(std::io::Error::other(
        "the kernel's list of connections has no end",
    ))
}

/// The connection that a message's attributes describe, if it is one of TCP or UDP.
fn connection(body: &[u8], family: u8) -> Option<(Flow, Tuple)> {
    const TUPLE_PROTOCOL: u16 = 2;
    const PROTOCOL: u16 = 1;
    const PORT_TO: u16 = 3;
    let tuple = value(body, TUPLE_ORIGINAL)?;
    let (ip, protocol) = (value(tuple, TUPLE_IP)?, value(tuple, TUPLE_PROTOCOL)?);
    let address = |end: u16| -> Option<IpAddr> {
        if family == IPV6 {
            Some(<[u8; 16]>::try_from(value(ip, end + 2)?).ok()?.into())
        } else {
            Some(<[u8; 4]>::try_from(value(ip, end)?).ok()?.into())
        }
    };
    let port = <[u8; 2]>::try_from(value(protocol, PORT_TO)?).ok()?;
    let flow = Flow {
        protocol: *value(protocol, PROTOCOL)?.first()?,
        from: address(ENDS[0].0)?,
        to: address(ENDS[1].0)?,
        to_port: u16::from_be_bytes(port),
    };
    let bytes = tuple.to_vec();
    Some((flow, Tuple { family, bytes }))
}

/// The value of the first attribute of a kind.
fn value(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    while let (Some(length), Some(found)) = (half(attributes, 0), half(attributes, 2)) {
        let length = usize::from(length).max(4);
        if found & !NESTED == kind {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Sends a deletion and reads its answer; that there was nothing is fine.
fn send(socket: &Socket, request: &[u8]) -> std::io::Result<()> {
    socket.send(request, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    match super::apply::next_answer(&answer) {
        // Nothing was tracked.
        Some((answer, _)) if answer.code == 0 || answer.code == libc::ENOENT => Ok(()),
        Some((answer, _)) => Err(std::io::Error::from_raw_os_error(answer.code)),
        None => Err(std::io::Error::other("the kernel's answer is too short")),
    }
}
