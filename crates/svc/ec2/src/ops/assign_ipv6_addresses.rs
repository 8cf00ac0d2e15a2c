//! AssignIpv6Addresses: further IPv6 addresses for an interface, named or chosen.

use roadstead_api_ec2::{AssignIpv6AddressesRequest, AssignIpv6AddressesResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::ipv6::{Asked, plan_claims};
use crate::records::Interface;
use crate::refuse;
use crate::service::Ec2;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: AssignIpv6AddressesRequest,
) -> Result<AssignIpv6AddressesResult> {
    let AssignIpv6AddressesRequest {
        network_interface_id,
        ipv6_address_count,
        ipv6_addresses,
        ipv6_prefix_count,
        ipv6_prefixes,
    } = input;
    refuse::count("Ipv6PrefixCount", ipv6_prefix_count)?;
    refuse::list("Ipv6Prefixes", ipv6_prefixes)?;
    let asked = match Asked::read(ipv6_addresses.unwrap_or_default(), ipv6_address_count)? {
        Some(Asked::Count(0)) | None => {
            return Err(error::missing_because(
                "Either 'ipv6Addresses' or 'ipv6AddressCount' should be provided.",
            ));
        }
        Some(asked) => asked,
    };
    let new = ec2
        .change(ctx, None, |realm, keys, plan| {
            let entry = realm.interface(&network_interface_id)?;
            Ec2::may_manage(&ctx.caller, &entry.value)?;
            let subnet = realm.subnet(entry.value.subnet.as_str())?;
            if let Asked::Named(addresses) = &asked
                && let Some(own) = addresses.iter().find(|one| entry.value.ipv6.contains(one))
            {
                return Err(error::invalid_value(format!(
                    "{own} is already assigned to network interface {network_interface_id}"
                )));
            }
            let new = asked.choose(&subnet.value, realm, entry.value.ipv6.len())?;
            let mut interface: Interface = entry.value.clone();
            interface.ipv6.extend(&new);
            // The block must still be the subnet's.
            plan.unmodified(subnet);
            plan_claims(keys, plan, &subnet.value, &interface.id, &new)?;
            plan.replace(entry, &interface)?;
            Ok(new)
        })
        .await?;
    Ok(AssignIpv6AddressesResult {
        assigned_ipv6_addresses: Some(new.iter().map(ToString::to_string).collect()),
        assigned_ipv6_prefixes: None,
        network_interface_id: Some(network_interface_id),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use roadstead_api_ec2::{
        AssignIpv6AddressesRequest, CreateNetworkInterfaceRequest, DescribeNetworkInterfacesRequest,
        Ec2 as _, InstanceIpv6Address, UnassignIpv6AddressesRequest,
    };

    use crate::testing::{Bench, fails, filter, id, ipv6, refused};

    fn of(interface: &str) -> AssignIpv6AddressesRequest {
        AssignIpv6AddressesRequest {
            network_interface_id: interface.to_owned(),
            ..Default::default()
        }
    }

    fn named(interface: &str, addresses: &[String]) -> AssignIpv6AddressesRequest {
        AssignIpv6AddressesRequest {
            ipv6_addresses: Some(addresses.to_vec()),
            ..of(interface)
        }
    }

    fn some(interface: &str, count: i32) -> AssignIpv6AddressesRequest {
        AssignIpv6AddressesRequest {
            ipv6_address_count: Some(count),
            ..of(interface)
        }
    }

    #[tokio::test]
    async fn assign_ipv6_addresses_named_or_counted() {
        let mut bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let mine = id(&bench.interface(&ctx, &dual.subnet).await);
        let other = id(&bench.interface(&ctx, &dual.subnet).await);
        let ask = async |input| bench.ec2.assign_ipv6_addresses(&ctx, input).await;
        let five = dual.address(5);
        let done = ask(named(&mine, std::slice::from_ref(&five)))
            .await
            .expect("assigned");
        assert_eq!(done.assigned_ipv6_addresses, Some(vec![five.clone()]));
        assert_eq!(done.network_interface_id.as_deref(), Some(mine.as_str()));
        let more = ask(some(&mine, 3)).await.expect("assigned");
        let more = more.assigned_ipv6_addresses.expect("addresses");
        let all: BTreeSet<String> = more.iter().cloned().chain([five.clone()]).collect();
        assert_eq!(all.len(), 4, "{all:?}");
        let block: ipnet::Ipv6Net = dual.subnet_block.parse().expect("a net");
        for address in &all {
            assert!(block.contains(&address.parse::<std::net::Ipv6Addr>().expect("an address")));
        }
        fails(
            ask(named(&mine, std::slice::from_ref(&five))).await,
            "InvalidParameterValue",
            "already assigned",
        );
        fails(
            ask(named(&other, std::slice::from_ref(&five))).await,
            "InvalidIPAddress.InUse",
            &five,
        );
        fails(
            ask(named(&other, &[dual.address(1)])).await,
            "InvalidParameterValue",
            "reserved",
        );
        fails(
            ask(named(&other, &["fd00::5".to_owned()])).await,
            "InvalidParameterValue",
            "does not fall within",
        );
        fails(
            ask(named(&other, &["10.0.0.9".to_owned()])).await,
            "InvalidParameterValue",
            "Invalid IPv6 address",
        );
        fails(
            ask(named(&other, &[dual.address(6), dual.address(6)])).await,
            "InvalidParameterValue",
            "multiple times",
        );
        fails(ask(of(&other)).await, "MissingParameter", "ipv6AddressCount");
        fails(ask(some(&other, 0)).await, "MissingParameter", "ipv6AddressCount");
        fails(ask(some(&other, -1)).await, "InvalidParameterValue", "-1");
        fails(ask(some(&mine, 47)).await, "AddressLimitExceeded", "limit of 50");
        fails(
            ask(AssignIpv6AddressesRequest {
                ipv6_address_count: Some(1),
                ..named(&other, &[dual.address(6)])
            })
            .await,
            "InvalidParameterCombination",
            "ipv6AddressCount",
        );
        refused(
            ask(AssignIpv6AddressesRequest {
                ipv6_prefix_count: Some(1),
                ..of(&other)
            })
            .await,
            "Ipv6PrefixCount",
        );
        refused(
            ask(AssignIpv6AddressesRequest {
                ipv6_prefixes: Some(vec!["fd00::/80".to_owned()]),
                ..of(&other)
            })
            .await,
            "Ipv6Prefixes",
        );
        bench.restart().await;
        let shown = bench.shown_interface(&mine).await;
        assert_eq!(ipv6(&shown).into_iter().collect::<BTreeSet<_>>(), all);
        let by_filter = bench
            .interfaces(DescribeNetworkInterfacesRequest {
                filters: filter("ipv6-addresses.ipv6-address", &[&five]),
                ..Default::default()
            })
            .await;
        assert_eq!(by_filter.len(), 1);
        assert_eq!(id(&by_filter[0]), mine);
        let (_, plain) = bench.network().await;
        let plain = id(&bench.interface(&ctx, &plain).await);
        fails(
            bench.ec2.assign_ipv6_addresses(&ctx, some(&plain, 1)).await,
            "InvalidParameterValue",
            "does not have an IPv6 CIDR block",
        );
    }

    #[tokio::test]
    async fn create_network_interface_takes_ipv6_addresses() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let of = |count: Option<i32>, named: &[String]| CreateNetworkInterfaceRequest {
            subnet_id: dual.subnet.clone(),
            ipv6_address_count: count,
            ipv6_addresses: Some(
                named
                    .iter()
                    .map(|address| InstanceIpv6Address {
                        ipv6_address: Some(address.clone()),
                        is_primary_ipv6: None,
                    })
                    .collect(),
            ),
            ..Default::default()
        };
        let make = async |input| bench.ec2.create_network_interface(&ctx, input).await;
        let made = async |input| make(input).await.expect("made").network_interface.expect("one");
        assert_eq!(ipv6(&made(of(None, &[])).await).len(), 0);
        assert_eq!(ipv6(&made(of(Some(2), &[])).await).len(), 2);
        let named = [dual.address(9), dual.address(7)];
        assert_eq!(ipv6(&made(of(None, &named)).await), named);
        fails(
            make(of(None, &named)).await,
            "InvalidIPAddress.InUse",
            &dual.address(9),
        );
        fails(
            make(of(Some(1), &named)).await,
            "InvalidParameterCombination",
            "ipv6AddressCount",
        );
        let mut primary = of(None, &[dual.address(20)]);
        if let Some(list) = &mut primary.ipv6_addresses {
            list[0].is_primary_ipv6 = Some(true);
        }
        refused(make(primary).await, "IsPrimaryIpv6");
        let mut none = of(None, &[dual.address(20)]);
        if let Some(list) = &mut none.ipv6_addresses {
            list[0].ipv6_address = None;
        }
        fails(make(none).await, "MissingParameter", "ipv6Address");
        bench.assign_on_creation(&dual.subnet, true).await;
        assert_eq!(ipv6(&made(of(None, &[])).await).len(), 1, "as the subnet says");
        assert_eq!(ipv6(&made(of(Some(0), &[])).await).len(), 0, "overridden");
    }

    #[tokio::test]
    async fn unassign_ipv6_addresses_frees_them() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let dual = bench.dual_stack().await;
        let mine = id(&bench.interface(&ctx, &dual.subnet).await);
        let other = id(&bench.interface(&ctx, &dual.subnet).await);
        let two = [dual.address(5), dual.address(6)];
        bench
            .ec2
            .assign_ipv6_addresses(&ctx, named(&mine, &two))
            .await
            .expect("assigned");
        let ask = async |addresses: &[String]| {
            let input = UnassignIpv6AddressesRequest {
                network_interface_id: mine.clone(),
                ipv6_addresses: Some(addresses.to_vec()),
                ipv6_prefixes: None,
            };
            bench.ec2.unassign_ipv6_addresses(&ctx, input).await
        };
        fails(
            ask(&[two[0].clone(), dual.address(9)]).await,
            "InvalidParameterValue",
            "not assigned",
        );
        let done = ask(&two[..1]).await.expect("unassigned");
        assert_eq!(done.unassigned_ipv6_addresses, Some(vec![two[0].clone()]));
        assert_eq!(ipv6(&bench.shown_interface(&mine).await), two[1..]);
        fails(ask(&two[..1]).await, "InvalidParameterValue", "not assigned");
        fails(ask(&[]).await, "MissingParameter", "ipv6Addresses");
        bench
            .ec2
            .assign_ipv6_addresses(&ctx, named(&other, &two[..1]))
            .await
            .expect("free again");
        refused(
            bench
                .ec2
                .unassign_ipv6_addresses(
                    &ctx,
                    UnassignIpv6AddressesRequest {
                        network_interface_id: mine.clone(),
                        ipv6_prefixes: Some(vec!["fd00::/80".to_owned()]),
                        ..Default::default()
                    },
                )
                .await,
            "Ipv6Prefixes",
        );
        let managed = id(&bench.interface(&bench.ecs(), &dual.subnet).await);
        fails(
            bench.ec2.assign_ipv6_addresses(&ctx, some(&managed, 1)).await,
            "AuthFailure",
            "permission",
        );
    }
}
