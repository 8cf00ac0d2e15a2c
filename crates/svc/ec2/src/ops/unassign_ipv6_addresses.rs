//! UnassignIpv6Addresses. Tested with AssignIpv6Addresses.

use std::net::Ipv6Addr;

use roadstead_api_ec2::{UnassignIpv6AddressesRequest, UnassignIpv6AddressesResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::service::Ec2;
use crate::{ipv6, refuse};

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: UnassignIpv6AddressesRequest,
) -> Result<UnassignIpv6AddressesResult> {
    let UnassignIpv6AddressesRequest {
        network_interface_id,
        ipv6_addresses,
        ipv6_prefixes,
    } = input;
    refuse::list("Ipv6Prefixes", ipv6_prefixes)?;
    let gone: Vec<Ipv6Addr> = ipv6::addresses(&ipv6_addresses.unwrap_or_default())?;
    if gone.is_empty() {
        return Err(error::missing("ipv6Addresses"));
    }
    ec2.change(ctx, None, |realm, keys, plan| {
        let entry = realm.interface(&network_interface_id)?;
        Ec2::may_manage(&ctx.caller, &entry.value)?;
        if let Some(absent) = gone.iter().find(|address| !entry.value.ipv6.contains(address)) {
            return Err(error::invalid_value(format!(
                "{absent} is not assigned to network interface {network_interface_id}"
            )));
        }
        let mut interface = entry.value.clone();
        interface.ipv6.retain(|address| !gone.contains(address));
        for address in &gone {
            plan.delete(&keys.address(&interface.subnet, *address));
        }
        plan.replace(entry, &interface)
    })
    .await?;
    Ok(UnassignIpv6AddressesResult {
        network_interface_id: Some(network_interface_id),
        unassigned_ipv6_addresses: Some(gone.iter().map(ToString::to_string).collect()),
        unassigned_ipv6_prefixes: None,
    })
}
