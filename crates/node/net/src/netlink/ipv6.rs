//! The same few requests for IPv6, where the kernel's messages differ: addresses are never doubted (nobody else
//! can have one that was given), and none makes a route for its prefix, since everything goes by the router.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::Ipv6Net;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteScope, RouteType};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use rtnetlink::{AddressMessageBuilder, RouteMessageBuilder};

use super::{Netlink, is_absent, is_present};
use crate::Result;
use crate::names::MacAddr;

/// An IPv6 route as a dump shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ipv6RouteView {
    pub(crate) destination: Ipv6Net,
    pub(crate) device: Option<u32>,
    pub(crate) gateway: Option<Ipv6Addr>,
    pub(crate) kind: RouteType,
}

/// Whether the kernel has IPv6 at all.
pub fn ipv6_is_there() -> bool {
    std::path::Path::new("/proc/sys/net/ipv6").exists()
}

/// What to say when it has not.
pub(crate) const NO_IPV6: &str =
    "this kernel has no IPv6: it was built without, or booted with ipv6.disable=1";

impl Netlink {
    /// Adds an address; its presence is fine.
    pub(crate) fn add_ipv6_address(&mut self, index: u32, address: Ipv6Net) -> Result<()> {
        let mut message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        let flags = AddressFlags::Noprefixroute | AddressFlags::Nodad;
        message.attributes.push(AddressAttribute::Flags(flags));
        match self.change(Message::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL) {
            Err(e) if !is_present(&e) => Err(self.failed(format!("adding address {address}"))(e)),
            _ => Ok(()),
        }
    }

    /// Removes an address; its absence is fine.
    pub(crate) fn delete_ipv6_address(&mut self, index: u32, address: Ipv6Net) -> Result<()> {
        let message = AddressMessageBuilder::<Ipv6Addr>::new()
            .index(index)
            .address(address.addr(), address.prefix_len())
            .build();
        match self.change(Message::DelAddress(message), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing address {address}"))(e)),
            _ => Ok(()),
        }
    }

    /// IPv6 addresses with the index of their device.
    pub(crate) fn ipv6_addresses(&mut self) -> Result<Vec<(u32, Ipv6Net)>> {
        let query = AddressMessageBuilder::<Ipv6Addr>::new().build();
        let answers = self
            .dump(Message::GetAddress(query))
            .map_err(self.failed("listing IPv6 addresses"))?;
        let one = |answer| {
            let Message::NewAddress(message) = answer else {
                return None;
            };
            let address = message.attributes.iter().find_map(|a| match a {
                AddressAttribute::Address(IpAddr::V6(ip)) => Some(*ip),
                _ => None,
            })?;
            Some((
                message.header.index,
                Ipv6Net::new(address, message.header.prefix_len).ok()?,
            ))
        };
        Ok(answers.into_iter().filter_map(one).collect())
    }

    /// A route to `destination` straight over a device; one that exists is replaced.
    pub(crate) fn add_ipv6_device_route(&mut self, destination: Ipv6Net, index: u32) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .output_interface(index)
            .build();
        self.change(Message::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the route to {destination}")))
    }

    pub(crate) fn delete_ipv6_device_route(&mut self, destination: Ipv6Net, index: u32) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .output_interface(index)
            .scope(RouteScope::NoWhere)
            .build();
        match self.change(Message::DelRoute(message), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing the route to {destination}"))(e)),
            _ => Ok(()),
        }
    }

    /// A route through a gateway, on a device where the gateway need not be in any prefix.
    pub(crate) fn add_ipv6_gateway_route(
        &mut self,
        destination: Ipv6Net,
        gateway: Ipv6Addr,
        index: u32,
        source: Option<Ipv6Addr>,
    ) -> Result<()> {
        let mut builder = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .gateway(gateway)
            .output_interface(index)
            .onlink();
        if let Some(source) = source {
            builder = builder.pref_source(source);
        }
        self.change(Message::NewRoute(builder.build()), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the route to {destination} via {gateway}")))
    }

    /// Packets to `destination` vanish.
    pub(crate) fn add_ipv6_blackhole(&mut self, destination: Ipv6Net) -> Result<()> {
        let message = RouteMessageBuilder::<Ipv6Addr>::new()
            .destination_prefix(destination.addr(), destination.prefix_len())
            .kind(RouteType::BlackHole)
            .build();
        self.change(Message::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the blackhole for {destination}")))
    }

    /// Every IPv6 route of every table.
    pub(crate) fn ipv6_routes(&mut self) -> Result<Vec<Ipv6RouteView>> {
        let query = RouteMessageBuilder::<Ipv6Addr>::new().build();
        let answers = self
            .dump(Message::GetRoute(query))
            .map_err(self.failed("listing IPv6 routes"))?;
        let one = |answer| {
            let Message::NewRoute(message) = answer else {
                return None;
            };
            let (mut destination, mut device, mut gateway) = (Ipv6Addr::UNSPECIFIED, None, None);
            for attribute in &message.attributes {
                match attribute {
                    RouteAttribute::Destination(RouteAddress::Inet6(ip)) => destination = *ip,
                    RouteAttribute::Gateway(RouteAddress::Inet6(ip)) => gateway = Some(*ip),
                    RouteAttribute::Oif(index) => device = Some(*index),
                    _ => {}
                }
            }
            Some(Ipv6RouteView {
                destination: Ipv6Net::new(destination, message.header.destination_prefix_length).ok()?,
                device,
                gateway,
                kind: message.header.kind,
            })
        };
        Ok(answers.into_iter().filter_map(one).collect())
    }

    /// A neighbour that never expires and that no advertisement changes.
    pub(crate) fn add_ipv6_neighbour(&mut self, index: u32, ip: Ipv6Addr, mac: MacAddr) -> Result<()> {
        let message = neighbour(index, ip, Some(mac));
        self.change(Message::NewNeighbour(message), NLM_F_CREATE | NLM_F_REPLACE)
            .map_err(self.failed(format!("adding the neighbour {ip}")))
    }

    pub(crate) fn delete_ipv6_neighbour(&mut self, index: u32, ip: Ipv6Addr) -> Result<()> {
        match self.change(Message::DelNeighbour(neighbour(index, ip, None)), 0) {
            Err(e) if !is_absent(&e) => Err(self.failed(format!("removing the neighbour {ip}"))(e)),
            _ => Ok(()),
        }
    }
}

fn neighbour(index: u32, ip: Ipv6Addr, mac: Option<MacAddr>) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message
        .attributes
        .push(NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)));
    message
        .attributes
        .extend(mac.map(|mac| NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())));
    message
}
