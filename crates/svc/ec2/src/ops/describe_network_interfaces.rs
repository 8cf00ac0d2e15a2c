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
