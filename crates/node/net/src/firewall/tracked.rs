//! The firewall lets a tracked connection go on after its rule is gone, as documented. But it must not go
//! on to the next task that is given the address: with an address's interface go its connections.

use std::net::IpAddr;

use rtnetlink::sys::{Socket, protocols::NETLINK_NETFILTER};

use super::element::{attribute, message};
use crate::netlink::open_socket;
use crate::netns::Netns;
use crate::{Error, Result};

/// Which end of a connection's first packet an address is matched with: the attribute for an IPv4 address (of an
/// IPv6 one it is two more), and the flag.
const ENDS: [(u16, u32); 2] = [(1, 1), (2, 2)];

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
    const DELETE: u16 = (1 << 8) | 2;
    const REQUEST_ACK: u16 = 0x5;
    const IPV4: u8 = 2;
    const IPV6: u8 = 10;
    const IPV6_ENDS: u16 = 2;
    const NESTED: u16 = 0x8000;
    const TUPLE_ORIGINAL: u16 = 1;
    const TUPLE_IP: u16 = 1;
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
    socket.send(&request, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    match super::apply::next_answer(&answer) {
        // Nothing was tracked.
        Some((answer, _)) if answer.code == 0 || answer.code == libc::ENOENT => Ok(()),
        Some((answer, _)) => Err(std::io::Error::from_raw_os_error(answer.code)),
        None => Err(std::io::Error::other("the kernel's answer is too short")),
    }
}
