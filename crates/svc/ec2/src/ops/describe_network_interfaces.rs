//! DescribeNetworkInterfaces.

use roadstead_api_ec2::{DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResult};
use roadstead_base::Ctx;

use crate::error::{self, Result};
use crate::filter::Filters;
use crate::lookup::select;
use crate::page::Paging;
use crate::service::Ec2;
use crate::show;

pub(super) async fn run(
    ec2: &Ec2,
    ctx: &Ctx,
    input: DescribeNetworkInterfacesRequest,
) -> Result<DescribeNetworkInterfacesResult> {
    let DescribeNetworkInterfacesRequest {
        dry_run,
        filters,
        include_managed_resources,
        max_results,
        network_interface_ids,
        next_token,
    } = input;
    let filters = Filters::new(filters, show::interface::FILTERS)?;
    let ids = network_interface_ids
        .as_ref()
        .filter(|ids| !ids.is_empty())
        .map(|_| "networkInterfaceIds");
    let listing = format!(
        "DescribeNetworkInterfaces/{}/{include_managed_resources:?}",
        filters.scope()
    );
    let paging = Paging::new(ctx, &listing, max_results, next_token, ids)?;
    let zones = ec2.zones(&ctx.region);
    ec2.read(ctx, |realm| {
        let view = show::interface::View {
            ctx,
            realm,
            zones: &zones,
        };
        let found = select(
            &realm.interfaces,
            error::INTERFACE,
            network_interface_ids.as_deref(),
        )?;
        super::dry_run(dry_run)?;
        let hidden = include_managed_resources != Some(true) && show::interface::hidden();
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|_| !hidden)
            .filter(|interface| filters.pass(&interface.tags, |name| view.values(interface, name)));
        let (page, next_token) = paging.cut(ctx, passed, |interface| interface.id.to_string());
        let interfaces = page.into_iter().map(|interface| view.wire(interface)).collect();
        Ok(DescribeNetworkInterfacesResult {
            network_interfaces: Some(interfaces),
            next_token,
        })
    })
    .await?
}

#[cfg(test)]
mod tests {
    use roadstead_api_ec2::{CreateNetworkInterfaceRequest, DescribeNetworkInterfacesRequest, Ec2 as _};

    use crate::show::interface::FILTERS;
    use crate::testing::{Bench, NOW, fails, filter, id, tagged};

    #[tokio::test]
    async fn describe_network_interfaces_filters_by_what_it_shows() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (vpc, subnet) = bench.network().await;
        let input = CreateNetworkInterfaceRequest {
            subnet_id: subnet.clone(),
            description: Some("for a task".to_owned()),
            secondary_private_ip_address_count: Some(1),
            tag_specifications: tagged("network-interface", "Name", "x"),
            ..Default::default()
        };
        let made = bench
            .ec2
            .create_network_interface(&bench.ecs(), input)
            .await
            .expect("made");
        let made = made.network_interface.expect("an interface");
        let attachment = bench.attach(&id(&made), "i-0a", 1).await;
        let group = made.groups.as_ref().expect("groups")[0]
            .group_id
            .clone()
            .expect("an id");
        bench
            .interface(&ctx, bench.default_vpc().await.subnets[1].subnet_id.as_str())
            .await;
        let count = async |name: &str, value: &str| {
            let filters = filter(name, &[value]);
            bench
                .interfaces(DescribeNetworkInterfacesRequest {
                    filters,
                    ..Default::default()
                })
                .await
                .len()
        };
        for (name, value, wanted) in [
            ("addresses.primary", "false", 1),
            ("addresses.private-ip-address", "10.0.0.5", 1),
            ("private-ip-address", "172.31.16.4", 1),
            ("attachment.attach-time", NOW.to_rfc3339().as_str(), 1),
            ("attachment.attachment-id", &attachment, 1),
            ("attachment.delete-on-termination", "false", 1),
            ("attachment.device-index", "1", 1),
            ("attachment.instance-id", "i-0a", 1),
            ("attachment.instance-owner-id", "000000000000", 1),
            ("attachment.status", "attached", 1),
            ("availability-zone", "us-east-1b", 1),
            ("availability-zone-id", "use1-az1", 1),
            ("description", "for *", 1),
            ("group-id", &group, 1),
            ("group-name", "default", 2),
            ("interface-type", "interface", 2),
            ("mac-address", made.mac_address.as_deref().expect("a MAC"), 1),
            ("network-interface-id", &id(&made), 1),
            ("operator.managed", "false", 2),
            ("owner-id", "000000000000", 2),
            ("private-dns-name", "ip-10-0-0-4.ec2.internal", 1),
            ("requester-id", "amazon-ecs", 1),
            ("requester-managed", "true", 1),
            ("source-dest-check", "true", 2),
            ("status", "in-use", 1),
            ("status", "available", 1),
            ("subnet-id", &subnet, 1),
            ("tag:Name", "x", 1),
            ("tag-key", "Name", 1),
            ("vpc-id", &vpc, 1),
            ("association.public-ip", "*", 0),
        ] {
            assert_eq!(count(name, value).await, wanted, "{name}={value}");
        }
        for name in FILTERS.iter().filter(|name| **name != "tag:") {
            count(name, "x").await;
        }
    }

    #[tokio::test]
    async fn describe_network_interfaces_by_id_and_page() {
        let bench = Bench::new().await;
        let ctx = bench.root();
        let (_, subnet) = bench.network().await;
        for _ in 0..7 {
            bench.interface(&bench.ecs(), &subnet).await;
        }
        let all = || DescribeNetworkInterfacesRequest::default();
        let ask = async |input| bench.ec2.describe_network_interfaces(&ctx, input).await;
        for include in [Some(true), Some(false), None] {
            let input = DescribeNetworkInterfacesRequest {
                include_managed_resources: include,
                ..all()
            };
            assert_eq!(bench.interfaces(input).await.len(), 7, "nothing is hidden");
        }
        let first = ask(DescribeNetworkInterfacesRequest {
            max_results: Some(5),
            ..all()
        })
        .await
        .expect("a page");
        let next = DescribeNetworkInterfacesRequest {
            max_results: Some(5),
            next_token: first.next_token,
            ..all()
        };
        let rest = ask(next).await.expect("a page");
        assert_eq!(
            (rest.network_interfaces.map(|list| list.len()), rest.next_token),
            (Some(2), None)
        );
        let by_id = |id: &str| DescribeNetworkInterfacesRequest {
            network_interface_ids: Some(vec![id.to_owned()]),
            ..all()
        };
        fails(
            ask(by_id("eni-0123")).await,
            "InvalidNetworkInterfaceID.NotFound",
            "The networkInterface ID 'eni-0123'",
        );
        fails(
            ask(by_id("eth0")).await,
            "InvalidNetworkInterfaceId.Malformed",
            "eth0",
        );
        let both = DescribeNetworkInterfacesRequest {
            max_results: Some(5),
            ..by_id("eni-0123")
        };
        fails(
            ask(both).await,
            "InvalidParameterCombination",
            "networkInterfaceIds",
        );
        fails(
            ask(DescribeNetworkInterfacesRequest {
                dry_run: Some(true),
                ..all()
            })
            .await,
            "DryRunOperation",
            "",
        );
        let wrong = DescribeNetworkInterfacesRequest {
            filters: filter("instance-id", &[]),
            ..all()
        };
        fails(
            ask(wrong).await,
            "InvalidParameterValue",
            "The filter 'instance-id' is invalid",
        );
    }
}
