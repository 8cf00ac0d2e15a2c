//! DescribeSubnets.

use roadstead_api_ec2::{DescribeSubnetsRequest, DescribeSubnetsResult};
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
    input: DescribeSubnetsRequest,
) -> Result<DescribeSubnetsResult> {
    let DescribeSubnetsRequest {
        dry_run,
        filters,
        max_results,
        next_token,
        subnet_ids,
    } = input;
    let filters = Filters::new(filters, show::subnet::FILTERS)?;
    let ids = subnet_ids
        .as_ref()
        .filter(|ids| !ids.is_empty())
        .map(|_| "subnetIds");
    let paging = Paging::new(
        ctx,
        &format!("DescribeSubnets/{}", filters.scope()),
        max_results,
        next_token,
        ids,
    )?;
    let zones = ec2.zones(&ctx.region);
    ec2.read(ctx, |realm| {
        let view = show::subnet::View {
            ctx,
            realm,
            zones: &zones,
        };
        let found = select(&realm.subnets, error::SUBNET, subnet_ids.as_deref())?;
        super::dry_run(dry_run)?;
        let passed = found
            .into_iter()
            .map(|entry| &entry.value)
            .filter(|subnet| filters.pass(&subnet.tags, |name| view.values(subnet, name)));
        let (page, next_token) = paging.cut(ctx, passed, |subnet| subnet.id.to_string());
        let subnets = page.into_iter().map(|subnet| view.wire(subnet)).collect();
        Ok(DescribeSubnetsResult {
            next_token,
            subnets: Some(subnets),
        })
    })
    .await?
}
